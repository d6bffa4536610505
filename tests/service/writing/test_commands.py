"""Requests become commands: ids fixed, labels completed, amounts checked."""

from decimal import Decimal
from typing import Any

import pytest

from tekton_budget.domain.answer import Denial, Ended, Grant, Recorded, Several
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, Forbidden, InvalidInput
from tekton_budget.service.asks import (
    AllocateRequest,
    Ask,
    ExtendRequest,
    RecordRequest,
    ReleaseRequest,
    SettleRequest,
    Used,
)
from tekton_budget.service.commands import TOKENS_MAX
from tekton_budget.wiring import Running


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (Ask(tokens=-1), "tokens"),
        (Ask(tokens=TOKENS_MAX + 1), "tokens"),
        (Ask(input_tokens=-1), "input_tokens"),
        (Ask(tokens=1, max_output_tokens=1), "tokens"),
        (Ask(cost=Decimal(-1)), "cost"),
        (Ask(cost=Decimal("NaN")), "cost"),
        (Ask(cost=Decimal(10**12)), "cost"),
        (Ask(priority=11), "priority"),
        (Ask(fit="some"), "fit"),
        (Ask(on_expiry="keep"), "on_expiry"),
        (Ask(lifetime_seconds=0), "lifetime_seconds"),
        (Ask(lifetime_seconds=86_401), "lifetime_seconds"),
        (Ask(expires_us=5), "expires_at"),
        (Ask(labels={"team": ""}), "labels.team"),
        (Ask(metadata={"x": "y" * 20_000}), "metadata"),
    ],
)
def test_a_faulty_ask_names_its_field(quick: Running, ask: Ask, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        quick.service.ledger.allocate(LOCAL, ask)
    assert field in {fault.field for fault in refused.value.fields}


@pytest.mark.parametrize(
    ("used", "field"),
    [
        (Used(input_tokens=-1), "input_tokens"),
        (Used(output_tokens=1, reasoning_tokens=2), "reasoning_tokens"),
        (Used(tokens=5, output_tokens=1), "tokens"),
        (Used(cost=Decimal(-1)), "cost"),
    ],
)
def test_contradicting_usage_is_refused_and_the_hold_stays(
    quick: Running, used: Used, field: str
) -> None:
    ledger = quick.service.ledger
    grant = ledger.allocate(LOCAL, Ask(cost=Decimal(1))).result()
    with pytest.raises(InvalidInput) as refused:
        ledger.settle(LOCAL, grant.allocation_id, used)
    assert field in {fault.field for fault in refused.value.fields}
    assert ledger.settle(LOCAL, grant.allocation_id).result().status == "settled"


@pytest.mark.parametrize("id_", ["", "a b", "x" * 201, "é"])
def test_ids_are_of_plain_characters(quick: Running, id_: str) -> None:
    with pytest.raises(InvalidInput):
        quick.service.ledger.allocate(LOCAL, Ask(), allocation_id=id_)


@pytest.mark.parametrize("seconds", [-1, 301])
def test_waiting_has_a_bound(quick: Running, seconds: int) -> None:
    with pytest.raises(InvalidInput):
        quick.service.ledger.allocate(LOCAL, Ask(), wait_seconds=seconds)


def test_a_lifetime_may_be_said_by_its_end(quick: Running, clock: Any) -> None:
    ask = Ask(expires_us=clock.now_us + 60_000_000)
    assert quick.service.ledger.allocate(LOCAL, ask).result().expires_us == ask.expires_us
    far = Ask(expires_us=clock.now_us + 10**15)
    grant = quick.service.ledger.allocate(LOCAL, far).result()
    assert grant.expires_us == clock.now_us + 86_400_000_000


def test_the_same_ask_is_answered_alike_and_another_under_its_id_refused(running: Running) -> None:
    ledger = running.service.ledger
    ask = Ask(labels={"team": "a"}, cost=Decimal("0.10"))
    first = ledger.allocate(LOCAL, ask, allocation_id="call-1").result()

    assert ledger.allocate(LOCAL, ask, allocation_id="call-1").result() == first
    other = Ask(labels={"team": "b"}, cost=Decimal("0.10"))
    with pytest.raises(Conflict) as reused:
        ledger.allocate(LOCAL, other, allocation_id="call-1").result()
    assert [fault.field for fault in reused.value.fields] == ["labels.team"]
    elsewhere = Caller("k2", "k2", Role.CLIENT)
    mine = ledger.allocate(elsewhere, other, allocation_id="call-1").result()
    assert isinstance(mine, Grant)


def test_every_verb_gives_its_first_answer_again(running: Running) -> None:
    ledger = running.service.ledger
    for id_ in ("a", "b", "c"):
        ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id=id_).result()
    extended = [ledger.extend(LOCAL, "a", 60, "e").result() for _ in range(2)]
    settled = [ledger.settle(LOCAL, "a", Used(cost=Decimal("0.5"))).result() for _ in range(2)]
    released = [ledger.release(LOCAL, "b").result() for _ in range(2)]
    recorded = [
        ledger.record(LOCAL, Used(cost=Decimal(2)), record_id="r").result() for _ in range(2)
    ]
    final = [
        ledger.record(LOCAL, Used(cost=Decimal(2)), allocation_id="c", final=True).result()
        for _ in range(2)
    ]

    for first, again in (extended, settled, released, recorded, final):
        assert first == again
    assert isinstance(recorded[0], Recorded)
    assert isinstance(final[0], Ended)
    with pytest.raises(Conflict) as ended:
        ledger.settle(LOCAL, "a", Used(cost=Decimal("0.6"))).result()
    assert ended.value.code == "already_settled"


