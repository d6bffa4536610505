"""`db`: the database itself: where it is, whether its schema fits, and bringing it up to date."""

from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.exits import FAILED
from tekton_budget.frontends.cli.terminal.session import Session, session_of

app = typer.Typer(help="The database: where it is, and its schema.", no_args_is_help=True)

_TEXTS = {
    "fresh": "nothing is there yet; it is made at the first use.",
    "current": "its schema is this version's.",
    "older": "its schema is older; run: tekton-budget db upgrade",
    "newer": "its schema is newer than this program; install a newer one.",
    "foreign": "it holds tables of something else under our names.",
}


@app.command("upgrade")
def upgrade(context: typer.Context) -> None:
    """Bring the schema to this version. Stop what runs on an older one before."""
    session = session_of(context)
    session.local_only("db upgrade")
    from tekton_budget.wiring import upgrade_database

    revisions = upgrade_database(session.settings())
    found = {**_found(session), "revisions": revisions}
    text = f"brought up to date ({', '.join(revisions)})." if revisions else "it is up to date."
    session.output.one(found, lambda: print(f"{found['database']}: {text}"))


@app.command("status")
def status(context: typer.Context) -> None:
    """Whether the schema fits this version; exit code 1 if it does not."""
    session = session_of(context)
    session.local_only("db status")
    found = _found(session)
    session.output.one(found, lambda: print(f"{found['database']}: {_TEXTS[found['schema']]}"))
    if found["schema"] not in ("fresh", "current"):
        raise SystemExit(FAILED)


@app.command("rezone")
def rezone(
    context: typer.Context,
    zone: Annotated[str, typer.Argument(help="An IANA zone, as Europe/Berlin")],
) -> None:
    """Cut the days of reports in another time zone: their sums are added up anew.

    Stop what runs on the database before. Policies keep their own zones.
    """
    session = session_of(context)
    session.local_only("db rezone")
    from tekton_budget.wiring import rezone_database

    count = rezone_database(session.settings(), zone)
    found = {**_found(session), "timezone": zone, "usage": count}
    text = f"days are cut in {zone} now; {count} usage records were added up again."
    session.output.one(found, lambda: print(f"{found['database']}: {text}"))


@app.command("path")
def path(context: typer.Context) -> None:
    """Where the database is."""
    session = session_of(context)
    session.local_only("db path")
    found = _found(session)
    session.output.one(found, lambda: print(found["path"] or found["database"]))


def _found(session: Session) -> dict[str, Any]:
    from tekton_budget.wiring import database_of

    found = database_of(session.settings())
    return {
        "database": found.shown,
        "path": None if found.path is None else str(found.path),
        "schema": found.schema.value,
    }
