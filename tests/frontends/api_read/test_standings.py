"""Where limits stand, over HTTP: status, summaries by period, balances and groups."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.frontends.api_read.conftest import Served

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def get(server: Served, path: str, status: int = 200, **query: Any) -> Any:
    answer = server.http.get(f"/api/v1{path}", params=query)
    assert answer.status_code == status, answer.text
    return _decode(answer.content)


def spend(server: Served, **fields: Any) -> None:
    server.http.post("/api/v1/usage/record", json=fields).raise_for_status()


def hold(server: Served, **fields: Any) -> None:
    answer = server.http.post("/api/v1/allocations", json=fields)
    assert answer.status_code == 201, answer.text


# Status -------------------------------------------------------------------------------------------


def test_status_tells_every_policy_that_concerns_the_labels_and_which_binds(server: Served) -> None:
    server.limit("100usd/month")
    server.limit("10usd/day", scope={"team": "a"})
    server.limit("50usd/month", scope={"team": "b"})
    server.limit("3requests/day", per=["user"], type="warn")
    spend(server, team="a", user="alice", cost=4)
    hold(server, team="a", user="bob", cost=5)

    status = get(server, "/status", team="a", user="alice", model="gpt-5-mini")

    assert status["labels"] == {"team": "a", "user": "alice", "model": "gpt-5-mini"}
    assert [(one["name"], one["group"]) for one in status["policies"]] == [
        ("team=a daily", ""),
        ("daily per user requests", "alice"),
        ("monthly", ""),
    ]
    assert status["binds"]["name"] == "team=a daily"
    assert status["binds"]["spent"]["cost"] == 4
    assert status["binds"]["held"]["cost"] == 5
    assert status["binds"]["remaining"] == {"tokens": None, "cost": 1, "requests": None}
    assert status["binds"]["share"] == Decimal("0.9")
    assert status["near"] == [
        {
            "policy_id": status["near"][0]["policy_id"],
            "name": "team=b monthly",
            "label": "team",
            "wanted": "b",
            "given": "a",
        }
    ]


def test_any_parameter_of_status_is_a_label(quick: Served) -> None:
    quick.limit("1usd/day", scope={"squad": "blue", "user": "u"})

    status = get(quick, "/status", squad="blue", user_id="u")

    assert status["labels"] == {"squad": "blue", "user": "u"}
    assert len(status["policies"]) == 1


def test_status_of_a_call_that_nothing_concerns_counts_such_calls(quick: Served) -> None:
    hold(quick, team="a", cost=1)

    status = get(quick, "/status", team="a")

    assert (status["policies"], status["binds"], status["unbudgeted_calls"]) == ([], None, 1)


def test_a_key_is_told_of_what_concerns_itself(quick: Served) -> None:
    quick.limit("10usd/day", scope={"team": "a"})
    quick.limit("20usd/day", scope={"team": "b"})

    status = quick.key("reader", team="a").get("/api/v1/status").json()

    assert [one["name"] for one in status["policies"]] == ["team=a daily"]
    assert status["labels"] == {"team": "a", "key": "reader"}
    assert status["near"] == []


# Summaries ----------------------------------------------------------------------------------------


def test_summaries_fill_the_three_cards_of_the_dashboard(server: Served) -> None:
    server.limit("4usd/day", scope={"team": "a"})
    server.limit("5usd/day")
    server.limit("100usd/month", scope={"team": "a"})
    spend(server, team="a", input_tokens=30, output_tokens=10, cost=1)
    hold(server, team="a", cost=2)

    found = get(server, "/budgets/summary", period="daily,weekly,monthly")

    first = {}
    for one in found:
        first.setdefault(one["period"], one)
    assert list(first) == ["daily", "weekly", "monthly"]
    daily, monthly = first["daily"], first["monthly"]
    assert (daily["total_cost"], daily["cost_limit"]) == (1, 5)
    assert daily["cost_usage_percentage"] == 20
    assert (daily["total_tokens_used"], daily["input_tokens"], daily["output_tokens"]) == (
        40,
        30,
        10,
    )
    assert (daily["spent"], daily["limit"], daily["remaining_cost"]) == (1, 5, 2)
    assert (daily["active_allocations"], daily["cost_limit_exceeded"]) == (1, False)
    # No policy is on all of a month, so that what all used comes first.
    assert (monthly["policy_id"], monthly["total_cost"], monthly["limit"]) == (None, 1, 0)
    assert len(found) == 3
    assert first["weekly"]["cost_usage_percentage"] is None


def test_a_budget_s_summary_has_fractions_as_the_original_had(server: Served) -> None:
    server.limit("8usd/day")
    spend(server, cost=2)

    (daily,) = get(server, "/budgets/default/summary", period="daily")

    assert daily["cost_usage_percentage"] == Decimal("0.25")
    assert (daily["spent"], daily["limit"]) == (2, 8)
    assert daily["budget_id"] == "default"


def test_a_key_s_card_is_of_the_limit_on_all_that_it_can_do(quick: Served) -> None:
    quick.limit("50usd/day")
    quick.limit("10usd/day", scope={"team": "a"})
    spend(quick, team="a", cost=1)
    spend(quick, team="b", cost=3)

    def cards(**labels: str) -> list[tuple[object, ...]]:
        key = quick.key(f"reader-{labels}", **labels)
        found = key.get("/api/v1/budgets/summary?period=daily").json()
        return [(one["name"], one["total_cost"], one["cost_limit"]) for one in found]

    assert cards(team="a") == [("team=a daily", 1, 10)]
    assert cards(team="b") == [(None, 3, None)]


def test_a_card_is_of_money_and_of_what_stops_calls(quick: Served) -> None:
    quick.limit("9000tokens/day")
    quick.limit("1usd/day", type="ignore", name="counted")
    quick.limit("5usd/day", type="warn", name="told")
    quick.limit("8usd/day", name="loose")
    quick.limit("7usd/day", name="held")
    quick.limit("6usd/day", name="off", enabled=False)

    (card,) = get(quick, "/budgets/summary", period="DAILY")
    every = get(quick, "/budgets/default/summary", period="daily")

    assert card["name"] == "held"
    assert [one["name"] for one in every] == [
        "held",
        "loose",
        "told",
        "counted",
        "off",
        "daily tokens",
    ]


def test_the_page_that_asks_for_a_month_fills_three_cards(quick: Served) -> None:
    quick.limit("100usd/month")

    opened = get(quick, "/budgets/summary", period="monthly")
    weekly = get(quick, "/budgets/summary", period="weekly")

    assert [one["period"] for one in opened] == ["monthly", "daily", "weekly"]
    assert [one["period"] for one in weekly] == ["weekly"]


def test_a_passed_limit_says_so(quick: Served) -> None:
    quick.limit("1usd/day")
    spend(quick, cost=3)

    (daily,) = get(quick, "/budgets/summary", period="daily")

    assert daily["cost_limit_exceeded"] is True
    assert (daily["cost_usage_percentage"], daily["remaining_cost"]) == (300, 0)


@pytest.mark.parametrize("period", ["fortnightly", "", ",", "daily,sometimes"])
def test_an_unknown_period_is_refused(quick: Served, period: str) -> None:
    assert get(quick, "/budgets/summary", 422, period=period)["fields"][0]["field"] == "period"


# Balances and groups ------------------------------------------------------------------------------


def test_balances_show_each_policy_and_group_of_a_budget(server: Served) -> None:
    server.limit("9usd/day")
    server.limit("1000tokens/hour", per=["user"])
    for user, tokens in (("alice", 100), ("bob", 900)):
        spend(server, user=user, input_tokens=tokens, cost=1)

    page = get(server, "/budgets/default/balances")

    shown = [(one["name"], one["group"], one["share"]) for one in page["items"]]
    assert shown == [
        ("daily", "", Decimal("0.222222")),
        ("hourly per user tokens", "bob", Decimal("0.9")),
        ("hourly per user tokens", "alice", Decimal("0.1")),
    ]
    assert page["items"][1]["labels"] == {"user": "bob"}
    assert page["items"][1]["remaining"]["tokens"] == 100
    assert get(server, "/budgets/nobody/balances", 404)["code"] == "budget_not_found"


def test_a_walk_over_groups_by_share_has_no_gaps_and_no_repeats(server: Served) -> None:
    server.limit("1000tokens/day", per=["user"], name="mine")
    for number in range(11):
        spend(server, user=f"u{number:02}", input_tokens=10 * (number % 4), cost=0)

    seen: list[tuple[str, Decimal]] = []
    after: dict[str, str] = {}
    while True:
        page = get(server, "/policies/mine/groups", sort="share", limit=3, **after)
        seen += [(one["group"], one["share"]) for one in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert sorted(group for group, _ in seen) == [f"u{number:02}" for number in range(11)]
    shares = [share for _, share in seen]
    assert shares == sorted(shares, reverse=True)


def test_groups_are_found_by_name_and_in_its_order(quick: Served) -> None:
    quick.limit("10usd/day", per=["user"], name="mine")
    for user in ("carol", "alice", "bob"):
        spend(quick, user=user, cost=1)

    by_name = get(quick, "/policies/mine/groups", sort="name")
    one = get(quick, "/policies/mine/groups", group="bob")
    untouched = get(quick, "/policies/mine/groups", group="dave")

    assert [item["group"] for item in by_name["items"]] == ["alice", "bob", "carol"]
    assert [item["spent"]["cost"] for item in one["items"]] == [1]
    assert [item["spent"]["cost"] for item in untouched["items"]] == [0]
    assert get(quick, "/policies/mine/groups", 422, sort="luck")["fields"][0]["field"] == "sort"
    assert get(quick, "/policies/none/groups", 404)["code"] == "policy_not_found"
