"""Requests become commands: ids fixed, labels completed, amounts checked."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tekton_budget.domain.answer import Denial, Ended, Grant, Recorded, Several
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, Forbidden, InvalidInput
from tekton_budget.service.asking.asks import (
    AllocateRequest,
    Ask,
    ExtendRequest,
    RecordRequest,
    ReleaseRequest,
    SettleRequest,
    Used,
)
from tekton_budget.service.asking.commands import CALL_TOKENS_MAX, allocate_command
from tekton_budget.storage import tables
from tekton_budget.wiring import Running

DEAR = {"rates": {"input": "9000000", "output": "9000000"}}


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (Ask(tokens=-1), "tokens"),
        (Ask(tokens=CALL_TOKENS_MAX + 1), "tokens"),
        (Ask(input_tokens=-1), "input_tokens"),
        (Ask(tokens=1, max_output_tokens=1), "tokens"),
        (Ask(cost=Decimal(-1)), "cost"),
        (Ask(cost=Decimal("NaN")), "cost"),
        (Ask(cost=Decimal(10**12)), "cost"),
        (Ask(priority=11), "priority"),
        (Ask(fit="some"), "fit"),
        (Ask(landing="soon"), "landing"),
        (Ask(on_expiry="keep"), "on_expiry"),
        (Ask(lifetime_seconds=0), "lifetime_seconds"),
        (Ask(lifetime_seconds=86_401), "lifetime_seconds"),
        (Ask(expires_us=5), "expires_at"),
        (Ask(labels={"team": ""}), "labels.team"),
        (Ask(metadata={"x": "y" * 20_000}), "metadata"),
        (Ask(units={"input": 5}), "units.input"),
        (Ask(units={"songs": 5}), "units.songs"),
        (Ask(units={"image": -1}), "units.image"),
        (Ask(units={"image": True}), "units.image"),
        (Ask(units={"image": 10**13}), "units.image"),
        (Ask(units={"web_search": 2}, context={"web_searches": 3}), "units.web_search"),
        (Ask(cache_write="2d"), "cache_write"),
        (Ask(context={"colour": "red"}), "context.colour"),
        (Ask(context={"service_tier": "x" * 300}), "context.service_tier"),
    ],
)
def test_a_faulty_ask_names_its_field(quick: Running, ask: Ask, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        quick.service.ledger.allocate(LOCAL, ask).result()
    assert field in {fault.field for fault in refused.value.fields}


def test_the_end_of_a_hold_is_said_in_one_way(quick: Running) -> None:
    ask = Ask(cost=Decimal(1), lifetime_seconds=60, expires_us=1_790_000_060_000_000)

    with pytest.raises(InvalidInput, match="not both"):
        quick.service.ledger.allocate(LOCAL, ask).result()


@pytest.mark.parametrize(
    ("used", "field"),
    [
        (Used(input_tokens=-1), "input_tokens"),
        (Used(output_tokens=1, reasoning_tokens=2), "reasoning_tokens"),
        (Used(tokens=5, output_tokens=1), "tokens"),
        (Used(model_used="two\nlines"), "model_used"),
        (Used(request_id="x" * 10_000), "request_id"),
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


def test_a_retry_says_again_whether_it_may_land_if_that_was_said(quick: Running) -> None:
    ledger = quick.service.ledger
    plain, landing = Ask(cost=Decimal(1)), Ask(cost=Decimal(1), landing="may")
    first = ledger.allocate(LOCAL, plain, allocation_id="a").result()

    assert "landing" not in allocate_command(LOCAL, plain, "a").content  # as it ever was
    assert ledger.allocate(LOCAL, plain, allocation_id="a").result() == first
    with pytest.raises(Conflict) as reused:
        ledger.allocate(LOCAL, landing, allocation_id="a").result()
    assert [fault.field for fault in reused.value.fields] == ["landing"]


def test_every_verb_gives_its_first_answer_again(running: Running) -> None:
    ledger = running.service.ledger
    for id_ in ("a", "b", "c"):
        ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id=id_).result()
    extended = [ledger.extend(LOCAL, "a", 60, id_="e").result() for _ in range(2)]
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


def test_a_budget_is_its_id_wherever_a_call_names_it(running: Running) -> None:
    verbs, ledger = running.service.policies, running.service.ledger
    house, _ = verbs.create_budget(LOCAL, name="house", policies=[{"limit": "1usd/day"}])
    named: dict[str, object] = {"budget": "house"}
    used = Used(cost=Decimal("0.1"))
    ledger.record(LOCAL, used, labels=named, record_id="alone").result()
    ledger.allocate(LOCAL, Ask(labels=named, cost=Decimal("0.1")), allocation_id="a").result()
    ledger.settle(LOCAL, "a", used, labels=named, record_id="settled").result()
    ledger.allocate(LOCAL, Ask(cost=Decimal("0.1")), allocation_id="b").result()
    ledger.record(LOCAL, used, labels=named, allocation_id="b", record_id="added").result()

    with running.store.engine.connect() as connection:
        query = select(tables.usage.c.labels)
        found = [msgspec.json.decode(row[0]) for row in connection.execute(query)]
    assert [labels["budget"] for labels in found] == [house.budget_id] * 3


def test_a_repeated_ask_is_answered_though_its_end_has_passed(running: Running, clock: Any) -> None:
    ask = Ask(cost=Decimal(1), expires_us=clock.now_us + 1_000_000)
    first = running.service.ledger.allocate(LOCAL, ask, allocation_id="a").result()
    clock.pass_seconds(5)

    assert running.service.ledger.allocate(LOCAL, ask, allocation_id="a").result() == first


def test_labels_added_twice_in_one_batch_count_once(running: Running) -> None:
    made = running.service.policies.create_policy(
        LOCAL, {"limit": "9usd/day", "scope": {"team": "a"}}
    ).policy
    ledger = running.service.ledger
    ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id="a").result()
    used, labels = Used(cost=Decimal("0.2")), {"team": "a"}
    tickets = ledger.batch(
        LOCAL,
        [RecordRequest(used, labels, "a"), SettleRequest("a", used, labels)],
        atomic=True,
    )
    tickets[0].result()

    with running.store.engine.connect() as connection:
        table = tables.balances.c
        query = select(table.spent_cost_nano, table.spent_requests)
        rows = connection.execute(query.where(table.policy_no == made.no)).all()
    assert rows == [(400_000_000, 1)]


def test_a_fact_of_a_fast_clock_opens_no_window_early(running: Running, clock: Any) -> None:
    verbs, ledger = running.service.policies, running.service.ledger
    verbs.create_policy(LOCAL, {"limit": "10usd/hour", "rollover": True})
    clock.now_us += 3_600_000_000 - clock.now_us % 3_600_000_000 - 60_000_000
    ahead = Used(cost=Decimal(1), timestamp_us=clock.now_us + 120_000_000)
    ledger.record(LOCAL, ahead).result()
    ledger.record(LOCAL, Used(cost=Decimal(9))).result()
    clock.pass_seconds(120)

    assert isinstance(ledger.allocate(LOCAL, Ask(cost=Decimal(11))).result(), Denial)
    assert isinstance(ledger.allocate(LOCAL, Ask(cost=Decimal(10))).result(), Grant)


@pytest.mark.parametrize(
    "limits", [{"limit": "9usd/day"}, {"limit": "9usd/day", "shadow": True}, None]
)
def test_numbers_that_no_column_holds_are_refused_and_change_nothing(
    running: Running, limits: dict[str, Any] | None
) -> None:
    if limits is not None:
        running.service.policies.create_policy(LOCAL, limits)
    running.service.prices.set_price(LOCAL, "openai", "dear", DEAR)
    ledger, labels = running.service.ledger, {"model": "dear", "provider": "openai"}
    many = Used(input_tokens=CALL_TOKENS_MAX)

    for refused in (
        lambda: ledger.record(LOCAL, many, labels=labels),
        lambda: ledger.record(LOCAL, Used(cost=Decimal(10**9))),
    ):
        with pytest.raises(InvalidInput):
            refused().result()
    ask = Ask(labels=labels, tokens=CALL_TOKENS_MAX)
    if limits is None or "shadow" in limits:
        with pytest.raises(InvalidInput):
            ledger.allocate(LOCAL, ask).result()
    else:
        assert isinstance(ledger.allocate(LOCAL, ask).result(), Denial)
    with running.store.engine.connect() as connection:
        assert connection.execute(select(tables.usage.c.no)).all() == []


def test_an_atomic_batch_names_the_command_that_was_refused(quick: Running) -> None:
    quick.service.prices.set_price(LOCAL, "openai", "dear", DEAR)
    labels: dict[str, object] = {"model": "dear", "provider": "openai"}
    commands = [
        RecordRequest(Used(cost=Decimal(1))),
        RecordRequest(Used(input_tokens=CALL_TOKENS_MAX), labels),
    ]
    (together,) = quick.service.ledger.batch(LOCAL, commands, atomic=True)
    with pytest.raises(InvalidInput) as refused:
        together.result()
    assert refused.value.extra["index"] == 1


def test_what_an_ask_states_beside_tokens_comes_to_the_ledger(quick: Running) -> None:
    ledger, labels = quick.service.ledger, {"model": "claude"}
    context = {"service_tier": "Priority", "web_searches": 3}
    asked = ledger.allocate(LOCAL, Ask(labels, 5, 5, units={"image": 2}, context=context))
    plain = ledger.allocate(
        LOCAL, Ask(labels, 5, 5, units={"image": 0}, context={"region": "global"})
    )

    assert asked.work.further.units == (("web_search", 3), ("image", 2))
    assert asked.work.further.context.service_tier == "priority"
    assert plain.work.further is None
    assert asked.result().granted.tokens == 10
    plain.result()


def test_a_field_that_an_earlier_version_did_not_know_makes_no_other_request(
    quick: Running,
) -> None:
    """Its answers are kept with the content of their time."""
    ledger = quick.service.ledger
    first = ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id="a").result()
    with quick.store.engine.begin() as connection:  # as it was written before
        content = connection.execute(select(tables.allocations.c.content)).scalar_one()
        old = {k: v for k, v in msgspec.json.decode(content).items()
               if k not in ("units", "context", "cache_write")}  # fmt: skip
        connection.execute(
            tables.allocations.update().values(content=msgspec.json.encode(old).decode())
        )

    assert ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id="a").result() == first
    with pytest.raises(Conflict, match=r"differs in: cache_write"):
        ledger.allocate(LOCAL, Ask(cost=Decimal(1), cache_write="5m"), allocation_id="a").result()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ExtendRequest("a"), "lifetime_seconds"),
        (ExtendRequest("a", max_output_tokens=-1), "max_output_tokens"),
        (ExtendRequest("a", tokens=CALL_TOKENS_MAX + 1), "tokens"),
        (ExtendRequest("a", cost=Decimal(-1)), "cost"),
        (ExtendRequest("a", tokens=5, fit="some"), "fit"),
        (ExtendRequest("a", tokens=5, min_grant=-1), "min_grant"),
        (ExtendRequest("a", 0), "lifetime_seconds"),
    ],
)
def test_a_faulty_extension_names_its_field(
    quick: Running, request_: ExtendRequest, field: str
) -> None:
    quick.service.ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id="a").result()
    (ticket,) = quick.service.ledger.batch(LOCAL, [request_])

    with pytest.raises(InvalidInput) as refused:
        ticket.result() if not isinstance(ticket, BudgetError) else _raised(ticket)
    assert [fault.field for fault in refused.value.fields] == [field]


def _raised(refusal: BudgetError) -> None:
    raise refusal


def test_an_allocation_grows_and_many_live_on(running: Running) -> None:
    ledger = running.service.ledger
    for id_ in ("a", "b"):
        ledger.allocate(LOCAL, Ask(cost=Decimal(1)), allocation_id=id_).result()
    grown = [ledger.extend(LOCAL, "a", cost=Decimal(2), id_="x").result() for _ in range(2)]
    clamped = ledger.extend(LOCAL, "a", 60, cost=Decimal(3), fit="clamp", min_grant=1).result()
    ledger.release(LOCAL, "b").result()

    assert grown[0] == grown[1]
    assert grown[0].granted == (0, 2 * 10**9, 1)
    assert clamped.granted.cost_nano == 3 * 10**9
    assert clamped.expires_us < grown[0].expires_us
    with pytest.raises(Conflict, match="cost"):
        ledger.extend(LOCAL, "a", cost=Decimal(3), id_="x").result()
    kept = ledger.keep_alive([("", "a"), ("", "b")] * 300, 3600).result()
    assert kept.count == 1
    assert ledger.keep_alive([], 3600).result().count == 0
