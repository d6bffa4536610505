"""The way back: what is recorded and limited here, as the store that another program opens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.domain.policy import PPM, Policy
from tekton_budget.domain.scope import Scope
from tekton_budget.foreign.apollo import Written, write_apollo
from tekton_budget.foreign.rhetor import why_unsayable, write_rhetor
from tekton_budget.foreign.store import IMPORTED_FROM, Fault, ForeignLimit, ForeignUsage, Kind
from tekton_budget.service.importing.imports import may_move
from tekton_budget.service.importing.limits import IMPORTED, budget_of
from tekton_budget.service.importing.local_times import LocalTimes
from tekton_budget.service.paging import LIMIT_MAX
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.usages import UsageFilter, UsageRows

_UNTOLD = {
    "provider": "unknown",
    "model": "unknown",
    "component": "unknown",
    "task_type": "default",
}
_metadata = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True)
class WrittenDatabase:
    """A database's bytes, how much is in it, and what it cannot say."""

    content: bytes
    records: int
    tokens: int
    cost: Decimal
    policies: int
    faults: tuple[Fault, ...] = ()


class Exports:
    """Gives back what was imported, as it was, and what was recorded here since.

    Left out is only what another store told: that is in its own export.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = UsageRows(reader)

    def apollo(self, caller: Caller, timezone: str) -> Written:
        """Apollo's files; times are written as the zone's clock shows them."""
        may_move(caller)
        times = LocalTimes(timezone)
        limits, faults = self._limits(Kind.APOLLO, times)
        written = write_apollo(self._usages(Kind.APOLLO, times), limits)
        return replace(written, faults=(*faults, *written.faults))

    def rhetor(self, caller: Caller, timezone: str) -> WrittenDatabase:
        """Rhetor's database; what has no known cost stands there with 0, for it knows no other."""
        may_move(caller)
        times = LocalTimes(timezone)
        limits, faults = self._limits(Kind.RHETOR, times)
        sayable: list[ForeignLimit] = []
        for limit in limits:
            why = why_unsayable(limit)
            if why is None:
                sayable.append(limit)
            else:
                faults.append(Fault(f'policy "{limit.name}"', f"{why}: left out"))
        usages = list(self._usages(Kind.RHETOR, times))
        unpriced = sum(usage.cost is None for usage in usages)
        if unpriced:
            text = f"without a known cost, and so there with 0: {unpriced:,}"
            faults.append(Fault("usage", text))
        priced = [_told(usage) for usage in usages]
        return WrittenDatabase(
            write_rhetor(priced, sayable),
            len(priced),
            sum(usage.total_tokens for usage in priced),
            sum((usage.cost or Decimal(0) for usage in priced), Decimal(0)),
            len(sayable),
            tuple(faults),
        )

    def _usages(self, kind: Kind, times: LocalTimes) -> Iterator[ForeignUsage]:
        """In the order of time. An estimate that a measured usage took back is none."""
        taken_back = {record.reverses for record in self._records(kind) if record.reverses}
        for record in self._records(kind):
            if record.reverses is None and record.record_id not in taken_back:
                yield _usage_of(record, times)

    def _records(self, kind: Kind) -> Iterator[UsageRecord]:
        for page in self._rows.pages(UsageFilter(), LIMIT_MAX):
            for stored in page:
                if stored.record.labels.get(IMPORTED_FROM, kind) == kind:
                    yield stored.record

    def _limits(self, kind: Kind, times: LocalTimes) -> tuple[list[ForeignLimit], list[Fault]]:
        """The policies of the store's budget that another program can say."""
        policies = self._reader.policies()
        budget = budget_of(policies, kind)
        limits: list[ForeignLimit] = []
        faults: list[Fault] = []
        last: dict[str, Policy] = {}
        for policy in policies.counting_everywhere():
            if budget is not None and policy.budget_id == budget.budget_id:
                last[policy.policy_id] = policy
        for policy in last.values():
            scope = _plain_scope(policy.scope)
            if scope is None or policy.per or policy.is_rolling:
                text = "it asks for several values, keeps balances apart or is rolling: left out"
                faults.append(Fault(f'policy "{policy.name}"', text))
            else:
                limits.append(_limit_of(policy, scope, times))
        return limits, faults


def _told(usage: ForeignUsage) -> ForeignUsage:
    """With Rhetor's own words where a call of ours does not say, for it reads no row without."""
    labels = usage.labels if usage.exported_from is None else {**_UNTOLD, **usage.labels}
    return replace(usage, labels=labels, cost=usage.cost or Decimal(0))


def _usage_of(record: UsageRecord, times: LocalTimes) -> ForeignUsage:
    counts, labels = record.counts, dict(record.labels)
    imported = labels.pop(IMPORTED_FROM, None) is not None
    said = {"provider": record.provider, "model": record.model}
    return ForeignUsage(
        record_id=record.record_id,
        at=times.shown(record.at_us),
        labels={**labels, **{name: value for name, value in said.items() if value}},
        input_tokens=counts.input + counts.cache_read + counts.cache_write,
        output_tokens=counts.output,
        tokens=counts.other,
        cost=None if record.cost_nano is None else usd_from_nano(record.cost_nano),
        operation_id=record.operation_id,
        metadata=_metadata(record.metadata),
        exported_from=None if imported else record.record_id,
    )


def _limit_of(policy: Policy, scope: dict[str, str], times: LocalTimes) -> ForeignLimit:
    cost_nano = policy.limits.cost_nano
    shares: list[Decimal | None] = [Decimal(ppm) / PPM for ppm in policy.thresholds_ppm]
    starts_us = policy.created_us if policy.starts_us is None else policy.starts_us
    return ForeignLimit(
        policy_id=policy.policy_id,
        name=policy.name,
        enforcement=policy.enforcement.value,
        period=policy.schedule.period.value,
        scope=scope,
        token_limit=policy.limits.tokens,
        cost_limit=None if cost_nano is None else usd_from_nano(cost_nano),
        warning_threshold=shares[0] if shares else None,
        action_threshold=shares[-1] if shares else None,
        starts_at=times.shown(starts_us),
        ends_at=None if policy.ends_us is None else times.shown(policy.ends_us),
        enabled=policy.enabled,
        metadata={
            name: value
            for name, value in policy.metadata.items()
            # Under a store's name lies what the store said, unless a person wrote something there.
            if name != IMPORTED and (isinstance(value, Mapping) or name not in set(Kind))
        },
    )


def _plain_scope(scope: Scope) -> dict[str, str] | None:
    """The one value asked of each label, if there is no more to it."""
    if not all(len(one.values) == 1 and one.only_values for one in scope.requirements):
        return None
    return {one.label: one.values[0] for one in scope.requirements}
