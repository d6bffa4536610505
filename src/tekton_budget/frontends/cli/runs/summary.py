"""What a run used, in a few lines on standard error, and how it goes on."""

import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tekton_budget.frontends.cli.runs.command import Outcome, Stop
from tekton_budget.frontends.cli.terminal.output import counted, money

if TYPE_CHECKING:
    from rich.console import Console

Json = Mapping[str, Any]  # Any: decoded JSON

_MODELS_MAX = 8
_STOPPED = {
    Stop.CAP: "stopped at its cap",
    Stop.WALL: "stopped: its time was up",
    Stop.OUTER: "stopped: it, or the run around it, was ended",
}


def told(run: Json, outcome: Outcome, *, through: bool, again: str) -> None:
    """To standard error, however it ended. `through`: a call of it came through the gateway."""
    console = _console()
    for line in lines_of(run, outcome, through=through, again=again):
        console.print(line, soft_wrap=True)


def lines_of(run: Json, outcome: Outcome, *, through: bool, again: str) -> list[str]:
    """The lines. `again` is the command that goes on with more."""
    capped = (run["cap"] or {}).get("tokens") is not None
    tokens = [f"{tokens_text(run)} tokens"] if capped else []
    used = [cost_text(run), *tokens, counted(run["calls"], "call")]
    if run["cache_share"]:
        used.append(f"{percent_text(run['cache_share'])} of the input from a cache")
    used += [f"{run[word]:,} {word}" for word in ("refused", "clamped") if run[word]]
    lines = [f"Run {run['name']}: {', '.join(used)}."]
    if outcome.stopped is not None:
        lines[0] = f"{lines[0][:-1]}; {_STOPPED[outcome.stopped]}."
    lines += [_model(one) for one in run["models"][:_MODELS_MAX]]
    if len(run["models"]) > _MODELS_MAX:
        lines.append(f"  … and {len(run['models']) - _MODELS_MAX} more models")
    if run["inside"]:
        lines.append(f"  with {counted(len(run['inside']), 'run')} inside it")
    if through:
        lines.append(f"Go on with more: {again}")
    else:
        lines.append(
            "No call came through the gateway: this command found its own way, or made none."
        )
    return lines


def cost_text(run: Json) -> str:
    """`$0.31 of $2.00`."""
    cap = (run["cap"] or {}).get("cost")
    return money(run["cost"]) if cap is None else f"{money(run['cost'])} of {money(cap)}"


def tokens_text(run: Json) -> str:
    """`12,000 of 500,000`."""
    cap = (run["cap"] or {}).get("tokens")
    used = f"{run['total_tokens']:,}"
    return used if cap is None else f"{used} of {cap:,}"


def percent_text(share: Decimal) -> str:
    """`87 %`."""
    return f"{(share * 100).quantize(Decimal(1))} %"


def _model(one: Json) -> str:
    # What was read from a cache or written to it is part of what went in.
    tokens_in = one["input_tokens"] + one["cache_read_tokens"] + one["cache_write_tokens"]
    more = f" + {one['other_tokens']:,}" if one["other_tokens"] else ""
    return (
        f"  {one['model']}: {tokens_in:,} in, {one['output_tokens']:,}{more} out, "
        f"{money(one['cost'])}"
    )


def _console() -> "Console":
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, emoji=False, markup=False)
