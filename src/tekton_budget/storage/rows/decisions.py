"""Counted decisions as rows: who was refused, how often, and the first of each minute in full."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select, tuple_

from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader, whole

SLICE_US = 6 * 3600 * 1_000_000  # of the minutes that one snapshot sums

_d = tables.decisions.c
_s = tables.decision_samples.c


class Counted(NamedTuple):
    """One policy's, group's and decision's count over an interval."""

    policy_id: str
    group: str
    decision: str
    number: int


class Sample(NamedTuple):
    """One decision in full."""

    no: int
    at_us: int
    policy_id: str
    group: str
    decision: str
    content: dict[str, Any]  # Any: JSON as it was written


class DecisionRows:
    """The tables of decisions, read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def counted(self, *, from_us: int, to_us: int, decisions: Sequence[str] = ()) -> list[Counted]:
        """Counts of all minutes that begin in the interval."""
        sums: dict[tuple[str, str, str], int] = {}
        start = self._first_minute(from_us)
        while start is not None and start < to_us:
            end = min(to_us, start + SLICE_US)
            query = select(_d.policy_id, _d.grp, _d.decision, whole(_d["count"])).where(
                _d.minute_us >= start, _d.minute_us < end
            )
            if decisions:
                query = query.where(_d.decision.in_(decisions))
            for row in self._reader.rows(query.group_by(_d.policy_id, _d.grp, _d.decision)):
                key = (row[0], row[1], row[2])
                sums[key] = sums.get(key, 0) + row[3]
            start = self._first_minute(end)
        return [Counted(*key, count) for key, count in sums.items()]

    def samples(
        self,
        *,
        from_us: int,
        to_us: int,
        decisions: Sequence[str] = (),
        policy_id: str | None = None,
        limit: int,
        after: tuple[int, int] | None = None,
    ) -> list[Sample]:
        """Decisions told in full, newest first."""
        query = select(_s.no, _s.at_us, _s.policy_id, _s.grp, _s.decision, _s.sample)
        query = query.where(_s.at_us >= from_us, _s.at_us < to_us)
        if decisions:
            query = query.where(_s.decision.in_(decisions))
        if policy_id is not None:
            query = query.where(_s.policy_id == policy_id)
        if after is not None:
            query = query.where(tuple_(_s.at_us, _s.no) < tuple_(*after))
        query = query.order_by(_s.at_us.desc(), _s.no.desc()).limit(limit)
        return [
            Sample(row[0], row[1], row[2], row[3], row[4], msgspec.json.decode(row[5]))
            for row in self._reader.rows(query)
        ]

    def last_minutes(self, policy_ids: Sequence[str]) -> dict[str, int]:
        """The minute of the last decision counted of each policy, within the last slice of them."""
        last = self._reader.rows(select(func.max(_d.minute_us)))[0][0]
        if last is None or not policy_ids:
            return {}
        query = (
            select(_d.policy_id, func.max(_d.minute_us))
            .where(_d.minute_us >= last - SLICE_US, _d.policy_id.in_(sorted(set(policy_ids))))
            .group_by(_d.policy_id)
        )
        return {row[0]: row[1] for row in self._reader.rows(query)}

    def _first_minute(self, from_us: int) -> int | None:
        query = select(func.min(_d.minute_us)).where(_d.minute_us >= from_us)
        found = self._reader.rows(query)[0][0]
        return None if found is None else int(found)
