"""Entries: rows of the journal held against their seals, mended where one digit was changed."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tekton_budget.service.verifying.findings import Finding, Findings, Value
from tekton_budget.service.verifying.mending import mended
from tekton_budget.storage.rows.kept import JournalRow

_COLUMNS = JournalRow._fields[1:8]
_UNITS = ("tokens", "cost_nano", "requests")
_PARTS = ("balance_id", "reason", *(f"spent_{u}" for u in _UNITS), *(f"held_{u}" for u in _UNITS))


class Entries:
    """Tells intact entries from damaged ones; those that cannot be mended are put aside."""

    def __init__(self, findings: Findings, *, dense: bool) -> None:
        self._findings = findings
        self._dense = dense  # numbers without gaps: the store hands them out one by one
        self._last_no = 0
        self.broken: list[JournalRow] = []
        self.count = 0

    def intact(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """The next rows as they were written; what is wrong with them is found."""
        found = []
        for row in rows:
            if self._dense and row.no != self._last_no + 1:
                missing = f"the entry before it has number {self._last_no}"
                self._add(row.no, "no", row.no, self._last_no + 1, missing)
            self._last_no = row.no
            self.count += 1
            whole = row if row.is_intact else self._mended(row)
            if whole is None:
                self.broken.append(row)
            else:
                found.append(whole)
        return found

    def _mended(self, row: JournalRow) -> JournalRow | None:
        change = mended(row[1:8], row.digest)
        if change is None:
            self._add(row.no, "digest", row.digest, None, "its content is not what was sealed")
            return None
        if change.position is None:
            self._add(row.no, "digest", row.digest, change.value, "")
            return row
        column = _COLUMNS[change.position]
        content: dict[str, Any] = {column: change.value}  # Any: a value of that column's type
        before = row._replace(**content)
        if column == "postings":
            for where, found, expected in _differences(row.postings, before.postings):
                self._add(row.no, where, found, expected, "")
        else:
            self._add(row.no, column, row[change.position + 1], change.value, "")
        return before

    def _add(self, no: int, column: str, found: Value, expected: Value, detail: str) -> None:
        self._findings.add(Finding("journal", str(no), column, found, expected, detail))


def _differences(found: str, expected: str) -> Iterator[tuple[str, Value, Value]]:
    """In which posting and part two texts differ; where one cannot be read, as texts."""
    try:
        pairs: list[tuple[list[Any], list[Any]]] = list(
            zip(msgspec.json.decode(found), msgspec.json.decode(expected), strict=True)
        )
    except ValueError:
        yield "postings", found, expected
        return
    for ours, theirs in pairs:
        for place, (is_, should) in enumerate(zip(ours, theirs, strict=True)):
            if is_ != should:
                part = _PARTS[place] if place < len(_PARTS) else "at_us"
                yield f"postings {theirs[0]} {part}", is_, should
