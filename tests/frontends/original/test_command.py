"""`/command`: Tekton's chat and the original's command line, answered in words and as data."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.frontends.api_read.conftest import Served, served
from tests.frontends.original.conftest import Client

from tekton_budget.domain.caller import Role
from tekton_budget.domain.spoken import CHAT, LINE

CALL = {"component": "ergon", "provider": "anthropic", "model": "claude-3-haiku"}


def said(original: Client, command: str, *, success: bool = True) -> Any:
    answer = original.post("/command", {"command": command})
    assert list(answer) == ["success", "response", "data"]
    assert answer["success"] is success, answer
    assert answer["response"]
    return answer


def policies(original: Client) -> list[Any]:
    return [
        (one["name"], one["cost_limit"], one["enforcement"])
        for one in original.get("/policies")["items"]
    ]


def used(original: Client, *, input_tokens: int = 1_000_000, **labels: str) -> None:
    body = {**CALL, **labels, "input_tokens": input_tokens, "output_tokens": 0}
    original.post("/usage/record", body, 201)


# Limits -------------------------------------------------------------------------------------------


def test_a_new_limit_warns_and_says_how_to_deny(original: Client) -> None:
    answer = said(original, "set-limit daily 5")

    assert policies(original) == [("daily", 5, "warn")]
    assert "warn: calls beyond it are let through" in answer["response"]
    assert "set-limit daily 5 --policy-type hard_limit" in answer["response"]
    policy = answer["data"]["policy"]
    assert (policy["warning_threshold"], policy["action_threshold"]) == (0.8, 0.95)

    # And the advice that is given can be followed.
    assert "To deny" not in said(original, "set-limit daily 5 --policy-type hard_limit")["response"]
    assert policies(original) == [("daily", 5, "hard_limit")]


def test_a_limit_that_denies_is_not_loosened_by_a_new_amount(original: Client) -> None:
    said(original, "set-limit daily 5 --policy-type hard_limit --warning-threshold 0.5")
    answer = said(original, "set_limit daily 7")

    assert policies(original) == [("daily", 7, "hard_limit")]
    assert "calls beyond it are denied" in answer["response"]
    assert answer["data"]["policy"]["thresholds"] == [0.5, 0.95]


def test_limits_of_providers_tiers_and_components_are_their_own(original: Client) -> None:
    said(original, "set-limit monthly 9 --provider openai --component ergon")
    said(original, "set-limit monthly 8 --tier remote-heavyweight")
    said(original, "set-limit monthly 7")

    scopes = [(one["scope"], one["cost_limit"]) for one in original.get("/policies")["items"]]
    assert sorted(scopes, key=str) == sorted(
        [
            ({"provider": "openai", "component": "ergon"}, 9),
            ({"tier": "remote_heavyweight"}, 8),
            ({}, 7),
        ],
        key=str,
    )


def test_a_limit_may_belong_to_a_budget(original: Client) -> None:
    budget = original.post("/budgets", {"name": "lab"}, 201)["budget_id"]
    answer = said(original, f"set-limit weekly 5 --budget-id {budget}")
    unknown = said(original, "set-limit weekly 5 --budget-id nobody", success=False)

    assert answer["data"]["policy"]["budget_id"] == budget
    assert unknown["data"]["status"] == 404


def test_the_chat_shows_and_sets_limits(original: Client) -> None:
    assert "/limits daily 5" in said(original, "/limits")["response"]
    said(original, "/limits daily 5")
    assert policies(original) == [("daily", 5, "hard_limit")]

    assert "daily: $5.00 daily, hard_limit" in said(original, "/limits daily")["response"]
    assert "No limits are set" in said(original, "/limits weekly")["response"]


def test_the_chat_changes_the_limit_that_denies_where_others_warn(original: Client) -> None:
    limit = {"period": "daily", "cost_limit": 5, "name": "hard"}
    original.post("/policies", {**limit, "type": "hard_limit"}, 201)
    original.post("/policies", {**limit, "type": "warn", "name": "soft"}, 201)
    answer = said(original, "/limits daily 6")

    assert sorted(policies(original)) == [("hard", 6, "hard_limit"), ("soft", 5, "warn")]
    assert answer["data"]["created"] is False


def test_a_limit_that_is_passed_already_is_told(original: Client) -> None:
    used(original)
    said(original, "/limits daily 5")
    answer = said(original, "/limits daily 0.1")

    assert "It is passed already." in answer["response"]
    assert "passed_by" not in answer["response"]


def test_where_limits_stand(original: Client) -> None:
    used(original)
    said(original, "set-limit daily 1")
    said(original, "set-limit daily 0.1 --component ergon")

    everything = said(original, "status")["response"]
    assert "Used in the open daily window by all calls: $0.25, 1,000,000 tokens" in everything
    assert "daily: $0.25 of $1.00 (25.0 %)" in everything
    assert "component=ergon daily: $0.25 of $0.10 (250.0 %) - passed" in everything

    of_one = said(original, "status --period daily --component ergon")
    assert [one["component"] for one in of_one["data"]["summary"]] == ["ergon"]
    assert of_one["data"]["usage"]["total_cost"] == 0.25

    nobody = said(original, "status --component nobody")["response"]
    assert "$0.00, 0 tokens" in nobody
    assert "No daily limit is set for calls with component=nobody." in nobody
    assert "No monthly limit" in said(original, "/budget")["response"]


# Usage --------------------------------------------------------------------------------------------


def test_usage_of_the_original_s_words(original: Client) -> None:
    used(original)
    used(original, input_tokens=2_000_000, component="athena")

    whole = said(original, "get-usage daily --days 2")
    assert "$0.75 for 3,000,000 tokens" in whole["response"]
    assert "athena: $0.50, 2,000,000 tokens" in whole["response"]
    assert whole["data"]["totals"]["cost"] == 0.75
    assert whole["data"]["days"] == 2

    one = said(original, "get_usage daily --component ergon --model claude-3-haiku")
    assert one["data"]["totals"]["cost"] == 0.25
    assert said(original, "/usage daily athena")["data"]["totals"]["cost"] == 0.5
    assert said(original, "/usage athena")["data"]["period"] == "monthly"


def test_single_usages_are_found_by_filters(original: Client) -> None:
    for component in ("ergon", "athena", "ergon"):
        used(original, component=component)

    found = said(original, "/query component=ergon limit=1")
    assert len(found["data"]["items"]) == 1
    assert "ergon, anthropic/claude-3-haiku: 1,000,000 tokens, $0.25" in found["response"]
    assert "There are more" in found["response"]
    assert len(said(original, "/query")["data"]["items"]) == 3
    assert "No usage" in said(original, "/query component=nobody")["response"]
    wrong = said(original, "/query start_date=yesterday", success=False)
    assert wrong["data"]["status"] == 422


def test_analysis_of_nothing_and_of_something(original: Client) -> None:
    assert said(original, "/analyze")["response"] == "Nothing was used in this time."
    assert said(original, "/optimize")["response"] == "Nothing was used in this time."
    used(original)

    analysis = said(original, "/analyze daily")
    assert "In the open daily window" in analysis["response"]
    assert "On average $0.25 a day, $0.25 a request" in analysis["response"]
    assert said(original, "/analyze 3")["data"]["days"] == 3


def test_a_cheaper_model_is_named_with_what_it_had_cost(original: Client) -> None:
    body = {**CALL, "model": "claude-3-opus", "input_tokens": 1000, "output_tokens": 100}
    for _ in range(2):
        original.post("/usage/record", body, 201)

    found = said(original, "/optimize")
    (one,) = found["data"]["recommendations"]
    assert (one["model"], one["cost"]) == ("claude-3-haiku", 0.045)
    assert one["estimated_cost"] == 0.00075
    assert "anthropic/claude-3-opus cost $0.045" in found["response"]

    # The cheapest of all has nothing better beside it.
    used(original)
    assert len(said(original, "/optimize")["data"]["recommendations"]) == 1


def test_usage_without_a_price_is_said_to_be_without(original: Client) -> None:
    original.post("/usage/record", {**CALL, "model": "mystery", "input_tokens": 5}, 201)

    assert "1 of the records have no price" in said(original, "/usage")["response"]
    assert "cost unknown" in said(original, "/query")["response"]
    said(original, "/analyze")
    said(original, "/optimize")


# Models and prices --------------------------------------------------------------------------------


def test_prices_and_models_are_listed(original: Client) -> None:
    haiku = "anthropic/claude-3-haiku: $0.25 in, $1.25 out"
    for command in ("/prices", "/models", "prices list", "/prices anthropic claude-3-haiku"):
        assert haiku in said(original, command)["response"]
    assert haiku not in said(original, "prices list --model 'claude-3-o*'")["response"]
    assert "No prices are known" in said(original, "/models nobody")["response"]


def test_recommendations_are_by_price(original: Client) -> None:
    found = said(original, "recommend --context-size 1000 --output-size 1000")
    assert [one["model"] for one in found["data"]["items"]] == ["claude-3-haiku", "claude-3-opus"]
    cheap = said(original, "recommend --context-size 1000 --output-size 1000 --max-cost 0.01")
    assert [one["model"] for one in cheap["data"]["items"]] == ["claude-3-haiku"]
    none = said(original, "recommend --max-cost 0.0000001")
    assert "No model is known that would do" in none["response"]

    task = said(original, "/recommend what's best to sum up a book")
    assert task["data"]["task"] == "what's best to sum up a book"
    assert "anthropic/claude-3-haiku" in task["response"]


def test_a_call_is_priced(original: Client) -> None:
    words = "calc-cost --provider anthropic --model claude-3-haiku --input-tokens 1000000"
    assert said(original, words)["data"]["cost"] == 0.25
    more = said(original, f"{words} --output-tokens 1000000".replace("-c", "_c"))
    assert more["data"]["cost"] == 1.5
    assert "1,000,000 tokens read and 1,000,000 written: $1.50" in more["response"]

    unknown = said(original, words.replace("haiku", "mystery"), success=False)
    assert unknown["data"]["code"] == "unknown_price"


def test_prices_are_looked_for(original: Client) -> None:
    answer = said(original, "prices update")

    assert answer["response"] == answer["data"]["message"]


# Alerts -------------------------------------------------------------------------------------------


def test_alerts_are_shown_and_acknowledged(original: Client) -> None:
    assert said(original, "/alerts")["response"] == "There are no such alerts."
    said(original, "set-limit daily 0.3 --component ergon")
    said(original, "set-limit daily 0.3 --component athena")
    for component in ("ergon", "athena"):
        used(original, component=component)
        used(original, component=component)
    open_ = said(original, "/alerts list")
    ids = [one["alert_id"] for one in open_["data"]["items"]]
    errors = said(original, "alerts list --severity error --unacknowledged")["data"]["items"]

    assert len(ids) > len(errors) > 0
    assert {one["severity"] for one in errors} == {"error"}
    assert f"{ids[0]} {open_['data']['items'][0]['severity']}: " in open_["response"]

    assert said(original, f"alerts acknowledge {ids[0]}")["data"]["acknowledged"] is True
    said(original, f"/alerts acknowledge {ids[1]}")
    left = said(original, "alerts list --unacknowledged")["data"]["items"]
    assert [one["alert_id"] for one in left] == ids[2:]
    assert ", acknowledged: " in said(original, "alerts list --acknowledged")["response"]

    cleared = said(original, "/alerts clear")
    assert cleared["data"] == {"acknowledged": len(ids) - 2}
    assert said(original, "/alerts")["data"]["items"] == []
    nobody = said(original, "alerts acknowledge nobody", success=False)
    assert nobody["data"]["status"] == 404


# Allocations --------------------------------------------------------------------------------------


def test_an_allocation_lives_in_words(original: Client) -> None:
    create = "allocate create --context-id c --component ergon --tokens 1000"
    made = said(original, f"{create} --provider anthropic --model claude-3-haiku --priority 7")
    id_ = made["data"]["allocation_id"]
    assert "1,000 tokens, up to $0.00125" in made["response"]
    assert (made["data"]["priority"], made["data"]["task_type"]) == (7, "default")

    listed = said(original, "allocate list --context-id c")
    assert [one["allocation_id"] for one in listed["data"]["items"]] == [id_]
    assert f"{id_} active: ergon, c, anthropic/claude-3-haiku" in listed["response"]
    assert said(original, "allocate list --component nobody")["data"]["items"] == []

    assert "released" in said(original, f"allocate release {id_}")["response"]
    assert said(original, "allocate list")["data"]["items"] == []
    assert len(said(original, "allocate list --all")["data"]["items"]) == 1
    assert said(original, "allocate release nobody", success=False)["data"]["status"] == 404


def test_a_denial_is_told_in_words_with_all_its_numbers(original: Client) -> None:
    said(original, "set-limit daily 0.001 --policy-type hard_limit")
    create = (
        "allocate create --context-id c --component ergon --tokens 1000000 --provider anthropic"
    )
    denied = said(original, f"{create} --model claude-3-opus", success=False)

    assert denied["response"].startswith("Over budget: this call may cost up to $75.00")
    assert (denied["data"]["status"], denied["data"]["code"]) == (402, "over_budget")
    assert denied["data"]["policies"][0]["name"] == "daily"


def test_the_same_request_again_allocates_once(original: Client) -> None:
    create = "allocate create --context-id c --component ergon --tokens 10"
    headers = {"Idempotency-Key": "again-1"}
    answers = [
        original.server.http.post(
            f"{original.prefix}/command", json={"command": create}, headers=headers
        ).json()
        for _ in range(2)
    ]

    assert answers[0]["data"]["allocation_id"] == answers[1]["data"]["allocation_id"] == "again-1"
    assert len(said(original, "allocate list")["data"]["items"]) == 1


# Help, and what is no command ---------------------------------------------------------------------


def test_help_lists_every_command_and_explains_each(original: Client) -> None:
    whole = original.get("/command/help")
    assert said(original, "/help") == whole
    assert len(whole["data"]["commands"]) == len(CHAT) + len(LINE)

    one = original.get("/command/help", command="/limits")
    assert one == said(original, "/help /limits")
    assert one["data"]["commands"][0]["usage"] == "/limits [period] [amount]"
    assert "Of which period: hourly" in one["response"]
    assert original.get("/command/help", command="set_limit")["data"]["commands"][0]["options"]
    unknown = original.get("/command/help", command="frobnicate")
    assert (unknown["success"], unknown["data"]) == (False, {"commands": []})


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("frobnicate", "command_unknown"),
        ("/frobnicate", "command_unknown"),
        ("", "command_invalid"),
        ("/", "command_invalid"),
        ("set-limit daily much", "command_invalid"),
        ("/alerts acknowledge", "command_invalid"),
        ("set-limit daily 99999999999", "invalid"),
    ],
)
def test_what_is_no_command_is_answered_clearly(original: Client, command: str, code: str) -> None:
    answer = said(original, command, success=False)

    assert (answer["data"]["status"], answer["data"]["code"]) == (422, code)
    assert answer["data"]["detail"] == answer["response"]
    assert policies(original) == []


@pytest.mark.parametrize(
    "body", [{}, {"command": None}, {"command": 5}, {"command": "x" * 4001}, {"cmd": "/help"}, []]
)
def test_what_is_no_line_is_refused(original: Client, body: object) -> None:
    assert original.post("/command", body, 422)["code"] == "invalid"


@pytest.mark.parametrize("command", ["/refresh", "/clear", "start"])
def test_what_the_page_does_by_itself_is_said(original: Client, command: str) -> None:
    assert said(original, command)["data"] == {}


# Rights -------------------------------------------------------------------------------------------


def test_a_command_has_the_rights_of_its_key_and_no_more(quick: Served) -> None:
    def told(http: Any, command: str) -> Any:
        return http.post("/api/command", json={"command": command}).json()

    admin = quick.key("ada", Role.ADMIN)
    viewer, team = quick.key("vi", Role.VIEWER), quick.key("team", Role.ADMIN, team="a")

    assert quick.http.post("/api/command", json={"command": "/help"}).status_code == 401
    assert quick.http.get("/api/command/help").status_code == 401
    refused = told(viewer, "set-limit daily 5")
    assert (refused["success"], refused["data"]["status"]) == (False, 403)
    assert told(viewer, "/limits")["success"] is True

    assert told(admin, "set-limit daily 5")["success"] is True
    admin.post("/api/usage/record", json={"cost": 3, "team": "b"}).raise_for_status()
    assert told(team, "/usage")["data"]["totals"]["cost"] == 0
    assert told(team, "/limits")["data"]["policies"] == []
    assert told(team, "set-limit daily 9")["data"]["policy"]["scope"] == {"team": "a"}


def test_a_page_of_another_site_may_command_nothing(quick: Served) -> None:
    body = {"command": "set-limit daily 5"}
    evil = quick.http.post("/api/command", json=body, headers={"Origin": "http://evil.example"})
    own = quick.http.post("/api/command", json=body, headers={"Origin": "http://localhost:8080"})

    assert (evil.status_code, own.status_code) == (403, 200)


def test_a_store_that_is_away_is_no_answer(quick: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.running.writer.stop()
    answer = quick.http.post("/api/command", json={"command": "set-limit daily 5"})

    assert answer.status_code == 503
    assert "retry-after" in answer.headers


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Served]:
    with served(sqlite_url) as one:
        yield one
