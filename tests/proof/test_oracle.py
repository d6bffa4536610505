"""The oracle: it finds what is wrong in calls as they were heard, and accuses nobody falsely."""

import pytest

from tekton_budget.proof.call_log import Call, Heard, Verb
from tekton_budget.proof.oracle import Findings, busy_seconds, findings_of, quantile

SECOND = 1_000_000_000
G, D, OK, FAILED = Heard.GRANTED, Heard.DENIED, Heard.DONE, Heard.FAILED


def ask(
    id_: str, amount: int, sent: float, answered: float | None, heard: Heard | None = G, **more
) -> Call:
    call = Call(
        Verb.RESERVE, id_, more.get("group", ""), amount, more.get("least", amount), at(sent)
    )
    if answered is not None:
        call.answered_ns, call.heard = at(answered), heard
        call.granted = more.get("granted", amount) if heard is G else 0
    return call


def settle(
    id_: str, real: int, sent: float, answered: float | None, heard: Heard = OK, group: str = ""
) -> Call:
    call = Call(Verb.SETTLE, id_, group, real, real, at(sent))
    if answered is not None:
        call.answered_ns, call.heard = at(answered), heard
    return call


def release(id_: str, sent: float, answered: float) -> Call:
    return Call(Verb.RELEASE, id_, "", 0, 0, at(sent), at(answered), OK)


def allow(allowance: int, sent: float, answered: float) -> Call:
    return Call(Verb.ALLOW, "change", "", allowance, allowance, at(sent), at(answered), OK)


def at(seconds: float) -> int:
    return int(seconds * SECOND)


def judge(
    *calls: Call, limit: int = 100, lifetime: int = 900, spent: int | None = None, **more
) -> Findings:
    in_order = sorted(calls, key=lambda call: call.sent_ns)
    settled = sum(c.amount for c in {c.id: c for c in calls if c.verb is Verb.SETTLE}.values())
    known = settled if spent is None else spent
    return findings_of(
        in_order, limit=limit, lifetime_seconds=lifetime, spent=lambda _: known, **more
    )


@pytest.mark.parametrize(
    ("calls", "over"),
    [
        pytest.param([ask("a", 60, 1, 2), ask("b", 40, 1, 2)], 0, id="equal is fine"),
        pytest.param([ask("a", 60, 1, 2), ask("b", 41, 1, 2)], 1, id="two at once, one too much"),
        pytest.param([ask("a", 101, 1, 2)], 1, id="one ask alone"),
        pytest.param(
            [ask("a", 60, 1, 2), settle("a", 10, 3, 4), ask("b", 90, 3.5, 5)], 0, id="used less"
        ),
        pytest.param(
            [ask("a", 60, 1, 2), settle("a", 60, 3, 4), ask("b", 41, 5, 6)], 1, id="spent counts"
        ),
        pytest.param(
            [ask("a", 60, 1, 2), release("a", 3, 4), ask("b", 100, 3.5, 5)], 0, id="given back"
        ),
        pytest.param(
            [ask("a", 60, 1, 2), ask("b", 60, 1.5, 3.5), release("a", 3, 4)],
            0,
            id="answered after the other's end was sent: it may have been free by then",
        ),
        pytest.param(
            [ask("a", 60, 1, None), ask("b", 100, 2, 3)], 0, id="never answered, never counted"
        ),
        pytest.param(
            [ask("a", 60, 1, 2, FAILED), ask("b", 100, 2, 3)], 0, id="failed is not granted"
        ),
        pytest.param([ask("a", 1024, 1, 2, granted=100)], 0, id="clamped: what is granted counts"),
    ],
)
def test_over_is_what_was_in_force_for_certain(calls: list[Call], over: int) -> None:
    assert judge(*calls).over == over


@pytest.mark.parametrize(
    ("calls", "false"),
    [
        pytest.param([ask("a", 100, 1, 2, D)], 1, id="there was room for all of it"),
        pytest.param([ask("a", 101, 1, 2, D)], 0, id="it never fits"),
        pytest.param([ask("a", 60, 1, 2), ask("b", 41, 3, 4, D)], 0, id="others hold"),
        pytest.param([ask("a", 60, 1, 2), ask("b", 40, 3, 4, D)], 1, id="equal fits"),
        pytest.param([ask("b", 41, 1, 4, D), ask("a", 60, 3, 5)], 0, id="asked for while it was denied"),
        pytest.param([ask("b", 41, 1, 2, D), ask("a", 60, 3, 5)], 1, id="asked for afterwards"),
        pytest.param([ask("a", 60, 1, 2), release("a", 2, 3), ask("b", 41, 4, 5, D)], 1, id="free again"),
        pytest.param([ask("a", 60, 1, 2), release("a", 2, 5), ask("b", 41, 4, 5, D)], 0, id="not free yet"),
        pytest.param([ask("a", 60, 1, 2), settle("a", 10, 2, 3), ask("b", 90, 4, 5, D)], 1, id="the rest is free"),
        pytest.param([ask("a", 60, 1, None), ask("b", 41, 9, 10, D)], 0, id="never answered: it may be held"),
        pytest.param([ask("a", 90, 1, 2), ask("b", 50, 3, 4, D, least=10)], 1, id="a part of it would have fitted"),
        pytest.param([ask("a", 90, 1, 2, group="x"), ask("b", 100, 3, 4, D, group="y")], 1, id="another group's"),
    ],
)  # fmt: skip
def test_a_denial_is_false_where_it_cannot_have_been_right(calls: list[Call], false: int) -> None:
    assert judge(*calls).false_denials == false


