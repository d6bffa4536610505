"""Allocations and changes listed: every filter, every page, and never another team's."""

import json

import pytest

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.service.paging import Page, Slice
from tekton_budget.service.reporting.lists import AllocationQuery, Lists
from tekton_budget.storage.rows import allocations as storage_allocations

from .conftest import TEAM_A, TEAM_B, World


def fill(world: World) -> dict[str, str]:
    """Eighteen allocations of two teams, every third settled; ids to their users, newest first."""
    world.policy("1000usd/day", name="all")
    world.budget("ours", team="b")
    world.policy("1000usd/day", name="of b", budget="ours")
    found = {}
    for number in range(18):
        labels = {
            "team": "ab"[number % 2],
            "user": f"u{number:02d}",
            "component": "hermes" if number % 3 else "rhetor",
            "context_id": f"c{number % 4}",
            "tier": "local",
            "provider": "openai",
            "model": "gpt-5",
            "task_type": "chat",
        }
        grant = world.hold("1", **labels)
        assert isinstance(grant, Grant)
        if number % 3 == 0:
            world.settle(grant, "0.5")
        if number % 2:
            world.pass_seconds(1)
        found[grant.allocation_id] = labels["user"]
    rows = sorted(world.all("allocations"), key=lambda row: (-row["created_us"], row["id"]))
    return {row["id"]: found[row["id"]] for row in sorted(rows, key=_newest)}


def _newest(row: dict[str, object]) -> tuple[int, list[int]]:
    return (-int(str(row["created_us"])), [-ord(c) for c in str(row["id"])])


def walked(world: World, caller: Caller, query: AllocationQuery, limit: int) -> list[str]:
    lists, found, after = Lists(world.reader), [], None
    while True:
        page = lists.allocations(caller, query, Slice(limit=limit, after=after))
        found += [one.id for one in page.items]
        after = page.next
        if after is None:
            return found


def test_a_walk_meets_each_allocation_once_newest_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_allocations, "HOLDS_READ", 3)
    users = fill(world)
    newest_first = list(users)
    numbers = {id_: int(user[1:]) for id_, user in users.items()}

    def expect(query: AllocationQuery, caller: Caller, keeps: set[int]) -> None:
        expected = [id_ for id_ in newest_first if numbers[id_] in keeps]
        for examined, limit in ((2, 1), (2, 7), (5000, 18), (2, 500), (5000, 500)):
            monkeypatch.setattr(storage_allocations, "EXAMINED_MAX", examined)
            assert walked(world, caller, query, limit) == expected

    every, third = set(range(18)), {n for n in range(18) if n % 3 == 0}
    expect(AllocationQuery(), LOCAL, every)
    expect(AllocationQuery(is_active=True), LOCAL, every - third)
    expect(AllocationQuery(status="active", labels={"team": "a"}), LOCAL, {2, 4, 8, 10, 14, 16})
    expect(AllocationQuery(is_active=False), LOCAL, third)
    expect(AllocationQuery(status="settled", component="rhetor"), TEAM_A, {0, 6, 12})
    expect(AllocationQuery(context_id="c1"), LOCAL, {1, 5, 9, 13, 17})
    expect(AllocationQuery(budget="ours"), LOCAL, {n for n in every if n % 2})
    expect(AllocationQuery(budget="ours", is_active=True), TEAM_B, {1, 5, 7, 11, 13, 17})
    expect(AllocationQuery(budget="default", tier="local", provider="openai"), LOCAL, every)
    expect(AllocationQuery(model="gpt-5", task_type="code"), LOCAL, set())
    expect(AllocationQuery(key_id="nobody"), LOCAL, set())
    expect(AllocationQuery(key_id=""), LOCAL, every)
    expect(AllocationQuery(labels={"team": "a"}), TEAM_B, set())


def test_an_allocation_is_found_by_id_if_it_may_be_seen(world: World) -> None:
    users = fill(world)
    of_a = next(id_ for id_, user in users.items() if int(user[1:]) % 2 == 0)
    lists = Lists(world.reader)

    assert lists.allocation(TEAM_A, of_a).labels["team"] == "a"
    for caller, id_ in ((TEAM_B, of_a), (LOCAL, "nothing")):
        with pytest.raises(NotFound) as refusal:
            lists.allocation(caller, id_)
        assert refusal.value.code == "allocation_not_found"
    context = lists.allocations_of_context(TEAM_B, "c1")
    assert {one.labels["team"] for one in context.items} == {"b"}
    assert (len(context.items), context.total) == (5, 5)
    assert lists.allocations_of_context(TEAM_A, "c1") == Page((), 0)


def test_a_budget_of_another_team_and_an_unknown_status_are_refused(quick: World) -> None:
    fill(quick)
    lists = Lists(quick.reader)

    with pytest.raises(NotFound):
        lists.allocations(TEAM_A, AllocationQuery(budget="ours"))
    with pytest.raises(InvalidInput) as refusal:
        lists.allocations(LOCAL, AllocationQuery(status="open"))
    assert [fault.field for fault in refusal.value.fields] == ["status"]


def test_changes_are_told_newest_first_with_before_and_after(world: World) -> None:
    fill(world)
    world.running.service.policies.change_policy(LOCAL, "all", {"name": "everything"})
    lists = Lists(world.reader)

    page = lists.changes(LOCAL)
    found, after = [], None
    while True:
        part = lists.changes(LOCAL, part=Slice(limit=1, after=after))
        found += part.items
        after = part.next
        if after is None:
            break

    assert [(one.verb, one.object_kind) for one in page.items] == [
        ("change", "policy"),
        ("create", "policy"),
        ("create", "budget"),
        ("create", "policy"),
    ]
    assert tuple(found) == page.items
    assert isinstance(page.items[0].before, dict)
    assert page.items[-1].before is None
    assert json.dumps(page.items[0].after)
    some = lists.changes(LOCAL, object_kind="budget")
    assert [one.object_kind for one in some.items] == ["budget"]
    one = lists.changes(LOCAL, object_id=page.items[0].object_id)
    assert [each.verb for each in one.items] == ["change", "create"]


def test_a_key_sees_the_changes_of_its_own_budgets_and_policies(world: World) -> None:
    fill(world)
    world.running.service.keys.create_key(LOCAL, "k", role=Role.CLIENT)
    lists = Lists(world.reader)

    own = lists.changes(TEAM_B)
    foreign = lists.changes(TEAM_A)

    assert [(one.verb, one.object_kind) for one in own.items] == [
        ("create", "policy"),
        ("create", "budget"),
    ]
    assert foreign.items == ()


def test_a_change_of_what_is_gone_is_told_to_nobody_with_labels(quick: World) -> None:
    fill(quick)
    quick.change("UPDATE audit SET object_id = 'gone' WHERE no = 1")
    quick.change("UPDATE audit SET object_id = 'gone' WHERE object_kind = 'budget'")

    assert [one.object_kind for one in Lists(quick.reader).changes(TEAM_B).items] == ["policy"]


def test_many_changes_are_read_page_by_page(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tekton_budget.service.reporting import lists as module

    monkeypatch.setattr(module, "LIMIT_MAX", 2)
    fill(quick)

    assert len(Lists(quick.reader).changes(LOCAL).items) == 3
    assert len(Lists(quick.reader).changes(TEAM_B).items) == 2
    assert len(Lists(quick.reader).changes(LOCAL, part=Slice(limit=1)).items) == 1
