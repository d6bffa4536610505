"""The chart: four questions, one bar an arm, ours in colour."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tekton_budget.proof.measure import Measured
from tekton_budget.proof.outcome import Outcome

OURS = "#0b7a75"
FOIL = "#b9bec4"
BAD = "#c0392b"
INK = "#22272b"
STREAMS = "streams"


def draw(outcome: Outcome, path: Path) -> None:
    """Write the chart as PNG."""
    results = outcome.results
    arms = list(dict.fromkeys(result.arm for result in results))
    busiest = _busiest(results)
    layout = ConstrainedLayoutEngine(h_pad=0.14, w_pad=0.12)
    figure = Figure(figsize=(15, 2.8 + 0.62 * len(arms)), layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(
        "What budgets let through, and how fast they decide",
        fontsize=17,
        fontweight="bold",
        color=INK,
        x=0.01,
        ha="left",
    )
    axes = figure.subplots(2, 2)
    _bars(
        axes[0][0],
        "Granted beyond the limit, worst workload (% of the limit)",
        arms,
        {arm: _worst_over(results, arm) for arm in arms},
        _percent,
        bad=lambda value: value > 0,
    )
    _bars(
        axes[0][1],
        "Streams: share of the budget that was used (%)",
        arms,
        {r.arm: 100 * r.used_share for r in results if r.workload == STREAMS},
        lambda value: f"{math.floor(value * 10) / 10:.1f} %",
        bad=lambda value: value > 100.0001,
        limit=100.0,
    )
    burst = next((r.title for r in results if r.workload == busiest), "")
    _bars(
        axes[1][0],
        f"{burst}: decisions per second",
        arms,
        {r.arm: r.decisions_per_second for r in results if r.workload == busiest},
        lambda value: f"{value:,.0f}",
    )
    _bars(
        axes[1][1],
        f"{burst}: p99 of a decision (ms)",
        arms,
        {r.arm: r.p99_ms for r in results if r.workload == busiest},
        lambda value: f"{value:,.0f} ms",
    )
    figure.supxlabel(_footnote(outcome), fontsize=10, color="#666666", x=0.01, ha="left")
    figure.savefig(path, dpi=110, facecolor="white")


def _footnote(outcome: Outcome) -> str:
    machine = outcome.machine
    return (
        f"green: Tekton Budget · grey: comparisons · red: went over · {machine.get('processor')}, "
        f"{machine.get('cores')} cores, fsync {machine.get('fsync_ms')} ms, "
        f"SQLite {machine.get('sqlite')}, PostgreSQL {machine.get('postgresql') or 'not run'}, "
        f"seed {outcome.options.seed}"
    )


def _bars(
    axes: Axes,
    title: str,
    arms: Sequence[str],
    values: dict[str, float],
    label: Callable[[float], str],
    *,
    bad: Callable[[float], bool] = lambda _: False,
    limit: float | None = None,
) -> None:
    """Horizontal bars, the first arm on top, each with its number at its end."""
    axes.set_title(title, loc="left", fontsize=12.5, color=INK, pad=10)
    most = max(values.values(), default=1.0) or 1.0
    for row, arm in enumerate(arms):
        value = values.get(arm)
        if value is None:
            axes.text(most * 0.01, row, "not run", va="center", fontsize=10, color="#888888")
            continue
        ours = arm.startswith("Tekton Budget")
        colour = BAD if bad(value) else OURS if ours else FOIL
        axes.barh(row, value, height=0.66, color=colour)
        weight = "bold" if ours else "normal"
        axes.text(
            value + most * 0.012,
            row,
            label(value),
            va="center",
            fontsize=10.5,
            color=INK,
            fontweight=weight,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85},
            zorder=3,
        )
    if limit is not None:
        axes.axvline(limit, color=INK, linewidth=1, zorder=2, linestyle=(0, (4, 3)))
    axes.set_xlim(0, most * 1.18)
    axes.set_yticks(range(len(arms)), arms, fontsize=10.5, color=INK)
    for tick, arm in zip(axes.get_yticklabels(), arms, strict=True):
        tick.set_fontweight("bold" if arm.startswith("Tekton Budget") else "normal")
    axes.invert_yaxis()
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="x", labelsize=9, colors="#888888")
    axes.grid(axis="x", color="#eceff1", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)


def _worst_over(results: Sequence[Measured], arm: str) -> float:
    return 100 * max(result.over_share for result in results if result.arm == arm)


def _percent(value: float) -> str:
    return "0" if value == 0 else f"+{value:,.1f} %"


def _busiest(results: Sequence[Measured]) -> str:
    """Of the bursts that most arms ran, the one with most callers."""
    bursts = [result for result in results if result.workload.startswith("burst")]
    arms = Counter(result.workload for result in bursts)
    ranked = max(bursts or results, key=lambda one: (arms[one.workload], one.callers))
    return ranked.workload
