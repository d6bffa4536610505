"""Responses at the ledger where a scenario's line cannot reach: costs, rows, names, refusals."""

from decimal import Decimal
from typing import Any

import pytest
from tests.domain.world import World, usd

from tekton_budget.domain.answer import Ended
from tekton_budget.domain.command import LedgerSettings
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.event import EventType
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.ledger.reading import fault_of, usage_read
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.price import card_from_json
from tekton_budget.domain.units import Part, PriceContext
from tekton_budget.domain.usage import CostSource, Measurement, Response, TokenCounts, Usage

CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}


def chat(given: int, made: int, **more: object) -> Response:
    """An answer of most providers' chat."""
    return Response({"usage": {"prompt_tokens": given, "completion_tokens": made, **more}})


def messages(*steps: tuple[int, str | None], **more: object) -> Response:
    """An answer of Anthropic's, of several steps of several models."""
    iterations = [
        {"type": "message", "input_tokens": given, "output_tokens": 0}
        | ({} if model is None else {"model": model, "type": "advisor_message"})
        for given, model in steps
    ]
    whole = {"input_tokens": sum(given for given, model in steps if model is None)}
    usage = {**whole, "output_tokens": 0, "iterations": iterations, **more}
    return Response({"type": "message", "model": CLAUDE["model"], "usage": usage})


def world_of(*cards: dict[str, Any], **settings: Any) -> World:
    world = World(settings=LedgerSettings(**settings))
    for number, card in enumerate(cards):
        priced = {unit: str(rate) for unit, rate in card["rates"].items()}
        fees = {"request": priced.pop("request")} if "request" in priced else {}
        whole = {**card, "rates": priced, "fees": fees}
        made = card_from_json(whole, price_id=f"price-{number}")
        world.set_prices([*world.prices, made])
    return world


def sonnet(**rates: object) -> dict[str, Any]:
    return {**CLAUDE, "rates": {"input": 3, "output": 15, **rates}}


def read(usage: Usage, labels: dict[str, str]) -> Usage:
    return usage_read(World().state(), usage, labels, placed_us=0, known_us=0)


def recorded(world: World, response: Response, labels: dict[str, str], **more: Any) -> UsageRecord:
    answer = world.record(f"r{len(world.usage)}", labels, response=response, **more)
    assert not isinstance(answer, InvalidInput), answer
    return world.usage[-1]


def test_a_row_has_all_that_the_response_says() -> None:
    world = world_of(sonnet(cache_read="0.3"))
    body = {
        "id": "msg_1",
        "type": "message",
        "model": "claude-sonnet-4-5",
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 5},
    }
    row = recorded(world, Response(body), {"provider": "anthropic", "model": "claude-opus-4-5"})

    assert row.parts == (Part((("input", 10), ("output", 5), ("cache_read", 100))),)
    assert row.counts == TokenCounts(input=10, output=5, cache_read=100)
    assert (row.provider, row.model) == ("anthropic", "claude-sonnet-4-5")
    assert row.request_id == "msg_1"
    assert (row.cost_nano, row.cost_source) == (10 * 3000 + 5 * 15000 + 100 * 300, CostSource.BOOK)
    assert row.measurement is Measurement.MEASURED
    assert not row.provisional


def test_what_the_caller_says_of_it_goes_before_the_response() -> None:
    world = world_of(sonnet())
    body = {"id": "x" * 300, "model": "a\nb", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    own = recorded(world, Response(body), CLAUDE, request_id="mine", operation_id="o")
    none = recorded(world, Response(body), CLAUDE)

    assert (own.request_id, own.operation_id) == ("mine", "o")
    assert (none.request_id, none.model) == (None, "claude-sonnet-4-5")


def test_a_stream_is_read_by_its_frames() -> None:
    world = world_of(sonnet())
    frames: list[object] = [
        {"type": "message_start", "message": {"model": CLAUDE["model"], "usage": {}}},
        {"type": "message_delta", "usage": {"input_tokens": 7, "output_tokens": 2}},
    ]
    row = recorded(world, Response(frames), CLAUDE)

    assert row.counts == TokenCounts(input=7, output=2)


def test_reasoning_is_never_more_than_all() -> None:
    usage = Usage(response=chat(1, 5, completion_tokens_details={"reasoning_tokens": 5}))

    assert read(usage, {}).reasoning_tokens == 5


@pytest.mark.parametrize(
    "body",
    [
        {"service_tier": "x" * 300},
        {"service_tier": "a\tb"},
    ],
)
def test_a_name_that_none_has_is_refused_and_not_repeated(body: dict[str, object]) -> None:
    whole = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}, **body}

    with pytest.raises(InvalidInput) as refused:
        read(Usage(response=Response(whole)), {"provider": "openai"})
    assert refused.value.code == "invalid_usage"
    assert str(body["service_tier"]) not in refused.value.detail


