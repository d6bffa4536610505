"""The proof from beginning to end: arms, workloads, progress, and what is left on paper."""

import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tekton_budget.proof.adapter import Arm, NotOffered, arm_named
from tekton_budget.proof.crew import Crew, quietened
from tekton_budget.proof.foils import FOILS, FoilArm
from tekton_budget.proof.measure import SETTING_UP_SECONDS, Measured, TooSlow, measured
from tekton_budget.proof.options import ProofOptions
from tekton_budget.proof.ours import OursArm
from tekton_budget.proof.outcome import Outcome, Skipped
from tekton_budget.proof.report import machine_of, section, show, write
from tekton_budget.proof.stores import NoPostgres, Place, postgres_server
from tekton_budget.proof.turns import Plan
from tekton_budget.proof.workloads import plans

FOIL_SECONDS_MAX = 10.0  # a counter that stands still must not hold up the rest
QUICK_FOILS = ("runaway", "burst-50x2", "streams")
WIDTH_MIN = 100  # in a file or a pipe
FAULTY = 1
MISUSED = 2


@dataclass(frozen=True, slots=True)
class Entrant:
    """An arm by name. Ours and those that users bring are judged; foils are only compared."""

    name: str
    arm: Arm
    is_foil: bool = False
    place: Place | None = None  # to clean up after it


def run(options: ProofOptions) -> int:
    """Prove, print, write. 0: exact; 1: something was not; 2: the options name nothing there is."""
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_MIN)
    try:
        chosen = _plans(options)
        others = [Entrant(name, arm_named(name)) for name in options.arms]
    except (ValueError, ImportError, AttributeError) as error:
        console.print(f"[red]{error}[/]", highlight=False)
        return MISUSED
    options.output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="work-", dir=options.output))
    started = time.monotonic()
    try:
        with _ended_in_order():
            outcome = _proved(options, chosen, others, folder, console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome = replace(outcome, seconds=time.monotonic() - started)
    show(outcome, console)
    for path in write(outcome, options.output, console):
        console.print(f"written: {path}", highlight=False)
    return FAULTY if outcome.faults else 0


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Told to stop, leave neither server nor processes nor files behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _plans(options: ProofOptions) -> list[Plan]:
    every = plans(options.seed, quick=options.quick)
    unknown = set(options.workloads) - {plan.name for plan in every}
    if unknown:
        names = ", ".join(plan.name for plan in every)
        raise ValueError(f"no such workload: {', '.join(sorted(unknown))}; there are {names}")
    return [plan for plan in every if not options.workloads or plan.name in options.workloads]


def _proved(
    options: ProofOptions,
    chosen: Sequence[Plan],
    others: Sequence[Entrant],
    folder: Path,
    console: Console,
) -> Outcome:
    with ExitStack() as stack:
        stack.enter_context(quietened(folder))
        places = {"SQLite": Place(folder=folder)}
        skipped: list[Skipped] = []
        if options.postgres and (options.ours or options.foils):
            try:
                places["PostgreSQL"] = stack.enter_context(postgres_server(options.postgres_url))
            except NoPostgres as reason:
                skipped.append(Skipped("all arms on PostgreSQL", "all", str(reason)))
        machine = machine_of(folder, places.get("PostgreSQL"))
        entrants = [*_entrants(options, places), *others]
        runs = [(plan, e) for plan in chosen for e in entrants if _is_run(plan, e, options)]
        crew = Crew(folder)
        stack.callback(crew.dismiss)
        results: list[Measured] = []
        faults: list[str] = []
        with _progress(console) as progress:
            bar = progress.add_task("", total=len(runs))
            for plan, group in groupby(runs, key=lambda one: one[0]):
                measures: list[Measured] = []
                for _, entrant in group:
                    progress.update(bar, description=f"{plan.name} · {entrant.name}")
                    result = _run(entrant, plan, crew, folder)
                    said = result.faults()
                    if isinstance(result, Measured):
                        measures.append(result)
                    else:
                        skipped.append(result)
                    if not entrant.is_foil:
                        faults += [f"{entrant.name} · {plan.title}: {text}" for text in said]
                    progress.advance(bar)
                if measures:
                    console.print(section(measures, first=not results))
                results += measures
    judged = frozenset(entrant.name for entrant in entrants if not entrant.is_foil)
    return Outcome(options, tuple(results), tuple(skipped), tuple(faults), judged, machine)


def _entrants(options: ProofOptions, places: dict[str, Place]) -> Iterator[Entrant]:
    if options.ours:
        for store, place in places.items():
            yield Entrant(f"Tekton Budget · {store}", OursArm(place), place=place)
    if options.foils:
        for name, kind in FOILS.items():
            for store, place in places.items():
                arm = FoilArm(kind, place)
                yield Entrant(f"{name} · {store}", arm, is_foil=True, place=place)


def _is_run(plan: Plan, entrant: Entrant, options: ProofOptions) -> bool:
    if not entrant.is_foil:
        return True
    return plan.foils and (not options.quick or plan.name in QUICK_FOILS)


def _run(entrant: Entrant, plan: Plan, crew: Crew, folder: Path) -> Measured | Skipped:
    if entrant.is_foil:
        plan = replace(plan, seconds_max=min(plan.seconds_max, FOIL_SECONDS_MAX))
    try:
        return _on_time(entrant, plan, crew, folder)
    except NotOffered as reason:
        return Skipped(entrant.name, plan.title, str(reason))
    except Exception as error:  # noqa: BLE001  (whatever a system raises is a finding, not our end)
        crew.kill()
        return Skipped(entrant.name, plan.title, f"did not run: {error!r}", failed=True)


def _on_time(entrant: Entrant, plan: Plan, crew: Crew, folder: Path) -> Measured:
    """A run; where the machine was not ready in time, again with more of it."""
    for seconds in SETTING_UP_SECONDS:
        own = Path(tempfile.mkdtemp(prefix=f"{plan.name}-", dir=folder))
        try:
            return measured(entrant.name, entrant.arm, plan, crew, own, seconds)
        except TooSlow:
            if seconds == SETTING_UP_SECONDS[-1]:
                raise
        finally:
            if entrant.place is not None:
                entrant.place.remove(own.name)
            shutil.rmtree(own)
    raise AssertionError("the last try ends it")


def _progress(console: Console) -> Progress:
    columns = (
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    return Progress(*columns, console=console, transient=True)
