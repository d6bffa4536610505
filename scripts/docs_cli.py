"""Reference of the command line, from the commands themselves: what `--help` says of each, and exit codes."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from docs_markdown import code, page, table

PAGE = "cli.md"
PROGRAM = "tekton-budget"

INTRO = """Tables on a terminal, JSON when piped or with `--json`. Without `--url` (or `BUDGET_URL`) a command works on the database itself, which is
exact beside a running server too. Errors go to standard error with their [code](errors.md)."""


def text() -> str:
    """The page."""
    parts = []
    for words, command in commands():
        parts += [f"## {' '.join((PROGRAM, *words))}", *_command(words, command)]
    return page("Command line", INTRO, "## Exit codes", _exit_codes(), *parts)


@cache
def root() -> Any:  # Any: typer's own command classes
    """The whole command line."""
    from typer.main import get_command

    from tekton_budget.frontends.cli import app

    return get_command(app)


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that reach it, groups before what is in them."""
    yield from _below((), root())


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _below((*words, name), inner)


def options_of(command: Any) -> set[str]:
    """Every option that a command takes."""
    return {"--help"} | {
        option
        for one in command.params
        for option in (*one.opts, *one.secondary_opts)
        if option.startswith("-")
    }


def _command(words: tuple[str, ...], command: Any) -> Iterator[str]:
    yield _help(command)
    inner = getattr(command, "commands", {})
    if inner:
        rows = [
            (code(" ".join((PROGRAM, *words, name))), _first(one))
            for name, one in inner.items()
            if not one.hidden
        ]
        yield table(("command", "what it does"), rows)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    if not inner:
        shown = [one.make_metavar(_context(command)) for one in arguments]
        yield code(" ".join((PROGRAM, *words, *(["[options]"] if options else []), *shown)))
    told = [
        (code(one.human_readable_name), (getattr(one, "help", None) or ""))
        for one in arguments
        if getattr(one, "help", None)
    ]
    if told:
        yield table(("argument", "what it says"), told)
    rows = [_option(one) for one in options if one.name != "help"]
    if rows:
        yield table(("option", "environment", "what it does"), rows)


def _context(command: Any) -> Any:
    return command.make_context(PROGRAM, [], resilient_parsing=True)


def _option(one: Any) -> tuple[str, str, str]:
    names = ", ".join(code(name) for name in (*one.opts, *one.secondary_opts))
    variable = one.envvar if isinstance(one.envvar, str) else ", ".join(one.envvar or ())
    default = one.default
    told = one.help or ""
    if default not in (None, (), [], False, "", True) and not callable(default):
        shown = getattr(default, "value", default)
        told += f" (default {code(shown)})" if "default" not in told else ""
    return names, code(variable) if variable else "", told


def _help(command: Any) -> str:
    return " ".join((command.help or "").replace("\b", "").split("\f")[0].split())


def _first(command: Any) -> str:
    return _help(command).split(". ")[0].rstrip(".")


def _exit_codes() -> str:
    from tekton_budget.frontends import cli

    codes = cli.EXIT_CODES
    return table(("code", "when"), [(code(number), about) for number, about in codes.items()])
