"""The check of rollups: recounted from the usage records by pages, while others write."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.zones import rfc3339
from tekton_budget.service.verifying.findings import Finding, Findings
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rollup import Rollup
from tekton_budget.storage.rows.kept import KeptRows, RollupKey
from tekton_budget.storage.rows.sums import NO_SUMS, Sums
from tekton_budget.storage.scratch import Scratch
from tekton_budget.storage.session import SLOTS_MAX

Progress = Callable[[str, int, int], None]

TAIL_MAX = 2000  # records that a last snapshot may have to sum
ROUNDS_MAX = 50
TOGETHER_MAX = 150  # sums compared in one snapshot


class RollupCheck:
    """Sums the usage up to a clean cut, compares, and looks again at what moved since."""

    def __init__(self, reader: Reader, findings: Findings, progress: Progress) -> None:
        self._reader = reader
        self._rows = KeptRows(reader)
        self._rollup = Rollup(reader.timezone)
        self._findings = findings
        self._progress = progress
        self._sums: Scratch[Sums] = Scratch(msgspec.json.encode, _unpacked)
        self.usage = 0
        self.rollups = 0

    def run(self) -> None:
        """Usage and rollups."""
        with self._sums:
            cut = self._rows.last_usage()
            self._add_all(-1, cut, None)
            self._sums.put_away()
            self._check_slots()
            suspects = self._compare_all()
            self._look_again(suspects, cut)

    def _add_all(self, after: int, cut: int, only: set[str] | None) -> None:
        while after < cut and (page := self._rows.usage(after, cut)):
            sums = self._summed(record for _, record in page)
            if only is not None:
                sums = {key: more for key, more in sums.items() if key in only}
            self._sums.bring(sums)
            for key, more in sums.items():
                self._sums.values[key] = self._sums.values.get(key, NO_SUMS).plus(more)
            self.usage += len(page)
            after = page[-1][0]
            self._progress("usage", after, cut)

    def _check_slots(self) -> None:
        """Whose row it is only has to be a writer's number; on SQLite all write the same rows."""
        slots = SLOTS_MAX if self._reader.is_postgresql else 1
        for key, slot in self._rows.rollup_slots_beyond(slots):
            self._findings.add(Finding("rollups", shown(key), "slot", slot, 0))

    def _summed(self, records: Iterable[UsageRecord]) -> dict[str, Sums]:
        return {
            _text(RollupKey(*key)): Sums(*counters)
            for key, counters in self._rollup.sums(records).items()
        }

    def _compare_all(self) -> set[str]:
        suspects: set[str] = set()
        total = self._rows.count("rollups")
        after: RollupKey | None = None
        while page := self._rows.rollups(after):
            after = page[-1][0]
            self.rollups += len(page)
            keys = [_text(key) for key, _ in page]
            self._sums.bring(keys)
            known = self._sums.values
            pairs = zip(keys, page, strict=True)
            suspects |= {k for k, (_, sums) in pairs if known.get(k, NO_SUMS) != sums}
            self._sums.drop()
            self._sums.see(keys)
            self._progress("rollups", self.rollups, max(total, self.rollups))
        suspects |= set(self._sums.unseen())
        return suspects

    def _look_again(self, suspects: set[str], cut: int) -> None:
        for _ in range(ROUNDS_MAX):
            last = self._rows.last_usage()
            self._add_all(cut, last, suspects)
            near = last - cut <= TAIL_MAX
            cut = last
            if near:
                break
        keys = sorted(suspects)
        for start in range(0, len(keys), TOGETHER_MAX):
            self._judge(keys[start : start + TOGETHER_MAX], cut)

    def _judge(self, keys: Sequence[str], cut: int) -> None:
        """Compare rows and records of one moment; what differs now is wrong."""
        with self._reader.snapshot() as connection:
            tail = self._summed(record for _, record in self._rows.usage(cut, within=connection))
            rows = self._rows.rollups_of([_key(text) for text in keys], within=connection)
        self._sums.bring(keys)
        for text in keys:
            key = _key(text)
            expected = self._sums.values.get(text, NO_SUMS).plus(tail.get(text, NO_SUMS))
            found = rows.get(key, NO_SUMS)
            for column, is_, should in zip(Sums._fields, found, expected, strict=True):
                if is_ != should:
                    self._findings.add(Finding("rollups", shown(key), column, is_, should))


def shown(key: RollupKey) -> str:
    """A key for people: `day team=a 2026-11-02T00:00:00Z openai/gpt-5`."""
    label = f"{key.label}={key.value} " if key.label else ""
    return f"{key.kind} {label}{rfc3339(key.bucket_us)} {key.provider}/{key.model}"


def _text(key: RollupKey) -> str:
    return msgspec.json.encode(key).decode()


def _key(text: str) -> RollupKey:
    return msgspec.json.decode(text, type=RollupKey)


def _unpacked(packed: bytes) -> Sums:
    return msgspec.json.decode(packed, type=Sums)
