"""`report`: a month's spending by labels, for people and for sheets."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.output import Form, moment_text, money, table
from tekton_budget.frontends.cli.terminal.progress import waiting
from tekton_budget.frontends.cli.terminal.session import session_of
from tekton_budget.frontends.cli.terminal.words import labels_of
from tekton_budget.frontends.cli.usage import SUMS


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("report")(report)


def report(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Argument(metavar="YYYY-MM", help="Which month; by default this one")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL=VALUE", help="Only of these labels")
    ] = None,
    by: Annotated[str, typer.Option(help="Labels, between commas")] = "team,model",
    from_: Annotated[str | None, typer.Option("--from", help="Another time: from a day")] = None,
    to: Annotated[str | None, typer.Option("--to", help="to the end of a day")] = None,
    timezone: Annotated[str | None, typer.Option(help="Whose days, as Europe/Berlin")] = None,
) -> None:
    """What was spent in a month, by any labels; the rows add up exactly.

    \b
    tekton-budget report 2026-11 --by team,model --csv > november.csv
    tekton-budget report --by user team=a
    """
    session = session_of(context)
    labels = list(label or [])
    if month is not None and "=" in month:
        labels.insert(0, month)
        month = None
    if month is None and from_ is None and to is None:
        month = f"{datetime.now(UTC):%Y-%m}"
    with session.budget() as face, waiting("Adding up", session.output):
        found = face.usage_report(
            month, by=by, start=from_, end=to, labels=labels_of(labels), timezone=timezone
        )
    if session.output.form in (Form.CSV, Form.LINES):
        rows = [{**row["values"], **_sums(row)} for row in found["rows"]]
        fields = [*found["by"], *_sums(found["total"])]
        session.output.many(rows, (), empty="", fields=fields)
        return

    def shown() -> None:
        groups = tuple(
            (name, lambda row, name=name: row["values"].get(name) or "(none)")
            for name in found["by"]
        )
        start, end = moment_text(found["start_time"]), moment_text(found["end_time"])
        print(f"{start} to {end}: {money(found['total']['cost'])}")
        table(found["rows"], (*groups, *SUMS), empty="Nothing was used.")

    session.output.one(found, shown)


def _sums(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "values"}
