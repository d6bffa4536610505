"""`keys`: who may ask, in which role, for which labels."""

from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.output import Column, ago, moment_text
from tekton_budget.frontends.cli.terminal.session import session_of
from tekton_budget.frontends.cli.terminal.words import labels_of, listed, seconds_of

app = typer.Typer(help="Who may ask, in which role, for which labels.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="KEY", help="Its name or id")]

_COLUMNS: tuple[Column, ...] = (
    ("key", lambda one: one["name"]),
    ("begins", lambda one: f"{one['prefix']}…"),
    ("role", lambda one: one["role"]),
    ("labels", lambda one: " ".join(f"{k}={v}" for k, v in one["labels"].items())),
    ("requires", lambda one: ", ".join(one["requires"])),
    ("last used", lambda one: ago(one["last_used_at"])),
    ("ends", lambda one: moment_text(one["revoked_at"] or one["expires_at"])),
)


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="It becomes the label key of its calls")],
    role: Annotated[str, typer.Option(help="viewer, client, operator or admin")] = "client",
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=VALUE", help="Forced on its calls; it sees nothing else"),
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="Its calls must have this label")
    ] = None,
    limit: Annotated[str | None, typer.Option(help="A limit of its own, as 50usd/month")] = None,
    expires: Annotated[str | None, typer.Option(help="Ends after so long, as 90d")] = None,
    max_priority: Annotated[int | None, typer.Option(help="The highest it may ask with")] = None,
    ladder: Annotated[
        list[str] | None,
        typer.Option(metavar="MODELS", help="To go on with where a call does not fit, as a,b"),
    ] = None,
    takes_user: Annotated[
        bool, typer.Option("--takes-user", help="A call's body may say its label user")
    ] = False,
) -> None:
    """Make a key. Its secret is shown now, and never again.

    \b
    tekton-budget keys create ci --label team=a --require user --limit 50usd/month --expires 90d
    """
    session = session_of(context)
    with session.budget() as face:
        made = face.create_key(
            name,
            role=role,
            labels=labels_of(label or []),
            requires=listed(require),
            max_priority=max_priority,
            ladder=listed(ladder),
            takes_user=takes_user,
            expires_in_seconds=None if expires is None else seconds_of(expires, "expires"),
            limit=limit,
        )
        session.output.one(made, lambda: _show_secret(made))


@app.command("list")
def list_keys(context: typer.Context) -> None:
    """All keys with their last use, without secrets."""
    session = session_of(context)
    with session.budget() as face:
        session.output.many(face.keys(), _COLUMNS, empty="No keys: only this machine may ask.")


@app.command("rotate")
def rotate(
    context: typer.Context,
    key: Named,
    overlap: Annotated[str, typer.Option(help="How long the old secret works on")] = "1d",
) -> None:
    """A new secret for the same name and rights."""
    session = session_of(context)
    with session.budget() as face:
        made = face.rotate_key(key, overlap_seconds=seconds_of(overlap, "overlap"))
        session.output.one(made, lambda: _show_secret(made))


@app.command("revoke")
def revoke(
    context: typer.Context,
    key: Named,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking")] = False,
) -> None:
    """End a key at once: every program that uses it is refused."""
    session = session_of(context)
    with session.budget() as face:
        session.confirm(f'Revoke "{key}"? Every program that uses it is refused.', yes=yes)
        revoked = face.revoke_key(key)
        session.output.one(revoked, lambda: print(f'Revoked: "{revoked["name"]}".'))


def _show_secret(made: dict[str, Any]) -> None:
    labels = " ".join(f"{name}={value}" for name, value in made["labels"].items())
    ends = f", until {moment_text(made['expires_at'])}" if made["expires_at"] else ""
    print(f'Key "{made["name"]}": {made["role"]}{f" for {labels}" if labels else ""}{ends}.')
    print("It is shown this once:\n")
    print(f"  export BUDGET_KEY={made['key']}")
