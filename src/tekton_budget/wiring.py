"""Settings in, running service out: the only place that chooses parts."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.domain.errors import BudgetError, Conflict
from tekton_budget.domain.policy import Holding
from tekton_budget.domain.zones import zone_named
from tekton_budget.prices.embedded import embedded_head, embedded_text
from tekton_budget.service import Service
from tekton_budget.service.advising import Advising
from tekton_budget.service.advising.planning import Planning
from tekton_budget.service.advising.routing import Routing
from tekton_budget.service.alerts import Alerts
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls import CallRules, Calls
from tekton_budget.service.following import Following
from tekton_budget.service.health import Health
from tekton_budget.service.importing import Exports, Imports
from tekton_budget.service.keys import KeyVerbs
from tekton_budget.service.limiting.attaching import Attaching
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.short_forms import ShortForms
from tekton_budget.service.passes import Keep, Passes
from tekton_budget.service.prices import (
    Calculations,
    ListSource,
    PriceLooks,
    PriceUpdates,
    PriceVerbs,
    Recommendations,
)
from tekton_budget.service.reporting.activity import ActivityViews
from tekton_budget.service.reporting.analytics import Analytics
from tekton_budget.service.reporting.catalogue import Catalogue
from tekton_budget.service.reporting.decisions import DecisionReports
from tekton_budget.service.reporting.lists import Lists
from tekton_budget.service.reporting.overview import Overview
from tekton_budget.service.reporting.records import Records
from tekton_budget.service.reporting.reports import Reports
from tekton_budget.service.reporting.standings import Standings
from tekton_budget.service.runs import RunPasses, RunVerbs, RunViews
from tekton_budget.service.verifying import Verifier
from tekton_budget.settings import Prices, Settings
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.days import kept_zone, rezone
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.runs import RunRows
from tekton_budget.storage.schema import SchemaState, prepare, schema_state, upgrade
from tekton_budget.storage.store import Store
from tekton_budget.storage.writer import Writer
from tekton_budget.worker import Worker, passes_of

if TYPE_CHECKING:  # a server reads it where there is a Hermes
    from tekton_budget.delivery.hermes import Board, Registrar


class Running:
    """A service over its store; `close` answers what was taken and lets go of everything."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], int] | None = None,
        *,
        background: bool | None = None,
    ) -> None:
        self.store = Store(settings.database_url)
        prepare(self.store, migrate=not self.store.is_postgresql)
        self.settings = settings = _in_its_zone(self.store, settings)
        ledger_settings = settings.ledger()
        self.writer = Writer(
            self.store.connect,
            ledger_settings,
            batch_max=settings.batch_max,
            queue_max=settings.queue_max,
            clock=None if clock is None else lambda _: clock(),
        )
        self.writer.start()
        self.reader = Reader(self.store, ledger_settings, clock=clock)
        ledger = LedgerVerbs(self.writer, self.reader.policies)
        policies = PolicyVerbs(self.writer, ledger_settings, self.store.connect)
        keys = KeyVerbs(self.writer, self.reader, host_now_us if clock is None else clock)
        run_rows = RunRows(self.reader, self.writer)
        run_passes = RunPasses(self.reader, run_rows, keys)
        run_views = RunViews(self.reader, run_rows, run_passes)
        standings = Standings(self.reader)
        runs = RunVerbs(self.reader, self.writer, policies, ledger, run_passes, run_views)
        prices = PriceVerbs(self.writer, self.reader)
        lists = _price_lists(settings)
        looks = PriceLooks(self.reader.book, self.reader.now_us)
        costs = Calculations(self.reader.book, self.reader.now_us)
        recommendations = Recommendations(self.reader.book, self.reader.now_us)
        analytics = Analytics(self.reader, Reports(self.reader))
        self.service = Service(
            ledger=ledger,
            policies=policies,
            short=ShortForms(policies, ledger, self.reader.policies),
            prices=prices,
            price_updates=PriceUpdates(prices, self.reader.book, self.reader.now_us, lists),
            book=looks,
            costs=costs,
            recommendations=recommendations,
            keys=keys,
            calls=Calls(ledger, self.writer, self.reader, _call_rules(settings)),
            activity=ActivityViews(self.reader, Overview(self.reader), run_rows),
            advising=Advising(
                analytics,
                Overview(self.reader),
                recommendations,
                self.reader.book,
                self.reader.now_us,
            ),
            analytics=analytics,
            attaching=Attaching(self.writer, ledger_settings, policies.finish),
            alerts=Alerts(self.reader, self.writer, ledger_settings),
            catalogue=Catalogue(self.reader),
            decisions=DecisionReports(self.reader),
            following=Following(self.reader),
            lists=Lists(self.reader),
            overview=Overview(self.reader),
            records=Records(self.reader),
            reports=Reports(self.reader),
            routing=Routing(
                ledger,
                recommendations,
                self.reader.book,
                self.reader.policies,
                self.reader.now_us,
            ),
            runs=runs,
            run_views=run_views,
            standings=standings,
            planning=Planning(self.reader, standings, looks, costs, recommendations),
            health=Health(self.reader, self.writer),
            imports=Imports(
                self.reader,
                self.writer,
                ledger_settings,
                policies,
                standings,
                self.store.connect,
            ),
            exports=Exports(self.reader),
            verifier=Verifier(self.reader),
        )
        self.hermes: Registrar | Board | None = None  # a server's, once it listens
        self._first_admin_key()
        for one in lists:
            prices.take_list(one.version, one.text())
        keep = Keep(settings.outbox_days, settings.decisions_days, settings.alerts_days)
        passes = Passes(
            self.reader, self.writer, finish=policies.finish, keep=keep, count=runs.flush
        )
        self.worker = Worker(
            passes_of(
                passes,
                expire_seconds=settings.expire_seconds,
                relay_seconds=settings.relay_seconds,
                prune_seconds=settings.prune_seconds,
            )
        )
        if background if background is not None else clock is None:
            self.worker.start()

    def _first_admin_key(self) -> None:
        """`BUDGET_ADMIN_KEY` becomes an admin key, once."""
        if self.settings.admin_key is None:
            return
        try:
            self.service.keys.create_key(
                LOCAL,
                "admin",
                role=Role.ADMIN,
                secret=self.settings.admin_key.get_secret_value(),
            )
        except Conflict:
            return  # made at an earlier start

    def close(self) -> None:
        """Stop in order: Hermes told, no new work, the queue answered, connections closed."""
        if self.hermes is not None:
            self.hermes.stop()
        self.worker.stop()
        with suppress(BudgetError):  # a store that is away takes no counters along
            self.service.runs.flush()
        self.writer.stop()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _price_lists(settings: Settings) -> tuple[ListSource, ...]:
    """The price lists that the book takes over at the start, and when it is told to."""
    if settings.prices is not Prices.EMBEDDED:
        return ()
    head = embedded_head()
    return (ListSource("embedded", head.version, head.made, embedded_text),)


