"""A policy with two versions in force, and one whose budget is closed: changes reach what counts."""

from decimal import Decimal
from typing import Any

import pytest
from tests.service.writing.test_policies import balances, spend

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.domain.policy import Policy, Status
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.starting import Started
from tekton_budget.service.reporting.catalogue import PolicyQuery
from tekton_budget.wiring import Running

ALICE = {"user": "alice"}


@pytest.fixture
def half_replaced(quick: Running, monkeypatch: pytest.MonkeyPatch) -> tuple[Policy, Policy]:
    """A policy and the version that will replace it, whose backfill has not been posted yet."""
    verbs = quick.service.policies
    made = verbs.create_policy(LOCAL, {"limit": "10usd/day", "name": "daily"}).policy
    spend(quick, "1", **ALICE)
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        next_one = verbs.change_policy(LOCAL, "daily", {"per": ["user"]}).policy
    assert next_one.status is Status.STARTING
    return made, next_one


def test_a_change_meanwhile_is_not_lost(
    quick: Running, half_replaced: tuple[Policy, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = quick.service.policies
    with monkeypatch.context() as patched:
        patched.setattr(PolicyVerbs, "finish", lambda _, policy: Started(policy))
        verbs.change_policy(LOCAL, "daily", {"cost_limit": Decimal(2)})
    assert isinstance(spend(quick, "2", **ALICE), Denial)  # the older one judges by it at once
    verbs.finish(half_replaced[1])

    assert isinstance(spend(quick, "1.5", **ALICE), Denial)
    assert isinstance(spend(quick, "1", **ALICE), Grant)


def test_an_exception_meanwhile_holds_in_both(
    quick: Running, half_replaced: tuple[Policy, Policy]
) -> None:
    spend(quick, "1", **ALICE)
    quick.service.policies.set_exceptions(LOCAL, "daily", {"alice": {"cost_limit": Decimal(2)}})
    quick.service.policies.finish(half_replaced[1])

    assert balances(quick, half_replaced[1].no)["alice"] == (2_000_000_000, 0)
    assert isinstance(spend(quick, "0.5", **ALICE), Denial)


def test_the_next_change_builds_on_the_version_that_begins(
    quick: Running, half_replaced: tuple[Policy, Policy]
) -> None:
    changed = quick.service.policies.change_policy(LOCAL, "daily", {"tokens_counted": ["output"]})
    quick.service.policies.finish(half_replaced[1])

    assert changed.policy.per == ("user",)
    assert changed.policy.version == 3
    found = quick.reader.policies().counting_everywhere()
    assert [(p.version, p.status) for p in found] == [(3, Status.ACTIVE)]


def test_a_policy_of_a_closed_budget_is_found_changed_and_ended(running: Running) -> None:
    verbs = running.service.policies
    verbs.create_budget(LOCAL, name="house")
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day"}, budget="house").policy
    verbs.close_budget(LOCAL, "house")
    changed = verbs.change_policy(LOCAL, made.policy_id, {"per": ["user"]}).policy
    verbs.change_budget(LOCAL, "house", {"is_active": True})
    in_force = [p.version for p in running.reader.policies().counting]
    verbs.close_budget(LOCAL, "house")
    ended = verbs.end_policy(LOCAL, made.policy_id)
    verbs.change_budget(LOCAL, "house", {"is_active": True})

    assert (changed.version, in_force) == (2, [2])
    assert ended.status is Status.ENDED
    assert isinstance(spend(running, "5", user="alice"), Grant)
    with pytest.raises(NotFound):
        verbs.end_policy(LOCAL, made.policy_id)


def test_a_rolling_policy_looks_back_no_further_than_its_length(
    running: Running, clock: Any
) -> None:
    for seconds in (3600, 30, 20):
        spend(running, "1")
        clock.pass_seconds(seconds)
    made = running.service.policies.create_policy(LOCAL, {"limit": "9usd/1min"}).policy

    assert balances(running, made.no) == {"": (2_000_000_000, 0)}


@pytest.mark.parametrize(("per", "group"), [([], "alice"), (["user", "model"], "alice")])
def test_an_exception_for_a_group_that_cannot_be_is_refused(
    quick: Running, per: list[str], group: str
) -> None:
    quick.service.policies.create_policy(LOCAL, {"limit": "1usd/day", "name": "p", "per": per})
    with pytest.raises(InvalidInput) as refused:
        quick.service.policies.set_exceptions(LOCAL, "p", {group: {"cost_limit": Decimal(2)}})
    assert refused.value.fields[0].field == f"groups.{group}"


def test_one_version_is_listed_and_it_is_the_one_that_judges(
    quick: Running, half_replaced: tuple[Policy, Policy]
) -> None:
    found = quick.service.catalogue.policies(LOCAL, PolicyQuery())

    assert [view.policy.no for view in found.items] == [half_replaced[0].no]
