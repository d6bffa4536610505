"""What a policy's next version takes over from the one before, and what it says has ended."""

from decimal import Decimal
from typing import Any

import pytest
from tests.service.writing.conftest import Clock
from tests.service.writing.test_policies import balances, spend

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import Conflict
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.limiting import starting
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.starting import Started
from tekton_budget.wiring import Running

HOUR = 3600
DAY = 24 * HOUR
USD = 10**9


def credit(running: Running, group: str, usd: int, **more: Any) -> None:
    amounts = Amounts(0, usd * USD, 0)
    running.service.ledger.give_credit(LOCAL, "p", amounts, group=group, **more).result()


def is_sound(running: Running) -> bool:
    found = running.service.verifier.verify()
    assert not found.findings, found.findings
    return True


def create(running: Running, **fields: Any) -> Policy:
    return running.service.policies.create_policy(LOCAL, {"name": "p", **fields}).policy


def change(running: Running, **fields: Any) -> Started:
    return running.service.policies.change_policy(LOCAL, "p", fields)


def test_exceptions_and_credit_stay_where_the_groups_do(running: Running) -> None:
    create(running, limit="1usd/day", per=["user"])
    running.service.policies.set_exceptions(LOCAL, "p", {"alice": {"cost_limit": Decimal(3)}})
    spend(running, "0.50", user="bob", model="m")
    credit(running, "bob", 2, reason="launch", credit_id="c1")
    credit(running, "dan", 1)

    changed = change(running, scope={"model": "m"})

    assert changed.notes == ("replaced",)
    assert isinstance(spend(running, "3", user="alice", model="m"), Grant)
    assert isinstance(spend(running, "2.51", user="bob", model="m"), Denial)
    assert isinstance(spend(running, "2.50", user="bob", model="m"), Grant)
    assert isinstance(spend(running, "2", user="dan", model="m"), Grant)
    assert isinstance(spend(running, "0.01", user="dan", model="m"), Denial)
    assert isinstance(spend(running, "1.01", user="eve", model="m"), Denial)
    assert is_sound(running)


