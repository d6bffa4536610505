"""The verifier: journal, balances, holds, usage and rollups held against each other."""

import msgspec

from tekton_budget.domain.allocation import Hold
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.service.verifying.balance_check import BalanceCheck, Progress
from tekton_budget.service.verifying.findings import Finding, Findings, Verification
from tekton_budget.service.verifying.rollup_check import RollupCheck
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.kept import KeptRows

_decode_holds = msgspec.json.Decoder(list[Hold]).decode


class Verifier:
    """Recounts the whole store beside its writers, in pages and in bounded memory."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = KeptRows(reader)

    def verify(self, progress: Progress | None = None) -> Verification:
        """Everything; `progress` is told the stage, what is done and how much there is."""
        told = progress if progress is not None else _silent
        findings = Findings()
        balances = BalanceCheck(self._reader, findings, told)
        balances.run()
        allocations = self._check_holds(findings, balances.misnamed, told)
        rollups = RollupCheck(self._reader, findings, told)
        rollups.run()
        return Verification(
            findings=tuple(findings),
            count=findings.count,
            entries=balances.entries,
            balances=balances.balances,
            usage=rollups.usage,
            rollups=rollups.rollups,
            allocations=allocations,
        )

    def _check_holds(self, findings: Findings, misnamed: set[str], progress: Progress) -> int:
        """What active allocations hold is what balances hold, all of one moment."""
        holds: dict[str, Amounts] = {}
        holders: dict[str, str | None] = {}  # the one allocation that holds, or None of several
        count = 0
        with self._reader.snapshot() as connection:
            for _, allocation_id, packed in self._rows.holds(within=connection):
                count += 1
                for hold in _holds(findings, allocation_id, packed):
                    id_ = hold.balance_id
                    holders[id_] = allocation_id if id_ not in holders else None
                    holds[id_] = holds.get(id_, NOTHING).plus(hold.held)
            held = dict(self._rows.held(within=connection))
        progress("allocations", count, count)
        known = {(one.id, one.column) for one in findings if one.table == "balances"}
        for id_ in sorted((holds.keys() | held.keys()) - misnamed):
            total, stands = holds.get(id_, NOTHING), held.get(id_, NOTHING)
            holder = holders.get(id_) or f"holding on {id_}"
            for unit, is_, should in zip(_COLUMNS, total, stands, strict=True):
                if is_ != should and (id_, unit) not in known:
                    text = f"on balance {id_}"
                    findings.add(Finding("allocations", holder, unit, is_, should, text))
        return count


_COLUMNS = ("held_tokens", "held_cost_nano", "held_requests")


def _holds(findings: Findings, allocation_id: str, packed: str) -> list[Hold]:
    try:
        return _decode_holds(packed)
    except msgspec.DecodeError as error:
        findings.add(Finding("allocations", allocation_id, "holds", packed, None, str(error)))
        return []


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total
