"""The ledger's commands where a scenario's line cannot reach: events, rows, marks, refusals."""

import pytest
from tests.domain.world import HOUR_US, MINUTE_US, World, usd

from tekton_budget.domain.allocation import OnExpiry
from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Denial, Ended, Grant, Recorded, Several
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Expire,
    Extend,
    GiveCredit,
    Record,
    Release,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError, InvalidInput
from tekton_budget.domain.event import EventType
from tekton_budget.domain.ledger import (
    allocations_needed,
    answers_needed,
    balances_needed,
    execute,
    owned,
)
from tekton_budget.domain.ledger.retry import differing_fields
from tekton_budget.domain.ledger.standing import is_hidden
from tekton_budget.domain.ledger.state import ADOPTED, BYPASSED, OVERRUN, SHADOW, UNHELD
from tekton_budget.domain.policy import Enforcement, PerMissing, Unpriced
from tekton_budget.domain.usage import CostSource, Measurement, TokenCounts, Usage

CLIENT = Caller("k", "ci", Role.CLIENT, {"team": "a"})


def purse(limit: str = "1usd/day", **fields: object) -> World:
    world = World()
    world.policy("purse", limit, **{"thresholds_ppm": (), **fields})
    return world


def reasons(world: World) -> list[str]:
    return [posting.reason for _, entry in world.journal for posting in entry.postings]


# --- reasons: what may lift a balance above its allowance ---


def test_an_overrun_carries_only_what_is_above_the_hold() -> None:
    world = purse()
    world.allocate("a", cost_nano=usd("0.5"))
    world.settle("a", cost="1.2")
    _, entry = world.journal[-1]

    assert [(p.reason, p.spent.cost_nano, p.held.cost_nano) for p in entry.postings] == [
        (OVERRUN, usd("0.7"), 0),
        ("", usd("0.5"), -usd("0.5")),
    ]


def test_what_nobody_held_says_so() -> None:
    world = purse()
    world.record("r", cost="1")
    world.allocate("a", cost_nano=0)
    world.settle("a")
    world.record("late", of="a", cost="1")

    assert reasons(world) == [UNHELD, "", "", UNHELD]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"shadow": True}, SHADOW), ({"bypass_priority": 5}, BYPASSED), ({}, "")],
    ids=str,
)
def test_who_is_let_by_says_so_in_the_entry(fields, reason) -> None:
    world = purse(**fields)
    world.allocate("a", cost_nano=usd("2" if fields else "1"))

    assert reasons(world) == [reason]


def test_a_policy_that_starts_counts_with_its_reason_and_does_not_judge() -> None:
    world = World()
    start = world.begin(world.made("p", "1usd/day"))
    world.allocate("a", cost_nano=usd("2"))

    assert reasons(world) == [ADOPTED]
    world.finish(start)
    assert isinstance(world.allocate("b", cost_nano=1), Denial)


# --- answers ---


def test_a_grant_tells_what_each_policy_has_left() -> None:
    world = purse()
    answer = world.allocate("a", cost_nano=usd("0.4"))

    assert isinstance(answer, Grant)
    (standing,) = answer.policies
    assert standing.remaining.cost_nano == usd("0.6")
    assert standing.held.cost_nano == usd("0.4")
    assert standing.asked == Amounts()


def test_a_downgrade_names_a_cheaper_model_that_fits() -> None:
    world = purse("0.005usd/day", enforcement=Enforcement.SOFT_LIMIT)
    world.price("p/big", input=10, output=10)
    world.price("p/mini", input=1, output=1)
    named = world.allocate("a", {"model": "big"}, tokens=1000)
    alone = world.allocate("b", {"model": "mini"}, tokens=1000)

    assert named.reasons[0] == '"purse" would be passed: make a cheaper call, for example mini'
    assert alone.reasons[0] == '"purse" would be passed: make a cheaper call'


def test_reasons_say_who_warns_who_was_passed_and_who_would_deny() -> None:
    world = purse(bypass_priority=5)
    world.policy("shade", "1usd/day", shadow=True)
    answer = world.allocate("a", cost_nano=usd("2"))

    assert answer.reasons == (
        '"purse" stands at or above its threshold',
        '"shade" stands at or above its threshold',
        '"purse" is passed by priority',
        '"shade" would deny this call',
    )


