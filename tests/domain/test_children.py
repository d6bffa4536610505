"""Children: a part of what another allocation holds, and what becomes of it."""

import pytest
from tests.domain.world import HOUR_US, MINUTE_US, World, usd

from tekton_budget.domain.allocation import AllocationStatus, OnExpiry
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Denial, Ended, Expired, Grant, Recorded, Several
from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import (
    Allocate,
    Fit,
    KeepAlive,
    LedgerSettings,
    Release,
    Settle,
)
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.ledger import State, balances_needed, owned
from tekton_budget.domain.ledger.children import DEPTH_MAX
from tekton_budget.domain.ledger.family import below
from tekton_budget.domain.ledger.state import Misjudged
from tekton_budget.domain.policy import Enforcement
from tekton_budget.domain.scope import Scope
from tekton_budget.domain.usage import Response

TEAM = {"team": "a"}


@pytest.fixture
def world() -> World:
    """A team with 10 USD a day, of which an allocation holds 2."""
    made = World()
    made.policy("purse", "10usd/day", scope=TEAM, thresholds_ppm=())
    assert isinstance(parent(made), Grant)
    return made


def parent(world: World, id_: str = "p", cost: str = "2", requests: int = 9, **fields: object):
    fields = {"lifetime_us": HOUR_US, **fields}
    labels = fields.pop("labels", TEAM)
    return world.allocate(id_, labels, cost_nano=usd(cost), requests=requests, **fields)


def child(world: World, id_: str = "c", cost: str | None = "0.5", of: str = "p", **fields: object):
    if cost is not None:
        fields["cost_nano"] = usd(cost)
    return world.allocate(id_, fields.pop("labels", {}), parent_id=of, **fields)


def held_by(world: World, id_: str, policy: str = "purse") -> int:
    """What an allocation itself holds of a policy, in 10⁻⁹ USD."""
    number = world.balance(policy).policy_no
    holds = world.allocations["", id_].holds
    return sum(h.held.cost_nano for h in holds if h.balance_id.startswith(f"{number}:"))


def code(answer: object) -> str:
    assert isinstance(answer, BudgetError), answer
    return answer.code


# The ask -----------------------------------------------------------------------------------------


def test_a_child_takes_a_part_of_its_parents_hold_and_no_balance_moves(world: World) -> None:
    before = world.balance("purse").copy()
    answer = child(world)

    assert isinstance(answer, Grant)
    assert answer.parent_id == "p"
    assert (held_by(world, "p"), held_by(world, "c")) == (usd("1.5"), usd("0.5"))
    assert world.balance("purse") == before
    world.check()


def test_a_child_inherits_its_parents_labels_and_may_add(world: World) -> None:
    answer = child(world, labels={"agent": "scout", "team": "a"})

    assert answer.labels == {"team": "a", "agent": "scout"}
    assert world.allocations["", "c"].labels == {"team": "a", "agent": "scout"}
    world.settle("c", cost="0.1", input=3)
    assert world.usage[-1].labels == {"team": "a", "agent": "scout"}


def test_a_child_may_not_change_a_label(world: World) -> None:
    answer = child(world, labels={"team": "b"})

    assert code(answer) == "label_fixed"
    assert answer.fields[0].field == "labels.team"


def test_what_does_not_fit_the_parent_is_denied_naming_it(world: World) -> None:
    child(world, "one", "1.2")
    world.settle("one", cost="0.7")
    child(world, "two", "0.9")
    answer = child(world, "three", "0.6")

    assert isinstance(answer, Denial)
    standing = answer.policies[0]
    assert (standing.name, standing.allocation_id) == ("allocation p", "p")
    assert standing.remaining.cost_nano == usd("0.4")
    assert standing.spent.cost_nano == usd("0.7")
    assert standing.held.cost_nano == usd("0.9")
    assert standing.allowance.cost_nano == usd("2")
    assert answer.largest_fit.cost_nano == usd("0.4")
    assert (answer.blocked_on, answer.retryable, answer.never_fits) == ("held", True, False)
    assert answer.detail == (
        'Over budget: this call may cost up to $0.60, but "allocation p" has $0.40 of $2.00 left '
        "($0.70 spent, $0.90 held by 1 call). It is the parent: settle or release its children "
        "that are done, or ask for it with more. Fits now: up to $0.40."
    )
    assert [count.policy_id for count in world.counted] == ["purse"]