def test_a_refusal_never_repeats_a_text() -> None:
    secret = "Meet me at noon"
    with pytest.raises(InvalidInput) as refused:
        read(Usage(response=chat(1, 1, total_tokens=secret)), {})

    assert secret not in repr(refused.value)
    assert "must be a number, not a text" in refused.value.detail


def test_a_fault_is_that_there_is_no_usage_or_none_that_can_be() -> None:
    codes = ("missing_usage", "invalid_usage", "invalid")

    assert [fault_of(InvalidInput("why", code=code)).code for code in codes] == [
        "missing_usage",
        "invalid_usage",
        "invalid_usage",
    ]


# --- costs ---


def test_each_step_is_charged_by_the_card_of_its_own_model() -> None:
    opus = {"provider": "anthropic", "model": "claude-opus-4-5", "rates": {"input": 5, "output": 9}}
    world = world_of(sonnet(request="0.01"), opus)
    row = recorded(world, messages((10, None), (100, "claude-opus-4-5")), CLAUDE)

    assert row.cost_nano == 10 * 3000 + 100 * 5000 + usd("0.01")
    assert row.cost_source is CostSource.BOOK


def test_a_step_of_a_model_without_a_price_costs_the_dearest_rate_there_is() -> None:
    world = world_of(sonnet(request="0.01"))
    row = recorded(world, messages((10, None), (100, "claude-new")), CLAUDE)

    assert row.cost_nano == 10 * 3000 + 100 * 15000 + usd("0.01")
    assert (row.cost_source, row.provisional) == (CostSource.ESTIMATED, True)


def test_tokens_without_a_rate_cost_the_dearest_and_others_their_own() -> None:
    world = world_of({"provider": "openai", "model": "gpt-4o", "rates": {"input": 2, "output": 10}})
    labels = {"provider": "openai", "model": "gpt-4o"}
    sound = {"prompt_tokens_details": {"audio_tokens": 40}}
    row = recorded(world, chat(100, 1, **sound), labels)

    assert row.cost_nano == 60 * 2000 + 1 * 10000 + 40 * 10000
    assert (row.cost_source, row.provisional) == (CostSource.ESTIMATED, True)
    assert row.book_cost_nano == row.cost_nano


def test_a_tier_without_rates_costs_the_standard_ones_for_now() -> None:
    world = world_of({"provider": "openai", "model": "gpt-4o", "rates": {"input": 2, "output": 10}})
    labels = {"provider": "openai", "model": "gpt-4o"}
    body = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "service_tier": "priority"}
    row = recorded(world, Response(body), labels)

    assert row.parts[0].context == PriceContext("priority")
    assert (row.cost_nano, row.provisional) == (12_000, True)


def test_tokens_that_no_rate_can_stand_for_cost_what_is_held() -> None:
    world = world_of({"provider": "p", "model": "m", "rates": {"request": "0.1"}})
    world.policy("purse", "9usd/day")
    world.allocate("a", {"provider": "p", "model": "m"}, cost_nano=usd("0.5"))
    answer = world.settle("a", response=chat(1, 1))

    assert (answer.cost_nano, answer.cost_source) == (usd("0.5"), CostSource.ESTIMATED)
    assert answer.usage_error is None
    assert world.usage[-1].provisional