def test_an_ended_allocation_tells_where_its_policies_stand() -> None:
    world = purse()
    world.allocate("a", cost_nano=usd("0.4"))
    answer = world.settle("a", cost="0.3")

    assert isinstance(answer, Ended)
    assert answer.policies[0].spent.cost_nano == usd("0.3")
    assert answer.policies[0].held == Amounts()
    assert (answer.record_id, answer.cost_source) == ("a.end", CostSource.CALLER)


def test_a_shadowed_group_refusal_lets_by() -> None:
    world = purse(per=("user",), per_missing=PerMissing.DENY, shadow=True)
    answer = world.allocate("a", cost_nano=1)

    assert answer.would_deny == ("purse",)
    assert world.held("purse").cost_nano == 1


def test_too_many_groups_are_refused_where_that_is_limited() -> None:
    world = purse(per=("user",), max_groups=1)
    state = world.state()
    ask = Allocate("a", LOCAL, labels={"user": "u"}, cost_nano=1)
    (concern,) = state.concerns(ask)
    world.opened(concern.policy, concern.group)
    state.overfull.add(concern.balance_id)

    refused = execute(state, ask).answer
    assert isinstance(refused, InvalidInput)
    assert refused.code == "too_many_groups"


# --- usage rows ---


def test_the_row_of_a_usage_tells_who_really_answered_and_when_it_counts() -> None:
    world = purse()
    world.price("p/m", input=1, output=1)
    world.allocate("a", {"model": "x", "user": "u"}, cost_nano=usd("0.5"))
    made_us = world.now_us
    world.now_us += HOUR_US
    world.settle(
        "a",
        input=1000,
        model_used="m",
        provider_used="p",
        labels={"feature": "f"},
        timestamp_us=made_us + 1,
    )
    (row,) = world.usage

    assert (row.provider, row.model) == ("p", "m")
    assert (row.at_us, row.placed_us, row.recorded_us) == (made_us + 1, made_us, world.now_us)
    assert row.labels == {"model": "x", "user": "u", "feature": "f"}
    assert (row.cost_nano, row.cost_source, row.requests) == (usd("0.001"), CostSource.BOOK, 1)
    assert world.allocations["", "a"].labels == {"model": "x", "user": "u", "feature": "f"}


@pytest.mark.parametrize(
    ("used", "source"),
    [
        ({"input": 1}, CostSource.BOOK),
        ({"other": 1}, CostSource.ESTIMATED),
        ({"cache_read": 1}, CostSource.ESTIMATED),
        ({"cache_write": 1}, CostSource.BOOK),
    ],
    ids=str,
)
def test_a_cost_with_a_guessed_rate_is_estimated(used, source) -> None:
    world = purse()
    world.price("p/m", input=1, output=1, write=2)
    answer = world.record("r", {"model": "m"}, **used)

    assert answer.cost_source == source


def test_without_any_price_all_that_is_held_is_charged() -> None:
    world = purse()
    world.allocate("a", {"model": "new"}, cost_nano=usd("0.5"))
    first = world.record("r1", of="a", input=1)
    second = world.record("r2", of="a", input=1)

    assert (first.cost_nano, first.cost_source) == (usd("0.5"), CostSource.ESTIMATED)
    assert (second.cost_nano, second.cost_source) == (None, None)
    assert world.usage[0].provisional


def test_a_fact_is_charged_the_dearest_rate_where_a_policy_wants_it_so() -> None:
    world = purse(unpriced=Unpriced.HIGHEST)
    unknown = world.record("r0", {"model": "new", "provider": "p"}, input=10)
    world.price("p/m", input=1, output=4)
    dear = world.record("r1", {"model": "new", "provider": "p"}, input=10, output=10)

    assert unknown.cost_nano is None
    assert dear.cost_nano == usd("0.00008")


def test_an_assumed_model_prices_usage_without_one() -> None:
    world = purse(assume_model="gone")
    world.price("p/m", input=1, output=4)
    world.settings = world.settings.__class__(assume_model="p/m")
    answer = world.record("r", input=10, output=10)

    assert (answer.cost_nano, answer.cost_source) == (usd("0.00005"), CostSource.ESTIMATED)


