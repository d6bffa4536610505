"""The Hephaestus budget page: its calls in its order, and each field in the type that it reads.

The page speaks from another origin, without a key, and calls `toFixed` and `toLocaleString` on what
it gets, so that a text or a null where it expects a number leaves a card empty.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from tests.frontends.api_read.conftest import Served, served
from tests.frontends.original.conftest import HAIKU, NO_TLS, OPUS, prices

PAGE = "http://localhost:8080"
NUMBER, TEXT, TRUTH = (int, float), (str,), (bool,)
JSON = {"Content-Type": "application/json"}


class Page:
    """What a browser does for the page: an origin, a preflight before JSON, and no key."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Origin": PAGE}, verify=NO_TLS, timeout=60)

    def get(self, path: str) -> Any:
        return self._read(self.http.get(path, headers=JSON), path)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        asked = {
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type",
        }
        preflight = self.http.options(path, headers=asked)
        assert preflight.status_code == 200, preflight.text
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert method in preflight.headers["access-control-allow-methods"]
        assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
        return self._read(self.http.request(method, path, json=body, headers=JSON), path)

    def _read(self, answer: httpx.Response, path: str) -> Any:
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["access-control-allow-origin"] == PAGE
        return answer.json()


def has(found: Mapping[str, Any], **types: tuple[type, ...]) -> None:
    """Each field is there, in a type that the page can use."""
    for name, kinds in types.items():
        assert name in found, f"{name} is missing"
        value = found[name]
        assert isinstance(value, kinds), f"{name} is {value!r}"
        assert not isinstance(value, bool) or bool in kinds, f"{name} is {value!r}"


@pytest.fixture
def server(store_url: str) -> Iterator[Served]:
    """A day of work: a budget with limits, usage of two models, and a passed threshold."""
    with served(store_url, prices="none") as one:
        prices(one)
        one.http.post(
            "/api/v1/budgets",
            json={
                "name": "Tekton",
                "policies": [
                    {"limit": "5usd/day", "name": "day"},
                    {"limit": "25usd/week", "name": "week"},
                    {"limit": "100usd/month", "name": "month"},
                    {"limit": "50usd/month", "provider": "anthropic", "name": "anthropic"},
                ],
            },
        ).raise_for_status()
        for model, cost in ((OPUS, "3.75"), (HAIKU, "1.25")):
            used = {**model, "component": "ergon", "task_type": "chat", "cost": cost}
            one.http.post(
                "/api/v1/usage/record", json={**used, "input_tokens": 900, "output_tokens": 100}
            ).raise_for_status()
        yield one


@pytest.fixture
def page(server: Served) -> Iterator[Page]:
    one = Page(server.url)
    with one.http:
        yield one


def test_the_page_s_own_script_fills_a_card_and_a_table(page: Page) -> None:
    """`budget_refreshData()`: the budgets, the records, then the first budget's day."""
    budgets = page.get("/api/v1/budgets")
    records = page.get("/api/v1/usage/records?limit=20")
    id_ = budgets["items"][0]["budget_id"]
    (today, *_) = page.get(f"/api/v1/budgets/{id_}/summary?period=daily")

    has(today, spent=NUMBER, limit=NUMBER)
    assert (today["spent"], today["limit"]) == (5, 5)
    assert len(records["items"]) == 2
    for item in records["items"]:
        has(item, timestamp=TEXT, component=TEXT, provider=TEXT, model=TEXT, task_type=TEXT)
        has(item, total_tokens=NUMBER, cost=NUMBER)
    first, second = records["top_usage"]
    for top in (first, second):
        has(top, model=TEXT, provider=TEXT, requests=NUMBER, tokens=NUMBER, cost=NUMBER)
    assert (first["model"], first["cost"], first["tokens"]) == (OPUS["model"], 3.75, 1000)


def test_the_module_fills_every_tab(page: Page) -> None:
    """`budgetComponent.init()`: the same calls in the same order; the sockets are tested apart."""
    cards = page.get("/api/budgets/summary?period=monthly")
    month = page.send("POST", "/api/usage/summary", {"period": "monthly"})
    trend = page.send("POST", "/api/usage/summary", {"period": "daily", "days": 30})
    records = page.get("/api/usage/records?page=1&limit=20")
    budgets = page.get("/api/budgets")
    id_ = budgets["items"][0]["budget_id"]
    policies = page.get(f"/api/budgets/{id_}/policies")
    rates = page.get("/api/prices")
    alerts = page.get("/api/alerts?page=1&limit=20&acknowledged=false")

    by_period = {card["period"]: card for card in cards}  # the last of a period counts
    assert set(by_period) == {"daily", "weekly", "monthly"}
    for card in by_period.values():
        has(card, total_cost=NUMBER, cost_limit=NUMBER, cost_usage_percentage=NUMBER)
        has(card, total_tokens_used=NUMBER, input_tokens=NUMBER, output_tokens=NUMBER)
    daily = by_period["daily"]
    assert (daily["total_cost"], daily["cost_limit"], daily["cost_usage_percentage"]) == (5, 5, 100)
    assert (daily["input_tokens"], daily["output_tokens"]) == (1800, 200)
    for share in month["providers"]:
        has(share, provider=TEXT, cost=NUMBER, percentage=NUMBER)
    for share in month["models"]:
        has(share, model=TEXT, provider=TEXT, tokens=NUMBER, cost=NUMBER, percentage=NUMBER)
    assert [share["percentage"] for share in month["models"]] == [75, 25]
    assert len(trend["daily_usage"]) == 30
    for day in trend["daily_usage"]:
        has(day, date=TEXT, cost=NUMBER, limit=NUMBER)
    has(records, total=NUMBER, page=NUMBER, limit=NUMBER)
    for item in records["items"]:
        has(item, record_id=TEXT, timestamp=TEXT, input_tokens=NUMBER, output_tokens=NUMBER)
        has(item, cost=NUMBER)
    has(budgets["items"][0], budget_id=TEXT, name=TEXT, description=TEXT, is_active=TRUTH)
    for policy in policies["items"]:
        has(policy, policy_id=TEXT, budget_id=TEXT, type=TEXT, period=TEXT, enabled=TRUTH)
        has(policy, cost_limit=NUMBER, warning_threshold=NUMBER, action_threshold=NUMBER)
        assert {"token_limit", "tier", "provider", "component", "task_type"} <= policy.keys()
    has(alerts, total=NUMBER, page=NUMBER, limit=NUMBER)
    assert alerts["items"]
    for alert in alerts["items"]:
        has(alert, alert_id=TEXT, title=TEXT, message=TEXT, severity=TEXT, timestamp=TEXT)
        has(alert, acknowledged=TRUTH, budget_id=TEXT, type=TEXT)
    assert isinstance(rates, list)
    for rate in rates:
        has(rate, provider=TEXT, model=TEXT)
        has(rate, input_cost_per_token=NUMBER, output_cost_per_token=NUMBER)


