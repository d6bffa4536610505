"""Growing: an active allocation may use more where every policy it holds on has room for it."""

from dataclasses import replace

import pytest
from tests.domain.price.cards import card
from tests.domain.world import DAY_US, HOUR_US, MINUTE_US, World, usd

from tekton_budget.domain.answer import Denial, Ended, Fitting, Grant, Kept, Several
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.command import Allocate, Extend, Fit, KeepAlive, Landing, LedgerSettings
from tekton_budget.domain.errors import Conflict, InvalidInput, NotFound
from tekton_budget.domain.event import EventType
from tekton_budget.domain.further import further_of
from tekton_budget.domain.ledger.state import ADOPTED, BYPASSED, SHADOW
from tekton_budget.domain.money import CALL_COST_NANO_MAX
from tekton_budget.domain.policy import Enforcement, Status, Unpriced
from tekton_budget.domain.units import PriceContext

GPT = {"model": "gpt", "provider": "p"}
CLIENT = Caller("k", "ci", Role.CLIENT, {"team": "a"})


def purse(limit: str = "1usd/day", **fields: object) -> World:
    world = World()
    world.policy("purse", limit, **{"thresholds_ppm": (), **fields})
    world.price("p/gpt", input=1, output=10)  # µUSD a token
    return world


def streaming(world: World, id_: str = "a", made: int = 100, **fields: object) -> Grant:
    answer = world.allocate(id_, GPT, input_tokens=1000, max_output_tokens=made, **fields)
    assert isinstance(answer, Grant)
    return answer


def test_what_grows_is_held_at_the_price_of_the_ask() -> None:
    world = purse("1usd+9000tokens+9requests/day")
    streaming(world)
    world.now_us += MINUTE_US
    world.price("p/gpt", input=1, output=99, valid_from_us=0, known_since_us=world.now_us)
    answer = world.extend("a", max_output_tokens=500)

    assert isinstance(answer, Ended)
    assert (answer.granted, answer.max_output_tokens) == ((1500, usd("0.006"), 1), 500)
    assert answer.status == "active"
    assert world.held("purse") == (1500, usd("0.006"), 1)
    assert answer.policies[0].remaining.cost_nano == usd("0.994")
    settled = world.settle("a", input=1000, output=500)
    assert settled.cost_nano == usd("0.006")
    world.check()


def test_its_entry_and_its_event_tell_of_the_new_amounts() -> None:
    world = purse()
    before = streaming(world)
    world.extend("a", HOUR_US, max_output_tokens=200)
    _, entry = world.journal[-1]
    event = world.events[-1]

    assert (entry.kind, entry.detail) == ("extend", str(world.now_us + HOUR_US))
    assert [(p.spent, p.held) for p in entry.postings] == [((0, 0, 0), (100, usd("0.001"), 0))]
    assert event.type is EventType.ALLOCATION_EXTENDED
    assert event.budget_id == "default"
    assert event.payload == {
        "expires_us": world.now_us + HOUR_US,
        "granted": (1200, usd("0.003"), 1),
        "max_output_tokens": 200,
    }
    assert before.expires_us != world.allocations["", "a"].expires_us
    world.extend("a", max_output_tokens=300)
    assert world.allocations["", "a"].expires_us == world.now_us + HOUR_US


def test_where_there_is_no_room_nothing_changes() -> None:
    world = purse("0.01usd/day")
    streaming(world)
    world.record("spent", cost="0.004")
    held, before = world.held("purse"), world.allocations["", "a"]
    denial = world.extend("a", HOUR_US, max_output_tokens=600)

    assert isinstance(denial, Denial)
    assert (world.held("purse"), world.allocations["", "a"]) == (held, before)
    assert denial.detail.startswith(
        'Over budget: this call may cost up to $0.007, but "purse" has $0.006 of $0.01 left '
        "($0.004 spent)."
    )
    assert denial.largest_fit == Fitting(1500, usd("0.006"), 500)
    assert (denial.alternatives, denial.blocked_on, denial.retryable) == ((), "spent", False)
    assert [count.decision for count in world.counted] == ["deny"]
    assert world.extend("a", max_output_tokens=500).max_output_tokens == 500