def test_a_child_above_the_whole_parent_never_fits(world: World) -> None:
    answer = child(world, cost="2.1")

    assert (answer.never_fits, answer.retryable, answer.blocked_on) == (True, False, "spent")
    assert "It is the parent: ask for it with more." in answer.detail


def test_the_balance_is_no_obstacle_to_what_the_parent_holds_already(world: World) -> None:
    world.record("fact", TEAM, cost="9.5")

    assert isinstance(world.allocate("other", TEAM, cost_nano=1), Denial)
    assert isinstance(child(world, cost="2"), Grant)


def test_a_child_warns_where_the_policy_of_its_parent_stands_at_a_threshold() -> None:
    world = World()
    world.policy("purse", "10usd/day", scope=TEAM, thresholds_ppm=(500_000,))
    world.policy("seen", "1usd/day", enforcement=Enforcement.IGNORE)
    parent(world, cost="6")
    told = len(world.events)
    answer = child(world)

    assert answer.decision == "warn"
    assert answer.reasons[0] == '"purse" stands at or above its threshold'
    assert [event.type.value for event in world.events[told:]] == ["allocation.created"]


def test_clamp_gives_the_most_that_fits_the_parent_and_what_the_child_adds(world: World) -> None:
    world.policy("agents", "0.8usd/day", scope={"agent": "*"})
    child(world, "one", "1.5")
    clamped = child(world, "two", "3", fit=Fit.CLAMP)
    world.release("one")
    tighter = child(world, "three", "3", fit=Fit.CLAMP, labels={"agent": "x"})

    assert clamped.granted.cost_nano == usd("0.5")
    assert clamped.clamped_from == usd("3")
    assert tighter.granted.cost_nano == usd("0.8")
    assert isinstance(child(world, "4", "3", fit=Fit.CLAMP, min_grant=usd("0.9")), Denial)
    world.check()


def test_clamp_shrinks_the_answer_of_a_model(world: World) -> None:
    world.price("acme/m", input=10, output=100)
    answer = child(
        world,
        cost=None,
        labels={"model": "m"},
        input_tokens=100_000,
        max_output_tokens=50_000,
        fit=Fit.CLAMP,
    )

    assert answer.max_output_tokens == 10_000
    assert answer.granted.cost_nano == usd("2")


def test_policies_that_only_the_child_concerns_are_judged_and_held(world: World) -> None:
    world.policy("agents", "0.8usd/day", scope={"agent": "*"})
    first = child(world, "one", "0.5", labels={"agent": "x"})
    second = child(world, "two", "0.5", labels={"agent": "x"})

    assert [one.name for one in first.policies] == ["purse", "agents"]
    assert world.held("agents").cost_nano == usd("0.5")
    assert isinstance(second, Denial)
    assert [one.name for one in second.policies] == ["agents"]
    assert second.resets_us is not None
    world.settle("one", cost="0.2")
    assert (world.held("agents"), world.spent("agents").cost_nano) == (NOTHING, usd("0.2"))


def test_parent_and_policies_may_stand_in_the_way_together(world: World) -> None:
    world.policy("agents", "0.8usd/day", scope={"agent": "*"})
    child(world, "one", "1.9")
    answer = child(world, "two", "0.9", labels={"agent": "x"})

    assert [one.name for one in answer.policies] == ["allocation p", "agents"]
    assert answer.largest_fit.cost_nano == usd("0.1")
    assert "1 more limit would be passed." in answer.detail


def test_a_parent_speaks_once_however_many_holds_it_has(world: World) -> None:
    world.policy("wide", "20usd/day")
    parent(world, "q")
    answer = child(world, cost="2.5", of="q")

    assert [one.name for one in answer.policies] == ["allocation q"]


def test_a_parent_that_holds_nowhere_gives_freely() -> None:
    world = World()
    world.allocate("p", {"team": "z"}, cost_nano=1, lifetime_us=HOUR_US)

    assert isinstance(child(world, cost="5"), Grant)
    world.check()


def test_a_unit_that_the_policy_does_not_limit_is_no_obstacle(world: World) -> None:
    answer = child(world, tokens=1000, requests=50)

    assert isinstance(answer, Grant)
    hold = world.allocations["", "c"].holds[0]
    assert hold.held == Amounts(0, usd("0.5"), 9)  # as far as the parent has so much
    world.check()


