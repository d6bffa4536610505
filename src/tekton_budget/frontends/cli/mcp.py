"""`mcp`: the budget as tools of an agent, by the Model Context Protocol on standard streams."""

from typing import TYPE_CHECKING, Annotated

import typer

from tekton_budget.face.environment import environment
from tekton_budget.frontends.cli.terminal.session import Session, session_of

if TYPE_CHECKING:
    from tekton_budget.face.budget import AsyncBudget

PATIENCE_SECONDS = 5.0  # a model waits for the answer


def add_to(app: typer.Typer) -> None:
    """As a command of the program."""
    app.command("mcp")(mcp)


def mcp(
    context: typer.Context,
    admin: Annotated[
        bool, typer.Option("--admin", help="The tools of administration instead: limits, credit")
    ] = False,
) -> None:
    """Serve an agent's own budget to it as tools: its client starts this, and stops it.

    \b
    claude mcp add tekton-budget -- tekton-budget mcp

    It works on the server that BUDGET_URL names, else on the database itself. Whose calls they are
    is said by BUDGET_KEY, BUDGET_LABELS and BUDGET_RUN. Over HTTP the same is at /mcp of a server.
    """
    from tekton_budget.frontends.mcp.stdio import serve_until_closed

    serve_until_closed(_face(session_of(context)), administers=admin)


def _face(session: Session) -> "AsyncBudget":
    labels = environment().labels
    if session.url is not None:
        from tekton_budget.client import AsyncClient

        return AsyncClient(
            session.url, key=session.key, labels=labels, patience_seconds=PATIENCE_SECONDS
        )
    from tekton_budget.library import open_async_in_process

    return open_async_in_process(session.settings(), labels=labels, key=session.key)
