"""Balances as rows: by id, and a policy's groups in the order of their share or name."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Select, func, or_, select, tuple_

from tekton_budget.domain.balance import Balance, balance_id, opened_balance, parts_of
from tekton_budget.domain.policy import GroupLimits, Policy
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.storage import tables
from tekton_budget.storage.packing import BALANCE_COLUMNS, balance_from_row
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.statements import names

IDS_MAX = 500  # of one statement

_b = tables.balances.c
_e = tables.exceptions.c
_COLUMNS = [tables.balances.c[name] for name in names(BALANCE_COLUMNS)]
_AFTER_DIGITS = ";"  # the character behind ":" in the order of ids


class Shared(NamedTuple):
    """A group's balance with the share it is listed by."""

    balance: Balance
    share_permille: int


class BalanceRows:
    """The table of balances, read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def stored(self, ids: Iterable[str]) -> dict[str, Balance]:
        """Those that are there."""
        wanted = sorted(set(ids))
        found: dict[str, Balance] = {}
        for start in range(0, len(wanted), IDS_MAX):
            page = wanted[start : start + IDS_MAX]
            for row in self._reader.rows(select(*_COLUMNS).where(_b.id.in_(page))):
                found[row[0]] = balance_from_row(row)
        return found

    def standing(self, policies: PolicySet, ids: Sequence[str]) -> dict[str, Balance]:
        """All of these; what was never touched stands as it would open: empty, with its carry."""
        found = {id_: b for id_, b in self.stored(ids).items() if b.opened}
        missing = [id_ for id_ in ids if id_ not in found]
        exceptions = self._exceptions(policies, missing)
        for id_ in missing:
            policy_no, opens_us, group = parts_of(id_)
            policy = policies.by_no[policy_no]
            last = self._last(policies, policy, group, opens_us) if policy.rollover else None
            found[id_] = opened_balance(
                policy,
                group,
                opens_us=opens_us,
                closes_us=policy.schedule.window_at(opens_us).closes_us,
                last=last,
                exception=exceptions.get((policy.policy_id, group)),
            )
        return found

    def by_share(
        self, policy_no: int, opens_us: int, *, limit: int, after: tuple[int, str] | None = None
    ) -> list[Shared]:
        """A window's groups, those that used most of their allowance first."""
        query = select(*_COLUMNS, _b.share_permille).where(
            _b.policy_no == policy_no, _b.opens_us == opens_us, _b.share_permille.is_not(None)
        )
        if after is not None:
            share, group = after
            query = query.where(
                _b.share_permille <= share,
                or_(_b.share_permille < share, _b.grp > group),
            )
        query = query.order_by(_b.share_permille.desc(), _b.grp).limit(limit)
        return [Shared(balance_from_row(row), row[-1]) for row in self._reader.rows(query)]

    def by_group(
        self, policy_no: int, opens_us: int, *, limit: int, after: str | None = None
    ) -> list[Balance]:
        """A window's balances by group, the shared one first."""
        first = balance_id(policy_no, opens_us, "")
        query = select(*_COLUMNS).where(_b.id < f"{policy_no}:{opens_us}{_AFTER_DIGITS}")
        query = query.where(_b.id >= first if after is None else _b.id > first + after)
        return self._opened(query.order_by(_b.id), limit)

    def history(
        self, policy_no: int, *, limit: int, group: str | None = None, after: str | None = None
    ) -> list[Balance]:
        """A version's balances of all windows, the newest first; `after` is a balance's id."""
        if group is not None:
            query = select(*_COLUMNS).where(_b.policy_no == policy_no, _b.grp == group)
            if after is not None:
                query = query.where(_b.opens_us < parts_of(after)[1])
            return self._opened(query.order_by(_b.opens_us.desc()), limit)
        low, high = f"{policy_no}:", f"{policy_no}{_AFTER_DIGITS}"
        query = select(*_COLUMNS).where(_b.id > low, _b.id < (high if after is None else after))
        return self._opened(query.order_by(_b.id.desc()), limit)

    def group_count(self, policy_no: int, opens_us: int) -> int:
        """How many groups a window has."""
        c = tables.group_counts.c
        query = select(c.groups).where(c.policy_no == policy_no, c.opens_us == opens_us)
        rows = self._reader.rows(query)
        return int(rows[0][0]) if rows else 0

    def last_judged(self, policy_ids: Iterable[str]) -> dict[str, int]:
        """When each policy last took part in a decision."""
        use = tables.policy_use.c
        query = (
            select(use.policy_id, func.max(use.last_judged_us))
            .where(use.policy_id.in_(sorted(set(policy_ids))))
            .group_by(use.policy_id)
        )
        return {row[0]: int(row[1]) for row in self._reader.rows(query)}

    def _opened(self, query: Select[tuple[object, ...]], limit: int) -> list[Balance]:
        rows = self._reader.rows(query.where(_b.opened == 1).limit(limit))
        return [balance_from_row(row) for row in rows]

    def _last(
        self, policies: PolicySet, policy: Policy, group: str, opens_us: int
    ) -> Balance | None:
        """The latest earlier one, or the latest of a version that this one goes on from."""
        version: Policy | None = policy
        before_us = opens_us
        while version is not None:
            query = (
                select(*_COLUMNS)
                .where(
                    _b.policy_no == version.no,
                    _b.grp == group,
                    _b.opens_us < before_us,
                    _b.opened == 1,
                )
                .order_by(_b.opens_us.desc())
                .limit(1)
            )
            rows = self._reader.rows(query)
            if rows:
                return balance_from_row(rows[0])
            version, before_us = policies.goes_on_from(version), opens_us + 1
        return None

    def _exceptions(
        self, policies: PolicySet, ids: Sequence[str]
    ) -> dict[tuple[str, str], GroupLimits]:
        keys = set()
        for id_ in ids:
            policy_no, _, group = parts_of(id_)
            keys.add((policies.by_no[policy_no].policy_id, group))
        if not keys:
            return {}
        found = {}
        wanted = tuple_(_e.policy_id, _e.grp).in_(sorted(keys))
        for row in self._reader.rows(select(_e.policy_id, _e.grp, _e.limits).where(wanted)):
            found[row[0], row[1]] = msgspec.json.decode(row[2], type=GroupLimits)
        return found
