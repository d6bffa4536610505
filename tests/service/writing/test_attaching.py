"""Policies are moved into a budget, and hold exactly what they should before and after."""

import threading

import pytest
from tests.service.writing.test_policies import spend
from tests.service.writing.test_replacing import create, is_sound

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, InvalidInput, NotFound
from tekton_budget.domain.policy import Budget, Policy
from tekton_budget.wiring import Running


def budget(running: Running, name: str, **scope: str) -> str:
    return running.service.policies.create_budget(LOCAL, name=name, scope=scope)[0].budget_id


def attach(running: Running, to: str, *policies: str, caller: Caller = LOCAL) -> Budget:
    return running.service.attaching.attach(caller, to, policies)


def policy(running: Running, name: str = "p") -> Policy:
    return running.service.catalogue.policy(LOCAL, name).policy


def test_between_budgets_without_scopes_it_keeps_what_it_counted(running: Running) -> None:
    made = create(running, limit="1usd/day")
    spend(running, "0.60", model="m")
    to = budget(running, "lab")

    attach(running, "lab", "p")

    after = policy(running)
    assert (after.budget_id, after.no, after.version) == (to, made.no, 1)
    assert isinstance(spend(running, "0.41", model="m"), Denial)
    assert isinstance(spend(running, "0.40", model="m"), Grant)
    assert running.service.catalogue.policy_ids([running.service.catalogue.budget(LOCAL, to)]) == {
        to: [made.policy_id]
    }
    assert is_sound(running)


def test_a_budget_with_a_scope_gives_it_another_meaning(running: Running) -> None:
    made = create(running, limit="1usd/day")
    budget(running, "team", team="a")
    spend(running, "0.30", team="a", model="m")
    spend(running, "0.70", team="b", model="m")

    attach(running, "team", made.policy_id)

    after = policy(running)
    assert (after.policy_id, after.version) == (made.policy_id, 2)
    assert isinstance(spend(running, "50", team="b", model="m"), Grant)
    assert isinstance(spend(running, "0.71", team="a", model="m"), Denial)
    assert isinstance(spend(running, "0.70", team="a", model="m"), Grant)
    assert is_sound(running)


def test_out_of_a_budget_with_a_scope_it_counts_for_all_again(running: Running) -> None:
    home = budget(running, "team", team="a")
    create_in = running.service.policies.create_policy
    create_in(LOCAL, {"name": "p", "limit": "1usd/day"}, budget=home)
    spend(running, "0.40", team="b", model="m")
    budget(running, "lab")

    attach(running, "lab", "p")

    assert isinstance(spend(running, "0.61", team="c", model="m"), Denial)
    assert isinstance(spend(running, "0.60", team="c", model="m"), Grant)
    assert is_sound(running)


def test_out_of_a_closed_budget_it_counts_again_with_what_was_used_meanwhile(
    running: Running,
) -> None:
    home = budget(running, "old")
    running.service.policies.create_policy(LOCAL, {"name": "p", "limit": "1usd/day"}, budget=home)
    running.service.policies.close_budget(LOCAL, home)
    spend(running, "0.90", model="m")
    budget(running, "new")

    attach(running, "new", "p")

    assert isinstance(spend(running, "0.11", model="m"), Denial)
    assert is_sound(running)


def test_all_are_moved_or_none(quick: Running) -> None:
    create(quick, limit="1usd/day")
    budget(quick, "lab")

    with pytest.raises(NotFound) as refused:
        attach(quick, "lab", "p", "nobody")

    assert refused.value.code == "policy_not_found"
    assert policy(quick).budget_id == "default"


def test_again_it_changes_nothing(quick: Running) -> None:
    create(quick, limit="1usd/day")
    budget(quick, "team", team="a")
    attach(quick, "team", "p", "p")
    first = policy(quick)

    attach(quick, "team", "p")

    assert policy(quick) == first


def test_a_closed_or_unknown_budget_and_no_policy_are_refused(quick: Running) -> None:
    create(quick, limit="1usd/day")
    quick.service.policies.close_budget(LOCAL, budget(quick, "shut"))

    for to, named, kind in (
        ("shut", ["p"], Conflict),
        ("none", ["p"], NotFound),
        ("default", [], InvalidInput),
    ):
        with pytest.raises(kind):
            attach(quick, to, *named)


def test_a_key_moves_only_what_is_its_own_and_a_viewer_nothing(quick: Running) -> None:
    mine = budget(quick, "mine", team="a")
    budget(quick, "theirs", team="b")
    quick.service.policies.create_policy(LOCAL, {"name": "p", "limit": "1usd/day"}, budget=mine)
    operator = Caller("k", "op", Role.OPERATOR, {"team": "a"})

    for caller, to in (
        (operator, "theirs"),
        (operator, "default"),
        (Caller("v", "v", Role.VIEWER), "theirs"),
        (Caller("c", "c", Role.CLIENT), "theirs"),
    ):
        with pytest.raises(BudgetError):
            attach(quick, to, "p", caller=caller)
    assert policy(quick).budget_id == mine


def test_while_it_is_moved_no_call_passes_its_limit(running: Running) -> None:
    """Calls of many threads go on while it is moved to and fro; what they are granted adds up."""
    create(running, limit="1usd/day")
    budget(running, "team", team="a")
    granted: list[int] = []

    def call() -> None:
        mine = [isinstance(spend(running, "0.01", team="a", model="m"), Grant) for _ in range(40)]
        granted.append(sum(mine))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for to in ("team", "default", "team"):
        attach(running, to, "p")
    for thread in threads:
        thread.join()

    assert sum(granted) == 100
    assert is_sound(running)
