"""The table of the README, from the results of a proof that are kept in docs/proof/."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docs_markdown import ROOT, table

RESULTS = ROOT / "docs" / "proof" / "results.json"
README = ROOT / "README.md"
BEGINS, ENDS = "<!-- from docs/proof/results.json: begins -->", "<!-- ends -->"

HEAD = (
    "way of counting, on both stores",
    "went over, at worst",
    "of the budget that streams could use",
    "settled, then lost or counted twice",
    "denied though it fitted",
    "journal differences",
)

Run = Mapping[str, Any]  # Any: JSON


def readme() -> str:
    """The README with the table as the results have it; without results, without a table."""
    text = README.read_text()
    before, begins, rest = text.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    assert begins, "the README says where the table stands"
    assert ends, "and where it ends"
    return f"{before}{begins}\n{_table()}{ends}{after}"


def _table() -> str:
    if not RESULTS.exists():
        return ""
    found = json.loads(RESULTS.read_text())
    by_system: dict[str, list[Run]] = {}
    for run in found["results"]:
        by_system.setdefault(run["arm"].split(" · ")[0], []).append(run)
    rows = [_row(name, runs) for name, runs in by_system.items()]
    return f"{table(HEAD, rows)}\n\n{_measured(found)}\n"


def _row(name: str, runs: Sequence[Run]) -> tuple[str, ...]:
    over = max(runs, key=lambda run: run["granted_over_share"])["granted_over_share"]
    wrong = max((run["lost"] + run["counted_twice"]) / run["allowance"] for run in runs)
    ids = sum(run["lost_calls"] for run in runs)
    journals = [
        run["journal_differences"] for run in runs if run["journal_differences"] is not None
    ]
    lost = _percent(wrong) if wrong or not ids else f"{ids} calls"
    return (
        f"{name} ({len(runs)} runs)",
        _percent(over),
        _used([run["used_share"] for run in runs if run["workload"] == "streams"]),
        lost,
        f"{sum(run['false_denials'] for run in runs):,}",
        str(sum(journals)) if journals else "has none",
    )


def _used(shares: Sequence[float]) -> str:
    """The worst of them, never rounded up: 100 % is all of it."""
    if not shares:
        return "not run"
    worst = max(shares) if max(shares) > 1 else min(shares)
    return f"{math.floor(worst * 1000) / 10:,.4g} %"


def _percent(share: float) -> str:
    """0 is said only of what is exactly none."""
    shown = max(share, 0.001) * 100
    return "0" if not share else f"{shown:,.0f} %" if shown >= 10 else f"{shown:.1f} %"


def _measured(found: Run) -> str:
    machine = found["machine"]
    how = "make proof ARGS=--quick" if found["quick"] else "make proof"
    asks = sum(run["asks"] for run in found["results"] if run["arm"] in found["judged"])
    words = " ".join(_words(machine))
    return (
        f"Measured by `{how}` in {found['seconds']:,.0f} s ({asks:,} decisions of ours) on {words}. "
        "“Went over” is the most that was in force beyond what was allowed, as a share of it."
    )


def _words(machine: Mapping[str, Any]) -> Iterator[str]:
    yield f"{machine['cores']} cores of an {machine['processor']},"
    yield f"SQLite {machine['sqlite']}"
    if machine.get("postgresql"):
        yield f"and PostgreSQL {machine['postgresql']}"


def stale() -> list[str]:
    """Whether the README says something else than the results."""
    if README.read_text() == readme():
        return []
    return ["README.md has not the table of docs/proof/results.json: run make docs"]


def write() -> None:
    """Put the table into the README."""
    README.write_text(readme())
