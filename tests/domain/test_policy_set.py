"""Which policies concern a call, and in which group and window."""

import pytest
from tests.domain.world import World, us

from tekton_budget.domain.period import Anchor
from tekton_budget.domain.policy import Status
from tekton_budget.domain.policy_set import group_label_names, regrouped
from tekton_budget.domain.scope import Scope


def names(world: World, labels: dict[str, str]) -> list[str]:
    return [p.name for p in world.policy_set.concerning(labels, world.now_us)]


def test_policies_count_while_they_start_and_are_active() -> None:
    world = World()
    for status in Status:
        world.policies[len(world.policies) + 1] = world.made(
            status.value, "1usd/day", status=status
        )

    assert names(world, {}) == ["starting", "active"]
    assert world.policy_set.current("ended") is None
    assert [p.name for p in world.policies.values() if p.judges] == ["active"]


def test_policies_of_an_inactive_budget_are_in_force_and_count_nothing() -> None:
    world = World()
    world.budget("old", is_active=False)
    world.policy("p", "1usd/day", budget="old")

    assert names(world, {"budget": "old"}) == []
    assert [p.name for p in world.policy_set.counting_everywhere()] == ["p"]


def test_the_active_version_is_the_current_one() -> None:
    world = World()
    world.policy("p", "1usd/day")
    started = world.made("p", "2usd/day", version=2)
    world.begin(started)

    current = world.policy_set.current("p")
    assert current is not None
    assert current.version == 1


def test_a_budget_is_found_by_name_and_by_id() -> None:
    world = World()
    world.budget("lab", {"team": "a"})
    world.policy("inner", "1usd/day", budget="lab", scope={"agent": "bot"})
    policies = world.policy_set

    assert policies.budget_called("lab", {}) is not None
    assert policies.budget_called("nowhere", {}) is None
    assert names(world, {"agent": "bot"}) == []
    assert names(world, {"agent": "bot", "budget": "lab"}) == ["inner"]
    assert names(world, {"agent": "bot", "team": "a", "budget": "lab"}) == ["inner"]
    assert names(world, {"budget": "lab"}) == []
    inner = world.policies[1]
    assert policies.scope_of(inner) == Scope.from_json({"team": "a", "agent": "bot"})
    assert policies.asks_of(inner) == {"team": "a", "agent": "bot"}
    assert policies.asks_of(inner) is policies.asks_of(inner)


@pytest.mark.parametrize(
    ("bound", "found"),
    [
        ({}, True),
        ({"team": "a"}, True),
        ({"user": "u"}, True),
        ({"team": "b"}, False),
        ({"team": "b", "user": "u"}, False),
    ],
)
def test_a_budget_of_another_team_may_not_be_named(bound: dict[str, str], found: bool) -> None:
    world = World()
    world.budget("lab", {"team": "a"})

    assert (world.policy_set.budget_called("lab", bound) is not None) is found


@pytest.mark.parametrize(
    ("limit", "per", "labels", "group"),
    [
        ("1usd/day", (), {"user": "u"}, ""),
        ("1usd/day", ("user",), {"user": "u"}, "u"),
        ("1usd/day", ("user",), {}, None),
        ("1usd/day", ("user", "team"), {"user": "u/1", "team": "t"}, "u%2F1/t"),
        ("1usd/session", (), {"session": "s", "context_id": "c"}, "s"),
        ("1usd/session", (), {"context_id": "c"}, "c"),
        ("1usd/session", (), {}, "call-1"),
        ("1usd/task", (), {"session": "s"}, "call-1"),
        ("1usd/task", ("user",), {"task": "t", "user": "u"}, "t/u"),
        ("1usd/session", ("session",), {"session": "s"}, "s"),
    ],
)
def test_a_call_falls_into_the_group_of_its_labels(limit, per, labels, group) -> None:
    world = World()
    policy = world.policy("p", limit, per=per)
    concern = world.policy_set.concern(policy, labels, "call-1", world.now_us)

    assert concern.group == (group or "")
    assert concern.group_missing == (group is None)
    assert concern.balance_id == f"1:{concern.window.opens_us}:{concern.group}"
    assert len(group_label_names(policy)) == (group.count("/") + 1 if group else len(per))


def test_windows_of_other_moments_are_found_beside_the_current_one() -> None:
    world = World()
    policy = world.policy("p", "1usd/day")
    policies = world.policy_set
    now = policies.window(policy, world.now_us)

    assert policies.window(policy, world.now_us) is now
    assert policies.window(policy, us("2026-03-01T10:00Z")).closes_us == now.opens_us
    assert policies.window(policy, world.now_us) == now


@pytest.mark.parametrize(
    ("limit", "fields", "goes_on"),
    [
        ("1usd/day", {"scope": {"team": "a"}}, True),
        ("2usd/day", {"tokens_counted": ("output",)}, True),
        ("1usd/week", {}, False),
        ("1usd/day", {"zone": "Asia/Tokyo"}, False),
        ("1usd/day", {"anchor": Anchor(hour=5)}, False),
        ("1usd/day", {"per": ("user", "team")}, False),
        ("1usd/day", {"per": ()}, False),
    ],
)
def test_a_version_goes_on_from_one_of_the_same_windows_and_groups(limit, fields, goes_on) -> None:
    world = World()
    first = world.policy("p", "1usd/day", per=("user",))
    other = world.policy("q", "1usd/day", per=("user",))
    second = world.replace_policy("p", limit, **{"per": ("user",), **fields})

    assert world.policy_set.goes_on_from(first) is None
    assert world.policy_set.goes_on_from(other) is None
    found = world.policy_set.goes_on_from(second)
    assert (found and found.no) == (first.no if goes_on else None)


@pytest.mark.parametrize(
    ("per", "group", "later", "found"),
    [
        (("user",), "alice", ("user",), "alice"),
        (("user",), "", ("user",), ""),
        (("user",), "alice", ("team",), None),
        (("user",), "", ("team",), None),
        (("user",), "alice", (), None),
        ((), "", ("user",), None),
        (("team", "user"), "x%2Fy/z", ("user", "team"), "z/x%2Fy"),
        (("team", "user"), "", ("user", "team"), ""),
        (("team", "user"), "x/z", ("user",), None),
        (("team", "user"), "x/z", ("user", "team", "model"), None),
    ],
)
def test_a_group_is_found_again_where_the_same_labels_name_it(per, group, later, found) -> None:
    world = World()
    before = world.made("p", "1usd/day", per=per)

    assert regrouped(before, world.made("p", "1usd/week", per=later), group) == found


def test_a_session_is_a_group_of_its_own_only_while_the_period_says_so() -> None:
    world = World()
    by_session = world.made("p", "1usd/session")

    assert regrouped(by_session, world.made("p", "1usd/task"), "s1") is None
    assert regrouped(by_session, world.made("p", "1usd/day"), "s1") is None
    assert regrouped(by_session, world.made("p", "1usd/day", per=("session",)), "s1") == "s1"


def test_a_version_that_is_being_replaced_keeps_the_scope_its_budget_had() -> None:
    world = World()
    world.budget("lab", {"team": "b"})
    world.policy("new", "1usd/day", budget="lab")
    world.policy("old", "1usd/day", budget="lab", budget_scope=Scope.from_json({"team": "a"}))

    assert names(world, {"team": "a"}) == ["old"]
    assert names(world, {"team": "b"}) == ["new"]
