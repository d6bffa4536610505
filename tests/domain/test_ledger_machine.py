"""Everything at once: the ledger driven at random, against a recount of all that happened."""

from collections import Counter
from dataclasses import replace
from functools import partial

from hypothesis import event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.domain.recount import (
    Call,
    Given,
    Recount,
    Use,
    applies,
    group_in,
    minus,
    opening,
    plus,
    smaller,
    tokens_in,
)
from tests.domain.world import DAY_US, HOUR_US, MINUTE_US, SECOND_US, World, us

from tekton_budget.domain.allocation import AllocationStatus, OnExpiry
from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.answer import Credited, Denial, Ended, Grant, Recorded
from tekton_budget.domain.balance import Balance
from tekton_budget.domain.command import Fit, Landing
from tekton_budget.domain.decide import passes
from tekton_budget.domain.policy import Enforcement, GroupLimits, Policy
from tekton_budget.domain.usage import CostSource, Response

CENT = 10_000_000
cents = st.integers(0, 80).map(lambda n: n * CENT)
few_cents = st.integers(1, 15).map(lambda n: n * CENT)
few_tokens = st.integers(1, 15)
tokens = st.integers(0, 60)
users = st.sampled_from([None, "alice", "bob"])
teams = st.sampled_from([None, "a", "b"])
leaps = st.one_of(
    st.integers(1, 90).map(lambda n: n * SECOND_US),
    st.integers(1, 90).map(lambda n: n * MINUTE_US),
    st.integers(1, 30).map(lambda n: n * HOUR_US),
    st.integers(1, 3).map(lambda n: n * DAY_US),
)
choices = st.integers(0, 10**6)

CLOCK_CHANGES = {  # a start, and when the clocks of Berlin change after it
    "2026-03-27T10:00Z": "2026-03-29T01:00Z",
    "2026-03-28T21:00Z": "2026-03-29T01:00Z",
    "2026-10-24T20:00Z": "2026-10-25T01:00Z",
}

# What has to come about in a run of the machine, each in a good part of its examples.
REACHED = (
    "granted",
    "denied",
    "clamped",
    "landing",
    "settled",
    "settled by a response",
    "charged for a response that cannot be read",
    "a response that cannot be read, after the end",
    "released",
    "extended",
    "grown",
    "grown by what fits",
    "growth denied",
    "grown after usage",
    "expired and freed",
    "expired and charged",
    "usage of an active call",
    "usage after settling",
    "usage after expiry",
    "a charge reversed by measured usage",
    "overrun",
    "unheld",
    "backfill",
    "adopted",
    "bypassed",
    "carried over",
    "a clock changed with calls on both sides",
    "credit that ended",
    "an exception that judged",
    "a limit lowered below what is used",
    "asked again",
    "a child granted",
    "a child of a child granted",
    "a child clamped",
    "a child grown",
    "a child denied by its parent",
    "a child in policies of its own",
    "a parent that does not end before its children",
    "ended with all below",
    "drawn from those above",
)
reached: Counter[str] = Counter()
USAGE_OF = {
    AllocationStatus.ACTIVE: "usage of an active call",
    AllocationStatus.SETTLED: "usage after settling",
    AllocationStatus.EXPIRED: "usage after expiry",
}
REASONS = {"overrun", "unheld", "backfill", "adopted", "bypassed"}

ROUNDS_MAX = 6