def test_a_child_leaves_no_limited_unit_open(world: World) -> None:
    answer = child(world, cost=None)

    assert code(answer) == "amount_needed"
    assert '"allocation p" limits cost' in answer.detail


@pytest.mark.parametrize(
    ("enforcement", "decision", "word"),
    [
        (Enforcement.IGNORE, "allow", None),
        (Enforcement.WARN, "warn", '"allocation p" stands at or above its threshold'),
        (Enforcement.SOFT_LIMIT, "downgrade", '"allocation p" would be passed: make a cheaper'),
    ],
)
def test_a_hold_judges_as_its_policy_does(enforcement, decision, word) -> None:
    world = World()
    world.policy("purse", "10usd/day", scope=TEAM, thresholds_ppm=(), enforcement=enforcement)
    parent(world)
    answer = child(world, cost="3")

    assert answer.decision == decision
    assert any(one.startswith(word) for one in answer.reasons) if word else answer.reasons == ()
    assert held_by(world, "c") == usd("2")  # never more than the parent had
    world.settle("c", cost="3")
    assert [p.reason for p in world.journal[-1][1].postings] == ["overrun", ""]
    world.check()


def test_in_shadow_a_child_beyond_its_parent_is_let_through() -> None:
    world = World(settings=LedgerSettings(shadow=True))
    world.policy("purse", "10usd/day")
    parent(world)
    answer = child(world, cost="3")

    assert answer.would_deny == ("allocation p",)
    assert held_by(world, "c") == usd("2")


def test_priority_passes_a_parent_where_it_passes_the_policy() -> None:
    world = World()
    world.policy("purse", "10usd/day", bypass_priority=8)
    parent(world)

    assert child(world, cost="3", priority=9).bypassed == ("allocation p",)


def test_a_parents_requests_are_shared_too() -> None:
    world = World()
    world.policy("calls", "10requests/day")
    world.allocate("p", requests=2, lifetime_us=HOUR_US)
    first, second = child(world, "one", None), child(world, "two", None)
    third = child(world, "three", None)

    assert (type(first), type(second)) == (Grant, Grant)
    assert isinstance(third, Denial)
    assert "ask for it with requests: 3 or more" in third.detail
    world.settle("one", input=5)
    assert world.spent("calls").requests == 1
    assert world.held("calls").requests == 1
    assert not isinstance(child(world, "three", None), Grant)  # it is spent
    world.release("two")
    assert isinstance(child(world, "four", None), Grant)


def test_a_parents_own_usage_spends_the_requests_that_its_children_left() -> None:
    world = World()
    world.policy("calls", "10requests/day")
    world.allocate("p", requests=5, lifetime_us=HOUR_US)
    for name in ("one", "two"):
        child(world, name, None)
        world.settle(name, input=5)
    child(world, "three", None)
    world.record("r", of="p", input=1)

    assert world.usage[-1].requests == 2
    assert world.spent("calls").requests == 4
    assert world.allocations["", "p"].children.own_requests == 2
    assert isinstance(child(world, "four", None), Denial)  # the parent has none left
    answer = world.settle("p", input=1, cascade=True)
    assert answer.spent.requests == 2
    assert world.spent("calls").requests == 4
    world.check()


def test_a_call_of_the_parent_is_a_call_though_its_children_have_all_requests() -> None:
    world = World()
    world.policy("calls", "10requests/day")
    world.allocate("p", requests=1, lifetime_us=HOUR_US)
    child(world, "one", None)
    world.record("r", of="p", input=1)

    assert world.spent("calls").requests == 1  # beyond its hold, and counted
    assert world.held("calls").requests == 1
    assert world.journal[-1][1].postings[0].reason == "overrun"


def test_a_parents_first_usage_before_its_children_spends_all_requests(world: World) -> None:
    world.record("r", of="p", cost="0.1")
    child(world)
    world.record("r2", of="p", cost="0.1")

    assert [row.requests for row in world.usage] == [9, 0]
    assert world.allocations["", "p"].children.own_requests == 9


# Who, when, how deep -----------------------------------------------------------------------------


