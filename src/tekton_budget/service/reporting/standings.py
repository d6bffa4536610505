"""Standings: where budgets and policies stand, and what concerns a call with given labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tekton_budget.domain.balance import Balance, balance_id, parts_of
from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import NotFound, invalid
from tekton_budget.domain.ledger import gives_tiers, with_tier
from tekton_budget.domain.ledger.standing import is_hidden
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.scope import SHARED_GROUP, Scope, checked_labels, group_labels, group_of
from tekton_budget.service.limiting.named import budget_named, policy_named, sees_policy
from tekton_budget.service.paging import Page, Slice, cursor_place, cursor_text
from tekton_budget.service.reporting.balance_views import BalanceView, binding, view_of
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.balances import BalanceRows
from tekton_budget.storage.rows.decisions import DecisionRows

NEAR_MAX = 10
BY_SHARE, BY_NAME = "share", "name"
CURRENT, ALL = "current", "all"
UNBUDGETED = "unbudgeted"
UNBUDGETED_DAYS = 30
COUNTED_POLICIES_MAX = 100
_DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Near:
    """A policy that would concern the call but for one label."""

    policy_id: str
    name: str
    label: str
    wanted: str | Sequence[str]
    given: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """What holds for a call with these labels, fullest first."""

    labels: Mapping[str, str]
    policies: tuple[BalanceView, ...]
    binds: BalanceView | None
    near: tuple[Near, ...]
    unbudgeted_calls: int | None  # of the last 30 days, where nothing concerns these labels


class _Place(NamedTuple):
    """Where a walk stopped: at which policy, and at which of its groups."""

    policy_no: int
    share_permille: int  # that the group is listed by; the shared one comes first, with -1
    group: str


class _Standing(NamedTuple):
    place: _Place
    policy: Policy
    balance: Balance


class Standings:
    """Where limits stand, as far as a key may see their numbers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = BalanceRows(reader)
        self._decisions = DecisionRows(reader)

    def of_policy(
        self,
        caller: Caller,
        policy: str,
        *,
        window: str = CURRENT,
        sort: str = BY_SHARE,
        group: str | None = None,
        part: Slice | None = None,
    ) -> Page[BalanceView]:
        """A policy's groups in the current window, by share or by name; or all windows it had."""
        part = part if part is not None else Slice()
        policies = self._reader.policies()
        found, group = self._visible(policies, caller, policy, group, ended=window == ALL)
        _one_of("window", window, (CURRENT, ALL))
        _one_of("sort", sort, (BY_SHARE, BY_NAME))
        if window == ALL:
            return self._history(policies, caller, found, group, part)
        if group is not None:
            group_labels(group_label_names(found), group)  # refuses what no call falls into
            opens_us = policies.window(found, self._reader.now_us()).opens_us
            id_ = balance_id(found.no, opens_us, group)
            balance = self._rows.standing(policies, [id_])[id_]
            return part.cut([self._view(policies, found, balance, caller)], None, 1)
        if sort == BY_NAME:
            return self._by_name(policies, caller, found, part)
        return self._by_share(policies, caller, [found], part)

    def of_budget(
        self, caller: Caller, budget: str, *, part: Slice | None = None
    ) -> Page[BalanceView]:
        """The current windows of all policies of a budget, each with its groups by share."""
        policies = self._reader.policies()
        found = budget_named(policies, caller, budget)
        own = [p for p in policies.counting_everywhere() if p.budget_id == found.budget_id]
        own.sort(key=lambda policy: policy.no)
        return self._by_share(policies, caller, own, part if part is not None else Slice())

    def status(self, caller: Caller, labels: Mapping[str, object] | None = None) -> Status:
        """All that concerns a call with these labels, or with those of the key itself."""
        given: dict[str, str] = checked_labels(labels or {})
        given |= {"key": caller.name} if caller.name else {}
        given |= caller.labels
        now_us, policies = self._reader.now_us(), self._reader.policies()
        if "model" in given:
            book = self._reader.book()
            if gives_tiers(policies, book):
                given = dict(with_tier(given, book, now_us))
        concerns = policies.concerns(given, "", now_us)
        balances = self._rows.standing(policies, [concern.balance_id for concern in concerns])
        views = [
            view_of(policies, c.policy, balances[c.balance_id], caller, now_us) for c in concerns
        ]
        views.sort(key=lambda view: (view.hidden, -(view.share_ppm or 0), view.name))
        return Status(
            given,
            tuple(views),
            binding(views),
            self._near(policies, caller, given, {c.policy.no for c in concerns}),
            None if concerns or caller.labels else self._unbudgeted(now_us),
        )

    def last_judged(self, policy_ids: Sequence[str]) -> dict[str, int]:
        """When each policy last took part in a decision, to the minute where it refused one."""
        found = self._rows.last_judged(policy_ids)
        for policy_id, at_us in self._decisions.last_minutes(policy_ids).items():
            found[policy_id] = max(at_us, found.get(policy_id, 0))
        return found

    def _view(
        self, policies: PolicySet, policy: Policy, balance: Balance, caller: Caller
    ) -> BalanceView:
        return view_of(policies, policy, balance, caller, self._reader.now_us())

    def _visible(
        self,
        policies: PolicySet,
        caller: Caller,
        named: str,
        group: str | None,
        *,
        ended: bool,
    ) -> tuple[Policy, str | None]:
        """The policy, and the group the key is bound to where the policy is not all its own."""
        found = _policy_named(policies, named, ended=ended)
        if found is None or sees_policy(policies, caller, found):
            return found or policy_named(policies, caller, named), group
        names = group_label_names(found)
        own = group_of(names, caller.labels) if names else None
        asked = own if group is None else group
        if asked is None or is_hidden(caller, found, asked, policies.scope_of(found)):
            return policy_named(policies, caller, named), group  # refuses: it is not the key's
        return found, asked

    # Lists --------------------------------------------------------------------------------------

    def _by_share(
        self, policies: PolicySet, caller: Caller, own: Sequence[Policy], part: Slice
    ) -> Page[BalanceView]:
        place = cursor_place(part.after, _Place)
        now_us = self._reader.now_us()
        found: list[_Standing] = []
        for one in self._walk(policies, own, place, part.wanted, now_us):
            found.append(one)
            if len(found) == part.wanted:
                break
        last = part.last(found)
        page = part.cut(found, None if last is None else cursor_text(last.place), None)
        views = tuple(
            view_of(policies, one.policy, one.balance, caller, now_us) for one in page.items
        )
        total = page.total
        if total is None:
            total = self._count(policies, own, now_us)
        return Page(views, total, page.page, page.limit, page.next)

    def _walk(
        self,
        policies: PolicySet,
        own: Sequence[Policy],
        place: _Place | None,
        limit: int,
        now_us: int,
    ) -> Iterator[_Standing]:
        for policy in own:
            if place is not None and policy.no < place.policy_no:
                continue
            opens_us = policies.window(policy, now_us).opens_us
            start = place if place is not None and place.policy_no == policy.no else None
            if start is None:
                shared = self._shared(policies, policy, opens_us)
                if shared is not None:
                    yield _Standing(_Place(policy.no, -1, ""), policy, shared)
            if group_label_names(policy):
                after = None
                if start is not None and start.share_permille >= 0:
                    after = (start.share_permille, start.group)
                rows = self._rows.by_share(policy.no, opens_us, limit=limit, after=after)
                for balance, share in rows:
                    yield _Standing(_Place(policy.no, share, balance.group), policy, balance)

    def _shared(self, policies: PolicySet, policy: Policy, opens_us: int) -> Balance | None:
        """The balance of all calls, or (of a policy with groups) of those without a group."""
        id_ = balance_id(policy.no, opens_us, SHARED_GROUP)
        if not group_label_names(policy):
            return self._rows.standing(policies, [id_])[id_]
        stored = self._rows.stored([id_]).get(id_)
        return stored if stored is not None and stored.opened else None

    def _count(self, policies: PolicySet, own: Sequence[Policy], now_us: int) -> int | None:
        if len(own) > COUNTED_POLICIES_MAX:
            return None
        total = 0
        for policy in own:
            opens_us = policies.window(policy, now_us).opens_us
            if group_label_names(policy):
                total += self._rows.group_count(policy.no, opens_us)
            total += self._shared(policies, policy, opens_us) is not None
        return total

    def _by_name(
        self, policies: PolicySet, caller: Caller, policy: Policy, part: Slice
    ) -> Page[BalanceView]:
        after = cursor_place(part.after, str)
        now_us = self._reader.now_us()
        opens_us = policies.window(policy, now_us).opens_us
        found = self._rows.by_group(policy.no, opens_us, limit=part.wanted, after=after)
        last = part.last(found)
        page = part.cut(found, None if last is None else cursor_text(last.group), None)
        views = tuple(view_of(policies, policy, one, caller, now_us) for one in page.items)
        total = page.total
        if total is None:
            total = self._count(policies, [policy], now_us)
        return Page(views, total, page.page, page.limit, page.next)

    def _history(
        self,
        policies: PolicySet,
        caller: Caller,
        policy: Policy,
        group: str | None,
        part: Slice,
    ) -> Page[BalanceView]:
        after = cursor_place(part.after, str)
        versions = [p for p in policies.by_no.values() if p.policy_id == policy.policy_id]
        found: list[Balance] = []
        for version in sorted(versions, key=lambda one: -one.no):
            start = after
            if after is not None:
                stopped_no = parts_of(after)[0]
                if version.no > stopped_no:
                    continue
                start = after if version.no == stopped_no else None
            limit = part.wanted - len(found)
            if limit > 0:
                found += self._rows.history(version.no, limit=limit, group=group, after=start)
        last = part.last(found)
        page = part.cut(found, None if last is None else cursor_text(last.id), None)
        views = tuple(
            self._view(policies, policies.by_no[one.policy_no], one, caller) for one in page.items
        )
        return Page(views, page.total, page.page, page.limit, page.next)

    # Status -------------------------------------------------------------------------------------

    def _near(
        self, policies: PolicySet, caller: Caller, labels: Mapping[str, str], known: set[int]
    ) -> tuple[Near, ...]:
        """What one other label would bring in; another team's policies are not told of."""
        found: list[Near] = []
        for policy in policies.counting:
            if policy.no in known:
                continue
            scope = policies.scope_of(policy)
            missed = scope.misses(labels)
            if len(missed) != 1 or missed[0] in caller.labels:
                continue
            label = missed[0]
            wanted = _wanted(scope, label)
            found.append(Near(policy.policy_id, policy.name, label, wanted, labels.get(label)))
        found.sort(key=lambda near: (near.given is None, near.name))
        return tuple(found[:NEAR_MAX])

    def _unbudgeted(self, now_us: int) -> int:
        from_us = max(0, now_us - UNBUDGETED_DAYS * _DAY_US)
        counted = self._decisions.counted(
            from_us=from_us, to_us=now_us + 1, decisions=(UNBUDGETED,)
        )
        return sum(one.number for one in counted)


def _wanted(scope: Scope, label: str) -> str | list[str]:
    return scope.to_json()[label]


def _policy_named(policies: PolicySet, named: str, *, ended: bool) -> Policy | None:
    """By id or name, in force; with `ended` also the last version of one that is no more."""
    try:
        return policy_named(policies, LOCAL, named)
    except NotFound:
        versions = [p for p in policies.by_no.values() if named in (p.policy_id, p.name)]
        return max(versions, key=lambda p: p.no, default=None) if ended else None


def _one_of(field: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise invalid(field, f"send {' or '.join(known)}")