def test_only_holds_of_others_in_the_way_are_worth_another_try() -> None:
    world = purse("0.01usd/day")
    streaming(world)
    world.allocate("b", cost_nano=usd("0.008"))
    denial = world.extend("a", max_output_tokens=600)

    assert (denial.blocked_on, denial.retryable) == ("held", True)
    assert denial.largest_fit is None
    assert world.extend("a", max_output_tokens=901).never_fits
    world.release("b")
    assert isinstance(world.extend("a", max_output_tokens=900), Ended)


def test_a_rolling_window_brings_room_and_a_day_does_not() -> None:
    world = purse("0.01usd/3h")
    streaming(world)
    world.record("spent", cost="0.005")

    assert world.extend("a", max_output_tokens=700).retryable


def test_a_clamp_grows_by_what_fits_and_at_least_so_much() -> None:
    world = purse("0.005usd/day")
    streaming(world)
    little = world.extend("a", max_output_tokens=900, fit=Fit.CLAMP, min_grant=301)
    enough = world.extend("a", max_output_tokens=900, fit=Fit.CLAMP, min_grant=300)
    nothing = world.extend("a", max_output_tokens=900, fit=Fit.CLAMP)

    assert isinstance(little, Denial)
    assert little.largest_fit.max_output_tokens == 400
    assert (enough.max_output_tokens, enough.granted.cost_nano) == (400, usd("0.005"))
    assert isinstance(nothing, Denial)
    assert nothing.largest_fit is None
    assert [c.decision for c in world.counted] == ["deny", "clamp", "deny"]


def test_a_clamp_gives_at_least_what_the_policies_want() -> None:
    world = purse("0.005usd/day", min_grant=301)
    streaming(world)
    world.allocate("b", cost_nano=usd("0.0005"))

    assert isinstance(world.extend("a", max_output_tokens=900, fit=Fit.CLAMP), Denial)
    assert world.extend("b", cost_nano=usd("0.009"), fit=Fit.CLAMP).granted.cost_nano == usd(
        "0.003"
    )


def test_usage_told_meanwhile_has_taken_from_the_hold() -> None:
    world = purse("1usd+9000tokens/day")
    streaming(world)
    world.record("step", of="a", input=600, output=50)
    world.extend("a", max_output_tokens=200)

    assert world.held("purse") == (550, usd("0.0019"), 0)
    world.settle("a", input=400, output=150)
    assert world.held("purse") == (0, 0, 0)
    assert world.spent("purse") == (1200, usd("0.003"), 1)


def test_what_was_overrun_is_counted_already() -> None:
    world = purse("1usd+9000tokens/day")
    streaming(world)
    world.record("step", of="a", input=1000, output=150)
    answer = world.extend("a", max_output_tokens=200)

    assert answer.granted.tokens == 1200
    assert world.held("purse") == (50, usd("0.0005"), 0)


@pytest.mark.parametrize(
    ("stated", "grown", "granted"),
    [
        ({"tokens": 100}, {"tokens": 150}, (150, usd("0.0015"), 1)),
        ({"cost_nano": usd("0.2")}, {"cost_nano": usd("0.3")}, (0, usd("0.3"), 1)),
        ({"tokens": 10, "cost_nano": 500}, {"tokens": 20, "cost_nano": 900}, (20, 900, 1)),
        ({"tokens": 10, "cost_nano": 500}, {"cost_nano": 900}, (10, 900, 1)),
        ({"max_output_tokens": 9, "requests": 2}, {"max_output_tokens": 10}, (10, 100_000, 2)),
    ],
    ids=str,
)
def test_new_totals_are_said_in_the_words_of_the_ask(stated, grown, granted) -> None:
    world = purse(enforcement=Enforcement.WARN)
    world.allocate("a", GPT, **stated)
    answer = world.extend("a", **grown)

    assert answer.granted == granted
    assert world.held("purse") == granted