def test_a_child_ends_at_the_latest_with_its_parent(world: World) -> None:
    short = child(world, "short", "0.1")
    long = child(world, "long", "0.1", lifetime_us=5 * HOUR_US)

    assert short.expires_us == world.now_us + 15 * MINUTE_US
    assert short.reasons == ()
    assert long.expires_us == world.now_us + HOUR_US
    assert long.reasons == ("it ends with its parent, allocation p",)


def test_a_child_is_not_made_in_the_past(world: World) -> None:
    assert "past" in child(world, expires_us=world.now_us - 1).detail


def test_what_ended_or_is_past_its_time_has_no_children(world: World) -> None:
    parent(world, "q")
    world.release("q")

    assert code(child(world, of="q")) == "parent_ended"
    world.now_us += HOUR_US
    answer = child(world)
    assert code(answer) == "parent_ended"
    assert "past its time" in answer.detail


def test_a_parent_that_is_not_there_or_not_ones_own_is_unknown(world: World) -> None:
    other = Caller("k2", "other", Role.CLIENT, {"team": "b"})

    assert code(child(world, of="nobody")) == "allocation_not_found"
    assert code(child(world, caller=other, parent_key_id="")) == "allocation_not_found"


def test_another_key_that_sees_the_parent_may_make_a_child(world: World) -> None:
    """It is named like any ask of its own; the label of the key stays its parent's."""
    owner = Caller("k1", "one", Role.CLIENT, TEAM)
    parent(world, "q", caller=owner, labels={"team": "a", "key": "one"})
    caller = Caller("k2", "two", Role.CLIENT, TEAM, requires=("team",))
    ask = Allocate(
        "c", caller, "{}", labels={"key": "two", **TEAM}, cost_nano=usd("0.5"), parent_id="q"
    )
    answer = world.run(owned(world.state(), ask))

    assert isinstance(answer, Grant)
    made = world.allocations["k2", "c"]
    assert made.ancestors == (("k1", "q"),)
    assert made.labels["key"] == "one"
    world.check()


def test_a_label_that_the_key_requires_may_come_from_the_parent(world: World) -> None:
    caller = Caller("", "", Role.CLIENT, {}, requires=("team",))
    needing = Caller("", "", Role.CLIENT, {}, requires=("user",))

    assert isinstance(child(world, "one", caller=caller), Grant)
    assert code(child(world, "two", caller=needing)) == "label_missing"


def test_children_have_children_to_a_depth(world: World) -> None:
    of = "p"
    for depth in range(DEPTH_MAX):
        assert isinstance(child(world, f"c{depth}", of=of), Grant)
        of = f"c{depth}"
    answer = child(world, "too-deep", of=of)

    assert code(answer) == "too_deep"
    assert answer.fields[0].field == "parent_id"
    assert held_by(world, "p") == usd("1.5")
    assert [held_by(world, f"c{n}") for n in range(DEPTH_MAX)] == [0] * 7 + [usd("0.5")]
    world.check()


def test_a_child_of_a_child_holds_a_part_of_what_only_its_parent_holds(world: World) -> None:
    world.policy("agents", "5usd/day", scope={"agent": "*"})
    child(world, "c", "1", labels={"agent": "x"})
    child(world, "g", "0.4", of="c")

    assert world.held("agents").cost_nano == usd("1")
    world.settle("g", cost="0.3")
    assert (held_by(world, "c", "agents"), held_by(world, "c")) == (usd("0.7"), usd("0.7"))
    world.release("c")
    assert world.held("agents").cost_nano == 0
    assert held_by(world, "p") == usd("1.7")
    world.check()


def test_the_same_ask_again_gets_the_first_answer_and_another_is_refused(world: World) -> None:
    first = child(world)
    parent(world, "q")
    other = child(world, of="q")

    assert child(world) == first
    assert other.fields[0].field == "parent_id"
    world.settle("p", cascade=True)
    assert child(world) == first


def test_a_dry_run_takes_nothing(world: World) -> None:
    answer = child(world, dry_run=True)

    assert answer.dry_run
    assert held_by(world, "p") == usd("2")


def test_tiers_are_told_by_all_labels_of_a_child() -> None:
    world = World()
    world.policy("premium", "5usd/day", scope={"tier": "premium"})
    world.price("acme/big", input=100, output=900)
    parent(world, labels={"provider": "acme"})
    answer = child(world, cost="1", labels={"model": "big"})

    assert answer.labels["tier"] == answer.tier
    assert answer.tier is not None


