"""What the proof says: a table for people, a JSON file for machines, a chart for both."""

import json
import math
import os
import platform
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from tekton_budget.proof.measure import Measured
from tekton_budget.proof.outcome import Outcome
from tekton_budget.proof.stores import Place, fsync_ms

RESULTS = "results.json"
CHART = "results.png"
PACKAGES = ("tekton-budget", "psycopg", "sqlalchemy")
GIB = 2**30
ARM_WIDTH = 28
HEADINGS = {
    "went\nover": 6,
    "share\nused": 6,
    "lost/\ntwice": 5,
    "false\ndenial": 6,
    "jour-\nnal": 5,
    "per\nsecond": 6,
    "p50\nms": 5,
    "p99\nms": 5,
}  # and their widths: with a space between them, 80 characters


def machine_of(folder: Path, postgres: Place | None) -> dict[str, object]:
    """What the numbers were measured on."""
    server = None
    if postgres is not None:
        with psycopg.connect(postgres.url) as connection:
            row = connection.execute("SHOW server_version").fetchone()
            server = None if row is None else row[0]
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "fsync_ms": round(fsync_ms(folder), 3),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": server,
        **{name: version(name) for name in PACKAGES},
    }


def show(outcome: Outcome, console: Console) -> None:
    """What did not run, what the words mean, and the verdict; the tables came before."""
    for skipped in outcome.skipped:
        colour = "red" if skipped.failed else "yellow"
        console.print(
            f"[{colour}]not run:[/] {skipped.arm} · {skipped.workload}: {skipped.reason}",
            highlight=False,
        )
    console.print(_explanation(outcome.machine), style="dim", highlight=False)
    if outcome.faults:
        console.print("[bold red]NOT EXACT[/]")
        for fault in outcome.faults:
            console.print(f"  {fault}", style="red", highlight=False, markup=False)
    else:
        console.print(f"[bold green]{_verdict(outcome)}[/]", highlight=False)


def section(results: Sequence[Measured], *, first: bool) -> Table:
    """One workload's table; the first one has the headings."""
    table = Table(
        title=f"\n{results[0].title}",
        title_style="bold",
        title_justify="left",
        box=None,
        show_header=first,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="dim",
    )
    table.add_column("", width=ARM_WIDTH, no_wrap=True)
    for heading, width in HEADINGS.items():
        table.add_column(heading, justify="right", width=width, no_wrap=True)
    for result in results:
        table.add_row(*_cells(result))
    return table


def write(outcome: Outcome, folder: Path, console: Console) -> list[Path]:
    """The results as JSON and as a chart; where each was written."""
    results = folder / RESULTS
    results.write_text(json.dumps(as_json(outcome), indent=1) + "\n")
    written = [results]
    chart = folder / CHART
    try:
        from tekton_budget.proof.chart import draw
    except ImportError:
        hint = "no chart: it needs matplotlib: pip install 'tekton-budget[proof]'"
        console.print(hint, style="yellow", highlight=False, markup=False)
        return written
    if outcome.results:
        draw(outcome, chart)
        written.append(chart)
    return written


def as_json(outcome: Outcome) -> dict[str, object]:
    """Everything that was measured. Amounts are in 10⁻⁹ USD, or in tokens."""
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "exact": not outcome.faults,
        "judged": sorted(outcome.judged),
        "faults": list(outcome.faults),
        "quick": outcome.options.quick,
        "seed": outcome.options.seed,
        "seconds": round(outcome.seconds, 1),
        "machine": outcome.machine,
        "results": [_result_json(result) for result in outcome.results],
        "skipped": [asdict(skipped) for skipped in outcome.skipped],
    }


def _result_json(result: Measured) -> dict[str, object]:
    found = result.findings
    return {
        "arm": result.arm,
        "workload": result.workload,
        "title": result.title,
        "callers": result.callers,
        "processes": result.processes,
        "unit": result.unit,
        "allowance": result.allowance,
        "asks": found.asks,
        "granted": found.granted,
        "denied": found.denied,
        "failed": found.failed,
        "granted_over": found.over,
        "granted_over_share": round(result.over_share, 6),
        "spent": found.spent,
        "used_share": round(result.used_share, 6),
        "lost": found.lost,
        "counted_twice": found.doubled,
        "lost_calls": found.lost_calls,
        "false_denials": found.false_denials,
        "clamped": found.cut_short,
        "truncated": result.truncated,
        "missing": result.missing,
        "journal_differences": result.differences,
        "decisions_per_second": round(result.decisions_per_second, 1),
        "p50_ms": round(result.p50_ms, 3),
        "p99_ms": round(result.p99_ms, 3),
        "seconds": round(result.seconds, 2),
        "errors": sorted(found.errors)[:10],
    }


def _cells(result: Measured) -> list[str]:
    found = result.findings
    wrong = found.lost + found.doubled
    lost = _share(wrong / result.allowance, exact=not wrong)
    if found.lost_calls and not wrong:
        lost = f"{found.lost_calls} id"
    differences = "–"
    if result.differences is not None:
        differences = _coloured(f"{result.differences}", bad=bool(result.differences))
    return [
        result.arm,
        _coloured(_share(result.over_share, exact=not found.over), bad=bool(found.over)),
        _used(result.used_share),
        _coloured(lost, bad=bool(wrong or found.lost_calls)),
        _coloured(f"{found.false_denials:,}", bad=bool(found.false_denials)),
        differences,
        f"{result.decisions_per_second:,.0f}",
        _milliseconds(result.p50_ms),
        _milliseconds(result.p99_ms),
    ]


def _share(share: float, *, exact: bool) -> str:
    if exact:
        return "0"
    return f"{share:.0%}" if share >= 1 else f"{max(share, 0.001):.1%}"


def _used(share: float) -> str:
    """Never rounded up: 100 % is all of it."""
    return f"{share:.1%}" if share > 1 else f"{math.floor(share * 10_000) / 100:.4g}%"


def _milliseconds(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.0f} s"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _coloured(text: str, *, bad: bool) -> str:
    return f"[red]{text}[/]" if bad else f"[green]{text}[/]"


def _explanation(machine: dict[str, object]) -> str:
    return (
        "\nover: the most that was granted beyond what was allowed · used: of what could be used · "
        "lost/twice: settled and answered, but not in the store, or twice · false denial: cannot "
        "have been right · journal: balances that differ from it (–: there is none)\n"
        f"{machine.get('processor')}, {machine.get('cores')} cores, "
        f"fsync {machine.get('fsync_ms')} ms, Python {machine.get('python')}, "
        f"SQLite {machine.get('sqlite')}, PostgreSQL {machine.get('postgresql') or 'not run'}"
    )


def _verdict(outcome: Outcome) -> str:
    judged = [result for result in outcome.results if result.arm in outcome.judged]
    if not judged:
        return f"nothing to judge: foils are only compared ({outcome.seconds:.0f} s)"
    asks = sum(result.findings.asks for result in judged)
    return (
        f"EXACT: {asks:,} decisions in {len(judged)} runs: 0 over, 0 lost, 0 denied though it "
        f"fitted, 0 journal differences ({outcome.seconds:.0f} s, seed {outcome.options.seed})"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)
    except (AttributeError, ValueError, OSError):  # not every system tells
        return None