@pytest.mark.parametrize(
    ("stated", "grown", "field"),
    [
        ({"tokens": 100}, {"max_output_tokens": 150}, "max_output_tokens"),
        ({"tokens": 100}, {"tokens": 99}, "tokens"),
        ({"tokens": 100}, {"cost_nano": 1}, "cost"),
        ({"tokens": 100, "cost_nano": 5}, {"tokens": 150}, "cost"),
        ({}, {"tokens": 1}, "tokens"),
        ({"tokens": 1}, {"tokens": 2, "lifetime_us": 2 * DAY_US}, "lifetime_seconds"),
    ],
    ids=str,
)
def test_other_words_and_smaller_totals_are_refused(stated, grown, field) -> None:
    world = purse(enforcement=Enforcement.WARN)
    world.allocate("a", GPT, **stated)
    refused = world.extend("a", **grown)

    assert isinstance(refused, InvalidInput)
    assert [fault.field for fault in refused.fields] == [field]


def test_all_that_was_stated_beside_is_sized_again() -> None:
    """The dearer of two rates, searches, the service tier: as in the ask."""
    world = purse()
    world.set_prices([card("gpt", "p", input="1", output="10", cache_write_5m="2",
                           fees={"web_search": "0.01"},
                           service_tiers={"priority": {"rates": {"output": "20"}}})])  # fmt: skip
    further = further_of({"web_search": 3, "cache_read": 0}, PriceContext("priority"), "5m")
    streaming(world, further=further)
    grown = world.extend("a", max_output_tokens=200)

    assert grown.granted.cost_nano == usd("0.002") + usd("0.03") + usd("0.004")


def test_a_clamped_ask_grows_from_what_was_granted() -> None:
    world = purse("0.005usd/day")
    clamped = streaming(world, made=900, fit=Fit.CLAMP)
    less = world.extend("a", max_output_tokens=399)
    world.credit("purse", "1usd")
    more = world.extend("a", max_output_tokens=900)

    assert clamped.max_output_tokens == 400
    assert isinstance(less, InvalidInput)
    assert (more.max_output_tokens, more.granted.tokens) == (900, 1900)


def test_it_stays_in_the_windows_it_was_made_in() -> None:
    world = purse("0.005usd/day")
    made_us = world.now_us
    streaming(world, lifetime_us=DAY_US)
    world.now_us += DAY_US - HOUR_US
    denied = world.extend("a", max_output_tokens=401)
    grown = world.extend("a", max_output_tokens=400)

    assert isinstance(denied, Denial)
    assert isinstance(grown, Ended)
    assert world.balance("purse", at_us=made_us).held.cost_nano == usd("0.005")
    assert world.held("purse").cost_nano == 0


def test_a_policy_that_took_it_over_counts_and_judges_too() -> None:
    world = purse()
    streaming(world)
    start = world.begin(world.made("late", "0.005usd/day"))
    world.extend("a", max_output_tokens=350)
    _, entry = world.journal[-1]
    world.finish(start)
    denied = world.extend("a", max_output_tokens=401)

    assert [posting.reason for posting in entry.postings] == ["", ADOPTED]
    assert [policy.name for policy in denied.policies] == ["late"]
    assert isinstance(world.extend("a", max_output_tokens=400), Ended)
    assert world.held("late").cost_nano == usd("0.005")


def test_policies_that_judge_no_more_are_posted_to_and_let_by() -> None:
    world = purse("0.003usd/day")
    world.policy("off", "0.003usd/day")
    world.policy("idle", "0.003usd/day", budget=world.budget("other").budget_id)
    streaming(world)
    world.change("purse", status=Status.REPLACED)
    world.change("off", enabled=False)
    world.budget("other", is_active=False)
    world.extend("a", max_output_tokens=200)

    assert world.held("off").cost_nano == usd("0.003")
    assert {b.held.cost_nano for b in world.balances.values()} == {usd("0.003")}
    del world.policies[1]
    world.changed()
    world.extend("a", max_output_tokens=300)
    assert {b.held.cost_nano for b in world.balances.values()} == {usd("0.003"), usd("0.004")}


def test_a_policy_that_only_usage_came_to_is_not_held_on() -> None:
    world = purse()
    world.policy("run", "0.0001usd/day", scope={"run": "r"})
    streaming(world)
    world.record("step", {"run": "r"}, of="a", output=1)
    grown = world.extend("a", max_output_tokens=900)

    assert isinstance(grown, Ended)
    assert world.held("run") == (0, 0, 0)