def test_credit_given_while_the_next_version_begins_is_not_lost(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(running, limit="1usd/day", per=["user"])
    credit(running, "alice", 1)
    seen = starting.credited_groups

    def beside(*args: Any, **more: Any) -> list[str]:
        """Between the look outside of locks and the end."""
        found = seen(*args, **more)
        if "up_to" in more:
            credit(running, "alice", 2)
            credit(running, "bob", 3)
        return found

    monkeypatch.setattr(starting, "credited_groups", beside)
    change(running, scope={"model": "m"})

    assert isinstance(spend(running, "4", user="alice", model="m"), Grant)
    assert isinstance(spend(running, "0.01", user="alice", model="m"), Denial)
    assert isinstance(spend(running, "4", user="bob", model="m"), Grant)
    assert is_sound(running)


def test_credit_is_taken_over_once_and_in_many_short_steps(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(running, limit="1usd/day", per=["user"])
    for number in range(7):
        credit(running, f"u{number}", 1)
    monkeypatch.setattr(starting, "CREDITED_MAX", 2)
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        begun = change(running, scope={"model": "m"}).policy
    taken = starting.Starting._take_over
    with monkeypatch.context() as patched:
        steps = iter(range(2))

        def cut_short(*args: Any) -> set[str]:
            next(steps)
            return taken(*args)

        patched.setattr(starting.Starting, "_take_over", cut_short)
        with pytest.raises(RuntimeError):
            running.service.policies.finish(begun)
    running.service.policies.finish(begun)

    for number in range(7):
        assert isinstance(spend(running, "2", user=f"u{number}", model="m"), Grant)
        assert isinstance(spend(running, "0.01", user=f"u{number}", model="m"), Denial)
    assert is_sound(running)


def test_groups_that_are_no_more_are_named(running: Running) -> None:
    create(running, limit="1usd/day", per=["user"])
    running.service.policies.set_exceptions(
        LOCAL, "p", {"a": {"cost_limit": Decimal(50)}, "b": "unlimited"}
    )
    credit(running, "a", 5)

    changed = change(running, per=["team"])

    assert changed.notes == (
        "replaced",
        'exceptions_ended: ["a","b"]',
        'credits_ended: ["a"]',
    )
    assert isinstance(spend(running, "1.01", user="a", team="a"), Denial)
    assert isinstance(spend(running, "1.01", team="b"), Denial)
    assert change(running, per=["user"]).notes == ("replaced",)
    assert isinstance(spend(running, "1.01", user="b"), Denial)
    assert is_sound(running)


def test_groups_are_found_again_where_only_the_order_of_labels_changed(running: Running) -> None:
    create(running, limit="1usd/day", per=["team", "user"])
    running.service.policies.set_exceptions(LOCAL, "p", {"x%2Fy/a": {"cost_limit": Decimal(5)}})
    credit(running, "x%2Fy/a", 1)

    assert change(running, per=["user", "team"]).notes == ("replaced",)

    assert isinstance(spend(running, "6", user="a", team="x/y"), Grant)
    assert isinstance(spend(running, "0.01", user="a", team="x/y"), Denial)


def test_a_note_names_no_more_groups_than_can_be_read(quick: Running) -> None:
    create(quick, limit="1usd/day", per=["user"])
    groups = {f"u{number:03d}": "unlimited" for number in range(103)}
    quick.service.policies.set_exceptions(LOCAL, "p", groups)

    note = change(quick, per=["team"]).notes[1]

    assert note.endswith('"u099"] and 3 more')


def test_credit_ends_no_later_than_the_window_it_was_given_for(
    running: Running, clock: Clock
) -> None:
    create(running, limit="1usd/day")
    credit(running, "", 1)
    change(running, period="weekly")

    assert isinstance(spend(running, "1.50"), Grant)
    assert is_sound(running)
    clock.pass_seconds(DAY)
    assert isinstance(spend(running, "0.01"), Denial)


def test_credit_of_no_window_lasts_one_length_of_a_rolling_one(
    running: Running, clock: Clock
) -> None:
    create(running, limit="1usd")
    credit(running, "", 1)
    change(running, limit="1usd/1h")

    assert isinstance(spend(running, "2"), Grant)
    clock.pass_seconds(2 * HOUR)
    assert isinstance(spend(running, "1.01"), Denial)


def test_credit_that_has_ended_is_not_given_again(running: Running, clock: Clock) -> None:
    create(running, limit="1usd/day")
    credit(running, "", 1, expires_us=clock.now_us + HOUR * 1_000_000)
    clock.pass_seconds(2 * HOUR)
    change(running, scope={"model": "m"})

    assert isinstance(spend(running, "1.01", model="m"), Denial)


def test_what_was_carried_stays_where_windows_and_groups_do(running: Running, clock: Clock) -> None:
    create(running, limit="1usd/day", per=["user"], rollover=True)
    spend(running, "0.40", user="alice", model="m")
    spend(running, "0.30", user="bob", model="m")
    clock.pass_seconds(DAY)
    spend(running, "1.60", user="alice", model="m")  # all of today's, and what yesterday left

    assert change(running, scope={"model": "m"}).notes == ("replaced",)

    assert isinstance(spend(running, "0.01", user="alice", model="m"), Denial)
    assert standing(running, "bob") == 1_700_000_000
    assert isinstance(spend(running, "1.71", user="bob", model="m"), Denial)
    assert isinstance(spend(running, "1.70", user="bob", model="m"), Grant)
    change(running, tokens_counted=["output"])
    assert isinstance(spend(running, "0.01", user="bob", model="m"), Denial)
    clock.pass_seconds(DAY)
    assert isinstance(spend(running, "1.01", user="bob", model="m"), Denial)
    assert isinstance(spend(running, "1", user="bob", model="m"), Grant)
    assert is_sound(running)


def test_what_was_carried_ends_with_its_windows(running: Running, clock: Clock) -> None:
    create(running, limit="1usd/day", rollover=True)
    spend(running, "0.40")
    clock.pass_seconds(DAY)

    assert change(running, timezone="Asia/Tokyo").notes == ("replaced", "carry_ended")
    assert isinstance(spend(running, "1.41"), Denial)


def standing(running: Running, user: str) -> int | None:
    """What is shown of a group that its version has never touched."""
    shown = running.service.standings.status(LOCAL, {"user": user, "model": "m"})
    (one,) = shown.policies
    return one.remaining.cost_nano


# A budget's scope ---------------------------------------------------------------------------------


def test_another_scope_of_a_budget_counts_what_it_now_concerns(running: Running) -> None:
    verbs, ledger = running.service.policies, running.service.ledger
    _, made = verbs.create_budget(
        LOCAL,
        name="lab",
        scope={"team": "a"},
        policies=[{"limit": "1usd/day", "name": "p"}, {"limit": "9usd/day", "per": ["user"]}],
    )
    verbs.set_exceptions(LOCAL, made[1].policy_id, {"u": {"cost_limit": Decimal(20)}})
    spend(running, "0.90", team="a")
    spend(running, "0.30", team="b", user="u")
    held = ledger.allocate(LOCAL, Ask(labels={"team": "b"}, cost=Decimal("0.20"))).result()
    credit(running, "", 1)

    verbs.change_budget(LOCAL, "lab", {"scope": {"team": "b"}, "owner": "bo"})

    current = [running.reader.policies().current(one.policy_id) for one in made]
    assert [one.version for one in current if one is not None] == [2, 2]
    assert balances(running, current[0].no) == {"": (300_000_000, 200_000_000)}
    assert balances(running, current[1].no) == {"": (0, 200_000_000), "u": (300_000_000, 0)}
    assert isinstance(spend(running, "5", team="a"), Grant)
    assert isinstance(spend(running, "1.51", team="b"), Denial)
    assert isinstance(spend(running, "1.50", team="b", user="u"), Grant)
    ledger.settle(LOCAL, held.allocation_id, Used(cost=Decimal("0.20"))).result()
    assert balances(running, current[0].no)[""] == (2_000_000_000, 0)
    assert [p.status for p in running.reader.policies().by_no.values()] == [
        Status.REPLACED,
        Status.REPLACED,
        Status.ACTIVE,
        Status.ACTIVE,
    ]
    assert is_sound(running)


def test_a_budgets_old_scope_judges_until_the_new_one_has_counted(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = running.service.policies
    verbs.create_budget(
        LOCAL,
        name="lab",
        scope={"team": "a"},
        policies=[{"limit": "1usd/day", "name": "p"}],
    )
    spend(running, "0.90", team="a")
    spend(running, "0.90", team="b")
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        verbs.change_budget(LOCAL, "lab", {"scope": {"team": "b"}})

    assert isinstance(spend(running, "0.20", team="a"), Denial)
    assert isinstance(spend(running, "0.05", team="b"), Grant)
    begun = max(running.reader.policies().by_no.values(), key=lambda one: one.no)
    verbs.finish(begun)
    assert isinstance(spend(running, "0.20", team="a"), Grant)
    assert isinstance(spend(running, "0.06", team="b"), Denial)
    assert isinstance(spend(running, "0.05", team="b"), Grant)


def test_a_budgets_scope_changes_again_while_the_first_change_begins(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = quick.service.policies
    verbs.create_budget(
        LOCAL, name="lab", scope={"team": "a"}, policies=[{"limit": "1usd/day", "name": "p"}]
    )
    spend(quick, "0.90", team="a")
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        verbs.change_budget(LOCAL, "lab", {"scope": {"team": "b"}})
        verbs.change_budget(LOCAL, "lab", {"scope": {"team": "c"}})

    assert isinstance(spend(quick, "0.20", team="a"), Denial)  # judged by the oldest scope
    assert isinstance(spend(quick, "0.90", team="c"), Grant)
    verbs.finish(max(quick.reader.policies().by_no.values(), key=lambda one: one.no))
    assert isinstance(spend(quick, "0.20", team="a"), Grant)
    assert isinstance(spend(quick, "0.20", team="b"), Grant)
    assert isinstance(spend(quick, "0.20", team="c"), Denial)


def test_credit_is_taken_over_once_where_two_finish_a_version(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = quick.service.policies
    verbs.create_policy(LOCAL, {"limit": "1usd/day", "name": "p", "per": ["user"]})
    credit(quick, "alice", 1)
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        begun = verbs.change_policy(LOCAL, "p", {"tokens_counted": ["output"]}).policy
    take_over = starting.credited_groups

    def overtaken(*args: Any, **limits: Any) -> Any:
        monkeypatch.undo()
        found = take_over(*args, **limits)
        verbs.finish(begun)
        return found

    monkeypatch.setattr(starting, "credited_groups", overtaken)

    told = verbs.finish(begun)

    assert (told.policy.status, told.notes) == (Status.ACTIVE, ())
    assert isinstance(spend(quick, "2", user="alice"), Grant)
    assert isinstance(spend(quick, "0.01", user="alice"), Denial)


def test_a_closed_budgets_scope_changes_with_its_opening(running: Running) -> None:
    verbs = running.service.policies
    verbs.create_budget(LOCAL, name="lab", policies=[{"limit": "1usd/day", "name": "p"}])
    verbs.create_budget(LOCAL, name="empty")
    verbs.close_budget(LOCAL, "lab")
    verbs.close_budget(LOCAL, "empty")
    spend(running, "0.90", team="b")

    with pytest.raises(Conflict) as refused:
        verbs.change_budget(LOCAL, "lab", {"scope": {"team": "b"}})
    assert refused.value.code == "budget_closed"
    verbs.change_budget(LOCAL, "empty", {"scope": {"team": "b"}})
    verbs.change_budget(LOCAL, "lab", {"scope": {"team": "b"}, "is_active": True})
    assert isinstance(spend(running, "0.11", team="b"), Denial)
    assert isinstance(spend(running, "0.10", team="b"), Grant)


def test_the_same_scope_again_replaces_nothing(quick: Running) -> None:
    verbs = quick.service.policies
    verbs.create_budget(
        LOCAL, name="lab", scope={"team": "a"}, policies=[{"limit": "1usd/day", "name": "p"}]
    )
    verbs.change_budget(LOCAL, "lab", {"scope": {"team": "a"}})

    assert [one.version for one in quick.reader.policies().by_no.values()] == [1]
