"""Budgets and policies as people make, change and end them, on both stores."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, Forbidden, InvalidInput, NotFound
from tekton_budget.domain.policy import GroupLimits, Policy, Status
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.asking.retries import Retry
from tekton_budget.storage import tables
from tekton_budget.storage.policies import Changes
from tekton_budget.storage.writer import Exclusively
from tekton_budget.wiring import Running

TEAM_B = Caller("kb", "b", Role.OPERATOR, {"team": "b"})
CLIENT = Caller("kc", "c", Role.CLIENT)


def spend(running: Running, usd: str, **labels: str) -> Grant | Denial:
    ask = Ask(labels=labels, cost=Decimal(usd))
    answer = running.service.ledger.allocate(LOCAL, ask).result()
    if isinstance(answer, Grant):
        running.service.ledger.settle(LOCAL, answer.allocation_id, Used(cost=Decimal(usd))).result()
    return answer


def balances(running: Running, policy_no: int) -> dict[str, tuple[int, int]]:
    table = tables.balances.c
    query = select(table.grp, table.spent_cost_nano, table.held_cost_nano)
    with running.store.engine.connect() as connection:
        rows = connection.execute(query.where(table.policy_no == policy_no, table.opened == 1))
        return {group: (spent, held) for group, spent, held in rows}


def audited(running: Running) -> list[tuple[str, str, Any, Any]]:
    table = tables.audit.c
    query = select(table.verb, table.object_kind, table.before, table.after).order_by(table.no)
    with running.store.engine.connect() as connection:
        return [
            (verb, kind, msgspec.json.decode(before), msgspec.json.decode(after))
            for verb, kind, before, after in connection.execute(query)
        ]


def test_a_policy_counts_what_was_spent_and_is_held_before_it(running: Running) -> None:
    spend(running, "0.40", team="a", user="alice")
    spend(running, "0.10", team="a", user="bob")
    spend(running, "9.00", team="b")
    held = running.service.ledger.allocate(
        LOCAL, Ask(labels={"team": "a", "user": "alice"}, cost=Decimal("0.30"))
    ).result()

    made = running.service.policies.create_policy(
        LOCAL, {"limit": "1usd/day", "scope": {"team": "a"}}
    ).policy
    by_user = running.service.policies.create_policy(
        LOCAL, {"limit": "1usd/24h", "scope": {"team": "a"}, "per": ["user"]}
    ).policy

    assert made.status is Status.ACTIVE
    assert balances(running, made.no) == {"": (500_000_000, 300_000_000)}
    assert balances(running, by_user.no) == {
        "alice": (400_000_000, 300_000_000),
        "bob": (100_000_000, 0),
    }
    assert isinstance(spend(running, "0.21", team="a"), Denial)
    assert isinstance(spend(running, "0.20", team="a"), Grant)
    running.service.ledger.settle(LOCAL, held.allocation_id, Used(cost=Decimal("0.30"))).result()
    assert balances(running, by_user.no)["alice"] == (700_000_000, 0)


def test_without_backfill_a_policy_starts_at_nothing(running: Running) -> None:
    spend(running, "0.40", team="a")
    made = running.service.policies.create_policy(
        LOCAL, {"limit": "1usd/day"}, backfill=False
    ).policy

    assert balances(running, made.no) == {}
    assert isinstance(spend(running, "1", team="a"), Grant)


def test_a_limit_changes_in_place_and_keeps_what_is_spent(running: Running) -> None:
    verbs = running.service.policies
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day", "name": "daily"}).policy
    spend(running, "0.60")
    changed = verbs.change_policy(LOCAL, "daily", {"cost_limit": Decimal("0.50"), "name": "less"})

    assert changed.policy.no == made.no
    assert changed.policy.name == "less"
    assert any("100000000" in note for note in changed.notes)
    assert isinstance(spend(running, "0.01"), Denial)
    raised = verbs.change_policy(LOCAL, made.policy_id, {"cost_limit": Decimal("0.70")})
    assert raised.notes == ()
    assert isinstance(spend(running, "0.10"), Grant)


def test_a_new_meaning_replaces_the_version_and_counts_again(running: Running) -> None:
    verbs = running.service.policies
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day", "name": "daily"}).policy
    spend(running, "0.60", user="alice")
    spend(running, "0.30", user="bob")
    changed = verbs.change_policy(LOCAL, "daily", {"per": ["user"]})

    assert changed.notes == ("replaced",)
    assert (changed.policy.policy_id, changed.policy.version) == (made.policy_id, 2)
    assert changed.policy.no != made.no
    assert balances(running, changed.policy.no) == {
        "alice": (600_000_000, 0),
        "bob": (300_000_000, 0),
    }
    assert isinstance(spend(running, "0.50", user="alice"), Denial)
    assert isinstance(spend(running, "0.50", user="bob"), Grant)
    assert balances(running, made.no)[""] == (900_000_000, 0)


def test_a_disabled_policy_counts_and_does_not_judge(running: Running) -> None:
    verbs = running.service.policies
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day", "enabled": False}).policy
    assert isinstance(spend(running, "2"), Grant)
    verbs.change_policy(LOCAL, made.policy_id, {"enabled": True})

    assert balances(running, made.no)[""][0] == 2_000_000_000
    assert isinstance(spend(running, "0.01"), Denial)


def test_an_ended_policy_no_longer_counts_but_settles_what_it_held(running: Running) -> None:
    verbs, ledger = running.service.policies, running.service.ledger
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day"}).policy
    held = ledger.allocate(LOCAL, Ask(cost=Decimal("0.50"))).result()
    ended = verbs.end_policy(LOCAL, made.policy_id)
    spend(running, "5")
    ledger.settle(LOCAL, held.allocation_id, Used(cost=Decimal("0.20"))).result()

    assert ended.status is Status.ENDED
    assert balances(running, made.no)[""] == (200_000_000, 0)
    with pytest.raises(NotFound):
        verbs.end_policy(LOCAL, made.policy_id)
    verbs.create_policy(LOCAL, {"limit": "1usd/day"})


def test_exceptions_give_one_group_other_amounts_until_removed(running: Running) -> None:
    verbs = running.service.policies
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day", "per": ["user"]}).policy
    verbs.set_exceptions(
        LOCAL,
        made.policy_id,
        {"alice": {"cost_limit": Decimal(3)}, "bob": "unlimited", "carol": {"cost_limit": 0}},
    )

    assert isinstance(spend(running, "2", user="alice"), Grant)
    assert isinstance(spend(running, "1000", user="bob"), Grant)
    assert isinstance(spend(running, "0.01", user="carol"), Denial)
    assert isinstance(spend(running, "2", user="dan"), Denial)
    verbs.set_exceptions(LOCAL, made.policy_id, {"alice": None})
    assert isinstance(spend(running, "0.01", user="alice"), Denial)


@pytest.mark.parametrize(
    "value",
    [7, {}, {"limit": 1}, {"token_limit": -1}, {"request_limit": "2"}, {"cost_limit": "x"}],
)
def test_a_faulty_exception_is_named(quick: Running, value: object) -> None:
    quick.service.policies.create_policy(LOCAL, {"limit": "1usd/day", "per": ["user"], "name": "u"})

    with pytest.raises(InvalidInput) as refused:
        quick.service.policies.set_exceptions(LOCAL, "u", {"alice": value})
    assert refused.value.fields
    same = quick.service.policies.set_exceptions(LOCAL, "u", {"a": GroupLimits(tokens=1)})
    assert same == {"a": GroupLimits(tokens=1)}


def test_credit_raises_one_window_once(running: Running, clock: Any) -> None:
    running.service.policies.create_policy(LOCAL, {"limit": "1usd/day", "name": "daily"})
    give = running.service.ledger.give_credit
    first = give(LOCAL, "daily", Amounts(0, 10**9, 0), reason="launch", credit_id="c1").result()
    again = give(LOCAL, "daily", Amounts(0, 10**9, 0), reason="launch", credit_id="c1").result()

    assert first == again
    assert first.allowance.cost_nano == 2 * 10**9
    assert isinstance(spend(running, "1.50"), Grant)
    clock.pass_seconds(24 * 3600)
    assert isinstance(spend(running, "1.50"), Denial)
    with pytest.raises(Conflict) as reused:
        give(LOCAL, "daily", Amounts(0, 2 * 10**9, 0), reason="launch", credit_id="c1").result()
    assert reused.value.code == "id_reused"
    with pytest.raises(InvalidInput):
        give(LOCAL, "daily", Amounts())
    with pytest.raises(InvalidInput):
        give(LOCAL, "daily", Amounts(5, 0, 0)).result()
    with pytest.raises(Forbidden):
        give(CLIENT, "daily", Amounts(0, 1, 0))
    assert [row[0] for row in audited(running)] == ["create", "credit"]


def test_a_budget_comes_with_its_policies_or_not_at_all(running: Running) -> None:
    verbs = running.service.policies
    with pytest.raises(InvalidInput):
        verbs.create_budget(
            LOCAL, name="apollo", policies=[{"limit": "1usd/day"}, {"limit": "a lot"}]
        )
    with pytest.raises(NotFound):
        verbs.change_budget(LOCAL, "apollo", {})
    budget, policies = verbs.create_budget(
        LOCAL,
        name="apollo",
        owner="team a",
        scope={"team": "a"},
        policies=[{"limit": "1usd/day"}, {"limit": "5Mtokens/month", "model": "gpt-*"}],
        metadata={"x": 1},
    )

    assert [policy.status for policy in policies] == [Status.ACTIVE, Status.ACTIVE]
    assert {policy.budget_id for policy in policies} == {budget.budget_id}
    assert isinstance(spend(running, "2", team="b"), Grant)
    assert isinstance(spend(running, "2", team="a"), Denial)
    assert isinstance(spend(running, "2", team="b", budget="apollo"), Denial)
    with pytest.raises(NotFound):
        spend(running, "2", budget="zeus")
    verbs.close_budget(LOCAL, "apollo")
    assert isinstance(spend(running, "2", team="a"), Grant)
    changed = verbs.change_budget(
        LOCAL,
        budget.budget_id,
        {"is_active": True, "name": "artemis", "scope": {"team": "c"}, "metadata": {"y": 2}},
    )
    assert (changed.name, changed.metadata) == ("artemis", {"y": 2})
    assert isinstance(spend(running, "2", team="c"), Denial)
    kinds = [(verb, kind) for verb, kind, _, _ in audited(running)]
    assert kinds.count(("change", "budget")) == 2
    last = audited(running)[-1]
    assert (last[2]["name"], last[3]["name"]) == ("apollo", "artemis")


def test_names_are_unique(quick: Running) -> None:
    verbs = quick.service.policies
    made = verbs.create_policy(LOCAL, {"limit": "1usd/day"}).policy
    other = verbs.create_policy(LOCAL, {"limit": "1usd/week", "name": "w"}).policy
    verbs.create_budget(LOCAL, name="one")
    verbs.create_budget(LOCAL, name="two")

    with pytest.raises(Conflict) as taken:
        verbs.create_policy(LOCAL, {"limit": "2usd/day"})
    assert taken.value.extra["policy_id"] == made.policy_id
    with pytest.raises(Conflict):
        verbs.change_policy(LOCAL, other.policy_id, {"name": made.name})
    with pytest.raises(Conflict):
        verbs.create_budget(LOCAL, name="one")
    with pytest.raises(Conflict):
        verbs.change_budget(LOCAL, "two", {"name": "one"})
    with pytest.raises(InvalidInput):
        verbs.create_budget(LOCAL, name=" ")


def test_keys_change_only_what_lies_in_their_labels(quick: Running) -> None:
    verbs = quick.service.policies
    verbs.create_policy(LOCAL, {"limit": "1usd/day", "name": "all"})
    verbs.create_policy(LOCAL, {"limit": "1usd/day", "scope": {"team": "a"}, "name": "a"})
    own = verbs.create_policy(TEAM_B, {"limit": "1usd/day"}).policy

    assert own.scope.to_json() == {"team": "b"}
    for name in ("all", "a"):
        with pytest.raises(NotFound):
            verbs.change_policy(TEAM_B, name, {"cost_limit": 5})
    with pytest.raises(Forbidden) as outside:
        verbs.create_policy(TEAM_B, {"limit": "1usd/day", "scope": {"team": "a"}})
    assert outside.value.code == "outside_scope"
    with pytest.raises(Forbidden):
        verbs.change_policy(TEAM_B, own.policy_id, {"scope": {"team": "a"}})
    with pytest.raises(NotFound):
        verbs.change_budget(TEAM_B, "default", {"name": "mine"})
    for refused in (
        lambda: verbs.create_policy(CLIENT, {"limit": "1usd/day"}),
        lambda: verbs.change_policy(CLIENT, "a", {}),
        lambda: verbs.end_policy(CLIENT, "a"),
        lambda: verbs.set_exceptions(CLIENT, "a", {}),
        lambda: verbs.create_budget(CLIENT, name="x"),
        lambda: verbs.change_budget(CLIENT, "default", {}),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_a_creation_that_was_cut_short_is_finished_once(running: Running) -> None:
    verbs = running.service.policies
    spend(running, "0.40")

    def cut_short(alone: Exclusively) -> Policy:
        changes = Changes(alone, running.settings.ledger())
        budget_id = verbs._budget_id(changes, LOCAL, None)
        return verbs._start(changes, LOCAL, {"limit": "1usd/day"}, budget_id)

    started = running.writer.exclusively(cut_short).result()

    assert started.status is Status.STARTING
    assert isinstance(spend(running, "5"), Grant)
    verbs.finish(started)
    verbs.finish(started)
    assert balances(running, started.no)[""] == (5_400_000_000, 0)
    assert isinstance(spend(running, "0.01"), Denial)


def test_refusals_leave_no_trace(running: Running) -> None:
    verbs = running.service.policies
    for fields in (
        {"limit": "1usd/day", "colour": 1},
        {"limit": "what"},
        {"limit": "1usd/day", "per": 7},
    ):
        with pytest.raises(BudgetError):
            verbs.create_policy(LOCAL, fields)

    assert audited(running) == []
    assert isinstance(spend(running, "5"), Grant)


def test_a_budget_and_a_policy_are_made_once_however_often_they_are_asked_for(
    quick: Running,
) -> None:
    verbs = quick.service.policies
    of_budget, of_policy = Retry("x", "budget", "{}"), Retry("x", "policy", "{}")
    fields = {"limit": "1usd/day", "name": "own"}
    budgets = [
        verbs.create_budget(LOCAL, name="lab", policies=[fields], retry=of_budget) for _ in range(2)
    ]
    policies = [
        verbs.create_policy(LOCAL, {"limit": "1usd/day", "name": "other"}, retry=of_policy).policy
        for _ in range(2)
    ]

    assert budgets[0][0] == budgets[1][0]
    assert [one.no for one in budgets[0][1]] == [one.no for one in budgets[1][1]]
    assert policies[0].no == policies[1].no
    assert len(quick.reader.policies().counting) == 2


def test_the_id_of_a_budget_is_not_another_budgets(quick: Running) -> None:
    verbs = quick.service.policies
    verbs.create_budget(LOCAL, name="one", budget_id="b1")

    with pytest.raises(Conflict) as refused:
        verbs.create_budget(LOCAL, name="two", budget_id="b1")
    assert refused.value.code == "id_used"
