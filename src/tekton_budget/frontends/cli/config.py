"""`config`: every setting in force, and where it comes from."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.output import Column
from tekton_budget.frontends.cli.terminal.session import Session, session_of

app = typer.Typer(help="Every setting in force, and where it comes from.")

_COLUMNS: tuple[Column, ...] = (
    ("setting", lambda one: one["name"]),
    ("value", lambda one: _in_a_cell(one["value"])),
    ("from", lambda one: one["source"]),
    ("variable", lambda one: one["variable"]),
    ("meaning", lambda one: one["meaning"]),
)
_CLIENT: tuple[tuple[str, str], ...] = (
    ("url", "The server that clients and commands ask; without one, the database itself"),
    ("key", "The key that they show to it"),
    ("labels", "Labels of every call, as team=a,user=b"),
    ("run", "The label run of every call"),
    ("output", "table, json, csv or nl, where no option says"),
)
_MASK = "********"
# Settings of which each name has a variable of its own.
_BY_NAME = {"upstreams": "BUDGET_UPSTREAM_", "upstream_keys": "BUDGET_UPSTREAM_KEY_"}
_FILE = Path("budget.toml")


@app.callback(invoke_without_command=True)
def config(
    context: typer.Context,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what is not as it is by default")
    ] = False,
) -> None:
    """Every setting in force, and where it comes from; secrets are masked."""
    if context.invoked_subcommand is not None:
        return
    session = session_of(context)
    rows = [*_settings(session), *_client(session)]
    if changed:
        rows = [row for row in rows if row["source"] != "default"]
    session.output.many(rows, _COLUMNS, empty="Everything is as it is by default.")


@app.command("path")
def path(context: typer.Context) -> None:
    """Where the settings file and the database are."""
    session = session_of(context)
    found = {"config": str((session.config or _FILE).absolute()), "database": _database(session)}

    def shown() -> None:
        there = "" if (session.config or _FILE).is_file() else " (not there)"
        print(f"{found['config']}{there}\n{found['database']}")

    session.output.one(found, shown)


def _settings(session: Session) -> list[dict[str, Any]]:
    from tekton_budget.tekton_environment import tekton_environment

    settings = session.settings()
    file = _in_file(session.config or _FILE)
    found = tekton_environment()
    tekton = found.settings()
    rows = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        variable = f"BUDGET_{name.upper()}"
        source = "default"
        if name == "database_url":
            value = _database(session)
            if "--database-url" in session.named:
                source = "option"
        prefix = _BY_NAME.get(name)
        if source == "default" and _is_said(found.variables, variable, prefix):
            source = str(found.files.get(variable, "environment"))
        elif source == "default" and name in file:
            source = str(session.config or _FILE)
        elif source == "default" and name in tekton:
            said = tekton[name].variable
            source = f"{found.files.get(said, 'environment')} ({said})"
        told = variable if prefix is None else f"{prefix}<NAME>"
        rows.append(_row(name, _shown(value), source, told, field.description or ""))
    return rows


def _in_a_cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items())
    return "" if value is None else str(value)


def _is_said(variables: Mapping[str, str], variable: str, prefix: str | None) -> bool:
    if prefix is None:
        return variable in variables
    longer = [one for one in _BY_NAME.values() if one != prefix and one.startswith(prefix)]
    return any(name.startswith(prefix) and not name.startswith(tuple(longer)) for name in variables)


def _shown(value: object) -> object:
    """A value that may be seen: of secrets only that they are there."""
    from pydantic import SecretStr

    match value:
        case SecretStr():
            return _MASK
        case dict():
            return {name: _shown(one) for name, one in value.items()}
        case tuple():
            return list(value)
        case str() if "://" in value:
            return _without_password(value)
        case _:
            return getattr(value, "value", value)


def _client(session: Session) -> list[dict[str, Any]]:
    rows = []
    for name, meaning in _CLIENT:
        variable = f"BUDGET_{name.upper()}"
        value = os.environ.get(variable) or None
        source = "default" if value is None else "environment"
        if name == "url" and "--url" in session.named:
            value, source = session.url, "option"
        if name == "key" and (session.key or value):
            source = source if value == session.key else "option"
            value = _MASK
        rows.append(_row(name, value, source, variable, meaning))
    return rows


def _row(name: str, value: Any, source: str, variable: str, meaning: str) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "source": source,
        "variable": variable,
        "meaning": meaning,
    }


def _in_file(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        return tomllib.load(file)


def _database(session: Session) -> str:
    """The database's address, without its password."""
    return _without_password(session.settings().database_url)


def _without_password(address: str) -> str:
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(address)
    if parts.password is None:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{_MASK}@{host}"))