@pytest.mark.parametrize(
    ("kinds", "cost_nano"), [({"input": 5}, 5 * 7000), ({"input": 5, "other": 5}, None)]
)
def test_kinds_alone_cost_as_before(kinds: dict[str, int], cost_nano: int | None) -> None:
    world = world_of({"provider": "p", "model": "m", "rates": {"input": 7}})
    world.record("r", {"provider": "p", "model": "m"}, **kinds)

    assert world.usage[-1].cost_nano == (cost_nano or 10 * 7000)


def test_no_rate_of_tokens_at_all_is_no_cost() -> None:
    world = world_of({"provider": "p", "model": "m", "rates": {"request": "0.1"}})
    world.record("r", {"provider": "p", "model": "m"}, input=5)

    assert world.usage[-1].cost_nano is None


PICTURES = Response({"data": [{"url": "u"}, {"url": "v"}]}, api="openai.images")


@pytest.mark.parametrize(
    ("held", "cost_nano"), [("0.5", usd("0.5")), ("0", None)], ids=["held", "nothing held"]
)
def test_what_is_no_token_is_never_free(held: str, cost_nano: int | None) -> None:
    """The dearest rate of tokens comes to nothing for a picture."""
    world = world_of(sonnet())
    world.policy("purse", "9usd/day", unpriced=Unpriced.HIGHEST)
    world.allocate("a", {"provider": "anthropic", "model": "painter"}, cost_nano=usd(held))
    answer = world.settle("a", response=PICTURES)

    assert isinstance(answer, Ended)
    assert answer.usage_error is None
    assert world.usage[-1].parts[0].units == (("image", 2),)
    assert answer.cost_nano == cost_nano


def test_the_dearest_rate_stands_for_tokens_where_a_policy_wants_it() -> None:
    world = world_of(sonnet())
    world.policy("purse", "9usd/day", unpriced=Unpriced.HIGHEST)
    row = recorded(world, chat(10, 10), {"provider": "anthropic", "model": "claude-new"})

    assert row.cost_nano == 20 * 15000
    assert (row.cost_source, row.provisional) == (CostSource.ESTIMATED, True)


def test_a_model_that_is_assumed_stands_for_one_that_is_not_named() -> None:
    world = world_of(sonnet(), assume_model="claude-sonnet-4-5")
    row = recorded(world, chat(10, 10), {})

    assert row.cost_nano == 10 * 18_000
    assert row.cost_source is CostSource.ESTIMATED


REASONED = {"completion_tokens_details": {"reasoning_tokens": 30}}


@pytest.mark.parametrize(
    ("labels", "body", "tokens"),
    [
        ({"model": "grok-4"}, {}, 150),
        ({}, {"model": "grok-4"}, 150),
        ({"model": "grok-4", "provider": "openai"}, {}, 120),
        ({"model": "grok-9"}, {}, 120),
        ({}, {"model": 5}, 120),
        ({}, {}, 120),
    ],
)
def test_a_model_without_a_provider_is_read_as_of_whose_card_it_is_charged_by(
    labels: dict[str, str], body: dict[str, object], tokens: int
) -> None:
    """xAI tells its reasoning beside the answer, where others have it inside."""
    world = world_of({"provider": "xai", "model": "grok-4", "rates": {"input": 3, "output": 15}})
    usage = {"prompt_tokens": 100, "completion_tokens": 20, **REASONED}
    if tokens == 120:
        usage["completion_tokens_details"] = {"reasoning_tokens": 10}
    row = recorded(world, Response({"usage": usage, **body}), labels)
    listed = recorded(world, Response([{"usage": usage, **body}]), {"provider": "xai"})

    assert row.counts.total == tokens
    assert listed.counts.total > 120


# --- the hold ---


def test_a_charged_hold_leaves_a_row_that_a_later_one_takes_back() -> None:
    world = World()
    world.policy("purse", "9usd/day")
    world.allocate("a", {"team": "x"}, cost_nano=usd("0.5"), tokens=90)
    answer = world.settle("a", response=Response({}), labels={"feature": "f"})
    world.record("late", of="a", input=5, cost="0.1")
    estimate, back, measured = world.usage

    assert isinstance(answer, Ended)
    assert answer.usage_error is not None
    assert "tells no usage" in answer.usage_error.detail
    assert answer.record_id == estimate.record_id == "a~unread"
    assert (estimate.cost_nano, estimate.counts.other, estimate.requests) == (usd("0.5"), 90, 1)
    assert (estimate.measurement, estimate.provisional) == (Measurement.ESTIMATED, True)
    assert estimate.labels == back.labels == {"team": "x", "feature": "f"}
    assert (back.cost_nano, back.counts.other, back.requests) == (-usd("0.5"), -90, -1)
    assert back.reverses == "a~unread"
    assert (measured.cost_nano, measured.late) == (usd("0.1"), True)