def test_a_batch_answers_each_on_its_own(running: Running) -> None:
    running.service.policies.create_policy(LOCAL, {"limit": "1usd/day"})
    requests = [
        AllocateRequest(Ask(cost=Decimal("0.6")), "a"),
        AllocateRequest(Ask(cost=Decimal("0.6")), "b"),
        AllocateRequest(Ask(cost=Decimal(-1))),
        SettleRequest("a", Used(cost=Decimal("0.3"))),
        ReleaseRequest("nothing"),
        ExtendRequest("a", 60),
        RecordRequest(Used(cost=Decimal("0.1")), {"team": "a"}),
    ]
    answers = []
    for ticket in running.service.ledger.batch(LOCAL, requests):
        if isinstance(ticket, BudgetError):
            answers.append(ticket.code)
            continue
        try:
            answers.append(type(ticket.result()))
        except BudgetError as refusal:
            answers.append(refusal.code)

    assert answers == [
        Grant,
        Denial,
        "invalid",
        Ended,
        "allocation_not_found",
        "already_settled",
        Recorded,
    ]


def test_an_atomic_batch_is_one_or_nothing(running: Running) -> None:
    ledger = running.service.ledger
    running.service.policies.create_policy(LOCAL, {"limit": "1usd/day"})
    asks = [AllocateRequest(Ask(cost=Decimal("0.6")), f"x{n}") for n in range(2)]
    (denied,) = ledger.batch(LOCAL, asks, atomic=True)
    (granted,) = ledger.batch(LOCAL, [asks[0], SettleRequest("x0", None)], atomic=True)

    assert isinstance(denied.result(), Denial)
    several = granted.result()
    assert isinstance(several, Several)
    assert [type(answer) for answer in several.answers] == [Grant, Ended]
    with pytest.raises(InvalidInput):
        ledger.batch(LOCAL, [])


def test_viewers_spend_nothing(quick: Running) -> None:
    viewer = Caller("v", "v", Role.VIEWER)
    with pytest.raises(Forbidden):
        quick.service.ledger.allocate(viewer, Ask())
    with pytest.raises(Forbidden):
        quick.service.ledger.record(viewer, Used())
    with pytest.raises(Forbidden):
        quick.service.ledger.batch(viewer, [ReleaseRequest("x")], atomic=True)