def test_a_charge_is_a_row_and_its_reversal_another() -> None:
    world = purse()
    world.allocate("a", cost_nano=usd("0.5"), tokens=40, requests=2, on_expiry=OnExpiry.CHARGE)
    world.now_us += HOUR_US
    world.expire()
    world.now_us += HOUR_US
    world.record("r", of="a", input=10, cost="0.1")
    charge, reversal, real = world.usage

    assert (charge.record_id, charge.measurement) == ("a~expired", Measurement.ESTIMATED)
    assert (charge.counts, charge.cost_nano, charge.requests) == (
        TokenCounts(other=40),
        usd("0.5"),
        2,
    )
    assert (reversal.record_id, reversal.reverses) == ("a~expired~reversed", "a~expired")
    assert (reversal.counts, reversal.cost_nano, reversal.requests) == (
        TokenCounts(other=-40),
        -usd("0.5"),
        -2,
    )
    assert reversal.at_us == charge.at_us
    assert (real.requests, real.late) == (2, True)
    assert sum(row.cost_nano for row in world.usage) == world.spent("purse").cost_nano


def test_a_charge_without_a_known_cost_has_none() -> None:
    world = World()
    world.allocate("a", tokens=5, on_expiry=OnExpiry.CHARGE)
    world.now_us += HOUR_US
    world.expire()
    world.record("r", of="a", input=1)

    assert [row.cost_nano for row in world.usage] == [None, None, None]
    assert [row.requests for row in world.usage] == [1, -1, 1]


def test_a_charge_that_held_nothing_on_a_balance_takes_nothing_back_there() -> None:
    world = purse("1usd/1h")
    world.policy("words", "10tokens/day")
    world.allocate("a", {}, cost_nano=0, tokens=0, requests=0, on_expiry=OnExpiry.CHARGE)
    world.allocate("b", {}, cost_nano=9, tokens=3, on_expiry=OnExpiry.CHARGE)
    world.now_us += HOUR_US
    world.expire()
    world.now_us += 2 * HOUR_US
    world.settle("a", cost="0")
    answer = world.settle("b", cost="0.1", labels={"feature": "f"})

    assert answer.policies[0].spent == Amounts(0, usd("0.1"), 1)
    assert world.spent("purse") == Amounts(0, usd("0.1"), 1)
    assert world.spent("words") == Amounts(0, usd("0.1"), 1)
    world.check()


def test_labels_without_usage_add_a_policy_that_later_usage_counts_in() -> None:
    world = purse()
    world.policy("chat", "1usd/day", scope={"feature": "chat"})
    world.allocate("a", cost_nano=9)
    world.settle("a", labels={"feature": "chat"})
    assert world.spent("chat") == Amounts()

    world.record("r", of="a", cost="0.1")
    assert world.spent("chat").cost_nano == usd("0.1")


# --- events ---


def told(world: World) -> list[tuple[str, int]]:
    return [
        (event.type.value, event.payload["threshold_ppm"])
        for event in world.events
        if event.type in (EventType.THRESHOLD_CROSSED, EventType.LIMIT_PASSED)
    ]


def test_each_threshold_is_told_once_a_window() -> None:
    world = purse(thresholds_ppm=(500_000, 900_000))
    world.allocate("a", cost_nano=usd("0.5"))
    world.release("a")
    world.allocate("b", cost_nano=usd("0.6"))
    world.settle("b", cost="2")
    world.record("r", cost="1")

    assert told(world) == [
        ("threshold.crossed", 500_000),
        ("threshold.crossed", 900_000),
        ("limit.passed", 1_000_000),
    ]
    world.now_us += 24 * HOUR_US
    world.record("r2", cost="0.5")
    assert told(world)[3:] == [("threshold.crossed", 500_000)]


def test_a_rolling_limit_tells_again_after_its_length() -> None:
    world = purse("1usd/1h", thresholds_ppm=(500_000,))
    world.record("r1", cost="0.5")
    world.now_us += 50 * MINUTE_US
    world.record("r2", cost="0.1")
    assert told(world) == [("threshold.crossed", 500_000)]

    world.now_us += 15 * MINUTE_US
    world.record("r3", cost="0.4")
    assert told(world) == [("threshold.crossed", 500_000)] * 2