def test_the_event_and_the_entry_say_that_the_hold_was_charged() -> None:
    world = World()
    world.policy("purse", "9usd/day")
    world.allocate("a", cost_nano=usd("0.5"))
    world.settle("a", response=Response({}))
    (event,) = [one for one in world.events if one.type is EventType.ALLOCATION_SETTLED]

    assert event.payload["spent"].cost_nano == usd("0.5")
    assert world.journal[-1][1].detail == "charged"


def test_an_unknown_cost_stays_unknown() -> None:
    world = World()
    world.policy("words", "900tokens/day")
    world.allocate("a", tokens=90)
    answer = world.settle("a", response=Response({}))

    assert (answer.cost_nano, answer.spent.tokens) == (None, 90)
    assert world.usage[-1].cost_nano is None


def test_a_refusal_says_what_to_do_about_it() -> None:
    world = World()
    world.policy("purse", "9usd/day")
    world.allocate("a", cost_nano=usd("0.5"))
    running = world.record("r", of="a", response=Response({}))
    alone = world.record("r", response=Response({}))
    world.settle("a", cost="0.1")
    ended = world.record("r", of="a", response=Response({}))

    assert "settle the allocation with this response" in running.detail
    for refusal in (alone, ended):
        assert "settle" not in refusal.detail
        assert "send the amounts" in refusal.detail


def test_the_cost_that_is_charged_is_exact_to_the_last_digit() -> None:
    world = world_of({"provider": "p", "model": "m", "rates": {"input": "0.0375", "output": 1}})
    row = recorded(world, chat(3, 0), {"provider": "p", "model": "m"})

    assert Decimal(row.cost_nano or 0) == Decimal(112)  # 112.5, half to even


@pytest.mark.parametrize(
    ("answered", "cost", "source"),
    [
        ("gpt", "0.00002", "book"),
        ("gpt-2026-08-07", "0.00002", "book"),
        ("gpt-20260807", "0.00002", "book"),
        ("gpt-0807", "0.00002", "book"),
        ("gpt@08-2026", "0.00002", "book"),
        ("gpt-mini", "0.002", "estimated"),
        ("gpt-4", "0.002", "estimated"),
        ("other", "0.002", "estimated"),
    ],
)
def test_a_dated_name_is_charged_as_the_model_that_was_asked_for(
    answered: str, cost: str, source: str
) -> None:
    world = world_of({"provider": "p", "model": "gpt", "rates": {"input": 1, "output": 1}})
    labels = {"provider": "p", "model": "gpt"}
    world.allocate("a", labels, input_tokens=1000, max_output_tokens=1000)
    body = {"model": answered, "usage": {"prompt_tokens": 10, "completion_tokens": 10}}

    ended = world.settle("a", response=Response(body))

    assert isinstance(ended, Ended)
    assert (ended.cost_nano, ended.cost_source) == (usd(cost), source)


def test_a_dated_name_with_a_card_of_its_own_is_charged_by_that() -> None:
    rates = {"input": 1, "output": 1}
    dated = {"provider": "p", "model": "gpt-2026-08-07", "rates": {"input": 9, "output": 9}}
    world = world_of({"provider": "p", "model": "gpt", "rates": rates}, dated)
    world.allocate("a", {"model": "gpt", "provider": "p"}, input_tokens=100, max_output_tokens=100)
    body = {"model": "gpt-2026-08-07", "usage": {"prompt_tokens": 10, "completion_tokens": 10}}

    ended = world.settle("a", response=Response(body))

    assert isinstance(ended, Ended)
    assert ended.cost_nano == usd("0.00018")
