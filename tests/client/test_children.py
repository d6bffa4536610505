"""Children in the library: a hold's own `child`, nested, awaited, and ended with it."""

import asyncio
from decimal import Decimal

import pytest

import tekton_budget
from tekton_budget import AllocationNotSettled, BudgetExceeded, Conflict


def test_a_hold_gives_parts_of_itself(budget) -> None:
    budget.set_limit("5usd/day", scope={"team": "a"})

    with budget.allocate(cost=1, requests=9, labels={"team": "a"}) as plan:
        with plan.child(cost="0.60", labels={"agent": "scout"}) as scout:
            assert scout.parent_id == plan.allocation_id
            with scout.child(cost="0.50") as helper:
                helper.settle(cost="0.40")
            scout.settle(cost="0.05")
        with pytest.raises(BudgetExceeded) as denied:
            plan.child(cost="0.60")
        plan.settle()

    assert denied.value.policy == f"allocation {plan.allocation_id}"
    assert denied.value.remaining == {"cost": Decimal("0.55")}
    shown = budget.allocation(plan.allocation_id)
    assert shown["children"]["spent"]["cost"] == Decimal("0.45")
    records = budget.usage_records()["items"]
    assert {record["labels"]["agent"] for record in records} == {"scout"}


def test_a_child_is_settled_in_its_block_too(budget) -> None:
    plan = budget.allocate(cost=1)
    with pytest.raises(AllocationNotSettled), plan.child(cost="0.1"):
        pass

    with pytest.raises(Conflict) as refused:
        plan.settle()
    assert refused.value.code == "children_active"
    assert plan.release(cascade=True).status == "released"


def test_a_settle_may_end_the_children_with_it(budget) -> None:
    plan = budget.allocate(cost=1, requests=3)
    child = budget.allocate(parent_id=plan.allocation_id, cost="0.1")  # from anywhere

    assert plan.settle(cost="0.5", cascade=True).cost == Decimal("0.5")
    assert budget.allocation(child.allocation_id)["status"] == "expired"
    assert budget.allocations(parent_id=plan.allocation_id)["items"][0]["status"] == "expired"
    other = budget.allocate(cost=1, requests=3)
    other.child(cost="0.1")
    assert budget.release(other.allocation_id, cascade=True).status == "released"
    other = budget.allocate(cost=1, requests=3)
    other.child(cost="0.1")
    assert budget.settle(other.allocation_id, cascade=True).status == "settled"


def test_labels_of_the_environment_are_not_said_again(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("BUDGET_LABELS", "user=bob")
    url = f"sqlite:///{tmp_path / 'here.db'}"
    with tekton_budget.open(database_url=url) as one:
        plan = one.allocate(cost=1, requests=3, labels={"user": "alice"})

        assert plan.child(cost="0.1").grant.answer["labels"]["user"] == "alice"
        again = one.allocate(cost="0.1", parent_id=plan.allocation_id)
        assert again.grant.answer["labels"]["user"] == "alice"


def test_tasks_await_their_children(tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'here.db'}"

    async def work() -> None:
        async with tekton_budget.open_async(database_url=url) as budget:
            await budget.set_limit("5usd/day")
            async with budget.allocate(cost=1, requests=9) as plan:
                async with plan.child(cost="0.5") as one:
                    two = await one.child(cost="0.2")
                    assert two.parent_id == one.allocation_id
                    await two.release()
                    await one.settle(cost="0.1")
                with pytest.raises(BudgetExceeded):
                    await plan.child(cost="0.95")
                await plan.settle()

    asyncio.run(work())