def test_a_hold_counts_until_it_expires() -> None:
    gone, later = ask("gone", 100, 1, 1.5), ask("later", 100, 4, 5)
    too_early, too_late = ask("early", 100, 2, 2.5, D), ask("late", 100, 4, 4.5, D)

    assert judge(gone, later, lifetime=2).over == 0
    assert judge(gone, later, lifetime=10).over == 100
    assert judge(gone, too_early, lifetime=2).false_denials == 0
    assert judge(gone, too_late, lifetime=2).false_denials == 1


def test_a_lowered_limit_binds_what_is_asked_for_afterwards() -> None:
    before = [ask("a", 80, 1, 2), allow(50, 3, 4)]

    assert judge(*before).over == 0
    assert judge(*before, ask("b", 10, 3.5, 4.5)).over == 0  # may have been granted before
    assert judge(*before, ask("b", 10, 5, 6)).over == 40
    assert judge(*before, ask("b", 10, 5, 6, D)).false_denials == 0
    assert judge(*before, release("a", 5, 6), ask("b", 50, 7, 8)).over == 0
    assert judge(*before, release("a", 5, 6), ask("b", 51, 7, 8)).over == 1


def test_a_raised_limit_counts_from_when_it_may_be_in_force() -> None:
    raised = allow(150, 3, 5)

    assert judge(raised, ask("a", 150, 4, 6)).over == 0
    assert judge(raised, ask("a", 150, 1, 2)).over == 50
    assert judge(raised, ask("a", 150, 4, 6, D)).false_denials == 0  # it need not be yet
    assert judge(raised, ask("a", 150, 6, 7, D)).false_denials == 1


@pytest.mark.parametrize(
    ("spent", "lost", "doubled"), [(60, 0, 0), (59, 1, 0), (61, 0, 1), (120, 0, 60)]
)
def test_what_was_settled_is_there_once(spent: int, lost: int, doubled: int) -> None:
    found = judge(ask("a", 60, 1, 2), settle("a", 60, 3, 4), spent=spent)

    assert (found.lost, found.doubled, found.spent) == (lost, doubled, 60)


@pytest.mark.parametrize(("spent", "lost", "doubled"), [(0, 0, 0), (60, 0, 0), (61, 0, 1)])
def test_what_was_not_answered_may_be_there_or_not(spent: int, lost: int, doubled: int) -> None:
    found = judge(ask("a", 60, 1, 2), settle("a", 60, 3, None), spent=spent)

    assert (found.lost, found.doubled) == (lost, doubled)


@pytest.mark.parametrize(
    ("calls", "lost_calls"),
    [
        ([ask("a", 60, 1, 2), ask("a", 60, 3, 4)], 0),
        ([ask("a", 60, 1, 2), ask("a", 60, 3, 4, granted=50)], 1),
        ([ask("a", 60, 1, 2), ask("a", 60, 3, 4, D)], 1),
        ([ask("a", 60, 1, 2), settle("a", 60, 3, 4, FAILED)], 1),
        ([ask("a", 60, 1, 2, D), ask("a", 60, 3, 4)], 0),
    ],
)
def test_an_id_that_was_granted_stays_granted(calls: list[Call], lost_calls: int) -> None:
    assert judge(*calls, spent=0).lost_calls == lost_calls


def test_a_retried_grant_is_one_grant() -> None:
    found = judge(
        ask("a", 60, 1, None), ask("a", 60, 3, 4), settle("a", 60, 5, None), settle("a", 60, 6, 7)
    )

    assert (found.granted, found.over, found.spent, found.lost, found.doubled) == (1, 0, 60, 0, 0)


def test_each_window_has_the_limit_to_itself() -> None:
    calls = [
        ask("a", 100, 1, 2),
        settle("a", 100, 2, 3),
        ask("b", 100, 11, 12),
        settle("b", 100, 12, 13),
    ]

    assert judge(*calls, spent=100, turns_at_ns=at(10)).over == 0
    assert judge(*calls, spent=100, turns_at_ns=at(10)).lost == 0
    assert judge(*calls, spent=100).over == 100
    assert judge(*calls, ask("c", 1, 14, 15), spent=100, turns_at_ns=at(10)).over == 1


def test_time_counts_once_however_many_wait() -> None:
    assert busy_seconds([ask("a", 1, 0, 2), ask("b", 1, 1, 3), ask("c", 1, 10, 11)]) == 4


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([], 0.99) == 0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert quantile([1.0, 2.0], 1.0) == 2.0