def test_the_settings_are_found_and_saved(page: Page, server: Served) -> None:
    """It looks for the hard limit of each period without provider and tier, and puts it back."""
    id_ = page.get("/api/budgets")["items"][0]["budget_id"]
    held = {
        (one["period"], one["provider"]): {
            "id": one["policy_id"],
            "budgetId": one["budget_id"],
            "type": one["type"],
            "period": one["period"],
            "tokenLimit": one["token_limit"],
            "costLimit": one["cost_limit"],
            "warningThreshold": one["warning_threshold"],
            "actionThreshold": one["action_threshold"],
            "enabled": one["enabled"],
            "tier": one["tier"],
            "provider": one["provider"],
            "component": one["component"],
            "taskType": one["task_type"],
        }
        for one in page.get(f"/api/budgets/{id_}/policies")["items"]
        if one["type"] == "hard_limit" and not one["tier"]
    }

    for period, limit in (("daily", 6), ("weekly", 30.5), ("monthly", 120)):
        policy = held[period, None]
        page.send("PUT", f"/api/policies/{policy['id']}", {**policy, "costLimit": limit})
    off = held["monthly", "anthropic"]
    page.send("PUT", f"/api/policies/{off['id']}", {**off, "costLimit": 40, "enabled": False})
    page.send("PUT", f"/api/budgets/{id_}", {"budget_id": id_, "name": "Tekton", "is_active": True})

    cards = {one["period"]: one for one in page.get("/api/budgets/summary?period=monthly")}
    assert [cards[p]["cost_limit"] for p in ("daily", "weekly", "monthly")] == [6, 30.5, 120]
    found = server.http.get(f"/api/v1/policies/{off['id']}").json()
    assert (found["cost_limit"], found["enabled"], found["provider"]) == (40, False, "anthropic")
    assert found["version"] == 1  # what it counted stays


def test_alerts_are_dismissed_one_by_one(page: Page) -> None:
    """`dismissAlert`: a POST without a body, then the list again."""
    unread = "/api/alerts?page=1&limit=20&acknowledged=false"
    before = page.get(unread)["items"]

    dismissed = page.send("POST", f"/api/alerts/{before[0]['alert_id']}/acknowledge")

    assert dismissed["acknowledged"] is True
    after = [one["alert_id"] for one in page.get(unread)["items"]]
    assert after == [one["alert_id"] for one in before[1:]]


def test_the_client_s_commands_are_answered(page: Page) -> None:
    """`executeCommand` and `getCommandHelp`, which its other scripts do not call."""
    told = page.send("POST", "/api/command", {"command": "/budget daily"})
    page.get("/api/command/help")
    page.get("/api/command/help?command=budget")

    assert told["success"] is True
    assert "$5.00" in told["response"]


def test_the_chat_s_commands_find_their_numbers(page: Page) -> None:
    """`/usage`, `/query`, `/prices`: text made in the browser of these fields."""
    usage = page.send("POST", "/api/usage/summary", {"period": "monthly", "component": "ergon"})
    query = page.get("/api/usage/records?page=1&limit=20&task_type=chat")
    rates = page.get("/api/prices?provider=anthropic&model=claude-3-opus")

    has(usage, total_tokens=NUMBER, input_tokens=NUMBER, output_tokens=NUMBER, total_cost=NUMBER)
    for share in (*usage["providers"], *usage["models"], *usage["components"]):
        has(share, name=TEXT, tokens=NUMBER, cost=NUMBER)
    assert query["total"] == 2
    assert len(rates) == 1


def test_a_page_of_another_site_is_not_answered(server: Served) -> None:
    answer = server.http.get("/api/budgets", headers={"Origin": "http://evil.example"})

    assert "access-control-allow-origin" not in answer.headers


def test_an_empty_service_leaves_no_card_broken(store_url: str) -> None:
    with served(store_url, prices="none") as one:
        page = Page(one.url)
        with page.http:
            assert page.get("/api/v1/budgets")["items"] == []
            assert page.get("/api/v1/usage/records?limit=20")["top_usage"] == []
            cards = page.get("/api/budgets/summary?period=daily,weekly,monthly")
            summary = page.send("POST", "/api/usage/summary", {"period": "daily"})

    assert [card["period"] for card in cards] == ["daily", "weekly", "monthly"]
    for card in cards:
        has(card, spent=NUMBER, limit=NUMBER, total_cost=NUMBER, total_tokens_used=NUMBER)
        assert card["cost_usage_percentage"] is None
    assert (summary["providers"], summary["models"]) == ([], [])
