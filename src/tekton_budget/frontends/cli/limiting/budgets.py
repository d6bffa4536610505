"""`budgets`: folders of policies with an owner and a scope."""

from functools import partial
from typing import Annotated

import typer

from tekton_budget.frontends.cli.limiting.limits import STANDING
from tekton_budget.frontends.cli.terminal.output import Column, table
from tekton_budget.frontends.cli.terminal.session import every, session_of
from tekton_budget.frontends.cli.terminal.words import scope_of, scope_words

app = typer.Typer(help="Folders of policies, with an owner and a scope.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="BUDGET", help="Its name or id")]

_COLUMNS: tuple[Column, ...] = (
    ("budget", lambda one: one["name"]),
    ("owner", lambda one: one["owner"] or ""),
    ("scope", lambda one: " ".join(scope_words(one.get("scope") or {})) or "all calls"),
    ("#policies", lambda one: len(one.get("policies") or [])),
    ("active", lambda one: one["is_active"]),
)


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    scope: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL=VALUE", help="Added to each policy's")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="LIMIT", help="In it, as 50usd/month; repeatable"),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(help="tekton: begin with Tekton's default limits, which warn"),
    ] = None,
) -> None:
    """Make a budget, with its limits if any: all or none.

    \b
    tekton-budget budgets create search team=search --limit 500usd/month --limit 5Mtokens/day
    tekton-budget budgets create tekton --template tekton
    """
    session = session_of(context)
    with session.budget() as face:
        made = face.create_budget(
            name,
            owner=owner,
            description=description,
            scope=scope_of(scope or []),
            policies=[{"limit": text} for text in limit or []],
            template=template,
        )
        session.output.one(made, lambda: print(f'New budget "{name}" ({made["budget_id"]}).'))


@app.command("list")
def list_budgets(
    context: typer.Context,
    owner: Annotated[str | None, typer.Option(help="Only those of this owner")] = None,
    limit: Annotated[int, typer.Option(help="How many")] = 100,
) -> None:
    """All budgets."""
    session = session_of(context)
    with session.budget() as face:
        found = every(partial(face.budgets, owner=owner), limit)
        session.output.many(
            found, _COLUMNS, empty=f"No budgets yet. Make one: {session.hint('set', '5usd/day')}"
        )


@app.command("show")
def show(context: typer.Context, budget: Named) -> None:
    """A budget and where its limits stand."""
    session = session_of(context)
    with session.budget() as face:
        found = face.budget(budget)
        id_ = found["budget_id"]
        views = list(every(partial(face.balances, id_), 100))

        def shown() -> None:
            owner = f", of {found['owner']}" if found["owner"] else ""
            closed = "" if found["is_active"] else " – not active"
            scope = " ".join(scope_words(found.get("scope") or {})) or "all calls"
            print(f'"{found["name"]}"{owner}: {scope}{closed}')
            table(views, STANDING, empty="It has no limits.")

        session.output.one({**found, "balances": views}, shown)


@app.command("change")
def change(
    context: typer.Context,
    budget: Named,
    scope: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL=VALUE", help="Its scope from now on")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Another name")] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether its limits concern calls")
    ] = None,
) -> None:
    """Change what is named; the rest stays."""
    session = session_of(context)
    fields = {
        "name": name,
        "owner": owner,
        "description": description,
        "is_active": active,
        "scope": scope_of(scope) if scope else None,
    }
    with session.budget() as face:
        said = {field: value for field, value in fields.items() if value is not None}
        after = face.change_budget(budget, **said)
        session.output.one(after, lambda: print(f'Changed: "{after["name"]}".'))


@app.command("close")
def close(
    context: typer.Context,
    budget: Named,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking")] = False,
) -> None:
    """Deactivate a budget: its limits no longer concern any call."""
    session = session_of(context)
    with session.budget() as face:
        found = face.budget(budget)
        session.confirm(f'Close "{found["name"]}"? Its limits no longer deny anything.', yes=yes)
        face.close_budget(found["budget_id"])
        closed = face.budget(found["budget_id"])
        session.output.one(closed, lambda: print(f'Closed: "{found["name"]}".'))
