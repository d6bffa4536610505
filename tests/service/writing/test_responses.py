"""Usage read from providers' own responses, through the whole service: costs, retries, privacy."""

import json
import logging
import os
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.domain.world import us
from tests.frontends.api.conftest import all_rows

from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Conflict, InvalidInput, NotFound
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.domain.units import Part, PriceContext
from tekton_budget.domain.usage import TokenCounts
from tekton_budget.service.asking.asks import (
    AllocateRequest,
    Ask,
    RecordRequest,
    SettleRequest,
    Used,
)
from tekton_budget.service.passes import Passes
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

CASES = Path(__file__).parents[4] / "shared" / "prices" / "cost-cases.json"
CHAT = {"id": "r1", "model": "gpt-4o", "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
CONTRADICTS = {
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 2},
    }
}
SECRET = "noon-at-the-old-bridge"  # short, so that nothing leaves it out for its length
TALK = {
    "id": "r2",
    "model": "gpt-4o",
    "choices": [{"message": {"role": "assistant", "content": SECRET, "tool": {SECRET: [SECRET]}}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
}


def purse(running: Running, limit: str = "50usd/day", **fields: object) -> None:
    given = {"name": "purse", "limit": limit, **fields}
    running.service.policies.create_policy(LOCAL, given)


def priced(running: Running) -> None:
    rates = {"rates": {"input": "2.5", "output": "10"}}
    running.service.prices.set_price(LOCAL, "openai", "gpt-4o", rates)


def held(running: Running, cost: str = "0.5", caller: Caller = LOCAL, **ask: Any) -> str:
    labels = ask.pop("labels", {"provider": "openai", "model": "gpt-4o"})
    asked = Ask(labels=labels, cost=Decimal(cost), tokens=50, **ask)
    return running.service.ledger.allocate(caller, asked).result().allocation_id


def settled(running: Running, id_: str, response: Any, caller: Caller = LOCAL, **more: Any) -> Any:
    labels = more.pop("labels", None)
    used = Used(response=response, **more)
    return running.service.ledger.settle(caller, id_, used, labels=labels).result()


def spent(running: Running) -> tuple[Decimal, Decimal]:
    """Of the purse: spent and held, in USD."""
    (view,) = running.service.standings.of_policy(LOCAL, "purse").items
    return usd_from_nano(view.spent.cost_nano), usd_from_nano(view.held.cost_nano)


# --- every recorded call ---


def cost_file() -> dict[str, Any]:
    if not CASES.is_file():
        return {"cases": [], "rate_cards": {}}
    return dict(json.loads(CASES.read_text(), parse_float=Decimal))


@pytest.fixture(scope="module")
def priced_by_all_cards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service that knows the cards of all cases, and the hand on its clock."""

    class Hand:
        now_us = us("2010-01-01T00:00Z")

        def __call__(self) -> int:
            return self.now_us

    hand = Hand()
    file = tmp_path_factory.mktemp("cases") / "budget.db"
    with open_service(load_settings(database_url=f"sqlite:///{file}"), clock=hand) as running:
        running.service.prices.load_cards(LOCAL, cost_file()["rate_cards"], "cases")
        purse(running, "1000000usd/total")
        yield running, hand


def cases() -> list[Any]:
    found = cost_file()["cases"] or [None]
    return [pytest.param(case, id="no file" if case is None else case["id"]) for case in found]


def name_as_its_card(running: Running, case: Any) -> None:
    """A case says of which card its model is, where the name alone does not: a dated one, say."""
    card = cost_file()["rate_cards"][case["rate_card"]]
    for name in {case["model"], case["response"].get("model") or case["model"]}:
        try:
            running.service.book.current(case["provider"], name)
        except NotFound:
            target = (card["provider"], card["model"])
            running.service.prices.name_model(LOCAL, case["provider"], name, target)


@pytest.mark.parametrize("case", cases())
def test_every_recorded_call_costs_what_it_should(priced_by_all_cards: Any, case: Any) -> None:
    if case is None:
        assert os.environ.get("CI") != "true", f"{CASES} is not there: no case was read"
        pytest.skip(f"{CASES} is not there: no case was read")
    running, hand = priced_by_all_cards
    hand.now_us = us(case["at"])
    labels = {name: case[name] for name in ("provider", "model") if case[name]}
    if "error" not in case["expected"]:
        name_as_its_card(running, case)
    id_ = held(running, "77", labels=labels)
    answer = settled(
        running, id_, case["response"], api=case["api"], context=case.get("context") or {}
    )
    record = running.service.records.one(LOCAL, answer.record_id).record
    expected = case["expected"]

    assert record.cost_nano == answer.cost_nano
    if "error" in expected:
        unread = expected["error"] in ("invalid usage", "missing usage")
        assert (answer.usage_error is not None) == unread
        assert (answer.cost_nano, answer.cost_source) == (77 * 10**9, "estimated")
        assert record.provisional
        return
    exact = Decimal(expected["cost_usd"]).scaleb(9).to_integral_value(ROUND_HALF_EVEN)
    assert answer.usage_error is None
    assert record.book_cost_nano == exact
    if answer.cost_source == "book":
        assert answer.cost_nano == exact
    else:
        assert answer.cost_source == "provider"


# --- what is stored, and how it is told again ---


def test_a_usage_is_stored_with_its_parts_and_told_again(running: Running) -> None:
    priced(running)
    purse(running)
    body = {
        "id": "msg",
        "type": "message",
        "model": "claude-sonnet-4-5",
        "usage": {
            "input_tokens": 10,
            "output_tokens": 2,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
            "cache_creation_input_tokens": 7,
            "iterations": [
                {
                    "type": "message",
                    "input_tokens": 10,
                    "output_tokens": 2,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 4,
                        "ephemeral_1h_input_tokens": 3,
                    },
                    "cache_creation_input_tokens": 7,
                },
                {"type": "advisor_message", "model": "claude-opus-4-5", "input_tokens": 5,
                 "output_tokens": 1},
            ],
        },
    }  # fmt: skip
    answer = settled(running, held(running), body, context={"processing": "batch"})
    record = running.service.records.one(LOCAL, answer.record_id).record
    batch = PriceContext("batch")

    assert record.parts == (
        Part(
            (("input", 10), ("output", 2), ("cache_write_5m", 4), ("cache_write_1h", 3)),
            batch,
        ),
        Part((("input", 5), ("output", 1)), batch, "claude-opus-4-5"),
    )
    assert record.counts == TokenCounts(input=15, output=3, cache_write=7)


def test_the_answer_to_a_charged_hold_is_given_again(running: Running) -> None:
    purse(running)
    id_ = held(running)
    first = settled(running, id_, CONTRADICTS)

    assert first.usage_error is not None
    assert first.usage_error.code == "invalid_usage"
    assert "cached_tokens: is 2" in first.usage_error.detail
    assert "All that was held is charged" in first.usage_error.detail
    assert settled(running, id_, CONTRADICTS) == first
    with pytest.raises(Conflict) as other:
        settled(running, id_, {})
    assert other.value.code == "already_settled"
    with pytest.raises(Conflict):
        settled(running, id_, CONTRADICTS, metadata={"more": 1})
    assert spent(running) == (Decimal("0.5"), Decimal(0))


def test_a_retry_is_known_by_the_response_and_what_differs_is_named(running: Running) -> None:
    priced(running)

    def record(**used: Any) -> Any:
        return running.service.ledger.record(LOCAL, Used(**used), record_id="r").result()

    first = record(response=CHAT)

    assert record(response={"usage": CHAT["usage"], "model": "gpt-4o", "id": "r1"}) == first
    for used, fields in (
        ({"response": {**CHAT, "id": "r2"}}, ["response"]),
        ({"response": CHAT, "context": {"processing": "batch"}}, ["context.processing"]),
        ({"response": CHAT, "api": "openai.chat", "cost": Decimal(1)}, ["api", "cost"]),
        ({"input_tokens": 5}, ["input_tokens", "response"]),
    ):
        with pytest.raises(Conflict) as refused:
            record(**used)
        assert [fault.field for fault in refused.value.fields] == fields


def test_measured_usage_takes_back_what_was_charged(running: Running) -> None:
    priced(running)
    purse(running)
    id_ = held(running)
    settled(running, id_, {})
    late = running.service.ledger.record(LOCAL, Used(response=CHAT), allocation_id=id_).result()

    assert late.late
    assert spent(running) == (Decimal("0.00035"), Decimal(0))


def test_a_final_record_settles_and_charges_like_a_settle(running: Running) -> None:
    priced(running)
    purse(running)
    ledger, good, bad = running.service.ledger, held(running), held(running)
    read = ledger.record(LOCAL, Used(response=CHAT), allocation_id=good, final=True).result()
    unread = ledger.record(LOCAL, Used(response=[]), allocation_id=bad, final=True).result()

    assert (read.status, read.cost_nano, read.usage_error) == ("settled", 350_000, None)
    assert (unread.status, unread.cost_nano) == ("settled", 500_000_000)
    assert unread.usage_error is not None


def test_a_batch_reads_each_response_by_its_own_call(running: Running) -> None:
    """In one transaction, an allocation's labels are known to the settle that follows it."""
    priced(running)
    purse(running)
    labels = {"provider": "openai", "model": "gpt-4o"}
    ask = AllocateRequest(Ask(labels=labels, cost=Decimal("0.5")), "a")
    bad = AllocateRequest(Ask(labels=labels, cost=Decimal("0.25")), "b")
    requests = [
        ask,
        SettleRequest("a", Used(response=CHAT)),
        bad,
        SettleRequest("b", Used(response={})),
        RecordRequest(Used(response=CHAT), labels),
    ]
    (ticket,) = running.service.ledger.batch(LOCAL, requests, atomic=True)
    answers = ticket.result().answers

    assert [answers[1].cost_nano, answers[3].cost_nano] == [350_000, 250_000_000]
    assert answers[4].cost_nano == 350_000
    assert spent(running) == (Decimal("0.2507"), Decimal(0))


def test_a_record_that_cannot_be_read_undoes_its_batch(running: Running) -> None:
    purse(running)
    requests = [
        AllocateRequest(Ask(cost=Decimal("0.5")), "a"),
        SettleRequest("a", Used(response={})),
        RecordRequest(Used(response=CONTRADICTS)),
    ]
    (ticket,) = running.service.ledger.batch(LOCAL, requests, atomic=True)
    with pytest.raises(InvalidInput) as refused:
        ticket.result()

    assert (refused.value.code, refused.value.extra["index"]) == ("invalid_usage", 2)
    assert spent(running) == (Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("used", "code", "field"),
    [
        ({"context": {"weather": "fine"}}, "invalid_context", "context.weather"),
        ({"context": {"processing": 5}}, "invalid_context", "context.processing"),
        ({"input_tokens": 5}, "invalid", "input_tokens"),
        ({"tokens": 5, "output_tokens": 2}, "invalid", "tokens"),
        ({"cost": Decimal(-1)}, "invalid", "cost"),
        ({"model_used": "two\nlines"}, "invalid", "model_used"),
        ({"timestamp_us": 10**18}, "invalid", "timestamp"),
    ],
)
@pytest.mark.parametrize("response", [CHAT, {}, [{"type": "message_start"}]])
def test_what_is_sent_beside_a_response_is_refused_and_changes_nothing(
    quick: Running, response: Any, used: dict[str, Any], code: str, field: str
) -> None:
    purse(quick)
    id_ = held(quick)
    with pytest.raises(InvalidInput) as refused:
        settled(quick, id_, response, **used)
    with pytest.raises(InvalidInput) as again:
        quick.service.ledger.record(LOCAL, Used(response=response, **used)).result()

    for one in (refused.value, again.value):
        assert (one.code, one.fields[0].field) == (code, field)
    assert spent(quick) == (Decimal(0), Decimal("0.5"))


@pytest.mark.parametrize("used", [{"api": "openai.chat"}, {"context": {"processing": "batch"}}])
def test_what_tells_how_to_read_is_refused_without_a_response(
    quick: Running, used: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match="send it with one") as refused:
        settled(quick, held(quick), None, input_tokens=5, **used)

    assert refused.value.fields[0].field in used


def test_what_is_no_response_at_all_is_refused(quick: Running) -> None:
    """Only a program can send it: over HTTP a response is an object or a list."""
    with pytest.raises(InvalidInput, match="send the JSON object"):
        settled(quick, held(quick), "text")


def test_labels_that_a_key_forces_say_who_sold_the_call(quick: Running) -> None:
    rates = {"rates": {"input": "1", "output": "1"}}
    quick.service.prices.set_price(LOCAL, "xai", "grok-4", rates)
    client = Caller("k", "ci", Role.CLIENT, {"provider": "xai"})
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    used = Used(response={"model": "grok-4", "usage": usage})
    done = quick.service.ledger.record(client, used).result()

    assert done.total_tokens == 150


# --- after all of it ---


def played(running: Running, clock: Any) -> list[Any]:
    """Each flow once, with a talk that nobody may keep; what was answered."""
    priced(running)
    purse(running, rollover=True)
    running.service.policies.create_policy(
        LOCAL, {"name": "out", "limit": "9000tokens/day", "tokens_counted": ["output"]}
    )
    running.service.policies.create_policy(
        LOCAL, {"name": "calls", "limit": "90requests/24h", "scope": {"feature": "f"}}
    )
    ledger, told = running.service.ledger, []
    told.append(settled(running, held(running), TALK))
    for body in ({**TALK, "usage": {"prompt_tokens": SECRET}}, {**TALK, "usage": None}):
        id_ = held(running)
        told.append(settled(running, id_, body, labels={"feature": "f"}))
        with pytest.raises(InvalidInput) as refused:
            ledger.record(LOCAL, Used(response=body), allocation_id=id_).result()
        told.append(refused.value)
        told.append(ledger.record(LOCAL, Used(response=TALK), allocation_id=id_).result())
    id_ = held(running, on_expiry="charge")
    told.append(ledger.record(LOCAL, Used(response=[TALK, SECRET]), allocation_id=id_).result())
    told.append(settled(running, id_, [{"type": "message_start", "message": TALK}]))
    id_ = held(running, on_expiry="charge", lifetime_seconds=60)
    clock.pass_seconds(61)
    finish = running.service.policies.finish
    Passes(running.reader, running.writer, finish=finish).expire_due()
    told.append(settled(running, id_, TALK))
    held(running)
    return told


def test_the_books_agree_after_all_of_it(running: Running, clock: Any) -> None:
    played(running, clock)
    found = running.service.verifier.verify()

    assert [finding.text() for finding in found.findings] == []
    assert found.usage == 12


def test_nothing_that_was_said_is_kept_or_logged(
    running: Running, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        told = played(running, clock)

    assert SECRET not in repr(told)
    assert SECRET not in caplog.text
    rows = all_rows(running)
    assert rows["usage"]
    for table, found in rows.items():
        assert SECRET not in repr(found), table