def test_who_is_let_by_says_so_and_priority_is_the_ask_s() -> None:
    world = purse("0.003usd/day", bypass_priority=8)
    world.policy("shown", "0.003usd/day", shadow=True)
    streaming(world, "low")
    world.release("low")
    streaming(world, "high", priority=8)
    low = Caller("", "", Role.CLIENT, {}, max_priority=7)
    denied = world.extend("high", max_output_tokens=300, caller=low)
    world.extend("high", max_output_tokens=300)
    _, entry = world.journal[-1]

    assert isinstance(denied, Denial)
    assert [posting.reason for posting in entry.postings] == [BYPASSED, SHADOW]
    assert [c.decision for c in world.counted][-1] == "would_deny"


def test_what_is_kept_for_the_end_is_for_calls_that_were_told_to_finish() -> None:
    world = purse("0.01usd/day", landing_ppm=500_000)
    streaming(world)
    streaming(world, "told", landing=Landing.MAY)
    within = world.extend("a", max_output_tokens=200)
    beyond = world.extend("a", max_output_tokens=201)
    world.extend("told", max_output_tokens=300)
    told = world.extend("told", max_output_tokens=500)
    auto = streaming(purse(landing_ppm=500_000), landing=Landing.AUTO)
    last = world.allocate("last", GPT, input_tokens=0, max_output_tokens=5, landing=Landing.AUTO)
    rest = world.extend("last", max_output_tokens=100)

    assert isinstance(within, Ended)
    assert isinstance(beyond, Denial)
    assert told.granted.cost_nano == usd("0.006")
    assert (auto.landing, last.landing) == (False, True)
    assert rest.max_output_tokens == 100
    assert world.allowance("purse").cost_nano == world.held("purse").cost_nano


def test_in_shadow_nothing_is_denied_or_left_open() -> None:
    world = purse("0.003usd/day")
    streaming(world)
    world.policy("words", "5tokens/day")
    world.settings = LedgerSettings(shadow=True)
    world.allocate("b", GPT, cost_nano=5)

    assert isinstance(world.extend("a", max_output_tokens=9000), Ended)
    assert isinstance(world.extend("b", cost_nano=9), Ended)


def test_a_policy_made_since_may_need_what_the_ask_left_open() -> None:
    world = purse()
    world.allocate("a", {"model": "new"}, cost_nano=5)
    world.policy("words", "50tokens/day")
    world.policy("shown", "50tokens/day", shadow=True)
    refused = world.extend("a", cost_nano=9)

    assert refused.code == "amount_needed"


def test_a_model_without_a_price_grows_as_it_was_asked_for() -> None:
    world = purse("9000tokens/day")
    world.allocate("a", {"model": "new"}, tokens=10)
    assert world.extend("a", tokens=20).granted == (20, 0, 1)
    world.policy("money", "1usd/day")
    assert world.extend("a", tokens=30).code == "unknown_price"
    world.change("money", unpriced=Unpriced.HIGHEST)

    assert world.extend("a", tokens=30).granted == (30, usd("0.0003"), 1)


def test_without_any_policy_it_may_grow_as_well() -> None:
    world = World()
    world.price("p/gpt", input=1, output=10)
    streaming(world)

    assert world.extend("a", max_output_tokens=200).granted == (1200, usd("0.003"), 1)


def test_growing_by_nothing_asks_nothing_of_a_limit_that_is_passed() -> None:
    world = purse("9requests/day")
    streaming(world)
    for number in range(9):
        world.record(f"r{number}", cost="1")

    assert isinstance(world.extend("a", max_output_tokens=100), Ended)
    assert isinstance(world.extend("a", max_output_tokens=200), Denial)


def test_more_than_any_call_can_cost_is_refused() -> None:
    world = World()
    world.price("p/gpt", input=1, output=10**6)
    streaming(world)

    refused = world.extend("a", max_output_tokens=CALL_COST_NANO_MAX)
    assert isinstance(refused, InvalidInput)
    assert "any call can" in refused.detail


def test_what_has_ended_or_is_not_there_does_not_grow() -> None:
    world = purse()
    streaming(world)
    world.release("a")

    assert world.extend("a", max_output_tokens=200).code == "already_settled"
    assert isinstance(world.extend("b", max_output_tokens=200), NotFound)
    streaming(world, "c")
    theirs = Extend("x", CLIENT, "{}", "c", "", max_output_tokens=200)
    assert isinstance(world.run(theirs), NotFound)