def test_changed_thresholds_hide_no_limit_that_is_passed() -> None:
    world = purse(thresholds_ppm=(500_000, 900_000))
    world.record("r1", cost="0.6")
    world.change("purse", thresholds_ppm=())
    world.record("r2", cost="0.5")
    world.change("purse", thresholds_ppm=(100_000, 200_000, 300_000, 950_000))
    world.record("r3", cost="0.1")

    assert told(world) == [("threshold.crossed", 500_000), ("limit.passed", 1_000_000)]


def test_who_only_counts_tells_nothing() -> None:
    world = purse(enforcement=Enforcement.IGNORE, thresholds_ppm=(1,))
    world.record("r1", cost="5")
    world.change("purse", enforcement=Enforcement.WARN, enabled=False)
    world.record("r2", cost="5")

    assert told(world) == []


def test_every_command_that_changes_something_tells_of_it() -> None:
    world = purse("9usd/day")
    world.allocate("a", cost_nano=usd("0.5"), on_expiry=OnExpiry.CHARGE)
    world.extend("a", HOUR_US)
    world.record("r", of="a", cost="0.1")
    world.settle("a")
    world.allocate("b", cost_nano=usd("0.5"))
    world.release("b")
    world.credit("purse", "1usd")
    world.allocate("c", cost_nano=usd("0.5"))
    world.now_us += HOUR_US
    world.expire()

    assert [event.type.value for event in world.events] == [
        "allocation.created",
        "allocation.extended",
        "usage.recorded",
        "allocation.settled",
        "allocation.created",
        "allocation.released",
        "credit.given",
        "allocation.created",
        "allocation.expired",
    ]
    created = world.events[0]
    assert (created.subject_id, created.budget_id) == ("a", "default")


# --- several at once ---


def ask(id_: str, cost: str, **fields: object) -> Allocate:
    return Allocate(id_, LOCAL, f'{{"cost": "{cost}"}}', cost_nano=usd(cost), **fields)


def settlement(id_: str, cost: str, **fields: object) -> Settle:
    usage = Usage(cost_nano=usd(cost))
    return Settle(f"s-{id_}", LOCAL, "{}", id_, usage=usage, record_id=f"r-{id_}", **fields)


def test_several_commands_are_all_judged_after_one_another() -> None:
    world = purse()
    answer = world.together(ask("a", "0.6"), settlement("a", "0.2"), ask("b", "0.8"))

    assert isinstance(answer, Several)
    assert world.held("purse").cost_nano == usd("0.8")
    assert world.spent("purse").cost_nano == usd("0.2")
    assert world.together(ask("a", "0.6"), settlement("a", "0.2"), ask("b", "0.8")) == answer
    assert len(world.journal) == 3
    world.check()


def test_one_that_is_denied_undoes_all() -> None:
    world = purse()
    answer = world.together(ask("a", "0.6"), ask("b", "0.6"))

    assert isinstance(answer, Denial)
    assert answer.allocation_id == "b"
    assert world.held("purse") == Amounts()
    assert world.journal == []
    assert len(world.counted) == 1


def test_one_that_is_refused_undoes_all_and_is_pointed_at() -> None:
    world = purse()
    inner = Together("inner", LOCAL, commands=(ask("b", "0.1"), settlement("ghost", "1")))
    answer = world.together(ask("a", "0.6"), inner)

    assert isinstance(answer, BudgetError)
    assert answer.code == "allocation_not_found"
    assert answer.extra["index"] == 0 + 1
    assert world.journal == []
    assert world.allocations == {}


def test_labels_that_a_settle_adds_are_seen_in_the_batch_that_asked() -> None:
    world = purse()
    world.policy("chat", "1usd/day", scope={"feature": "chat"})
    world.together(ask("a", "0.6"), settlement("a", "0.2", labels={"feature": "chat"}))

    assert world.spent("chat").cost_nano == usd("0.2")
    world.check()


def test_an_unknown_command_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="no rule"):
        execute(World().state(), Command("x", LOCAL))


def test_a_settle_is_no_retry_of_a_release() -> None:
    world = purse()
    world.allocate("a", cost_nano=1)
    world.release("a")

    assert world.run(Settle("s", LOCAL, "{}", "a")).code == "already_settled"


# --- whose it is ---


