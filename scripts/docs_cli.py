"""Reference of the command line, from the commands themselves: what `--help` says of each, and exit codes."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from docs_markdown import code, page, table

PAGE = "cli.md"
PROGRAM = "tekton-budget"

INTRO = """Tables on a terminal, JSON when piped or with `--json`; `BUDGET_OUTPUT` chooses for all commands. Without `--url` (or `BUDGET_URL`) a command works on the database itself, which is
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


def variables_of(command: Any) -> set[str]:
    """Every environment variable that an option names."""
    return {
        variable
        for one in command.params
        for variable in ([one.envvar] if isinstance(one.envvar, str) else one.envvar or [])
    }


def _command(words: tuple[str, ...], command: Any) -> Iterator[str]:
    yield from _told(command)
    inner = {name: one for name, one in getattr(command, "commands", {}).items() if not one.hidden}
    if inner:
        rows = [
            (code(" ".join((PROGRAM, *words, name))), _first(one)) for name, one in inner.items()
        ]
        yield table(("command", "what it does"), rows)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    if not inner:
        shown = [_argument(one) for one in arguments]
        ends = ["--"] if command.options_metavar.endswith(" --") else []  # then others' words
        given = ["[options]", *ends] if options else ends
        yield code(" ".join((PROGRAM, *words, *given, *shown)))
    told = [(code(_argument(one)), one.help) for one in arguments if one.help]
    if told:
        yield table(("argument", "what it says"), told)
    rows = [_option(words, one) for one in options if one.name != "help"]
    if rows:
        yield table(("option", "environment", "what it does"), rows)


def _argument(one: Any) -> str:
    """As a usage line shows it: in brackets where it may be left out."""
    name = str(one.metavar or one.display_name_raw)
    if one.required:
        return name
    return f"[{name}]..." if one.nargs == -1 else f"[{name}]"


def _option(words: tuple[str, ...], one: Any) -> tuple[str, str, str]:
    names = ", ".join(code(name) for name in (*one.opts, *one.secondary_opts))
    given = one.envvar if isinstance(one.envvar, str) else ", ".join(one.envvar or ())
    # What Typer makes of `auto_envvar_prefix` where no variable is named.
    variable = given or "_".join(("BUDGET", *words, str(one.name))).upper().replace("-", "_")
    default = getattr(one.default, "value", one.default)
    told = one.help or ""
    if isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
        told += f" (default {code(default)})" if "default" not in told else ""
    return names, code(variable), told


def _told(command: Any) -> Iterator[str]:
    """The help text; what stands as written there (after a backspace) are lines of code."""
    for paragraph in (command.help or "").split("\f")[0].split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b").strip("\n").splitlines()
            yield "\n".join(f"    {line}" for line in lines)
        else:
            yield " ".join(paragraph.split())


def _first(command: Any) -> str:
    return next(_told(command), "").split(". ")[0].rstrip(".")


def _exit_codes() -> str:
    from tekton_budget.frontends import cli

    codes = cli.EXIT_CODES
    return table(("code", "when"), [(code(number), about) for number, about in codes.items()])
