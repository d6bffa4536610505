"""Alerts: listed and acknowledged, and looked for where balances stand above a threshold now."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tekton_budget.domain.alert import Alert, AlertType, Severity, message_of, title_of, type_of
from tekton_budget.domain.amounts import NOTHING
from tekton_budget.domain.balance import Balance, balance_id, parts_of
from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import AuditNote, LedgerSettings
from tekton_budget.domain.errors import Forbidden, NotFound, invalid
from tekton_budget.domain.event import Event
from tekton_budget.domain.ledger import State
from tekton_budget.domain.ledger.thresholds import standing_event, untold
from tekton_budget.domain.period import Period
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.service.limiting.named import budget_named, sees_group
from tekton_budget.service.paging import LIMIT_MAX, Page, Slice, cursor_place, cursor_text
from tekton_budget.storage.appending import write_audit, write_balances, write_events
from tekton_budget.storage.loading import open_balances
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.alerts import (
    AlertFilter,
    AlertRows,
    Stored,
    alerts_since,
    set_acknowledged,
    write_alerts,
)
from tekton_budget.storage.rows.balances import BalanceRows
from tekton_budget.storage.rows.outbox import Logged
from tekton_budget.storage.writer import Exclusively, Writer

EXAMINED_MAX = 10 * LIMIT_MAX  # alerts that are looked through for a page
GROUPS_MAX = 200  # of a policy, the fullest first, that a check looks at
TOGETHER_MAX = 100  # alerts that one transaction makes or acknowledges


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are asked for."""

    budget: str | None = None
    severity: str | None = None
    type: str | None = None
    acknowledged: bool | None = None


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert in words, its moments in the zone of its policy."""

    alert: Alert
    title: str
    message: str
    timezone: str
    closes_us: int | None


class Alerts:
    """What people are alerted of, as far as a key may see it."""

    def __init__(self, reader: Reader, writer: Writer, settings: LedgerSettings) -> None:
        self._reader = reader
        self._writer = writer
        self._settings = settings
        self._rows = AlertRows(reader)
        self._balances = BalanceRows(reader)

    def listed(
        self, caller: Caller, query: AlertQuery, part: Slice | None = None
    ) -> Page[AlertView]:
        """Newest first. Of very many that this key may not see, only so many are passed over."""
        part = part if part is not None else Slice()
        policies = self._reader.policies()
        wanted = self._wanted(policies, caller, query)
        after = cursor_place(part.after, int)
        found, place = self._walk(policies, caller, wanted, part.wanted, after)
        total = None if caller.labels else self._rows.count(wanted)
        last = part.last(found)
        page = part.cut(found, None if last is None else cursor_text(last.no), total)
        items = tuple(view_of(policies, one.alert) for one in page.items)
        next_ = page.next
        if next_ is None and place is not None and len(found) < part.wanted:
            next_ = cursor_text(place)
            total = None
        return Page(items, page.total if next_ is None else total, page.page, page.limit, next_)

    def one(self, caller: Caller, alert_id: str) -> AlertView:
        """By id."""
        policies = self._reader.policies()
        found = self._rows.by_id(alert_id)
        if found is None or not _sees(policies, caller, found):
            raise NotFound(
                f"There is no alert {alert_id!r} for this key: GET /api/v1/alerts lists them.",
                code="alert_not_found",
            )
        return view_of(policies, found)

    def of_event(self, caller: Caller, event: Logged) -> AlertView | None:
        """The alert that was written with an event of the log, if it is kept."""
        policies = self._reader.policies()
        balance = str(event.payload.get("balance_id"))
        for alert in self._rows.of((balance,), event.at_us).get(balance, ()):
            if alert.at_us == event.at_us and alert.facts == event.payload:
                return view_of(policies, alert) if _sees(policies, caller, alert) else None
        return None

    def acknowledge(self, caller: Caller, alert_id: str, *, verb: str = "acknowledge") -> AlertView:
        """Seen to, by whoever is first. Again it changes nothing."""
        _may_act(caller)
        view = self.one(caller, alert_id)
        if not view.alert.is_acknowledged:
            self._acknowledged(caller, [alert_id], verb)
        return self.one(caller, alert_id)

    def acknowledge_all(self, caller: Caller, query: AlertQuery) -> int:
        """All open ones that match and that this key may see; how many."""
        _may_act(caller)
        policies = self._reader.policies()
        wanted = self._wanted(policies, caller, replace(query, acknowledged=False))
        number, place, more = 0, None, True
        while more:
            found, place = self._walk(policies, caller, wanted, LIMIT_MAX, place)
            ids = [one.alert.alert_id for one in found]
            number += self._acknowledged(caller, ids, "acknowledge")
            if len(found) == LIMIT_MAX:
                place = found[-1].no
            more = place is not None
        return number

    def check(
        self, caller: Caller, budget: str | None = None, period: str | None = None
    ) -> tuple[AlertView, ...]:
        """The alerts of balances that stand above a threshold now, the newest first.

        Where one is missing, for a threshold was lowered or the balance is older than alerts are,
        it is made; none is made twice. Of a policy's groups the fullest are looked at.
        """
        _may_act(caller)
        if period is not None and period not in tuple(Period):
            raise invalid("period", f"send one of {', '.join(Period)}")
        policies, now_us = self._reader.policies(), self._reader.now_us()
        wanted = policies.counting
        if budget is not None:
            own = budget_named(policies, caller, budget)
            wanted = [policy for policy in wanted if policy.budget_id == own.budget_id]
        standing: dict[str, Event] = {}
        of_period = [p for p in wanted if period is None or p.schedule.period == period]
        for policy, balance in self._open(policies, of_period, now_us):
            event = self._standing(policy, balance, now_us)
            if event is not None and sees_group(policies, caller, policy, balance.group):
                standing[balance.id] = event
        known = self._known(policies, standing, now_us)
        missing = [id_ for id_, event in standing.items() if _of(event, known[id_]) is None]
        for start in range(0, len(missing), TOGETHER_MAX):
            chunk = missing[start : start + TOGETHER_MAX]
            self._writer.exclusively(partial(self._make, chunk)).result()
        known |= self._known(policies, missing, now_us)
        found = [_of(event, known[id_]) for id_, event in standing.items()]
        alerts = sorted((one for one in found if one is not None), key=lambda one: -one.at_us)
        return tuple(view_of(policies, one) for one in alerts)

    def _known(
        self, policies: PolicySet, ids: Iterable[str], now_us: int
    ) -> dict[str, Sequence[Alert]]:
        """The alerts of each balance that are of now."""
        since_us = {id_: _since_us(policies, id_, now_us) for id_ in ids}
        rolling = {id_: at_us for id_, at_us in since_us.items() if at_us}
        found = self._rows.of([id_ for id_ in since_us if id_ not in rolling], 0)
        found |= self._rows.of(rolling, min(rolling.values(), default=0))
        return {
            id_: [one for one in found.get(id_, ()) if one.at_us >= at_us]
            for id_, at_us in since_us.items()
        }

    def _walk(
        self,
        policies: PolicySet,
        caller: Caller,
        wanted: AlertFilter,
        number: int,
        place: int | None,
    ) -> tuple[list[Stored], int | None]:
        """So many that the key may see, and where to look on if it stopped before the end."""
        if not caller.labels:
            return self._rows.walk(wanted, limit=number, before=place), None
        found: list[Stored] = []
        for _ in range(EXAMINED_MAX // LIMIT_MAX):
            page = self._rows.walk(wanted, limit=LIMIT_MAX, before=place)
            found += [one for one in page if _sees(policies, caller, one.alert)]
            if len(page) < LIMIT_MAX:
                return found[:number], None
            place = page[-1].no
            if len(found) >= number:
                return found[:number], None
        return found, place

    def _wanted(self, policies: PolicySet, caller: Caller, query: AlertQuery) -> AlertFilter:
        if query.severity is not None and query.severity not in tuple(Severity):
            raise invalid("severity", f"send one of {', '.join(Severity)}")
        if query.type is not None and query.type not in tuple(AlertType):
            raise invalid("type", f"send one of {', '.join(AlertType)}")
        budget_id = None
        if query.budget is not None:
            budget_id = budget_named(policies, caller, query.budget).budget_id
        own = None
        if caller.labels:
            own = frozenset(
                policy.policy_id
                for policy in policies.by_no.values()
                if group_label_names(policy) or sees_group(policies, caller, policy, "")
            )
        return AlertFilter(budget_id, query.severity, query.type, query.acknowledged, own)

    def _acknowledged(self, caller: Caller, alert_ids: Sequence[str], verb: str) -> int:
        by = caller.name or "local"

        def run(chunk: Sequence[str], alone: Exclusively) -> int:
            done = set_acknowledged(alone.session, chunk, alone.now_us, by)
            notes = [AuditNote(verb, "alert", alert_id, "null", "null") for alert_id in done]
            rows = [(caller.key_id, caller.name, note) for note in notes]
            write_audit(alone.session, rows, alone.now_us)
            return len(done)

        number = 0
        for start in range(0, len(alert_ids), TOGETHER_MAX):
            chunk = alert_ids[start : start + TOGETHER_MAX]
            number += self._writer.exclusively(partial(run, chunk)).result()
        return number

    def _open(
        self, policies: PolicySet, wanted: Iterable[Policy], now_us: int
    ) -> Iterator[tuple[Policy, Balance]]:
        """The balances of open windows that were ever touched, of groups the fullest ones."""
        windows = [(policy, policies.window(policy, now_us).opens_us) for policy in wanted]
        stored = self._balances.stored(balance_id(one.no, at_us, "") for one, at_us in windows)
        for policy, opens_us in windows:
            shared = stored.get(balance_id(policy.no, opens_us, ""))
            if shared is not None:
                yield policy, shared
            if group_label_names(policy):
                groups = self._balances.by_share(policy.no, opens_us, limit=GROUPS_MAX)
                yield from ((policy, one.balance) for one in groups)

    def _standing(self, policy: Policy, balance: Balance, now_us: int) -> Event | None:
        if not balance.opened:
            return None
        return standing_event(policy, balance, now_us, shadow=self._settings.shadow)

    def _make(self, ids: Sequence[str], alone: Exclusively) -> None:
        """Tell what the ledger has not told yet, as it would with the next call."""
        session, now_us = alone.session, alone.now_us
        state = State(now_us, alone.cache.policies, alone.cache.book, self._settings)
        open_balances(session, state, ids)
        told, events = untold(state, ids)
        for id_, value in told:
            state.balances[id_].told = value
        if told:
            write_balances(session, state, {id_: (NOTHING, NOTHING) for id_, _ in told})
        write_events(session, events, now_us)
        for id_ in ids:
            policy = state.policies.by_no[parts_of(id_)[0]]
            event = self._standing(policy, state.balances[id_], now_us)
            since_us = _since_us(state.policies, id_, now_us)
            if event is not None and _of(event, alerts_since(session, id_, since_us)) is None:
                write_alerts(session, [event], now_us)


def view_of(policies: PolicySet, alert: Alert) -> AlertView:
    """An alert in words."""
    policy = policies.by_no.get(parts_of(alert.balance_id)[0])
    zone = "UTC" if policy is None else policy.schedule.zone
    closes_us = alert.facts["closes_us"]
    return AlertView(alert, title_of(alert), message_of(alert, zone), zone, closes_us)


def _sees(policies: PolicySet, caller: Caller, alert: Alert) -> bool:
    policy = policies.by_no.get(parts_of(alert.balance_id)[0])
    return sees_group(policies, caller, policy, alert.group)


def _since_us(policies: PolicySet, balance_id_: str, now_us: int) -> int:
    """From when on an alert of a balance is of now: a rolling one tells again and again."""
    policy = policies.by_no[parts_of(balance_id_)[0]]
    length_us = policy.schedule.length_us
    return 0 if length_us is None else now_us - length_us


def _of(event: Event, alerts: Iterable[Alert]) -> Alert | None:
    """The latest alert of the very threshold that a balance stands at."""
    own = [
        one
        for one in alerts
        if one.type is type_of(event)
        and one.facts["threshold_ppm"] == event.payload["threshold_ppm"]
    ]
    return max(own, key=lambda one: one.at_us, default=None)


def _may_act(caller: Caller) -> None:
    if caller.role is Role.VIEWER:
        raise Forbidden("A viewer key may only read; use another key.", code="role_needed")
