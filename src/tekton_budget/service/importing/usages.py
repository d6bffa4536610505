"""Foreign usage → records of the ledger: looked up, posted in batches, each once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import LedgerSettings, Record
from tekton_budget.domain.errors import BudgetError, Conflict, InvalidInput, invalid
from tekton_budget.domain.ledger import State, UsageRecord, execute
from tekton_budget.domain.ledger.state import is_datable
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.foreign.store import IMPORTED_FROM, Fault, ForeignStore, ForeignUsage, Kind
from tekton_budget.service.asking.asks import RecordRequest, Used
from tekton_budget.service.asking.commands import record_command
from tekton_budget.service.importing.comparing import Comparison
from tekton_budget.service.importing.options import Checked
from tekton_budget.service.importing.report import PartReport, UsageReport
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.usages import UsageRows
from tekton_budget.storage.writer import Writer

CHUNK = 500  # records looked up, and posted, at once
FAULTS_MAX = 1000  # named one by one

Moved = Callable[[str, int, int | None], None]  # the stage, what is done, what there is


class UsageImport:
    """The usage of one store on its way in.

    It is posted as the service's own and never as a key's: a record's id is then the same whoever
    imports it, and two imports at once cannot both add it.
    """

    def __init__(
        self, reader: Reader, writer: Writer, settings: LedgerSettings, options: Checked
    ) -> None:
        self._reader = reader
        self._rows = UsageRows(reader)
        self._writer = writer
        self._settings = settings
        self._options = options
        self.report = UsageReport()
        self.faults: list[Fault] = []
        self._taken: list[ForeignUsage] = []  # what shall be stored: new, and there already
        self._parts: dict[str, PartReport] = {}

    def parts(self, store: ForeignStore) -> tuple[PartReport, ...]:
        """How much of each part was read, and what of it is new."""
        told = []
        for part in store.parts:
            counted = self._parts.get(part.name, PartReport(part.name))
            told.append(
                PartReport(
                    part.name,
                    part.found,
                    part.repeated,
                    part.skipped,
                    counted.new,
                    counted.there,
                    part.is_whole,
                )
            )
        return tuple(told)

    def post(self, store: ForeignStore, moved: Moved) -> None:
        """Add what is not there yet; a dry run finds out what that would be."""
        self.report.found = len(store.usages)
        done, now_us = 0, self._reader.now_us()
        for chunk in chunked(store.usages):
            known = self._known(store.kind, chunk)
            new = [usage for usage in chunk if self._is_wanted(usage, known)]
            commands = [c for usage in new if (c := self._command(store.kind, usage, now_us))]
            if not self._options.dry_run:
                self._submit(commands)
            done += len(chunk)
            moved("posting", done, len(store.usages))

    def compare(
        self, kind: Kind, moved: Moved, foreseen: Callable[[Sequence[UsageRecord]], None]
    ) -> Comparison:
        """Read back what is stored under these ids, and add up both sides.

        In a dry run, what is not stored yet is what the ledger would make of it, and `foreseen` is
        told of it.
        """
        comparison = Comparison(kind, self._options.times)
        done = 0
        state = State(self._reader.now_us(), PolicySet(), self._reader.book(), self._settings)
        for chunk in chunked(self._taken):
            known = self._known(kind, chunk)
            would_be: list[UsageRecord] = []
            for usage in chunk:
                stored = known.get(usage.record_id)
                if stored is None and self._options.dry_run:
                    [stored] = execute(state, self._record(kind, usage)).usage
                    would_be.append(stored)
                comparison.add(usage, stored)
            foreseen(would_be)
            done += len(chunk)
            moved("checking", done, len(self._taken))
        return comparison

    # One record ---------------------------------------------------------------------------------

    def _known(self, kind: Kind, usages: Sequence[ForeignUsage]) -> dict[str, UsageRecord]:
        """What is stored of these: by the id of theirs, or that of ours that a row was made of."""
        ids = [usage.record_id for usage in usages]
        ids += [usage.exported_from for usage in usages if usage.exported_from is not None]
        found: dict[str, UsageRecord] = {}
        for id_, stored in self._rows.by_ids(ids).items():
            own = [one for one in stored if one.labels.get(IMPORTED_FROM) == kind]
            live = [one for one in stored if IMPORTED_FROM not in one.labels]
            if own or live:
                found[id_] = (own or live)[0]
        return found

    def _is_wanted(self, usage: ForeignUsage, known: Mapping[str, UsageRecord]) -> bool:
        """Whether it is new; counts what it is otherwise."""
        part = self._parts.setdefault(usage.part, PartReport(usage.part))
        if usage.exported_from in known or _is_live(known.get(usage.record_id)):
            self.report.ours += 1
            return False
        until_us = self._options.until_us
        try:
            at_us = self._options.times.instant_us(usage.at)
        except InvalidInput as fault:
            self._refuse(usage, fault)
            return False
        if until_us is not None and at_us >= until_us:
            self.report.later += 1
            return False
        if usage.record_id in known:
            self._taken.append(usage)
            self.report.there += 1
            part.there += 1
            return False
        return True

    def _command(self, kind: Kind, usage: ForeignUsage, now_us: int) -> Record | None:
        try:
            command = self._record(kind, usage)
            if not is_datable(command.usage.timestamp_us, now_us):
                raise invalid("timestamp", "lies before 1970 or ahead of this service's clock")
        except InvalidInput as fault:
            self._refuse(usage, fault)
            return None
        self._taken.append(usage)
        self.report.new += 1
        self._parts[usage.part].new += 1
        return command

    def _record(self, kind: Kind, usage: ForeignUsage) -> Record:
        request = RecordRequest(
            Used(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                tokens=usage.tokens,
                cost=usage.cost,
                timestamp_us=self._options.times.instant_us(usage.at),
                operation_id=usage.operation_id,
                metadata=usage.metadata,
            ),
            {**usage.labels, IMPORTED_FROM: kind.value},
            id=usage.record_id,
        )
        command = record_command(LOCAL, request)
        assert isinstance(command, Record), "it settles nothing"
        return command

    def _submit(self, commands: Sequence[Record]) -> None:
        tickets = [(command, self._writer.submit(command)) for command in commands]
        for command, ticket in tickets:
            try:
                ticket.result()
            except (InvalidInput, Conflict) as fault:
                self.report.new -= 1
                self.report.refused += 1
                self._fault(command.id, fault)

    def _refuse(self, usage: ForeignUsage, fault: BudgetError) -> None:
        self.report.refused += 1
        self._fault(usage.record_id, fault)

    def _fault(self, record_id: str, fault: BudgetError) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(Fault(f"record {record_id}", f"{fault.detail}; not taken over"))


def _is_live(stored: UsageRecord | None) -> bool:
    """Whether it was recorded here: an export gave it its id."""
    return stored is not None and IMPORTED_FROM not in stored.labels


def chunked(usages: Sequence[ForeignUsage]) -> Iterator[Sequence[ForeignUsage]]:
    """Some at a time."""
    left = iter(usages)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
