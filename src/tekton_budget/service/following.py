"""Following: the numbered events from a position on, as far as a key may see what they tell of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tekton_budget.domain.balance import parts_of
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import Conflict, invalid
from tekton_budget.domain.event import EventType
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.service.limiting.named import group_version, sees_group, sees_policy, sees_scope
from tekton_budget.service.paging import LIMIT_MAX
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.outbox import Called, Labels, Logged, OutboxRows

__all__ = ["Concerned", "Following", "Log", "Logged", "known_types"]

LIMIT_DEFAULT = 100
EXAMINED_MAX = 5 * LIMIT_MAX  # events that are looked through for one answer

_OF_A_BALANCE = frozenset({EventType.THRESHOLD_CROSSED, EventType.LIMIT_PASSED})
_TO_ALL = frozenset({EventType.PRICE_SET, EventType.PRICES_TAKEN})


@dataclass(frozen=True, slots=True)
class Log:
    """Some events, and where to go on: with `after=next`, whether or not there are more yet."""

    events: tuple[Logged, ...]
    next: int
    last: int  # the last position that was given to any event

    @property
    def more(self) -> bool:
        """Whether the log goes on beyond `next` already."""
        return self.next < self.last


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom some events concern: the labels of their calls, the policies as they stood."""

    policies: PolicySet
    allocations: Mapping[Called, Labels] = field(default_factory=dict)
    usage: Mapping[Called, Labels] = field(default_factory=dict)

    def seen_by(self, caller: Caller, event: Logged) -> bool:
        """Whether what an event tells of is this key's to see: another team's is not there."""
        if not caller.labels or event.type in _TO_ALL:
            return True
        kind = event.type.partition(".")[0]
        if event.type in _OF_A_BALANCE:
            return self._sees_balance(caller, event)
        if event.type == EventType.CREDIT_GIVEN:
            group = str(event.payload.get("group", ""))
            policy = group_version(self.policies, event.subject_id, group)
            return sees_group(self.policies, caller, policy, group)
        if kind == "allocation":
            return _sees_call(caller, event, self.allocations)
        if kind == "usage":
            return _sees_call(caller, event, self.usage)
        if kind == "budget":
            budget = self.policies.budgets.get(event.subject_id)
            return budget is not None and sees_scope(caller, budget.scope)
        versions = [p for p in self.policies.by_no.values() if p.policy_id == event.subject_id]
        return bool(versions) and all(sees_policy(self.policies, caller, p) for p in versions)

    def _sees_balance(self, caller: Caller, event: Logged) -> bool:
        policy_no, _, group = parts_of(event.payload["balance_id"])
        return sees_group(self.policies, caller, self.policies.by_no.get(policy_no), group)


class Following:
    """The log of events. Positions have no gaps, so whoever goes on from one misses nothing."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = OutboxRows(reader)

    def last_position(self) -> int:
        """The position of the last event."""
        return self._rows.last()

    def after(
        self,
        caller: Caller,
        position: int | None = None,
        *,
        limit: int = LIMIT_DEFAULT,
        types: Sequence[str] = (),
    ) -> Log:
        """Up to `limit` events after a position; without one, from the oldest that is kept.

        Refuses a position whose next event was pruned, and one that lies ahead of the log. Of very
        many that this key may not see, or of other types, only so many are passed over at once.
        """
        if not 1 <= limit <= LIMIT_MAX:
            raise invalid("limit", f"send 1 to {LIMIT_MAX}")
        wanted = known_types(types)
        found: list[Logged] = []
        place, last = position, 0
        for _ in range(EXAMINED_MAX // LIMIT_MAX):
            stretch, concerned, last = self.stretch(place, LIMIT_MAX, whole=not caller.labels)
            for event in stretch:
                if len(found) == limit:
                    break
                place = event.position
                if (not wanted or event.type in wanted) and concerned.seen_by(caller, event):
                    found.append(event)
            if len(found) == limit or len(stretch) < LIMIT_MAX:
                break
        return Log(tuple(found), last if place is None else place, last)

    def stretch(
        self, after: int | None, limit: int, *, whole: bool = False
    ) -> tuple[tuple[Logged, ...], Concerned, int]:
        """The next events whoever asks, whom they concern, and the last position of all.

        `whole`: only keys that see everything will look at them, so nobody's labels are read.
        """
        part = self._rows.read(after, limit)
        if after is not None:
            _refuse_unless_kept(after, part.oldest, part.last)
        return part.events, self._concerned(part.events, whole=whole), part.last

    def _concerned(self, events: Iterable[Logged], *, whole: bool) -> Concerned:
        policies = self._reader.policies()
        if whole:
            return Concerned(policies)
        ids: dict[str, list[str]] = {"allocation": [], "usage": []}
        for event in events:
            ids.get(event.type.partition(".")[0], []).append(event.subject_id)
        return Concerned(
            policies,
            self._rows.labels_of_allocations(ids["allocation"]),
            self._rows.labels_of_usage(ids["usage"]),
        )


def known_types(types: Sequence[str]) -> frozenset[str]:
    """The types that are asked for; refuses words that are none."""
    unknown = [one for one in types if one not in tuple(EventType)]
    if unknown:
        raise invalid("type", f"{unknown[0]!r} is no type of event: send {', '.join(EventType)}")
    return frozenset(types)


def _refuse_unless_kept(after: int, oldest: int, last: int) -> None:
    if after > last:
        raise invalid(
            "after",
            f"lies ahead of the last event, {last}: it is of another database, or of one that was "
            "restored. Read what you keep afresh and go on from there",
        )
    if after < oldest - 1:
        raise Conflict(
            f"Events {after + 1} to {oldest - 1} are no longer kept (BUDGET_OUTBOX_DAYS): read "
            f"balances, allocations and usage afresh, and go on with after={oldest - 1}.",
            code="events_pruned",
            next=oldest - 1,
        )


def _sees_call(caller: Caller, event: Logged, labels: Mapping[Called, Labels]) -> bool:
    """An event that does not know its key is shown to whom every call of that id belongs."""
    if event.key_id is not None:
        own = labels.get((event.key_id, event.subject_id))
        return own is not None and caller.sees(own)
    named = [one for called, one in labels.items() if called[1] == event.subject_id]
    return bool(named) and all(map(caller.sees, named))