# Its end -----------------------------------------------------------------------------------------


def test_what_a_child_leaves_returns_to_its_parent(world: World) -> None:
    child(world)
    answer = world.settle("c", cost="0.2")

    assert isinstance(answer, Ended)
    assert answer.released.cost_nano == usd("0.3")
    assert held_by(world, "p") == usd("1.8")
    assert (world.spent("purse").cost_nano, world.held("purse").cost_nano) == (
        usd("0.2"),
        usd("1.8"),
    )
    assert world.allocations["", "p"].children.used_cost_nano == usd("0.2")
    world.check()


@pytest.mark.parametrize("end", ["release", "expire"])
def test_an_unused_child_returns_all(world: World, end: str) -> None:
    child(world)
    if end == "release":
        assert world.release("c").released.cost_nano == usd("0.5")
    else:
        world.now_us += 20 * MINUTE_US
        assert world.expire("c") == Expired(1)

    assert held_by(world, "p") == usd("2")
    assert world.held("purse").cost_nano == usd("2")
    world.check()


def test_an_overrun_takes_first_from_the_parents_free_hold(world: World) -> None:
    child(world)
    answer = world.settle("c", cost="1.5")

    assert answer.spent.cost_nano == usd("1.5")
    assert held_by(world, "p") == usd("0.5")
    assert world.held("purse").cost_nano == usd("0.5")
    assert {posting.reason for posting in world.journal[-1][1].postings} == {""}
    world.check()


def test_only_what_no_ancestor_has_is_overrun(world: World) -> None:
    child(world, "c", "1")
    child(world, "g", "0.5", of="c")
    child(world, "other", "0.8")
    world.settle("g", cost="1.5")

    assert held_by(world, "c") == 0  # 0.5 of it
    assert held_by(world, "p") == 0  # 0.2 of it
    overrun = [p.spent.cost_nano for p in world.journal[-1][1].postings if p.reason == "overrun"]
    assert overrun == [usd("0.3")]
    world.check()


def test_an_overrun_stops_where_the_hold_is_its_parents_own(world: World) -> None:
    """A policy that only the child concerns has no hold further up."""
    world.policy("agents", "5usd/day", scope={"agent": "*"})
    child(world, "c", "1", labels={"agent": "x"})
    child(world, "g", "0.5", of="c")
    world.settle("g", cost="1.5")

    assert world.spent("agents").cost_nano == usd("1.5")
    assert world.held("agents").cost_nano == 0
    assert held_by(world, "p") == usd("0.5")
    world.check()


def test_usage_that_is_recorded_takes_the_same_way(world: World) -> None:
    child(world)
    first = world.record("r1", of="c", cost="0.4")
    world.record("r2", of="c", cost="0.4")

    assert isinstance(first, Recorded)
    assert (held_by(world, "c"), held_by(world, "p")) == (0, usd("1.2"))
    assert world.settle("c").released == Amounts(0, 0, 0)
    assert world.allocations["", "p"].children.used_cost_nano == usd("0.8")
    world.check()


def test_late_usage_of_a_child_takes_from_its_parent_too(world: World) -> None:
    child(world)
    world.now_us += 20 * MINUTE_US
    world.expire("c")
    answer = world.settle("c", cost="0.7")

    assert answer.late
    assert held_by(world, "p") == usd("1.3")
    assert world.held("purse").cost_nano + world.spent("purse").cost_nano == usd("2")
    assert world.allocations["", "p"].children.used_cost_nano == usd("0.7")
    world.check()


def test_late_usage_finds_the_nearest_ancestor_that_is_active(world: World) -> None:
    child(world, "c", "1")
    child(world, "g", "0.5", of="c")
    world.now_us += 20 * MINUTE_US
    world.expire("c")  # and what is below it
    world.record("r", of="g", cost="0.3")

    assert held_by(world, "p") == usd("1.7")
    assert world.allocations["", "c"].children.used_cost_nano == usd("0.3")
    assert world.allocations["", "p"].children.used_cost_nano == usd("0.3")
    world.settle("p")
    world.record("r2", of="g", cost="0.2")
    reasons = {posting.reason for posting in world.journal[-1][1].postings}
    assert reasons == {"unheld"}
    world.check()


