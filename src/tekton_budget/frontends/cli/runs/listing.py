"""`runs`: what was run under a cap, and what it used."""

from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.runs.summary import cost_text, percent_text, tokens_text
from tekton_budget.frontends.cli.terminal.output import (
    Column,
    Json,
    ago,
    counted,
    moment_text,
    money,
    table,
)
from tekton_budget.frontends.cli.terminal.session import every, session_of

app = typer.Typer(help="What was run under a cap, and what it used.", no_args_is_help=True)

_LISTED = 50


def _state(run: Json) -> str:
    if run["state"] != "ended":
        return str(run["state"])
    code = run["exit_code"]
    return "ended" if code is None else f"ended ({code})"


def _program(run: Json) -> str:
    """What was run, in a word: `runs show` tells all of it."""
    words = str(run["command"]).split()
    return words[0].rpartition("/")[2] if words else ""


_COLUMNS: tuple[Column, ...] = (
    ("run", lambda one: one["name"]),
    ("state", _state),
    ("#cost", cost_text),
    ("#tokens", tokens_text),
    ("#calls", lambda one: one["calls"]),
    ("#refused", lambda one: one["refused"]),
    ("started", lambda one: ago(one["started_at"])),
    ("program", _program),
)
_MODELS: tuple[Column, ...] = (
    ("model", lambda one: one["model"]),
    ("#calls", lambda one: one["requests"]),
    ("#input", lambda one: one["input_tokens"]),
    ("?#cache read", lambda one: one["cache_read_tokens"] or None),
    ("?#cache write", lambda one: one["cache_write_tokens"] or None),
    ("#output", lambda one: one["output_tokens"]),
    ("#cost", lambda one: money(one["cost"])),
)


@app.command("list")
def list_runs(
    context: typer.Context,
    alive: Annotated[bool, typer.Option("--alive", help="Only those under way")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most")] = _LISTED,
) -> None:
    """Runs, the latest start first."""
    session = session_of(context)
    with session.budget() as budget:

        def page(**part: Any) -> dict[str, Any]:
            return budget.runs(is_alive=alive or None, **part)

        session.output.many(
            list(every(page, limit)),
            _COLUMNS,
            empty="Nothing was run: tekton-budget run -- COMMAND",
        )


@app.command("show")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="RUN", help="Its name or id")],
) -> None:
    """One run: what it used by model, with the runs inside it."""
    session = session_of(context)
    with session.budget() as budget:
        run = budget.run(name)
    session.output.one(run, lambda: _shown(run))


def _shown(run: Json) -> None:
    print(f"{run['name']}: {_state(run)}, started {moment_text(run['started_at'])}")
    print(f"  {run['command']}")
    labels = " ".join(f"{name}={value}" for name, value in run["labels"].items())
    print(f"  {labels}")
    said = [f"{cost_text(run)} spent", f"{tokens_text(run)} tokens", counted(run["calls"], "call")]
    said += [f"{run[word]:,} {word}" for word in ("refused", "clamped")]
    if run["cache_share"]:
        said.append(f"{percent_text(run['cache_share'])} of the input from a cache")
    print(f"  {', '.join(said)}\n")
    table(run["models"], _MODELS, empty="No call was paid for.")
    if run["inside"]:
        print(f"\nInside it: {', '.join(run['inside'])}")
