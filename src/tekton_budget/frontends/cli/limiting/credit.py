"""`credit`: an amount on top, once, for whoever ran out before the window turns."""

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tekton_budget.domain.errors import BudgetError, NotFound, invalid
from tekton_budget.frontends.cli.terminal.exits import REFUSED, complain
from tekton_budget.frontends.cli.terminal.output import moment_text, some, units
from tekton_budget.frontends.cli.terminal.session import Session, session_of
from tekton_budget.frontends.cli.terminal.words import labels_of, seconds_of

if TYPE_CHECKING:
    from tekton_budget.face.budget import Budget


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("credit")(credit)


def credit(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[LIMIT] [LABEL=VALUE]... AMOUNT",
            help="Which limit, by its name or by its labels, and how much more",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; it is kept")] = "",
    group: Annotated[
        str | None, typer.Option(help="The group of a --per limit, if no label names it")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="Ends after so long, as 12h; else with the window")
    ] = None,
) -> None:
    """Give an amount on top, once, for the current window.

    \b
    tekton-budget credit user=alice 20usd --reason "demo day"
    tekton-budget credit team=a 10usd
    tekton-budget credit "monthly per user" user=alice 20usd
    """
    session = session_of(context)
    *whom, amount = words
    amount = amount.rstrip(".")  # as it ends a denial's last sentence
    if "=" in amount or not whom:
        raise invalid("amount", 'say for whom and how much, as in "credit user=alice 20usd"')
    with session.budget() as face:
        policy, labels = _named(face, whom)
        try:
            answer = face.credit(
                amount,
                labels=labels,
                policy=policy,
                group=group,
                reason=reason,
                expires_at=_after(expires),
            )
        except BudgetError as error:
            if error.code != "ambiguous":
                raise
            complain(error)
            _list_choices(session, error, whom, amount)
            raise SystemExit(REFUSED) from None

    def shown() -> None:
        limit = f"{answer['name']}: {answer['group']}" if answer["group"] else answer["name"]
        until = answer["expires_at"] or answer["resets_at"]
        ends = f", until {moment_text(until)}" if until else ""
        print(f'Given: {units(some(answer["amounts"]))} on top of "{limit}"{ends}.')
        print(f"It may now use {units(answer['allowance'])} in this window.")

    session.output.one(answer, shown)


def _named(face: "Budget", whom: list[str]) -> tuple[str | None, dict[str, str]]:
    """A limit's name, and labels. Both may have `=` and blanks; a name is one that is there."""
    first = whom[0]
    if "=" not in first:
        return first, labels_of(whom[1:])
    if " " in first:
        try:
            return str(face.policy(first)["policy_id"]), labels_of(whom[1:])
        except NotFound:
            pass
    return None, labels_of(whom)


def _after(length: str | None) -> str | None:
    if length is None:
        return None
    return (datetime.now(UTC) + timedelta(seconds=seconds_of(length, "expires"))).isoformat()


def _list_choices(session: Session, error: BudgetError, whom: list[str], amount: str) -> None:
    labels = [word for word in whom if "=" in word]
    for choice in error.extra.get("choices") or []:
        print(
            f"  {session.hint('credit', str(choice['policy']), *labels, amount)}", file=sys.stderr
        )