def test_a_child_that_is_charged_keeps_its_part_until_it_is_measured(world: World) -> None:
    child(world, on_expiry=OnExpiry.CHARGE)
    world.now_us += 20 * MINUTE_US
    world.expire("c")

    assert (held_by(world, "p"), world.spent("purse").cost_nano) == (usd("1.5"), usd("0.5"))
    world.settle("c", cost="0.2")
    assert (held_by(world, "p"), world.spent("purse").cost_nano) == (usd("1.5"), usd("0.2"))
    assert world.allocations["", "p"].children.used_cost_nano == usd("0.2")
    world.check()


def test_measured_beyond_the_charge_takes_from_the_parent(world: World) -> None:
    child(world, on_expiry=OnExpiry.CHARGE)
    world.now_us += 20 * MINUTE_US
    world.expire("c")
    world.settle("c", cost="0.9")

    assert (held_by(world, "p"), world.spent("purse").cost_nano) == (usd("1.1"), usd("0.9"))
    world.check()


def test_a_response_that_cannot_be_read_charges_the_childs_part_alone(world: World) -> None:
    child(world)
    answer = world.settle("c", response=Response({}))

    assert answer.usage_error is not None
    assert (held_by(world, "p"), world.spent("purse").cost_nano) == (usd("1.5"), usd("0.5"))
    world.check()


def test_a_parent_is_charged_for_what_its_children_did_not_use(world: World) -> None:
    child(world)
    world.settle("c", cost="0.2", input=5)
    world.settle("p", response=Response({}))

    assert world.spent("purse").cost_nano == usd("2")
    assert world.usage[-1].cost_nano == usd("1.8")
    world.check()


# The parent's end --------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["settle", "release"])
def test_a_parent_with_active_children_does_not_end_alone(world: World, end: str) -> None:
    child(world, "one", "0.1")
    answer = getattr(world, end)("p")

    assert code(answer) == "children_active"
    assert answer.extra == {"children": 1}
    assert "1 active child:" in answer.detail
    child(world, "two", "0.1")
    assert "2 active children" in getattr(world, end)("p").detail
    assert world.allocations["", "p"].is_active
    assert held_by(world, "p") == usd("1.8")


def test_release_with_cascade_gives_back_all_below(world: World) -> None:
    child(world, "c", "1", on_expiry=OnExpiry.CHARGE)
    child(world, "g", "0.5", of="c")
    world.record("r", of="g", cost="0.1")
    answer = world.release("p", cascade=True)

    assert answer.status == "released"
    assert answer.released.cost_nano == usd("1.9")
    assert {world.allocations["", i].status for i in "pcg"} == {AllocationStatus.RELEASED}
    assert (world.held("purse"), world.spent("purse").cost_nano) == (NOTHING, usd("0.1"))
    assert world.release("p") == answer
    world.check()


def test_settle_with_cascade_ends_children_as_their_time_would(world: World) -> None:
    child(world, "frees", "0.5")
    child(world, "charges", "0.4", on_expiry=OnExpiry.CHARGE)
    answer = world.settle("p", cost="0.3", cascade=True)

    assert (answer.status, answer.spent.cost_nano) == ("settled", usd("0.3"))
    assert answer.released.cost_nano == usd("1.3")
    assert world.allocations["", "frees"].status is AllocationStatus.EXPIRED
    assert (world.held("purse").cost_nano, world.spent("purse").cost_nano) == (0, usd("0.7"))
    world.settle("charges", cost="0.1")  # what it really was comes after all
    assert world.spent("purse").cost_nano == usd("0.4")
    assert world.settle("p", cost="0.3") == answer
    world.check()


def test_a_refused_settle_ends_no_child(world: World) -> None:
    child(world)
    answer = world.settle("p", cost="1", timestamp_us=-1, cascade=True)
    unpayable = world.settle("p", input=10**12, cost="99999999", cascade=True)

    assert code(answer) == "invalid"
    assert code(unpayable) == "invalid"
    assert world.allocations["", "c"].is_active


def test_time_ends_children_before_their_parents(world: World) -> None:
    child(world, "c", "1", lifetime_us=HOUR_US, on_expiry=OnExpiry.CHARGE)
    child(world, "g", "0.5", of="c", lifetime_us=HOUR_US)
    world.now_us += HOUR_US

    assert world.expire("p") == Expired(3)
    assert (world.held("purse"), world.spent("purse").cost_nano) == (NOTHING, usd("1"))
    assert world.expire() == Expired(0)
    world.check()