def test_a_key_acts_only_on_what_carries_its_labels() -> None:
    world = purse()
    world.allocate("theirs", {"team": "b"}, cost_nano=1, caller=Caller("k", "ci"))
    world.allocate("own", {"team": "a"}, cost_nano=1, caller=CLIENT)

    for verb in ("settle", "release"):
        assert getattr(world, verb)("theirs", caller=CLIENT).code == "allocation_not_found"
    assert isinstance(world.settle("own", caller=CLIENT), Ended)


def test_an_allocation_of_another_key_is_found_where_only_one_can_be_meant() -> None:
    world = purse()
    other = Caller("k2", "new", Role.CLIENT, {"team": "a"})
    world.allocate("x", {"team": "a"}, cost_nano=1, caller=CLIENT)
    state = world.state()
    settle = Settle("s", other, "{}", "x")

    assert owned(state, settle).owner_key_id == "k"
    assert owned(state, Together("t", other, commands=(settle,))).commands[0].owner_key_id == "k"
    assert owned(state, Settle("s", CLIENT, "{}", "x")).owner_key_id is None
    assert owned(state, Settle("s", other, "{}", "ghost")).owner_key_id is None
    stranger = Caller("k3", "x", Role.CLIENT, {"team": "b"})
    assert owned(state, Release("s", stranger, "{}", "x")).owner_key_id is None
    assert owned(state, Settle("s", other, "{}", "x", owner_key_id="k")).owner_key_id == "k"
    assert owned(state, Record("r", other)).owner_key_id is None
    asked = Allocate("a", other)
    assert owned(state, asked) is asked


@pytest.mark.parametrize(
    ("scope", "per", "group", "hidden"),
    [
        ({}, (), "", True),
        ({"team": "a"}, (), "", False),
        ({"team": "b"}, (), "", True),
        ({"team": ["a", "b"]}, (), "", True),
        ({}, ("team",), "a", False),
        ({}, ("team",), "b", True),
        ({}, ("team",), "", True),
        ({"key": "ci"}, (), "", False),
        ({}, ("key", "user"), "ci/u", False),
        ({"key": "other"}, (), "", True),
    ],
)
def test_numbers_are_hidden_that_tell_of_others(scope, per, group, hidden) -> None:
    policy = World().made("p", "1usd/day", scope=scope, per=per)

    assert is_hidden(CLIENT, policy, group) is hidden
    assert not is_hidden(LOCAL, policy, group)


def test_a_budget_scope_makes_its_policies_its_own() -> None:
    world = World()
    world.budget("lab", {"team": "a"})
    world.policy("inner", "1usd/day", budget="lab", per=("user",))
    answer = world.allocate("x", {"team": "a", "user": "u"}, cost_nano=1, caller=CLIENT)

    assert not answer.policies[0].hidden
    recorded = world.record("r", {"team": "a", "user": "u"}, cost="0.1", caller=CLIENT)
    assert isinstance(recorded, Recorded)
    assert not recorded.policies[0].hidden


# --- what must be loaded ---


def test_what_a_command_needs_is_known_before_it_is_judged() -> None:
    world = purse()
    world.allocate("x", cost_nano=1)
    state = world.state()
    commands = (
        ask("y", "0.1"),
        Settle("s", LOCAL, "{}", "x"),
        Release("l", LOCAL, "{}", "x"),
        Extend("e", LOCAL, "{}", "x"),
        Record("r", LOCAL, "{}", allocation_id="x"),
        Record("f", LOCAL, "{}"),
        Expire("t", LOCAL, "", (("", "x"), ("", "z"))),
        GiveCredit("g", LOCAL, "{}", "purse"),
        Command("c", LOCAL),
    )
    every = Together("all", LOCAL, commands=commands)

    assert list(allocations_needed(every)) == [
        ("", "y"), *[("", "x")] * 4, ("", "x"), ("", "z"),
    ]  # fmt: skip
    assert list(answers_needed(every)) == [("", "c:e"), ("", "c:r"), ("", "c:f"), ("", "c:g")]
    needed = list(balances_needed(state, every))
    keys = {item if isinstance(item, str) else item.balance_id for item in needed}
    assert keys == set(world.balances)


def test_a_settle_of_nothing_known_needs_nothing() -> None:
    world = purse()
    settle = Settle("s", LOCAL, "{}", "ghost", labels={"a": "b"})

    assert list(balances_needed(world.state(), settle)) == []


