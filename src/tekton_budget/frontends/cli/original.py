"""The words of the original component's command line: they work as ever, beside our nouns."""

import shlex
import sys
from typing import Annotated

import typer

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.spoken import LINE, help_of, named, read
from tekton_budget.frontends.cli import serve
from tekton_budget.frontends.cli.terminal.exits import USAGE, complain
from tekton_budget.frontends.cli.terminal.output import Form, Output
from tekton_budget.frontends.cli.terminal.session import session_of

_OURS_TOO = ("status", "prices", "alerts")  # they take the original's words besides
_FIRST = tuple(dict.fromkeys(one.name.split()[0] for one in LINE))
_AS_THEY_STAND = {
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": [],
}
_HELP = ("-h", "--help")
_FORMS = {"json": "--json", "table": "--table"}

Words = Annotated[list[str] | None, typer.Argument(metavar="[WORD]...")]


def add_to(app: typer.Typer, prices: typer.Typer) -> None:
    """The commands, in either spelling; the main help has a line about them."""
    for name in _FIRST:
        for spelling in dict.fromkeys((name, name.replace("-", "_"))):
            if name == "start":
                app.command(spelling, hidden=True)(start)
            elif name not in _OURS_TOO:
                app.command(spelling, hidden=True, context_settings=_AS_THEY_STAND)(say)
    prices.command("update", hidden=True, context_settings=_AS_THEY_STAND)(say)


def start(context: typer.Context) -> None:
    """Run the service, as tekton-budget serve."""
    serve.serve(context)


def say(context: typer.Context, words: Words = None) -> None:
    """A line in the original's words."""
    path = context.command_path.split()[1:]
    spoken(context, [*path, *(words or [])])


def spoken(context: typer.Context, words: list[str]) -> None:
    """Do what the words say: lines for people, unless JSON is asked for."""
    if any(one in _HELP for one in words):
        _explain([one for one in words if not one.startswith("-")])
        return
    line = shlex.join(words)
    try:
        read(line)
    except InvalidInput as refusal:
        complain(refusal)
        raise SystemExit(USAGE) from None
    session = session_of(context)
    output = session.output if session.form is not None else Output(Form.TABLE)
    with session.budget() as face:
        answer = face.command(line)
    if not answer["success"]:
        from tekton_budget.face.refusals import error_from_problem

        data = dict(answer["data"])
        raise error_from_problem(data.pop("status"), data)
    output.one(answer["data"], lambda: print(answer["response"]))


def _explain(words: list[str]) -> None:
    found = named(" ".join(words[:2])) or named(" ".join(words[:1]))
    print("\n\n".join(help_of(one) for one in found))
    sys.stdout.flush()


def modernised(words: list[str], valued: frozenset[str]) -> list[str]:
    """The options that all of the original's commands take, in ours, where they stand.

    `--api-url` is `--url`, wherever; `--format` and `--debug` only before a command or where it is
    one of the original's, for elsewhere they may be another program's. `valued` are the options
    before a command that have a value.
    """
    end = words.index("--") if "--" in words else len(words)
    line = [_renamed(one) for one in words[:end]]
    at = _command_at(line, valued)
    is_original = at < len(line) and line[at].replace("_", "-") in _FIRST
    own, rest = _formed(line if is_original else line[:at])
    return [*own, *rest, *([] if is_original else line[at:]), *words[end:]]


def _command_at(words: list[str], valued: frozenset[str]) -> int:
    """Where the command is, or where it would be."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in {*valued, "--format"} else 1
    return min(at, len(words))


def _renamed(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"--url{equals}{value}" if name in ("--api-url", "--api_url") else word


def _formed(words: list[str]) -> tuple[list[str], list[str]]:
    """Options that are the program's own, and the other words."""
    own: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if word in ("--debug", "--no-debug"):
            own += ["--debug"] if word == "--debug" else []
        elif name == "--format" and (equals or left):
            form = value if equals else left.pop(0)
            known = _FORMS.get(form.lower())
            own += [known] if known else []
            rest += [] if known else [f"--format={form}"]
        else:
            rest.append(word)
    return own, rest
