"""`alerts`: thresholds that were crossed and limits that were passed, for people to see to."""

from functools import partial
from typing import Annotated

import typer

from tekton_budget.frontends.cli.terminal.output import Column, counted, moment_text
from tekton_budget.frontends.cli.terminal.session import every, session_of

app = typer.Typer(help="Thresholds crossed and limits passed.", no_args_is_help=True)

Budget = Annotated[str | None, typer.Option("--budget-id", help="Only of this budget: name or id")]
Severity = Annotated[str | None, typer.Option(help="info, warning or error")]
Named = Annotated[str, typer.Argument(metavar="ALERT_ID")]

_LISTED = 20
_COLUMNS: tuple[Column, ...] = (
    ("alert", lambda one: one["alert_id"]),
    ("when", lambda one: moment_text(one["timestamp"])),
    ("severity", lambda one: one["severity"]),
    ("seen by", lambda one: one["acknowledged_by"] or ""),
    ("what", lambda one: one["title"]),
)


@app.command("list")
def list_alerts(
    context: typer.Context,
    budget_id: Budget = None,
    severity: Severity = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="cost_limit_exceeded, …: only of this type")
    ] = None,
    acknowledged: Annotated[
        bool | None,
        typer.Option("--acknowledged/--unacknowledged", help="Only those seen to, or not yet"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most")] = _LISTED,
) -> None:
    """Alerts, newest first.

    \b
    tekton-budget alerts list --unacknowledged --severity error
    """
    session = session_of(context)
    with session.budget() as face:
        page = partial(
            face.alerts, budget=budget_id, severity=severity, type=type_, acknowledged=acknowledged
        )
        session.output.many(every(page, limit), _COLUMNS, empty="Nobody was alerted.")


@app.command("show")
def show(context: typer.Context, alert_id: Named) -> None:
    """One alert, with its numbers."""
    session = session_of(context)
    with session.budget() as face:
        found = face.alert(alert_id)
        session.output.one(found, lambda: print(found["message"]))


@app.command("acknowledge")
def acknowledge(
    context: typer.Context,
    alert_id: Annotated[str | None, typer.Argument(metavar="ALERT_ID")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All open ones instead of one")] = False,
    budget_id: Budget = None,
    severity: Severity = None,
) -> None:
    """You have seen to it; or to all of them, of a budget or a severity.

    \b
    tekton-budget alerts acknowledge --all --severity warning
    """
    if (alert_id is None) != all_ or (alert_id is not None and (budget_id or severity)):
        raise typer.BadParameter("name one ALERT_ID, or say --all")
    session = session_of(context)
    with session.budget() as face:
        if alert_id is None:
            done = face.acknowledge_alerts(budget=budget_id, severity=severity)
            number = done["acknowledged"]
            session.output.one(done, lambda: print(f"{counted(number, 'alert')} acknowledged."))
            return
        one = face.acknowledge_alert(alert_id)
        session.output.one(one, lambda: print(f"Acknowledged by {one['acknowledged_by']}."))


@app.command("check")
def check(
    context: typer.Context,
    budget_id: Budget = None,
    period: Annotated[str | None, typer.Option(help="Only policies of it: daily, …")] = None,
) -> None:
    """What stands above a threshold now."""
    session = session_of(context)
    with session.budget() as face:
        found = face.check_alerts(budget=budget_id, period=period)
        session.output.many(found, _COLUMNS, empty="Nothing stands above a threshold.")
