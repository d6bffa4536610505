"""What each tool says and does, without the protocol around it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.frontends.mcp.conftest import TEAM_A, AtDesk, Service, done

from tekton_budget.domain.errors import Conflict, InvalidInput, NotFound
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.frontends.mcp.protocol import INSTRUCTIONS, tools_shown
from tekton_budget.frontends.mcp.tools import ADMIN_TOOLS, AGENT_TOOLS, Tool

NAMES = [
    *("budget_status", "plan", "estimate", "allocate", "settle", "release", "extend"),
    *("delegate", "record_usage", "usage_report", "prices", "recommend_model", "explain_denial"),
]
TOKENS_MAX = 3000
BYTES_PER_TOKEN_LEAST = 3.0  # of JSON and English; what models really take is above 3.5
Seats = Callable[..., AtDesk]


@pytest.mark.parametrize("tools", [AGENT_TOOLS, ADMIN_TOOLS], ids=["agent", "admin"])
def test_there_are_thirteen_at_most_and_they_fit_into_a_prompt(tools: tuple[Tool, ...]) -> None:
    shown = [
        tool.model_dump(by_alias=True, exclude_none=True, mode="json")
        for tool in tools_shown(tools)
    ]
    wire = json.dumps({"tools": shown}, separators=(",", ":")) + INSTRUCTIONS

    assert len(tools) <= 13
    assert len(wire.encode()) / BYTES_PER_TOKEN_LEAST < TOKENS_MAX


def test_they_are_those_that_were_promised() -> None:
    assert [tool.name for tool in AGENT_TOOLS] == NAMES
    assert {"set_limit", "credit"} <= {tool.name for tool in ADMIN_TOOLS}
    assert {"set_limit", "credit"}.isdisjoint(NAMES)


def test_no_argument_is_ever_required_and_every_tool_says_what_none_means() -> None:
    for tool in {*AGENT_TOOLS, *ADMIN_TOOLS}:
        assert "required" not in tool.schema(), tool.name
        wordless = tool.name in ("budget_status", "plan")  # their labels and sizes say it
        assert wordless or "Empty" in tool.says, tool.name


def test_what_is_left_is_said_in_one_sentence_first(quiet: Service, at_desk: Seats) -> None:
    quiet.limit("2usd", scope={"run": "r1"}, name="cap")
    done(quiet.use(11, "0.08", run="r1"))

    answer = at_desk(run="r1").call("budget_status")

    assert answer.text == '$1.12 of $2.00 left in "cap"; about 14 more calls like the last ten.'
    assert answer.data["calls_left"] == 14
    assert answer.data["limits"][0]["spent"]["cost"] == Decimal("0.88")


def test_in_a_run_it_says_so(quiet: Service, at_desk: Seats) -> None:
    done(quiet.face().open_run("r1", cost_limit=2))
    done(quiet.use(1, "0.88", run="r1"))

    text = at_desk(run="r1").says("budget_status")

    assert text.startswith("$1.12 of $2.00 left in this run; about 1 more call like the last one.")


def test_near_the_end_of_a_run_it_says_to_finish(quiet: Service, at_desk: Seats) -> None:
    done(quiet.face().open_run("r1", cost_limit=2, landing=Decimal("0.1")))
    done(quiet.use(1, "1.85", run="r1"))

    text = at_desk(run="r1").says("budget_status")

    assert "$0.15 of $2.00 left in this run; about 0 more calls" in text
    assert "kept for the end: finish what is under way" in text


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("1000tokens/day", '0 of 1,000 tokens left in "cap"; about 0 more calls like the last'),
        ("500tokens/day", '500 tokens over the 500 tokens in "cap"; about 0 more calls'),
        ("3requests/day", '2 requests of 3 requests left in "cap"; about 2 more calls'),
    ],
)
def test_other_units_are_named(quiet: Service, at_desk: Seats, limit: str, said: str) -> None:
    quiet.limit(limit, name="cap")
    done(quiet.use(1))

    assert said in at_desk().says("budget_status").replace("0 tokens of", "0 of")


def test_without_limits_it_says_that_too(quiet: Service, at_desk: Seats) -> None:
    assert "No limit concerns" in at_desk().says("budget_status")
    quiet.limit("1usd/day", enforcement="warn")

    assert "only count or warn" in at_desk().says("budget_status")


def test_allocate_and_settle_by_their_ids(quiet: Service, at_desk: Seats) -> None:
    quiet.limit("1usd/day", scope=TEAM_A, name="cap")
    quiet.price()
    desk = at_desk(team="a")

    granted = desk.call(
        "allocate", model="openai/gpt-5-mini", input_tokens=900, max_output_tokens=100
    )
    settled = desk.call(
        "settle",
        allocation_id=granted.data["allocation_id"],
        input_tokens=900,
        output_tokens=50,
    )

    assert granted.data["granted"] == {"tokens": 1000, "cost": Decimal("0.001"), "requests": 1}
    assert "at most 100 output tokens of gpt-5-mini" in granted.text
    assert settled.data["cost"] == Decimal("0.00095")
    assert settled.data["limits"][0]["remaining"]["cost"] == Decimal("0.99905")


def test_a_denial_says_what_would_fit_and_can_be_explained(quiet: Service, at_desk: Seats) -> None:
    quiet.limit("1usd/day", name="cap")
    desk = at_desk(team="a")

    with pytest.raises(BudgetExceeded) as denied:
        desk.call("allocate", cost=5)

    assert "Fits now: up to $1.00" in str(denied.value)
    explained = desk.call("explain_denial")
    assert explained.text.startswith(str(denied.value))
    assert explained.data["largest_fit"]["cost"] == 1
    others = at_desk(team="a", remembers=False).call("explain_denial")
    assert str(denied.value) in others.text
    assert at_desk(team="b").call("explain_denial").data == {"denials": 0}


def test_an_ask_without_arguments_is_for_a_call_like_past_ones(
    quiet: Service, at_desk: Seats
) -> None:
    quiet.price()
    done(quiet.use(3, team="a"))

    granted = at_desk(team="a").call("allocate")

    assert granted.data["model"] == "gpt-5-mini"
    assert granted.data["granted"]["tokens"] == 1000
    assert "the model used most lately" in granted.data["assumed"]


def test_without_a_past_it_says_what_it_assumed(quiet: Service, at_desk: Seats) -> None:
    quiet.price()

    granted = at_desk().call("allocate")

    assert granted.data["granted"]["tokens"] == 5000
    assert "4,000 input and 1,000 output tokens a call" in granted.text


def test_settling_without_numbers_charges_what_was_held(quiet: Service, at_desk: Seats) -> None:
    quiet.price()
    desk = at_desk()
    desk.call("allocate", model="openai/gpt-5-mini", input_tokens=900, max_output_tokens=100)

    settled = desk.call("settle")

    assert settled.data["cost"] == Decimal("0.001")
    assert "as an estimate" in settled.text


def test_settling_without_numbers_leaves_what_was_recorded(quiet: Service, at_desk: Seats) -> None:
    desk = at_desk()
    id_ = desk.call("allocate", cost=1).data["allocation_id"]
    desk.call("record_usage", allocation_id=id_, cost="0.25", input_tokens=1)

    assert desk.call("settle").data["cost"] == Decimal("0.25")


def test_the_latest_is_meant_until_it_is_over(quiet: Service, at_desk: Seats) -> None:
    desk = at_desk()
    first = desk.call("allocate", cost=1).data["allocation_id"]
    second = desk.call("allocate", cost=1).data["allocation_id"]

    assert second in desk.says("extend")
    assert second in desk.says("release")
    assert first in desk.says("extend", cost=2)
    assert first in desk.says("settle", cost="0.5")
    with pytest.raises(NotFound, match="call allocate first"):
        desk.call("settle")


def test_where_nothing_is_remembered_the_only_one_is_meant_and_several_are_not_guessed(
    quiet: Service, at_desk: Seats
) -> None:
    asker, other = at_desk(team="a", remembers=False), at_desk(team="b", remembers=False)
    done(_held_elsewhere(quiet))
    other.call("allocate", cost=1)
    one = asker.call("allocate", cost=1).data["allocation_id"]

    assert one in asker.says("extend")
    asker.call("delegate", cost="0.1")
    assert one in asker.says("extend")
    asker.call("allocate", cost=1)
    with pytest.raises(Conflict, match="say which by allocation_id"):
        asker.call("release")


async def _held_elsewhere(quiet: Service) -> None:
    """By a program that is no client of the protocol."""
    await quiet.face(team="a").allocate(cost=1)


def test_parts_are_delegated_again_and_again(quiet: Service, at_desk: Seats) -> None:
    quiet.limit("1usd/day")
    desk = at_desk()
    parent = desk.call("allocate", cost="0.8").data["allocation_id"]

    half = desk.call("delegate", agent="reader")
    quarter = desk.call("delegate")
    named = desk.call("delegate", cost="0.05", allocation_id=parent)

    assert half.data["granted"]["cost"] == Decimal("0.4")
    assert quarter.data["granted"]["cost"] == Decimal("0.2")
    assert named.data["parent_id"] == parent
    desk.call("settle", allocation_id=half.data["allocation_id"], cost="0.1")
    with pytest.raises(Conflict):
        desk.call("settle", cost="0.1")
    assert desk.call("settle", cost="0.1", cascade=True).data["status"] == "settled"


def test_usage_is_recorded_or_the_latest_is_shown(quiet: Service, at_desk: Seats) -> None:
    quiet.price()
    desk = at_desk(team="a")

    recorded = desk.call(
        "record_usage", model="openai/gpt-5-mini", input_tokens=900, output_tokens=100
    )
    shown = desk.call("record_usage")

    assert recorded.text.startswith("Recorded 1,000 tokens at $0.001.")
    assert shown.data["recorded"] is False
    assert [one["record_id"] for one in shown.data["latest"]] == [recorded.data["record_id"]]


def test_reports_are_of_the_run_or_of_the_month(quiet: Service, at_desk: Seats) -> None:
    done(quiet.use(2, "0.1", team="a", run="r"))
    done(quiet.use(1, "0.5", team="a", task="t"))

    assert "Spent in all: $0.20, 2,000 tokens in 2 calls." in at_desk(run="r").says("usage_report")
    by_task = at_desk(team="a").call("usage_report", by="task")
    assert "this window (monthly): $0.70" in by_task.text
    assert "t: $0.50" in by_task.text
    assert "(none): $0.20" in by_task.text
    assert "Nothing was spent" in at_desk(team="x").says("usage_report")


def test_prices_and_estimates_and_cheaper_models(quiet: Service, at_desk: Seats) -> None:
    quiet.price("gpt-5", "10")
    quiet.price("gpt-5-mini", "1")
    quiet.limit("1usd/day", name="cap")
    desk = at_desk()

    assert "openai/gpt-5-mini: input 1, output 1" in desk.says("prices", model="gpt-5*")
    assert "openai/gpt-5: input 10" in desk.says("prices", model="openai/gpt-5")
    estimate = desk.call("estimate", model="openai/gpt-5", input_tokens=900, output_tokens=100)
    assert estimate.data["cost"] == Decimal("0.01")
    assert "It fits: 100 of such calls." in estimate.text
    too_dear = desk.call("estimate", model="gpt-5", input_tokens=900_000, output_tokens=0)
    assert 'does not fit into "cap"' in too_dear.text
    cheaper = desk.call("recommend_model", model="openai/gpt-5")
    assert cheaper.data["models"][0]["model"] == "gpt-5-mini"
    done(quiet.use(1, "0.01"))
    assert "Of the models used lately" in desk.says("prices")


def test_plans_name_what_was_assumed(quiet: Service, at_desk: Seats) -> None:
    quiet.limit("1usd/day", name="cap")
    quiet.price()

    first = at_desk().call("plan", models=["openai/gpt-5-mini"], steps=300)
    done(quiet.use(3, "0.1"))
    later = at_desk().call("plan", steps=5)

    assert "300 do not fit (200 steps) at the median ($0.005 each)" in first.text
    assert "Assumed: 4,000 input and 1,000 output" in first.text
    assert "5 fit (7 steps) at the median ($0.10 each)" in later.text
    assert "By the last 3 calls." in later.text


def test_administration_sets_limits_and_gives_credit(quiet: Service, at_desk: Seats) -> None:
    desk = at_desk(administers=True)

    assert "No limit is set" in desk.says("set_limit")
    made = desk.call("set_limit", limit="5usd/day", scope={"team": "a"})
    assert made.data["created"]
    assert "team=a daily" in desk.says("set_limit")
    desk.call("credit", amount="1usd", policy="team=a daily")
    assert "$6.00 of $6.00" in at_desk(team="a").says("budget_status")
    assert "team=a daily" in desk.says("credit")
    with pytest.raises(InvalidInput):
        desk.call("credit", policy="team=a daily")
    with pytest.raises(InvalidInput):
        desk.call("set_limit", name="x")
    with pytest.raises(NotFound, match="no tool 'allocate' here"):
        desk.call("allocate")
    with pytest.raises(NotFound, match="no tool 'set_limit' here"):
        at_desk().call("set_limit", limit="0usd/day")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cots": 1}, "cots: is no argument of this tool, was cost meant?"),
        ({"cost": "much"}, "cost: send USD, 0 or more"),
        ({"cost": -1}, "cost: send USD, 0 or more"),
        ({"cost": True}, "cost: send USD, 0 or more"),
        ({"tokens": 1.5}, "tokens: send a whole number"),
        ({"tokens": [1]}, "tokens: send a whole number"),
        ({"labels": "team=a"}, "labels: send an object of texts"),
        ({"labels": {"team": ["a"]}}, "labels: send an object of texts"),
        ({"fit": "some"}, "fit: send all or clamp"),
        ({"model": 5}, "model: send text"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_done(
    at_desk: Seats, arguments: dict[str, Any], said: str
) -> None:
    desk = at_desk()

    with pytest.raises(InvalidInput) as refused:
        desk.call("allocate", **arguments)

    assert said in str(refused.value)
    assert str(refused.value).endswith("Nothing was done.")
    assert desk.desk.memory.allocations == []


def test_what_models_get_wrong_without_harm_is_put_right(at_desk: Seats) -> None:
    granted = at_desk().call("allocate", cost="$0.25", tokens="1000", model=None, fit="")

    assert granted.data["granted"] == {"tokens": 1000, "cost": Decimal("0.25"), "requests": 1}
