"""`top`: what is under way, redrawn every second."""

import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tekton_budget.domain.errors import Unavailable
from tekton_budget.frontends.cli.limiting.limits import bar
from tekton_budget.frontends.cli.terminal.output import counted, money, units
from tekton_budget.frontends.cli.terminal.session import session_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tekton_budget.face.budget import Budget

Json = Mapping[str, Any]  # Any: decoded JSON

_SECONDS = 1.0
_ROWS_MAX = 20
_POLICIES_MAX = 10


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("top")(top)


def top(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="By the values of which label: run, user, model …")] = (
        "run"
    ),
    once: Annotated[bool, typer.Option("--once", help="One picture, and no more")] = False,
) -> None:
    """What is under way: calls in flight, held, spent, the rate of the last minute; Ctrl-C ends it.

    \b
    tekton-budget top
    tekton-budget top --by user
    """
    session = session_of(context)
    with session.budget() as budget:
        if once or not session.output.is_for_people or not sys.stdout.isatty():
            found = budget.activity(by=by)
            session.output.one(found, lambda: _print(found))
        else:
            _live(budget, by)


def _live(budget: "Budget", by: str) -> None:
    from rich.live import Live

    with Live(picture(budget.activity(by=by)), screen=True, auto_refresh=False) as live:
        for shown in _pictures(budget, by):
            live.update(shown, refresh=True)


def _pictures(budget: "Budget", by: str) -> Iterator["RenderableType"]:
    while True:
        try:
            yield picture(budget.activity(by=by))
        except Unavailable as error:  # it may be back with the next
            yield error.detail
        time.sleep(_SECONDS)


def picture(found: Json) -> "RenderableType":
    """The moment: a line for all, rows by the label, and the fullest limits."""
    from rich.console import Group

    rows = _sheet(found["by"], "in flight", "held", "calls/min", "tokens/min", "$/min", "spent")
    for row in found["rows"][:_ROWS_MAX]:
        value = "(none)" if row["value"] is None else row["value"]
        rows.add_row(value, *_rates(row, found), money(row["total"]["cost"]))
    policies = _sheet("limit", "group", "used", "spent", "held", "left")
    for view in found["policies"][:_POLICIES_MAX]:
        cells = [units(view[name], only=view["allowance"]) for name in ("spent", "held")]
        left = units(view["remaining"])
        policies.add_row(view["name"], view["group"] or "–", bar(view), *cells, left)
    return Group(_headline(found), "", rows, "", policies)


def _headline(found: Json) -> str:
    per_minute = _per_minute(found["recent"]["cost"], found)
    said = [
        f"{counted(found['in_flight'], 'call')} in flight",
        f"{money(found['held']['cost'])} held",
        f"{money(per_minute)} a minute",
    ]
    return f"{found['at'][11:19]} UTC  {', '.join(said)}"


def _rates(row: Json, found: Json) -> list[str]:
    recent = row["recent"]
    return [
        f"{row['in_flight']:,}",
        money(row["held"]["cost"]),
        f"{_per_minute(recent['requests'], found):,}",
        f"{_per_minute(recent['total_tokens'], found):,}",
        money(_per_minute(recent["cost"], found)),
    ]


def _per_minute(amount: Any, found: Json) -> Any:  # Any: a number, or money
    return (
        amount * 60 // found["seconds"]
        if isinstance(amount, int)
        else amount * 60 / found["seconds"]
    )


def _sheet(first: str, *headings: str) -> Any:  # Any: rich's table
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    sheet = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    sheet.add_column(first, overflow="fold")
    for heading in headings:
        sheet.add_column(heading, justify="left" if heading in ("group", "used") else "right")
    return sheet


def _print(found: Json) -> None:
    from tekton_budget.frontends.cli.terminal.output import console

    console().print(picture(found))