@pytest.mark.parametrize("at_us", [-1, 10**18])
def test_a_fact_of_no_possible_time_is_refused(at_us: int) -> None:
    refused = purse().record("r", cost="1", timestamp_us=at_us)

    assert isinstance(refused, InvalidInput)
    assert refused.fields[0].field == "timestamp"


def test_an_unknown_budget_is_refused_for_facts_too() -> None:
    assert purse().record("r", {"budget": "nowhere"}, cost="1").code == "budget_not_found"


def test_a_policy_that_is_gone_is_not_told_of() -> None:
    world = purse()
    world.allocate("a", cost_nano=usd("0.5"))
    state = world.state()
    state.policies.by_no.clear()

    answer = execute(state, settlement("a", "0.7")).answer
    assert isinstance(answer, Ended)
    assert answer.policies == ()


def test_negative_credit_may_not_come_this_far() -> None:
    with pytest.raises(AssertionError):
        execute(purse().state(), GiveCredit("g", LOCAL, "{}", "purse", amounts=Amounts(-1)))


# --- new policies ---


def test_a_policy_takes_over_what_was_made_in_its_window() -> None:
    world = World("2026-03-02T23:00Z")
    world.allocate("yesterday", {"team": "a"}, cost_nano=5, lifetime_us=9 * HOUR_US)
    world.now_us += 2 * HOUR_US
    world.allocate("ended", {"team": "a"}, cost_nano=7)
    world.release("ended")
    world.allocate("other", {"team": "b"}, cost_nano=11)
    world.allocate("kinds", {"team": "a"}, cost_nano=13, input_tokens=10, max_output_tokens=5)
    world.record("r", of="kinds", input=4, output=2)
    world.policy("day", "1usd/day", scope={"team": "a"}, tokens_counted=("output",))
    world.policy("week", "1usd/week", scope={"team": "a"})

    assert world.held("day") == Amounts(tokens=3, cost_nano=0)
    assert world.held("week").tokens == 9
    assert world.spent("day") == Amounts(2, 13, 1)
    world.check()


def test_the_next_version_starts_from_what_there_was() -> None:
    world = purse("5usd/day")
    world.allocate("a", {"user": "u"}, cost_nano=usd("1"))
    world.record("r", {"user": "u"}, cost="0.5")
    world.replace_policy("purse", "2usd/month", per=("user",))
    balance = world.balance("purse", "u")

    assert balance.policy_no == 2
    assert (balance.spent.cost_nano, balance.held.cost_nano) == (usd("0.5"), usd("1"))
    world.settle("a", cost="1")
    assert world.spent("purse", "u").cost_nano == usd("1.5")
    world.check()


# --- retries ---


@pytest.mark.parametrize(
    ("first", "second", "fields"),
    [
        ("{}", "{}", []),
        ("", "{}", []),
        ('{"a": 1, "b": {"c": [1]}}', '{"a": 1, "b": {"c": [2]}, "d": null}', ["b.c"]),
        ('{"cost": 0.10000000000000000001}', '{"cost": 0.1}', ["cost"]),
        ("[1]", "[2]", ["content"]),
    ],
)
def test_what_differs_is_named(first, second, fields) -> None:
    assert differing_fields(first, second) == fields


def test_extending_again_under_one_id_moves_nothing() -> None:
    world = purse()
    world.allocate("a", cost_nano=1)
    first = world.extend("a", HOUR_US, command_id="e")
    world.now_us += MINUTE_US

    assert world.extend("a", HOUR_US, command_id="e") == first
    assert world.extend("a", 2 * HOUR_US, command_id="e").code == "id_reused"


def test_an_allocation_ends_at_its_last_moment_and_not_before() -> None:
    world = World()
    world.policy("p", "1usd/day")
    world.allocate("a", cost_nano=usd("1"), lifetime_us=MINUTE_US)

    world.now_us += MINUTE_US - 1
    world.expire()
    assert world.held("p").cost_nano == usd("1")
    assert isinstance(world.allocate("b", cost_nano=usd("1")), Denial)
    world.now_us += 1
    assert isinstance(world.allocate("b", cost_nano=usd("1")), Grant)