def test_what_is_past_its_time_below_a_parent_stands_in_nobodys_way(world: World) -> None:
    child(world, "c", "2", lifetime_us=MINUTE_US)
    world.now_us += 2 * MINUTE_US

    assert isinstance(child(world, "d", "2"), Grant)
    world.check()


def test_extending_keeps_a_child_within_its_parent(world: World) -> None:
    child(world)
    child(world, "g", "0.1", of="c")
    answer = world.extend("c", 5 * HOUR_US)

    assert answer.expires_us == world.now_us + HOUR_US
    shorter = world.extend("p", 10 * MINUTE_US)
    assert shorter.expires_us == world.now_us + 10 * MINUTE_US
    ends = {world.allocations["", i].expires_us for i in "pcg"}
    assert ends == {shorter.expires_us}
    world.check()


def test_a_child_grows_out_of_its_parents_free_hold(world: World) -> None:
    child(world, "c", "0.5")
    child(world, "d", "1")
    before = world.balance("purse").copy()
    grown = world.extend("c", cost_nano=usd("0.9"))

    assert grown.granted.cost_nano == usd("0.9")
    assert (held_by(world, "c"), held_by(world, "p")) == (usd("0.9"), usd("0.1"))
    assert world.allocations["", "p"].children.lent_cost_nano == usd("1.9")
    assert world.balance("purse") == before
    denied = world.extend("c", cost_nano=usd("1.2"))
    assert isinstance(denied, Denial)
    assert (denied.policies[0].allocation_id, denied.largest_fit.cost_nano) == ("p", usd("1"))
    clamped = world.extend("c", cost_nano=usd("1.2"), fit=Fit.CLAMP, lifetime_us=5 * HOUR_US)
    assert clamped.granted.cost_nano == usd("1")
    assert clamped.expires_us == world.now_us + HOUR_US
    world.check()


def test_a_child_grows_in_policies_of_its_own_too(world: World) -> None:
    world.policy("agents", "0.8usd/day", scope={"agent": "*"})
    child(world, "c", "0.5", labels={"agent": "x"})
    denied = world.extend("c", cost_nano=usd("0.9"))
    world.extend("c", cost_nano=usd("0.8"))

    assert [one.name for one in denied.policies] == ["agents"]
    assert (held_by(world, "c"), held_by(world, "c", "agents")) == (usd("0.8"), usd("0.8"))
    world.check()


def test_a_parent_grows_and_has_more_to_give(world: World) -> None:
    child(world, "c", "2")
    assert isinstance(child(world, "d", "0.5"), Denial)
    world.extend("p", 10 * MINUTE_US, cost_nano=usd("3"))

    assert held_by(world, "p") == usd("1")
    assert world.held("purse").cost_nano == usd("3")
    assert isinstance(child(world, "d", "0.5"), Grant)
    assert world.allocations["", "c"].expires_us == world.now_us + 10 * MINUTE_US
    world.check()


def test_what_is_kept_alive_keeps_within_its_parent(world: World) -> None:
    child(world, "c", "1", lifetime_us=MINUTE_US)
    child(world, "g", "0.5", of="c", lifetime_us=MINUTE_US)
    keys = (("", "g"), ("", "c"))
    world.run(KeepAlive("k", world.caller, allocations=keys, lifetime_us=20 * MINUTE_US))
    ends = world.now_us + 20 * MINUTE_US
    assert {world.allocations["", one].expires_us for one in "cg"} == {ends}

    keys = (("", "g"), ("", "c"), ("", "gone"))
    world.run(KeepAlive("l", world.caller, allocations=keys, lifetime_us=9 * HOUR_US))
    assert {world.allocations["", one].expires_us for one in "cg"} == {world.now_us + HOUR_US}
    world.run(KeepAlive("m", world.caller, allocations=keys, lifetime_us=MINUTE_US))
    world.check()


# New policies ------------------------------------------------------------------------------------