def _call_rules(settings: Settings) -> CallRules:
    return CallRules(
        wait_seconds=settings.gateway_wait,
        grows=settings.gateway_hold is Holding.GROWING,
        output_tokens=settings.gateway_output_tokens,
        min_grant=settings.gateway_min_grant,
        slice_tokens=settings.gateway_growing_slice,
        margin_tokens=settings.gateway_growing_margin,
    )


def open_service(
    settings: Settings,
    clock: Callable[[], int] | None = None,
    *,
    background: bool | None = None,
) -> Running:
    """Start everything that the settings name, except doors.

    A clock of one's own is for tests. `background` says whether the passes run (expiry, numbering,
    pruning); left open they do, except under such a clock. What lives for one command needs none.
    """
    return Running(settings, clock, background=background)


@dataclass(frozen=True, slots=True)
class Database:
    """Where a database is, without its password, and how its schema stands to this program."""

    shown: str
    path: Path | None
    schema: SchemaState


def database_of(settings: Settings) -> Database:
    """The database that settings name; it is neither made nor changed."""
    store = Store(settings.database_url)
    try:
        return Database(store.shown(), store.path, schema_state(store))
    finally:
        store.close()


def upgrade_database(settings: Settings) -> list[str]:
    """Bring its schema to this program's; which revisions were run."""
    store = Store(settings.database_url)
    try:
        return upgrade(store)
    finally:
        store.close()


def rezone_database(settings: Settings, zone: str) -> int:
    """Cut the days of its reports in another zone; how many usage records were summed for it."""
    zone_named(zone)
    store = Store(settings.database_url)
    prepare(store, migrate=not store.is_postgresql)
    known = kept_zone(store, settings.timezone, given=False)
    writer = Writer(store.connect, replace(settings.ledger(), timezone=known))
    writer.start()
    try:
        reader = Reader(store)
        return writer.exclusively(lambda alone: rezone(alone, reader, zone)).result()
    finally:
        writer.stop()
        store.close()


def _in_its_zone(store: Store, settings: Settings) -> Settings:
    """The settings with the zone of the store, which goes before a default."""
    given = "timezone" in settings.model_fields_set
    try:
        zone = kept_zone(store, settings.timezone, given=given)
    except BaseException:
        store.close()
        raise
    return settings.model_copy(update={"timezone": zone})
