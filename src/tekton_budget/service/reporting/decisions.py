"""Decisions: who was refused, would have been or was cut short, counted, with the first in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.policy_set import PolicySet, group_label_names
from tekton_budget.domain.scope import group_labels
from tekton_budget.service.limiting.named import group_version, policy_named, sees_group
from tekton_budget.service.paging import Slice, cursor_place, cursor_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.decisions import Counted, DecisionRows, Sample

DENY, WOULD_DENY, CLAMP, UNBUDGETED = "deny", "would_deny", "clamp", "unbudgeted"
KINDS = (DENY, WOULD_DENY, CLAMP, UNBUDGETED)
BY_DEFAULT = ("policy", "group")
DAY_US = 24 * 3600 * 1_000_000
_OF_THE_ROW = ("policy", "group", "decision")


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """How often, for one combination of values (`None`: not known, or none)."""

    values: Mapping[str, str | None]
    count: int


@dataclass(frozen=True, slots=True)
class Decisions:
    """Counts, the most frequent first, and the samples of those minutes, the newest first."""

    from_us: int
    to_us: int
    by: tuple[str, ...]
    rows: tuple[DecisionRow, ...]
    total: int
    samples: tuple[Sample, ...]
    next: str | None  # of the samples


class DecisionReports:
    """What was counted of decisions."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = DecisionRows(reader)

    def decisions(
        self,
        caller: Caller,
        *,
        decision: Sequence[str] = (),
        from_us: int | None = None,
        to_us: int | None = None,
        by: Sequence[str] = BY_DEFAULT,
        policy: str | None = None,
        part: Slice | None = None,
    ) -> Decisions:
        """The last day's if no interval is named; rows beyond the limit are only counted."""
        part = part if part is not None else Slice()
        unknown = [one for one in decision if one not in KINDS]
        if unknown:
            raise invalid("decision", f"send some of {', '.join(KINDS)}")
        now_us, policies = self._reader.now_us(), self._reader.policies()
        end_us = now_us + 1 if to_us is None else to_us
        start_us = max(0, end_us - DAY_US) if from_us is None else from_us
        found = None if policy is None else policy_named(policies, caller, policy)
        counted = self._rows.counted(from_us=start_us, to_us=end_us, decisions=decision)
        names = tuple(dict.fromkeys(by))
        sums: dict[tuple[str | None, ...], int] = {}
        for one in counted:
            if found is not None and one.policy_id != found.policy_id:
                continue
            own = group_version(policies, one.policy_id, one.group)
            if not sees_group(policies, caller, own, one.group):
                continue
            key = tuple(_value(policies, own, one, name) for name in names)
            sums[key] = sums.get(key, 0) + one.number
        rows = sorted(sums.items(), key=lambda pair: (-pair[1], _sortable(pair[0])))
        samples, cursor = self._samples(
            caller, start_us, end_us, decision, None if found is None else found.policy_id, part
        )
        return Decisions(
            start_us,
            end_us,
            names,
            tuple(
                DecisionRow(dict(zip(names, key, strict=True)), count)
                for key, count in rows[: part.limit]
            ),
            sum(sums.values()),
            samples,
            cursor,
        )

    def _samples(
        self,
        caller: Caller,
        from_us: int,
        to_us: int,
        decision: Sequence[str],
        policy_id: str | None,
        part: Slice,
    ) -> tuple[tuple[Sample, ...], str | None]:
        """A key with labels sees those of its own calls, without the numbers in their detail."""
        after = cursor_place(part.after, tuple[int, int])
        seen: list[Sample] = []
        while len(seen) <= part.limit:
            page = self._rows.samples(
                from_us=from_us,
                to_us=to_us,
                decisions=decision,
                policy_id=policy_id,
                limit=part.limit + 1,
                after=after,
            )
            seen += [
                _seen_by(caller, one) for one in page if caller.sees(one.content.get("labels", {}))
            ]
            if len(page) <= part.limit:
                break
            after = (page[-1].at_us, page[-1].no)
        kept = seen[: part.limit]
        more = len(seen) > part.limit
        return tuple(kept), cursor_text((kept[-1].at_us, kept[-1].no)) if more else None


def _seen_by(caller: Caller, sample: Sample) -> Sample:
    """Who asked then may have seen more than who reads now: a detail has limits of others in it."""
    if not caller.labels:
        return sample
    return sample._replace(content={k: v for k, v in sample.content.items() if k != "detail"})


def _value(policies: PolicySet, policy: Policy | None, one: Counted, name: str) -> str | None:
    """What a count says of a label: the policy's name, its group, or what its scope asks for."""
    if name in _OF_THE_ROW:
        known = {"group": one.group or None, "decision": one.decision}
        known["policy"] = policy.name if policy is not None else None
        return known[name]
    if policy is None:
        return None
    names = group_label_names(policy)
    labels = group_labels(names, one.group) if names else {}
    asked = policies.scope_of(policy).to_json().get(name)
    return labels.get(name, asked if isinstance(asked, str) else None)


def _sortable(key: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(value or "" for value in key)
