"""`status`: where the limits stand, and which of them a call meets first."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tekton_budget.frontends.cli.limiting.limits import STANDING, Json
from tekton_budget.frontends.cli.original import spoken
from tekton_budget.frontends.cli.terminal.output import cell, table
from tekton_budget.frontends.cli.terminal.session import Session, every, session_of
from tekton_budget.frontends.cli.terminal.words import labels_of

if TYPE_CHECKING:
    from tekton_budget.face.budget import Budget

_LISTED = 50

Original = Annotated[str | None, typer.Option(hidden=True)]  # of the original's own `status`


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("status")(status)


def status(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="LABEL=VALUE", help="What is known of a call"),
    ] = None,
    period: Original = None,
    tier: Original = None,
    provider: Original = None,
    component: Original = None,
) -> None:
    """Where the limits stand: all of them, or those that concern a call with these labels.

    \b
    tekton-budget status
    tekton-budget status team=a model=gpt-5-mini
    """
    originals = {"period": period, "tier": tier, "provider": provider, "component": component}
    said = [word for name, value in originals.items() if value for word in (f"--{name}", value)]
    if said:
        spoken(context, ["status", *said, *(words or [])])
        return
    session = session_of(context)
    with session.budget() as face:
        if words or face.labels:
            _of_labels(session, face, labels_of(words or []))
        else:
            _overview(session, face)


def _of_labels(session: Session, face: "Budget", labels: dict[str, str]) -> None:
    answer = face.status(labels)

    def shown() -> None:
        binds = answer.get("binds") or {}
        policies = [
            {**view, "name": f"{'▶ ' if _is_same(view, binds) else '  '}{view['name']}"}
            for view in answer["policies"]
        ]
        table(policies, STANDING, empty="No limit concerns a call with these labels.")
        if binds:
            print("\n▶ is the limit that the next call meets first.")
        for near in answer.get("near") or []:
            print(_near_text(near))

    session.output.one(answer, shown)


def _is_same(view: Json, other: Json) -> bool:
    return bool(other) and (view["policy_id"], view["group"]) == (
        other["policy_id"],
        other["group"],
    )


def _near_text(near: Json) -> str:
    wanted = near["wanted"] if isinstance(near["wanted"], str) else ",".join(near["wanted"])
    given = "it is not given" if near["given"] is None else f"not {near['given']}"
    return f'Nearly: "{near["name"]}" asks for {near["label"]}={wanted} ({given}).'


def _overview(session: Session, face: "Budget") -> None:
    views: list[dict[str, Any]] = []
    for budget in every(face.budgets, None):
        if budget["is_active"]:
            balances = partial(face.balances, budget["budget_id"])
            views += every(balances, _LISTED)
    unlimited = None if views else face.status({})

    def shown() -> None:
        table(views, STANDING, empty=_nothing(session, unlimited))
        if len(views) >= _LISTED:
            print(f"\nThe first {_LISTED} of each budget. All: tekton-budget policies groups NAME")

    session.output.one({"balances": views}, shown)


def _nothing(session: Session, unlimited: Json | None) -> str:
    calls = (unlimited or {}).get("unbudgeted_calls")
    more = f" {cell(calls)} calls went through without one in 30 days." if calls else ""
    return f"No limits yet.{more} Set one: {session.hint('set', '5usd/day')}"
