"""`serve`: the service on one port; its options are the settings."""

import gc
from typing import Annotated

import typer

from tekton_budget.frontends.cli.terminal.session import session_of


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            envvar="BUDGET_HOST", help="Where to listen (127.0.0.1); elsewhere by keys only"
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="BUDGET_PORT", help="On which port (8013); 0: a free one")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(envvar="BUDGET_WORKERS", help="Processes; more than 1 on PostgreSQL only"),
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Judge and record, but let everything through")
    ] = False,
    log_level: Annotated[
        str | None, typer.Option(envvar="BUDGET_LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(envvar="BUDGET_LOG_FORMAT", help="text or json")
    ] = None,
) -> None:
    """Run the service, until it is stopped (Ctrl-C). All settings: tekton-budget config."""
    session = session_of(context)
    session.url = None  # it is the server
    settings = session.settings(
        host=host,
        port=port,
        workers=workers,
        mode="shadow" if shadow else None,
        log_level=log_level,
        log_format=log_format,
    )
    gc.disable()  # what is loaded stays: to look through it again and again took a fifth of a start
    from tekton_budget.server import serve as run

    gc.freeze()
    gc.enable()
    # Who reads it through a pipe, as Tekton's launcher does, sees it now.
    run(settings, announce=lambda text: print(text, flush=True))
