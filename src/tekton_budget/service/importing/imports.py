"""The verb: a foreign store's files in, its usage and limits here, and a check of both sides."""

from collections.abc import Callable, Mapping

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import AuditNote, LedgerSettings
from tekton_budget.domain.errors import Forbidden, InvalidInput
from tekton_budget.domain.policy import PPM, Budget
from tekton_budget.domain.scope import Scope
from tekton_budget.foreign.apollo import is_apollo_file, read_apollo
from tekton_budget.foreign.rhetor import read_rhetor
from tekton_budget.foreign.store import ForeignStore, Kind
from tekton_budget.service.importing.foreseeing import Foresight
from tekton_budget.service.importing.limits import LimitImport, budget_of, scope_of
from tekton_budget.service.importing.options import Checked, ImportOptions
from tekton_budget.service.importing.report import ImportReport, LimitReport, Outcome
from tekton_budget.service.importing.usages import Moved, UsageImport
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.paging import LIMIT_MAX, Slice
from tekton_budget.service.reporting.balance_views import BalanceView
from tekton_budget.service.reporting.standings import Standings
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.policies import Changes
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.session import Session
from tekton_budget.storage.writer import Exclusively, Writer

OVER_MAX = 100  # groups of one limit that are named


class Imports:
    """Takes over other programs' stores: once, however often it is asked to.

    First the usage, then the limits, which count what is there of their current windows when they
    begin. A store that is taken over again, after new files came or after a crash, adds what is
    new; nothing is ever taken back.
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        settings: LedgerSettings,
        policies: PolicyVerbs,
        standings: Standings,
        open_session: Callable[[], Session],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._settings = settings
        self._policies = policies
        self._standings = standings
        self._open_session = open_session

    def apollo(
        self,
        caller: Caller,
        files: Mapping[str, bytes],
        options: ImportOptions,
        moved: Moved | None = None,
    ) -> ImportReport:
        """Apollo's `budget_policies.json` and `usage_records_<seconds>.json`, by name."""
        may_move(caller)
        if not any(map(is_apollo_file, files)):
            raise InvalidInput(
                "There is no file of Apollo's among these: send budget_policies.json and "
                "usage_records_<seconds>.json of <data directory>/apollo/budget_data.",
                code="nothing_to_import",
            )
        checked = options.checked()
        return self._imported(caller, read_apollo(files), checked, moved or _silent)

    def rhetor(
        self,
        caller: Caller,
        database: bytes,
        options: ImportOptions,
        moved: Moved | None = None,
        *,
        beside: Mapping[str, bytes] | None = None,
    ) -> ImportReport:
        """Rhetor's `rhetor.db`, with what SQLite keeps `beside` it: `-wal`, `-journal`."""
        may_move(caller)
        checked = options.checked()
        return self._imported(caller, read_rhetor(database, beside), checked, moved or _silent)

    def _imported(
        self, caller: Caller, store: ForeignStore, options: Checked, moved: Moved
    ) -> ImportReport:
        usage = UsageImport(self._reader, self._writer, self._settings, options)
        usage.post(store, moved)
        limits = LimitImport(self._reader, self._policies, options)
        applied = limits.apply(caller, store)
        foresight = Foresight(self._reader, self._budget(store.kind), limits.foreseen)
        comparison = usage.compare(store.kind, moved, foresight.add)
        over = (
            self._would_be_over(caller, foresight)
            if options.dry_run
            else self._over(caller, applied)
        )
        report = ImportReport(
            store.kind,
            options.dry_run,
            options.mode.value,
            options.times.name,
            options.until_us,
            usage.report,
            usage.parts(store),
            applied,
            comparison.report(),
            comparison.costs,
            over,
            (*store.faults, *usage.faults, *limits.faults),
            tuple(limits.notes),
        )
        if not options.dry_run:
            self._note(caller, report)
        return report

    def _budget(self, kind: Kind) -> Budget:
        """The store's budget, or as it would be."""
        found = budget_of(self._reader.policies(), kind)
        return found or Budget(kind.value, kind.value, Scope.from_json(scope_of(kind)))

    def _would_be_over(self, caller: Caller, foresight: Foresight) -> tuple[BalanceView, ...]:
        views = foresight.views(caller, self._open_session)
        return tuple(view for view in views if view.judges and _is_over(view))[:OVER_MAX]

    def _over(self, caller: Caller, limits: tuple[LimitReport, ...]) -> tuple[BalanceView, ...]:
        """The groups that have used more than they may, in the current windows of these limits."""
        policies = self._reader.policies()
        over: list[BalanceView] = []
        for limit in limits:
            if not limit.enabled or policies.current(limit.policy_id) is None:
                continue
            part = Slice(limit=min(OVER_MAX, LIMIT_MAX))
            page = self._standings.of_policy(caller, limit.policy_id, part=part)
            over += [view for view in page.items if _is_over(view)]
        return tuple(over)

    def _note(self, caller: Caller, report: ImportReport) -> None:
        """Who took over what, in the audit; a repetition that changed nothing leaves no trace."""
        changed = [one for one in report.limits if one.outcome in (Outcome.MADE, Outcome.CHANGED)]
        if not report.usage.new and not changed:
            return
        told = {"new": report.usage.new, "limits": len(changed), "timezone": report.timezone}
        note = AuditNote("import", "store", report.kind.value, "null", json_text(told))

        def run(alone: Exclusively) -> None:
            Changes(alone, self._settings).audit(caller.key_id, caller.name, note)

        self._writer.exclusively(run).result()


def may_move(caller: Caller) -> None:
    """Refuses keys that see only a part."""
    if caller.role not in (Role.ADMIN, Role.OPERATOR) or caller.labels:
        raise Forbidden(
            "A store is taken over, and given back, whole: use an admin or operator key that is "
            "not bound to labels.",
            code="role_needed",
        )


def _is_over(view: BalanceView) -> bool:
    if view.share_ppm is None or view.share_ppm < PPM:
        return False
    return any(rest is not None and rest < 0 for rest in view.remaining)


def _silent(_stage: str, _done: int, _total: int | None) -> None:
    """For those who do not watch."""