def test_what_an_earlier_version_granted_does_not_grow() -> None:
    world = purse()
    streaming(world)
    world.allocations["", "a"] = replace(world.allocations["", "a"], stated=None)
    refused = world.extend("a", max_output_tokens=200)

    assert isinstance(refused, Conflict)
    assert refused.code == "cannot_grow"
    assert world.allocations["", "a"].granted_counts.output == 100


def test_a_retry_is_answered_alike_and_another_content_refused() -> None:
    world = purse()
    streaming(world)
    first = world.extend("a", max_output_tokens=200, command_id="x")
    held = world.held("purse")
    again = world.extend("a", max_output_tokens=200, command_id="x")
    other = world.extend("a", max_output_tokens=300, command_id="x")

    assert again == first
    assert world.held("purse") == held
    assert [fault.field for fault in other.fields] == ["max_output_tokens"]


def test_a_threshold_reached_by_growing_is_told() -> None:
    world = purse("0.01usd/day", thresholds_ppm=(500_000,))
    streaming(world)
    world.extend("a", max_output_tokens=500)

    assert [e.type for e in world.events][-2:] == [
        EventType.ALLOCATION_EXTENDED,
        EventType.THRESHOLD_CROSSED,
    ]


def test_room_that_is_due_is_made_before_it_is_denied_but_not_its_own() -> None:
    world = purse("0.01usd/day")
    streaming(world, lifetime_us=MINUTE_US)
    world.allocate("b", cost_nano=usd("0.008"), lifetime_us=MINUTE_US)
    world.now_us += HOUR_US
    denied = world.extend("a", max_output_tokens=901)
    grown = world.extend("a", HOUR_US, max_output_tokens=900)

    assert isinstance(denied, Denial)
    assert isinstance(grown, Ended)
    assert world.allocations["", "b"].status == "expired"


def test_one_of_several_that_grows_is_undone_with_them() -> None:
    world = purse("0.01usd/day")
    streaming(world)
    more = Extend("x", LOCAL, "{}", "a", max_output_tokens=500)
    denied = world.together(more, Allocate("b", LOCAL, "{}", cost_nano=usd("0.005")))
    done = world.together(more, Allocate("b", LOCAL, "{}", cost_nano=usd("0.004")))

    assert isinstance(denied, Denial)
    assert isinstance(done, Several)
    assert world.held("purse").cost_nano == usd("0.01")


def test_units_and_kinds_are_taken_over_by_a_policy_made_later() -> None:
    world = purse()
    world.set_prices([card("gpt", "p", input="1", output="10", cache_read="1", cache_write_5m="2")])
    further = further_of({"cache_read": 40, "output_audio": 3}, PriceContext(), "5m")
    world.change("purse", unpriced=Unpriced.ALLOW)
    streaming(world, further=further)
    world.allocate("b", GPT, tokens=7, further=further)
    for kind in ("input", "output", "cache_read", "cache_write"):
        world.policy(kind, "9000tokens/day", tokens_counted=(kind,))

    held = {
        kind: world.held(kind).tokens for kind in ("input", "output", "cache_read", "cache_write")
    }
    assert held == {"input": 1007, "output": 113, "cache_read": 87, "cache_write": 1007}


def test_many_live_on_by_one_command() -> None:
    world = purse()
    for id_ in "abc":
        streaming(world, id_, lifetime_us=MINUTE_US)
    world.extend("b", DAY_US)
    world.release("c")
    journal = len(world.journal)
    keys = tuple(("", id_) for id_ in ("a", "a", "b", "c", "d"))
    kept = world.run(KeepAlive("k", LOCAL, allocations=keys, lifetime_us=HOUR_US))
    later = [world.allocations["", id_].expires_us - world.now_us for id_ in "ab"]

    assert kept == Kept(2)
    assert later == [HOUR_US, DAY_US]
    assert [(e.kind, e.object_id) for _, e in world.journal[journal:]] == [("extend", "k")]
    assert world.run(KeepAlive("k", LOCAL, allocations=(("", "c"),))) == Kept(0)
    assert world.journal[-1][1].postings == ()