class Ledger(RuleBasedStateMachine):
    """Two weeks around a change of clocks, in a few zones, with all kinds of policies."""

    @initialize(
        start=st.sampled_from(list(CLOCK_CHANGES)),
        calls=st.lists(st.tuples(users, teams, few_tokens, few_cents, st.booleans()), max_size=3),
    )
    def open(self, start: str, calls: list[tuple]) -> None:
        self.clock_changes_us = us(CLOCK_CHANGES[start])
        self.world = World(start)
        self.recount = Recount({})
        self.numbers = 0
        self.lowered: dict[str, Amounts] = {}
        self.allowed: dict[str, Limits] = {}
        self.add(
            "day",
            "2usd+400tokens/day",
            zone="Europe/Berlin",
            rollover=True,
            rollover_cap=Limits(None, 3 * 10**9, None),
        )
        self.add("each", "1usd/hour", zone="Asia/Kathmandu", per=("user",), rollover=True)
        self.add("pace", "1.50usd/3h", bypass_priority=8, landing_ppm=300_000)
        self.add(
            "out",
            "40tokens/week",
            scope={"team": "a"},
            tokens_counted=("output",),
            bypass_priority=8,
        )
        self.add(
            "calls", "6requests/day", zone="America/New_York", enforcement=Enforcement.SOFT_LIMIT
        )
        self.add("seen", "1usd/month", enforcement=Enforcement.IGNORE)
        # Rules are left out of examples at random; calls to end, settle and extend are in most.
        for user, team, made, cost, charge in calls:
            self.ask(user, team, 0, made, cost, 1, 30, charge, clamp=False, priority=5)

    def reach(self, what: str) -> None:
        assert what in REACHED, what
        event(what)
        reached[what] += 1

    # --- what people do ---

    def add(self, name: str, limit: str, **fields: object) -> None:
        policy = self.world.policy(name, limit, thresholds_ppm=(500_000, 900_000), **fields)
        self.take_over(policy)

    def take_over(self, policy: Policy) -> None:
        """What the policy finds: all usage of its window, and the calls open in it."""
        name, now_us, recount = policy.policy_id, self.world.now_us, self.recount
        recount.policies[name] = policy
        opens_us = opening(policy, now_us)
        rolling = policy.is_rolling
        for id_ in sorted(recount.calls, key=recount.depth):
            call = recount.calls[id_]
            current = rolling or call.made_us >= opens_us
            above = call.parent is not None and name in recount.calls[call.parent].policies
            if call.active and (above or (current and applies(policy, call.labels))):
                call.policies.add(name)
                if above:
                    call.parts.add(name)
                if call.accounts is not None:
                    call.accounts[name] = recount.rest(id_)
        for use in recount.uses:
            if applies(policy, use.labels) and (rolling or use.placed_us >= opens_us):
                use.counts[name] = self.counted(policy, use)
        self.see_openings()

    def counted(self, policy: Policy, use: Use) -> tuple[int, int, int]:
        return (tokens_in(policy, use.raw_tokens), use.raw_cost, use.raw_requests)

    @precondition(lambda self: "late" not in self.recount.policies)
    @rule(rolling=st.booleans())
    def begin_a_policy(self, rolling: bool) -> None:
        if rolling:
            self.add("late", "1.20usd/6h", per=("user",))
        else:
            self.add("late", "1.20usd+500tokens/week", per=("team",), zone="Pacific/Auckland")

    @rule(name=st.sampled_from(["day", "each", "pace", "out"]), factor=st.integers(0, 4))
    def change_a_limit(self, name: str, factor: int) -> None:
        limits = Limits(
            *(None if u is None else u * factor // 2 for u in self.recount.policies[name].limits)
        )
        if factor == 0:
            limits = Limits(10, 10**9, None)
        policy = self.world.change(name, limits=limits)
        self.recount.policies[name] = policy

    @rule(user=st.sampled_from(["alice", "bob", ""]), cost=cents, kind=st.integers(0, 3))
    def make_an_exception(self, user: str, cost: int, kind: int) -> None:
        limits = [
            GroupLimits(cost_nano=cost),
            GroupLimits(unlimited=True),
            GroupLimits(tokens=50),
            None,
        ][kind]
        self.world.exception("each", user, limits)
        if limits is None:
            self.recount.exceptions.pop(("each", user), None)
        else:
            self.recount.exceptions["each", user] = limits
        self.see_openings()

    @rule(
        name=st.sampled_from(["day", "pace", "out", "each"]),
        amount=st.integers(1, 100),
        hours=st.one_of(st.none(), st.integers(1, 5)),
    )
    def give_credit(self, name: str, amount: int, hours: int | None) -> None:
        unit = "tokens" if name == "out" else "usd"
        expires_us = None if hours is None else self.world.now_us + hours * HOUR_US
        group = "alice" if name == "each" else ""
        policy, now_us = self.recount.policies[name], self.world.now_us
        if not is_limited(self.recount.allowance(name, group, now_us), unit):
            return  # everything is allowed already
        answer = self.world.credit(name, f"{amount}{unit}", group=group, expires_us=expires_us)
        self.see_openings()

        assert isinstance(answer, Credited)
        given = (amount, 0, 0) if unit == "tokens" else (0, amount * 10**9, 0)
        ends_us = expires_us
        if ends_us is None and policy.is_rolling:
            ends_us = now_us + policy.schedule.length_us
        self.recount.credits.append(Given(name, group, opening(policy, now_us), given, ends_us))

    # --- what callers do ---

    @rule(
        user=users,
        team=teams,
        given=tokens,
        made=tokens,
        cost=cents,
        requests=st.integers(1, 2),
        minutes=st.integers(1, 300),
        charge=st.booleans(),
        clamp=st.booleans(),
        priority=st.sampled_from([5, 9]),
        landing=st.booleans(),
    )
    def ask(
        self,
        user,
        team,
        given,
        made,
        cost,
        requests,
        minutes,
        charge,
        clamp,
        priority,
        landing=False,
    ) -> None:
        self.may_land = landing
        labels = {k: v for k, v in (("user", user), ("team", team)) if v is not None}
        fields = {
            "input_tokens": given,
            "max_output_tokens": made,
            "cost_nano": cost,
            "requests": requests,
            "priority": priority,
            "fit": Fit.CLAMP if clamp else Fit.ALL,
            "lifetime_us": minutes * MINUTE_US,
            "landing": Landing.MAY if landing else Landing.NO,
        }
        self.order_of_labels_changes_nothing(labels, fields)
        id_ = self.new_id()
        on_expiry = OnExpiry.CHARGE if charge else OnExpiry.RELEASE
        answer = self.world.allocate(id_, labels, on_expiry=on_expiry, **fields)
        self.see_openings()
        self.see_expiries()
        concerned = [p for p in self.recount.policies.values() if applies(p, labels)]
        if isinstance(answer, Denial):
            assert any(
                self.is_passed(p, labels, self.sized(p, fields, made), priority) for p in concerned
            ), "nothing stands in its way"
            assert not clamp or self.least_is_passed(concerned, labels, fields)
            self.reach("denied")
            return
        assert isinstance(answer, Grant)
        out = answer.max_output_tokens
        if out != made:
            assert clamp
            assert 0 < out < made
            assert any(
                self.is_passed(p, labels, self.sized(p, fields, out + 1), priority)
                for p in concerned
            ), "one more would have fitted"
            self.reach("clamped")
        self.see_landing(answer, fields, out)
        for policy in concerned:
            asked = self.sized(policy, fields, out)
            assert not self.is_passed(policy, labels, asked, priority), f"beyond {policy.name}"
        self.recount.calls[id_] = Call(
            labels,
            self.world.now_us,
            {"input": given, "output": out},
            answer.granted.cost_nano,
            requests,
            {p.policy_id for p in concerned},
            charge,
            lands=landing,
        )
        self.reach("granted")
        made_us = [call.made_us for call in self.recount.calls.values()]
        if min(made_us) < self.clock_changes_us <= max(made_us):
            self.reach("a clock changed with calls on both sides")

    @rule(
        user=users,
        team=teams,
        made=few_tokens,
        cost=few_cents,
        used=few_cents,
        minutes=st.integers(1, 30),
        charge=st.booleans(),
        clamp=st.booleans(),
        priority=st.sampled_from([5, 9]),
        told=st.sampled_from(["in time", "after settling", "after expiry", "after expiry"]),
        begins=st.sampled_from([None, None, True, False]),
    )
    def a_call(
        self, user, team, made, cost, used, minutes, charge, clamp, priority, told, begins
    ) -> None:
        """A whole course: usage is told while the call is active, after its end, or too late."""
        if clamp:  # more than there may be, so that there is something to clamp
            made, cost = made * 4, cost * 40
        self.ask(user, team, 0, made, cost, 1, minutes, charge, clamp, priority)
        id_ = f"id{self.numbers}"
        if id_ not in self.recount.calls:
            return  # denied
        if told == "after settling":
            self.end(id_, 0, made, used, used=True)
        if told == "after expiry":
            self.world.now_us += minutes * MINUTE_US
            self.expire_what_is_due()
        self.told(id_, 0, made, used, estimated=False)
        if begins is not None and "late" not in self.recount.policies:
            self.begin_a_policy(begins)

    @precondition(lambda self: any(call.active for call in self.recount.calls.values()))
    @rule(
        which=choices,
        user=users,
        team=teams,
        made=tokens,
        cost=cents,
        share=st.booleans(),
        requests=st.integers(0, 1),
        charge=st.booleans(),
        clamp=st.booleans(),
        minutes=st.integers(1, 300),
        then=st.sampled_from(["nothing", "used", "used up", "a child", "grown"]),
    )
    def ask_for_a_part(
        self, which, user, team, made, cost, share, requests, charge, clamp, minutes, then
    ) -> None:
        active = [id_ for id_, call in self.recount.calls.items() if call.active]
        of = active[-1 - which % len(active)]
        if share:  # about half of what there is, so that much of it is granted
            made, cost, _ = (n // 2 for n in self.recount.rest(of))
        id_ = self.a_part(of, user, team, made, cost, requests, charge, clamp, minutes)
        if id_ is None:
            return
        if then == "a child":
            self.a_part(id_, user, team, made // 2, cost // 2, 0, charge, clamp, minutes)
        if then == "grown":
            self.grow(which=0, more=5, cost=cost // 2 // CENT * CENT, clamp=clamp, least=1)
        if then in ("used", "used up"):
            self.told(id_, 0, made, cost * (3 if then == "used up" else 1) // 2, estimated=False)

    @rule(
        user=users,
        team=st.sampled_from([None, "a", "a"]),
        made=few_tokens,
        cost=few_cents,
        used=few_cents,
        charge=st.booleans(),
        minutes=st.integers(1, 30),
        cascade=st.booleans(),
        greedy=st.booleans(),
        begins=st.sampled_from([None, None, True, False]),
    )
    def a_plan(
        self, user, team, made, cost, used, charge, minutes, cascade, greedy, begins
    ) -> None:
        """A whole course: what is held is shared out, used, and ended together."""
        self.ask(None, None, 0, 2 * made, 2 * cost, 3, minutes, charge, clamp=False, priority=9)
        plan = f"id{self.numbers}"
        if plan not in self.recount.calls:
            return  # denied
        if greedy:  # so that there is something to clamp
            made, cost = 3 * made, 3 * cost
        part = self.a_part(plan, user, team, made, cost, 1, charge, clamp=True, minutes=minutes)
        if begins is not None and "late" not in self.recount.policies:
            self.begin_a_policy(begins)
        if part is not None and not greedy:
            self.grow(which=0, more=made, cost=cost // 2, clamp=charge, least=1)
        if part is not None:
            self.told(part, 0, made, used, estimated=False)
        self.end(plan, 0, made, used, used=charge, cascade=cascade)

    def a_part(self, of, user, team, made, cost, requests, charge, clamp, minutes) -> str | None:
        recount, now_us = self.recount, self.world.now_us
        labels = {k: v for k, v in (("user", user), ("team", team)) if v is not None}
        inherited = recount.calls[of].labels
        labels = {**labels, **inherited}
        fields = {
            "input_tokens": 0,
            "max_output_tokens": made,
            "cost_nano": cost,
            "requests": requests,
            "priority": 5,
            "fit": Fit.CLAMP if clamp else Fit.ALL,
            "lifetime_us": minutes * MINUTE_US,
        }
        self.may_land, id_ = False, self.new_id()
        on_expiry = OnExpiry.CHARGE if charge else OnExpiry.RELEASE
        own = {k: v for k, v in labels.items() if k not in inherited}
        answer = self.world.allocate(id_, own, on_expiry=on_expiry, parent_id=of, **fields)
        self.see_openings()
        self.see_expiries()
        parent = recount.calls[of]
        if not isinstance(answer, Grant | Denial):
            over = not parent.active or self.world.allocations["", of].expires_us <= now_us
            assert answer.code == ("parent_ended" if over else "too_deep")
            return None
        parts = [recount.policies[name] for name in sorted(parent.policies)]
        others = [
            p
            for name, p in recount.policies.items()
            if name not in parent.policies and applies(p, labels)
        ]

        def stands_in_the_way(out: int) -> list[Policy]:
            sizes = {p.policy_id: self.sized(p, fields, out) for p in (*parts, *others)}
            found = [p for p in parts if self.is_more_than_free(of, p, sizes[p.policy_id])]
            found += [p for p in others if self.is_passed(p, labels, sizes[p.policy_id], 5)]
            return found

        if isinstance(answer, Denial):
            assert stands_in_the_way(min(1, made) if clamp else made), "nothing stands in its way"
            if answer.policies[0].allocation_id == of:
                self.reach("a child denied by its parent")
            return None
        out = answer.max_output_tokens
        assert not stands_in_the_way(out), "beyond its parent or a policy of its own"
        if out != made:
            assert clamp
            assert stands_in_the_way(out + 1), "one more would have fitted"
            self.reach("a child clamped")
        recount.keep_accounts(of)
        accounts = {}
        for policy in (*parts, *others):
            name, asked = policy.policy_id, tuple(self.sized(policy, fields, out))
            accounts[name] = asked
            if name in parent.policies:
                accounts[name] = smaller(asked, parent.accounts[name])
                parent.accounts[name] = minus(parent.accounts[name], accounts[name])
        recount.calls[id_] = Call(
            labels,
            now_us,
            {"input": 0, "output": out},
            answer.granted.cost_nano,
            requests,
            set(accounts),
            charge,
            parent=of,
            parts=set(parent.policies),
            accounts=accounts,
        )
        self.reach("a child granted" if parent.parent is None else "a child of a child granted")
        if others:
            self.reach("a child in policies of its own")
        return id_

    def is_more_than_free(self, of: str, policy: Policy, asked: Amounts) -> bool:
        """Whether a parent has not so much, in a unit that its policy limits."""
        if policy.enforcement is not Enforcement.HARD_LIMIT:
            return False
        name = policy.policy_id
        labels, made_us = self.recount.home(of, name)
        free = self.recount.left(of, name)
        at_us = self.world.now_us if policy.is_rolling else made_us
        balance = self.world.opened(policy, group_in(policy, labels), at_us)
        limits = balance.allowance_at(policy, self.world.now_us)
        return any(
            limit is not None and a > f for limit, a, f in zip(limits, asked, free, strict=True)
        )

    def sized(self, policy: Policy, fields: dict, out: int) -> Amounts:
        given, made = fields["input_tokens"], fields["max_output_tokens"]
        whole = given + made
        cost = fields["cost_nano"]
        if out != made and whole:
            cost = -(-cost * (given + out) // whole)
        tokens_ = tokens_in(policy, {"input": given, "output": out})
        return Amounts(tokens_, cost, fields["requests"])

    def least_is_passed(self, concerned: list[Policy], labels: dict, fields: dict) -> bool:
        least = min(1, fields["max_output_tokens"])
        return any(
            self.is_passed(p, labels, self.sized(p, fields, least), fields["priority"])
            for p in concerned
        )

    def is_passed(self, policy: Policy, labels: dict, asked: Amounts, priority: int) -> bool:
        """Whether a hard limit forbids it, by recount."""
        if policy.enforcement is not Enforcement.HARD_LIMIT:
            return False
        if policy.bypass_priority is not None and priority >= policy.bypass_priority:
            return False
        group, now_us = group_in(policy, labels), self.world.now_us
        name = policy.policy_id
        used = self.used_of(name, group)
        allowance = self.recount.allowance(name, group, now_us)
        if not self.may_land:
            allowance = allowance.minus(self.kept(policy, allowance))
        if (name, group) in self.recount.exceptions:
            self.reach("an exception that judged")
        return passes(allowance, Amounts(*used), asked)

    def used_of(self, name: str, group: str) -> tuple[int, int, int]:
        now_us = self.world.now_us
        return plus(
            self.recount.spent(name, group, now_us, now_us), self.recount.held(name, group, now_us)
        )

    @staticmethod
    def kept(policy: Policy, allowance: Limits) -> Amounts:
        return Amounts(*((limit or 0) * policy.landing_ppm // 10**6 for limit in allowance))

    def see_landing(self, answer: Grant, fields: dict, out: int) -> None:
        """Of the one limit that keeps a part: begun before, or begun by this call."""
        policy = self.recount.policies["pace"]
        allowance = self.recount.allowance("pace", "", self.world.now_us)
        used, asked = self.used_of("pace", ""), self.sized(policy, fields, out)
        landing = any(
            part and (before >= limit - part or before + more > limit - part)
            for limit, part, before, more in zip(
                allowance, self.kept(policy, allowance), used, asked, strict=True
            )
        )
        assert answer.landing == landing
        if landing:
            self.reach("landing")

    def order_of_labels_changes_nothing(self, labels: dict, fields: dict) -> None:
        one = self.world.allocate("dry", labels, dry_run=True, **fields)
        self.see_openings()
        other = self.world.allocate("dry", dict(reversed(labels.items())), dry_run=True, **fields)

        assert one == other

    @precondition(lambda self: self.recount.calls)
    @rule(which=choices, given=tokens, made=tokens, cost=cents, estimated=st.booleans())
    def record_usage_of_a_call(self, which, given, made, cost, estimated) -> None:
        self.told(self.chosen(which), given, made, cost, estimated)

    def told(self, id_: str, given: int, made: int, cost: int, estimated: bool) -> None:
        fields = self.used(given, made, cost)
        if estimated:
            fields["measurement"] = "estimated"
        status = self.world.allocations["", id_].status
        if status in USAGE_OF:
            self.reach(USAGE_OF[status])
        record_id = self.new_id()
        answer = self.world.record(record_id, of=id_, **fields)

        assert isinstance(answer, Recorded)
        self.see_use(id_, given, made, cost, estimated)

    @precondition(lambda self: self.recount.calls)
    @rule(
        which=choices,
        given=tokens,
        made=tokens,
        cost=cents,
        used=st.booleans(),
        cascade=st.booleans(),
    )
    def settle(self, which, given, made, cost, used, cascade) -> None:
        self.end(self.chosen(which), given, made, cost, used, cascade)

    def end(
        self, id_: str, given: int, made: int, cost: int, used: bool, cascade: bool = False
    ) -> None:
        allocation = self.world.allocations["", id_]
        fields = self.used(given, made, cost) if used else {}
        below, postings = self.recount.below(id_), len(self.world.journal)
        answer = self.world.settle(id_, cascade=cascade, **fields)
        if len(self.world.journal) == postings:
            assert not allocation.is_active or self.waits(below, answer)
            return
        assert cascade or not below
        for one in below:
            self.end_by_time(one)
        assert isinstance(answer, Ended)
        self.reach("settled")
        if used:
            self.see_use(id_, given, made, cost, estimated=False)
        if "response" in fields:
            self.reach("settled by a response")
        if below:
            self.reach("ended with all below")
        self.recount.close(id_)

    def waits(self, below: list[str], answer: object) -> bool:
        """Whether an end was refused for the sake of active children."""
        if getattr(answer, "code", "") != "children_active":
            return False
        assert below
        self.reach("a parent that does not end before its children")
        return True

    @staticmethod
    def used(given: int, made: int, cost: int) -> dict[str, object]:
        """A usage told by its amounts, or by a response that has them."""
        if (given + made) % 2:
            usage = {"prompt_tokens": given, "completion_tokens": made}
            return {"response": Response({"usage": usage}), "cost": cost / 10**9}
        return {"input": given, "output": made, "cost": cost / 10**9}

    @precondition(lambda self: self.recount.calls)
    @rule(which=choices, body=st.sampled_from([{}, {"usage": {"prompt_tokens": -1}}, []]))
    def settle_by_what_cannot_be_read(self, which, body) -> None:
        id_ = self.chosen(which)
        allocation, below = self.world.allocations["", id_], self.recount.below(id_)
        postings, rows = len(self.world.journal), len(self.world.usage)
        answer = self.world.settle(id_, response=Response(body))
        if allocation.is_active and self.waits(below, answer):
            return
        if not allocation.is_active:
            assert (postings, rows) == (len(self.world.journal), len(self.world.usage))
            self.reach("a response that cannot be read, after the end")
            return
        assert isinstance(answer, Ended)
        assert answer.usage_error is not None
        assert answer.cost_source == CostSource.ESTIMATED
        self.reach("charged for a response that cannot be read")
        self.charge(id_)
        self.recount.close(id_)

    @precondition(lambda self: self.recount.calls)
    @rule(which=choices, cascade=st.booleans())
    def release(self, which, cascade) -> None:
        id_ = self.chosen(which)
        below = self.recount.below(id_)
        answer = self.world.release(id_, cascade=cascade)
        if isinstance(answer, Ended):
            for one in (*below, id_):
                self.recount.close(one)
            self.reach("ended with all below" if below else "released")
        else:
            assert not below or cascade or self.waits(below, answer)

    @precondition(lambda self: self.recount.calls)
    @rule(which=choices, minutes=st.integers(1, 300))
    def extend(self, which, minutes) -> None:
        id_ = self.chosen(which)
        before = self.world.allocations["", id_].expires_us
        self.world.extend(id_, minutes * MINUTE_US)
        if self.world.allocations["", id_].expires_us > before:
            self.reach("extended")

    @precondition(lambda self: self.recount.calls)
    @rule(which=choices, more=tokens, cost=cents, clamp=st.booleans(), least=st.integers(1, 9))
    def grow(self, which, more, cost, clamp, least) -> None:
        """New totals of an active call, where every policy it holds on has room for them."""
        self.grown(self.chosen(which), more, cost, clamp, least)

    @rule(
        user=users,
        team=teams,
        made=few_tokens,
        cost=few_cents,
        used=few_cents,
        told=st.booleans(),
        clamp=st.booleans(),
        times=st.sampled_from([1, 40]),
    )
    def a_stream(self, user, team, made, cost, used, told, clamp, times) -> None:
        """A whole course: a first slice, perhaps a part of the usage, and more than the slice."""
        self.ask(user, team, 0, made, cost, 1, 60, False, clamp=False, priority=5)
        id_ = f"id{self.numbers}"
        if id_ not in self.recount.calls:
            return  # denied
        if told:
            self.told(id_, 0, made // 2, used, estimated=False)
        self.grown(id_, made * times, cost * times, clamp, 1)

    def grown(self, id_: str, more: int, cost: int, clamp: bool, least: int) -> None:
        call, before = self.recount.calls[id_], self.world.allocations["", id_]
        if not before.is_active:
            return
        made, whole = call.tokens["output"], (call.tokens["output"] + more, call.cost + cost)
        answer = self.world.extend(
            id_,
            max_output_tokens=whole[0],
            cost_nano=whole[1],
            fit=Fit.CLAMP if clamp else Fit.ALL,
            min_grant=least,
        )
        self.see_expiries()
        if isinstance(answer, Denial):
            after = self.world.allocations["", id_]  # what was past its time may have come back
            assert (after.granted, after.stated) == (before.granted, before.stated)
            assert self.growth_is_passed(id_, whole[0], whole)
            assert not clamp or self.growth_is_passed(id_, made + least, whole) or more < least
            self.reach("growth denied")
            return
        if not self.world.allocations["", id_].is_active:
            assert answer.code == "already_settled"
            return  # its own time was over, and it stood in its way
        assert isinstance(answer, Ended)
        out = answer.max_output_tokens
        assert not self.growth_is_passed(id_, out, whole), "beyond a limit"
        if out != whole[0]:
            assert clamp
            assert out >= made + least
            assert self.growth_is_passed(id_, out + 1, whole), "one more would have fitted"
            self.reach("grown by what fits")
        if more or cost:
            self.reach("grown")
            if before.usage_records:
                self.reach("grown after usage")
        tokens_, cost_ = self.grown_to(id_, out, whole)
        if call.accounts is not None:
            self.see_growth(id_, {n: self.growth(id_, n, tokens_, cost_) for n in call.policies})
        call.tokens, call.cost = tokens_, cost_
        assert self.world.allocations["", id_].granted == (
            sum(call.tokens.values()),
            call.cost,
            call.requests,
        )

    def growth(self, id_: str, name: str, tokens_: dict, cost: int) -> tuple[int, int, int]:
        """What a call's hold gains by other amounts, had it never been shared out."""
        call = self.recount.calls[id_]
        new = self.recount.left(id_, name, tokens_, cost)
        return minus(new, self.recount.left(id_, name, call.tokens, call.cost))

    def see_growth(self, id_: str, gains: dict[str, tuple[int, int, int]]) -> None:
        """A part grows out of its parent's hold, as far as that goes."""
        call = self.recount.calls[id_]
        for name, wanted in gains.items():
            gain = wanted
            if name in call.parts:
                above = self.recount.calls[call.parent].accounts
                gain = smaller(wanted, above[name])
                above[name] = minus(above[name], gain)
            call.accounts[name] = plus(call.accounts[name], gain)
        if call.parts and any(any(gain) for gain in gains.values()):
            self.reach("a child grown")

    def grown_to(self, id_: str, out: int, whole: tuple[int, int]) -> tuple[dict, int]:
        """What it then is granted: a stated cost shrinks with the tokens, and never below."""
        call = self.recount.calls[id_]
        given, cost = call.tokens["input"], whole[1]
        if out != whole[0] and given + whole[0]:
            cost = -(-cost * (given + out) // (given + whole[0]))
        return {"input": given, "output": out}, max(call.cost, cost)

    def growth_is_passed(self, id_: str, out: int, whole: tuple[int, int]) -> bool:
        """Whether a hard limit forbids it, by recount: only one that it takes something of."""
        call, now_us = self.recount.calls[id_], self.world.now_us
        tokens_, cost = self.grown_to(id_, out, whole)
        for name in call.policies:
            policy = self.recount.policies[name]
            gain = self.growth(id_, name, tokens_, cost)
            if not any(gain) or policy.enforcement is not Enforcement.HARD_LIMIT:
                continue
            if name in call.parts:
                if self.is_more_than_free(call.parent, policy, Amounts(*gain)):
                    return True
                continue
            priority = self.world.allocations["", id_].priority
            if policy.bypass_priority is not None and priority >= policy.bypass_priority:
                continue
            group = group_in(policy, call.labels)
            spent = self.recount.spent(name, group, call.made_us, now_us)
            held = self.recount.held(name, group, call.made_us)
            balance = self.world.opened(self.world.policy_set.current(name), group, call.made_us)
            allowance = balance.allowance_at(policy, now_us)
            if not call.lands:
                allowance = allowance.minus(self.kept(policy, allowance))
            if passes(allowance, Amounts(*plus(spent, held)), Amounts(*gain)):
                return True
        return False

    @rule(user=users, team=teams, given=tokens, cost=cents, ago=st.one_of(st.just(0), leaps))
    def record_a_fact(self, user, team, given, cost, ago) -> None:
        labels = {k: v for k, v in (("user", user), ("team", team)) if v is not None}
        now_us = self.world.now_us
        answer = self.world.record(
            self.new_id(), labels, input=given, cost=cost / 10**9, timestamp_us=now_us - ago
        )
        self.see_openings()

        assert isinstance(answer, Recorded)
        use = Use(
            labels,
            now_us - ago,
            now_us,
            {},
            raw_tokens={"input": given},
            raw_cost=cost,
            raw_requests=1,
        )
        for name, policy in self.recount.policies.items():
            if applies(policy, labels):
                use.counts[name] = self.counted(policy, use)
        self.recount.uses.append(use)

    # --- what time does ---

    @precondition(lambda self: self.ends_to_come())
    @rule()
    def let_a_credit_end(self) -> None:
        self.world.now_us = min(self.ends_to_come())

    def ends_to_come(self) -> list[int]:
        ends = [credit.ends_us for credit in self.recount.credits if credit.ends_us is not None]
        return [ends_us for ends_us in ends if ends_us > self.world.now_us]

    @rule(leap=leaps)
    def let_time_pass(self, leap: int) -> None:
        self.world.now_us += leap

    @rule()
    def expire_what_is_due(self) -> None:
        self.world.expire()
        self.see_expiries()

        left = [
            c
            for i, c in self.recount.calls.items()
            if c.active and self.world.allocations["", i].expires_us <= self.world.now_us
        ]
        assert left == []

    # --- and again ---

    @precondition(lambda self: self.world.done)
    @rule(which=choices)
    def ask_again(self, which: int) -> None:
        command, first = self.world.done[which % len(self.world.done)]
        if hasattr(command, "allocations"):
            self.expire_what_is_due()  # else it would end what has become due since
        journal, usage = len(self.world.journal), len(self.world.usage)
        balances = {key: balance.copy() for key, balance in self.world.balances.items()}
        again = self.world.run(command)
        if not hasattr(command, "allocations"):
            assert again == first
            other = self.world.run(replace(command, content='{"other": 1}'))
            assert getattr(other, "code", "") in ("id_reused", "already_settled")
            self.reach("asked again")
        assert (journal, usage) == (len(self.world.journal), len(self.world.usage))
        assert {k: self.world.balances[k] for k in balances} == balances
        self.see_openings()

    # --- what the recount sees of the world ---

    def new_id(self) -> str:
        self.numbers += 1
        return f"id{self.numbers}"

    def chosen(self, which: int) -> str:
        ids = list(self.recount.calls)
        return ids[-1 - which % len(ids)]

    def see_use(self, id_: str, given: int, made: int, cost: int, estimated: bool) -> None:
        call, uses, recount = self.recount.calls[id_], self.recount.uses, self.recount
        own, taken_back = dict[str, tuple[int, int, int]](), None
        for use in uses:
            if use.call == id_ and use.stands_in and not estimated:
                if call.charged or not call.policies:
                    own, call.charged, call.records = call.charged, {}, call.records - 1
                    taken_back = max((amounts[2] for amounts in own.values()), default=None)
                # A policy that began in between and found the charge holds nothing of this call.
                use.counts = {n: c for n, c in use.counts.items() if n not in call.policies}
                if use.raw_cost:
                    self.reach("a charge reversed by measured usage")
                use.raw_tokens, use.raw_cost, use.raw_requests = {}, 0, 0
        first = not any(use.raw_requests for use in uses if use.call == id_)
        use = Use(
            call.labels,
            call.made_us,
            self.world.now_us,
            {},
            id_,
            raw_tokens={"input": given, "output": made},
            raw_cost=cost,
            raw_requests=call.requests if first else 0,
        )
        if call.accounts is not None:
            use.raw_requests = recount.requests_of(id_) if not call.records else 0
            if taken_back is not None:
                use.raw_requests = taken_back
            call.records += 1
        for name in call.policies:
            use.counts[name] = self.counted(self.recount.policies[name], use)
            use.homes[name] = recount.home(id_, name)
            if call.accounts is not None and recount.take(
                id_, name, use.counts[name], own.get(name, (0, 0, 0))
            ):
                self.reach("drawn from those above")
        uses.append(use)

    def see_expiries(self) -> None:
        for id_ in sorted(self.recount.calls, key=lambda one: -self.recount.depth(one)):
            call, allocation = self.recount.calls[id_], self.world.allocations["", id_]
            if not call.active or allocation.status is not AllocationStatus.EXPIRED:
                continue
            assert allocation.expires_us <= self.world.now_us, "time was not over"
            self.end_by_time(id_)
            self.reach("expired and charged" if call.charges else "expired and freed")

    def end_by_time(self, id_: str) -> None:
        """As its `on_expiry` says."""
        if self.recount.calls[id_].charges:
            self.charge(id_)
        self.recount.close(id_)

    def charge(self, id_: str) -> None:
        """What is left of a call's hold becomes used, until the measured usage arrives."""
        call, total = self.recount.calls[id_], self.whole_left(id_)
        left = {name: self.recount.left(id_, name) for name in call.policies}
        if call.accounts is not None:
            total = self.recount.rest(id_)
            call.charged, call.records = dict(left), call.records + 1
            call.accounts = dict.fromkeys(call.accounts, (0, 0, 0))
        self.recount.uses.append(
            Use(
                call.labels,
                call.made_us,
                self.world.now_us,
                left,
                id_,
                stands_in=True,
                raw_tokens={"other": total[0]},
                raw_cost=total[1],
                raw_requests=total[2],
                homes={name: self.recount.home(id_, name) for name in call.policies},
            )
        )

    def whole_left(self, id_: str) -> tuple[int, int, int]:
        call = self.recount.calls[id_]
        rest = (sum(call.tokens.values()), call.cost, call.requests)
        for use in self.recount.uses:
            if use.call == id_:
                used = (sum(use.raw_tokens.values()), use.raw_cost, use.raw_requests)
                rest = tuple(r - u for r, u in zip(rest, used, strict=True))
        return tuple(max(0, r) for r in rest)

    def see_openings(self) -> None:
        """Windows touched for the first time: their carry is fixed now."""
        for balance in self.world.balances.values():
            name = self.name_of(balance)
            known = self.recount.carries.setdefault((name, balance.group), {})
            if balance.opens_us not in known:
                self.recount.touch(name, balance.group, balance.opens_us, self.world.now_us)
                if any(known[balance.opens_us]):
                    self.reach("carried over")

    def name_of(self, balance: Balance) -> str:
        return self.world.policies[balance.policy_no].policy_id

    # --- what must be so after each step ---

    @invariant()
    def balances_are_what_a_recount_comes_to(self) -> None:
        now_us = self.world.now_us
        for balance in self.world.balances.values():
            name, group, opens_us = self.name_of(balance), balance.group, balance.opens_us
            spent = self.recount.spent(name, group, opens_us, now_us)
            at_us = now_us if balance.length_us else opens_us
            held = self.recount.held(name, group, at_us)
            assert balance.spent_at(now_us) == spent, balance.id
            assert balance.held == held, balance.id
            assert balance.carry == self.recount.carries[name, group][opens_us], balance.id
            if opening(self.recount.policies[name], now_us) == opens_us:
                allowance = balance.allowance_at(self.world.policies[balance.policy_no], now_us)
                assert allowance == self.recount.allowance(name, group, now_us), balance.id

    @invariant()
    def balances_are_the_fold_of_the_journal(self) -> None:
        self.world.check()

    @invariant()
    def a_hard_limit_is_passed_only_by_what_gives_its_reason(self) -> None:
        reasoned: dict[str, Amounts] = {}
        for _, entry in self.world.journal:
            for posting in entry.postings:
                if posting.reason:
                    total = reasoned.get(posting.balance_id, Amounts())
                    reasoned[posting.balance_id] = total.plus(posting.spent).plus(posting.held)
        for key, balance in self.world.balances.items():
            policy = self.world.policies[balance.policy_no]
            allowance = balance.allowance_at(policy, self.world.now_us)
            if self.see_lowering(key, allowance):
                self.reach("a limit lowered below what is used")
            if policy.enforcement is Enforcement.HARD_LIMIT:
                excused = reasoned.get(key, Amounts()).plus(self.lowered[key])
                used = balance.used_at(self.world.now_us)
                for limit, u, e in zip(allowance, used, excused, strict=True):
                    assert limit is None or max(0, u - limit) <= e, key

    def see_lowering(self, key: str, allowance: Limits) -> bool:
        before = self.allowed.get(key, allowance)
        used = self.world.balances[key].used_at(self.world.now_us)
        lowered = [
            0 if now is None else max(0, (max(u, now) if was is None else was) - now)
            for was, now, u in zip(before, allowance, used, strict=True)
        ]
        self.lowered[key] = self.lowered.get(key, Amounts()).plus(Amounts(*lowered))
        self.allowed[key] = allowance
        return any(
            n and limit is not None and u > limit
            for n, limit, u in zip(lowered, allowance, used, strict=True)
        )

    def teardown(self) -> None:
        """What the example came to, for the count of what is reached."""
        if not hasattr(self, "recount"):
            return
        entries = (entry for _, entry in self.world.journal)
        reasons = {str(posting.reason) for entry in entries for posting in entry.postings}
        for reason in reasons & REASONS:
            self.reach(reason)
        if len(self.ends_to_come()) < sum(c.ends_us is not None for c in self.recount.credits):
            self.reach("credit that ended")


def is_limited(limits: Limits, unit: str) -> bool:
    return (limits.tokens if unit == "tokens" else limits.cost_nano) is not None


def test_whatever_happens_the_ledger_comes_to_a_recount_of_it() -> None:
    """And what can happen does: a rule that never comes to anything would prove nothing.

    What is rare need not come in the first round, but has to in a few more.
    """
    reached.clear()

    for number in range(ROUNDS_MAX):
        # Where the seed is the test's own, each round without a number would be the first again.
        machine = Ledger if number == 0 else seed(number)(partial(Ledger))
        run_state_machine_as_test(
            machine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
        )
        if all(reached[what] for what in REACHED):
            break

    assert [what for what in REACHED if not reached[what]] == []
