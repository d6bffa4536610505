"""`usage`: what calls really used: recorded, listed, summed."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.output import (
    Column,
    Form,
    cell,
    counted,
    moment_text,
    money,
    table,
)
from tekton_budget.frontends.cli.terminal.session import every, session_of
from tekton_budget.frontends.cli.terminal.words import labels_of

app = typer.Typer(help="What calls really used.", no_args_is_help=True)

Labels = Annotated[
    list[str] | None, typer.Argument(metavar="LABEL=VALUE", help="Only of these labels")
]
From = Annotated[str | None, typer.Option("--from", help="A day or moment, as 2026-11-01")]
To = Annotated[str | None, typer.Option("--to", help="A day (its end) or moment")]

_COLUMNS: tuple[Column, ...] = (
    ("when", lambda one: moment_text(one["timestamp"])),
    ("model", lambda one: f"{one['provider'] or ''}/{one['model'] or ''}".strip("/")),
    ("labels", lambda one: _labels_text(one["labels"])),
    ("#input", lambda one: one["input_tokens"]),
    ("#output", lambda one: one["output_tokens"]),
    ("#cost", lambda one: "unknown" if one["cost"] is None else money(one["cost"])),
    ("from", lambda one: one["cost_source"]),
    ("record", lambda one: one["record_id"]),
)
SUMS: tuple[Column, ...] = (
    ("#calls", lambda one: one["count"]),
    ("#input", lambda one: one["input_tokens"]),
    ("#output", lambda one: one["output_tokens"]),
    ("#tokens", lambda one: one["total_tokens"]),
    ("#cost", lambda one: money(one["cost"])),
    ("#unpriced", lambda one: one["unpriced"] or ""),
)


@app.command("record")
def record(
    context: typer.Context,
    labels: Annotated[
        list[str] | None,
        typer.Argument(metavar="LABEL=VALUE", help="What is known of the call"),
    ] = None,
    input_tokens: Annotated[int, typer.Option(help="Tokens of the input")] = 0,
    output_tokens: Annotated[int, typer.Option(help="Tokens of the answer")] = 0,
    cache_read_tokens: Annotated[int, typer.Option(help="Tokens read from a cache")] = 0,
    cache_write_tokens: Annotated[int, typer.Option(help="Tokens written to one")] = 0,
    tokens: Annotated[int, typer.Option(help="All tokens, if their kinds are not known")] = 0,
    cost: Annotated[str | None, typer.Option(help="USD, as you were charged")] = None,
    at: Annotated[str | None, typer.Option(help="When, if not now")] = None,
    allocation: Annotated[str | None, typer.Option(help="The allocation it belongs to")] = None,
    final: Annotated[
        bool, typer.Option("--final", help="It was all; settle the allocation")
    ] = False,
    id_: Annotated[str | None, typer.Option("--id", help="Your own id of it")] = None,
) -> None:
    """Post what a call used. It is a fact: counted by every limit concerned, never denied.

    \b
    tekton-budget usage record model=gpt-5-mini team=a --input-tokens 900 --output-tokens 120
    """
    session = session_of(context)
    with session.budget() as face:
        posted = face.record(
            labels=labels_of(labels or []),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            tokens=tokens,
            cost=cost,
            timestamp=at,
            allocation_id=allocation,
            final=final,
            record_id=id_,
        )
        text = "unknown (no price)" if posted.cost is None else money(posted.cost)
        late = ", late" if posted.late else ""
        session.output.one(
            posted.answer,
            lambda: print(f"Posted: {cell(posted.total_tokens)} tokens, {text}{late}."),
        )


@app.command("list")
def list_records(
    context: typer.Context,
    labels: Labels = None,
    from_: From = None,
    to: To = None,
    allocation: Annotated[str | None, typer.Option(help="Only of this allocation")] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="How many, newest first; with --csv and --nl all, if not said"),
    ] = None,
) -> None:
    """Usage records, newest first."""
    session = session_of(context)
    streams = session.output.form in (Form.CSV, Form.LINES)
    wanted = labels_of(labels or [])
    with session.budget() as face:
        found: Iterator[dict[str, Any]] = every(
            partial(
                face.usage_records, labels=wanted, allocation_id=allocation, start=from_, end=to
            ),
            limit if limit is not None or streams else 20,
        )
        session.output.many(found, _COLUMNS, empty="No usage.")


@app.command("show")
def show(
    context: typer.Context, record_id: Annotated[str, typer.Argument(metavar="RECORD_ID")]
) -> None:
    """One usage record."""
    session = session_of(context)
    with session.budget() as face:
        found = face.usage_record(record_id)

        def shown() -> None:
            for name, value in found.items():
                if value not in (None, {}, []):
                    print(f"{name:20} {value}")

        session.output.one(found, shown)


@app.command("summary")
def summary(
    context: typer.Context,
    labels: Labels = None,
    period: Annotated[
        str | None, typer.Option(help="The window open now: daily, monthly, …; else all time")
    ] = None,
    from_: From = None,
    to: To = None,
    by: Annotated[str, typer.Option(help="Labels, between commas")] = "provider,model",
    timezone: Annotated[str | None, typer.Option(help="Whose days, as Europe/Berlin")] = None,
) -> None:
    """What was used, in sum and by labels.

    \b
    tekton-budget usage summary --period monthly --by team
    """
    session = session_of(context)
    with session.budget() as face:
        found = face.usage_summary(
            period=period,
            start=from_,
            end=to,
            by=by,
            labels=labels_of(labels or []),
            timezone=timezone,
        )

        def shown() -> None:
            print(
                f"{money(found['total_cost'])} for {counted(found['count'], 'call')}, "
                f"{counted(found['total_tokens'], 'token')}"
                + (f"; {cell(found['unpriced'])} without a price" if found["unpriced"] else "")
            )
            for name, groups in found["groups"].items():
                rows = [{"value": value, **sums} for value, sums in groups.items()]
                if rows:
                    print()
                    table(rows, ((name, lambda one: one["value"]), *SUMS), empty="")

        session.output.one(found, shown)


def _labels_text(labels: dict[str, str]) -> str:
    shown = {k: v for k, v in labels.items() if k not in ("model", "provider")}
    return " ".join(f"{name}={value}" for name, value in shown.items())