def test_a_new_policy_adopts_a_family_as_one_hold(world: World) -> None:
    world.record("r", of="p", cost="0.1", input=10)
    child(world, "c", "0.8")
    child(world, "g", "0.3", of="c")
    world.record("r2", of="g", cost="0.1", input=10)
    child(world, "done", "0.4")
    world.settle("done", cost="0.2", input=10)
    world.policy("late", "50usd/day", per=("user",))

    assert world.held("late").cost_nano == usd("1.6")
    assert world.spent("late").cost_nano == usd("0.4")
    holds = {name: held_by(world, name, "late") for name in ("p", "c", "g")}
    assert holds == {"p": usd("0.9"), "c": usd("0.5"), "g": usd("0.2")}
    assert all(holds[name] == held_by(world, name) for name in holds)
    world.settle("g", cost="0.1")
    assert held_by(world, "c", "late") == usd("0.6")
    world.check()


def test_a_child_is_adopted_in_the_group_of_its_parent(world: World) -> None:
    child(world, "c", "0.8", labels={"user": "alice"})
    world.policy("each", "5usd/day", per=("user",))

    assert world.held("each").cost_nano == usd("2")
    assert world.held("each", "alice") == NOTHING
    world.settle("c", cost="0.5")
    assert world.spent("each").cost_nano == usd("0.5")
    world.check()


def test_a_policy_that_only_a_child_concerns_adopts_it_alone(world: World) -> None:
    child(world, "c", "0.8", labels={"agent": "x"})
    world.policy("agents", "5usd/day", scope={"agent": "*"})

    assert world.held("agents").cost_nano == usd("0.8")
    world.release("c")
    assert world.held("agents") == NOTHING
    world.check()


def test_a_policy_whose_window_began_after_the_parent_judges_its_children(world: World) -> None:
    world.extend("p", 20 * HOUR_US)
    world.now_us += 2 * HOUR_US
    world.policy("hour", "0.6usd/hour", scope=TEAM)
    answer = child(world, cost="0.5")

    assert world.held("hour").cost_nano == usd("0.5")
    assert [one.name for one in answer.policies] == ["purse", "hour"]
    assert [one.name for one in child(world, "d", "0.5").policies] == ["hour"]


def test_policies_that_concern_a_parent_by_labels_of_its_usage_judge_its_children(
    world: World,
) -> None:
    world.policy("feature", "0.6usd/day", scope={"feature": "x"})
    world.record("r", {"feature": "x"}, of="p", cost="0.1")
    answer = child(world, cost="0.5")

    assert isinstance(answer, Grant)
    assert world.held("feature").cost_nano == usd("0.5")
    world.settle("c", cost="0.4")
    assert (world.held("feature"), world.spent("feature").cost_nano) == (NOTHING, usd("0.5"))
    world.policy("late", "5usd/day", scope={"feature": "x"})
    world.check()


def test_a_policy_that_is_gone_is_no_obstacle(world: World) -> None:
    number = world.balance("purse").policy_no
    world.policies.pop(number)
    world.changed()

    assert isinstance(child(world), Grant)


# In one batch ------------------------------------------------------------------------------------


def test_parent_and_child_may_be_asked_for_together(world: World) -> None:
    world.policy("agents", "5usd/day", scope={"agent": "*"})
    answer = world.together(
        Allocate("q", world.caller, "{}", labels=TEAM, cost_nano=usd("1")),
        Allocate(
            "qc", world.caller, "{}", labels={"agent": "x"}, cost_nano=usd("0.4"), parent_id="q"
        ),
        Settle("s", world.caller, "{}", "qc", record_id="r"),
        Release("r", world.caller, "{}", "q"),
    )

    assert isinstance(answer, Several)
    assert world.held("purse").cost_nano == usd("2")
    assert world.held("agents") == NOTHING
    world.check()


def test_what_a_cascade_needs_is_loaded_with_it(world: World) -> None:
    world.policy("agents", "5usd/day", scope={"agent": "*"})
    child(world, "c", "0.5", labels={"agent": "x"})
    command = Release("r", world.caller, "{}", "p", cascade=True)

    assert world.balance("agents").id in balances_needed(world.state(), command)


def test_a_family_that_is_not_loaded_whole_is_not_ended(world: World) -> None:
    child(world)
    found = world.state()
    state = State(found.now_us, found.policies, found.book)
    state.allocations = {("", "p"): found.allocations["", "p"]}

    with pytest.raises(Misjudged):
        below(state, state.allocations["", "p"])


def test_scopes_that_exclude_need_the_label(world: World) -> None:
    """So that labels that are added never take a policy away that concerned the parent."""
    assert not Scope.from_json({"agent": "!x"}).matches(TEAM)
