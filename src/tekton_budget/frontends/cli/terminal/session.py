"""What a command works on: the budget it reaches, and how its answers are printed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from tekton_budget.face.environment import environment
from tekton_budget.frontends.cli.terminal.exits import USAGE
from tekton_budget.frontends.cli.terminal.output import Form, Output
from tekton_budget.frontends.cli.terminal.words import command_line

if TYPE_CHECKING:
    from tekton_budget.face.budget import Budget
    from tekton_budget.settings import Settings

PROGRAM = "tekton-budget"
PATIENCE_SECONDS = 3.0  # a person waits; a program asks again for longer
PAGE = 500


@dataclass(slots=True)
class Session:
    """The options of every command."""

    url: str | None = None
    key: str | None = None
    database_url: str | None = None
    config: Path | None = None
    form: Form | None = None
    debug: bool = False
    named: tuple[str, ...] = ()  # those of them that stood on the command line, to repeat in hints
    output: Output = field(init=False)

    def __post_init__(self) -> None:
        self.output = Output(self.form)

    @contextmanager
    def budget(self) -> "Iterator[Budget]":
        """The library's face: over the server that is named, else over the database."""
        with self._opened() as budget:
            yield budget

    def _opened(self) -> "Budget":
        labels = environment().labels
        if self.url is not None:
            from tekton_budget.client import Client

            return Client(self.url, key=self.key, labels=labels, patience_seconds=PATIENCE_SECONDS)
        from tekton_budget.library import open_in_process

        return open_in_process(self.settings(), labels=labels, key=self.key)

    def settings(self, **given: Any) -> "Settings":
        """The settings in force, for what works on the database itself."""
        from tekton_budget.settings import load_settings

        given.setdefault("database_url", self.database_url)
        if self.debug and given.get("log_level") is None:
            given["log_level"] = "DEBUG"
        return load_settings(self.config, **given)

    def local_only(self, what: str) -> None:
        """Refuse a server for what needs the database itself."""
        if self.url is not None:
            raise typer.BadParameter(
                f"{what} works on the database itself, on the machine that has it; leave out --url "
                "(and unset BUDGET_URL), and name the database by --database-url",
                param_hint="--url",
            )

    def hint(self, *words: str) -> str:
        """A command to paste, which reaches the same budget."""
        return command_line([PROGRAM, *self.named, *words])

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before what cannot be taken back; where nobody can answer, `--yes` is needed."""
        if yes:
            return
        if not is_answered():
            print(f"usage: {question} Say so with --yes.", file=sys.stderr)
            raise SystemExit(USAGE)
        try:
            sure = typer.confirm(question, err=True)
        except typer.Abort:
            sure = False
        if not sure:
            print("Nothing was changed.", file=sys.stderr)
            raise SystemExit(USAGE)


def is_answered() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def session_of(context: typer.Context) -> Session:
    """The session of a command."""
    return cast(Session, context.find_root().obj)  # set by the root's callback


def every(
    page: Callable[..., dict[str, Any]], limit: int | None
) -> Iterator[dict[str, Any]]:  # Any: decoded JSON
    """All items of a list, page by page, up to a limit."""
    after: str | None = None
    left = limit
    while left is None or left > 0:
        answer = page(after=after, limit=PAGE if left is None else min(left, PAGE))
        yield from answer["items"]
        after = answer.get("next")
        if after is None:
            return
        left = None if left is None else left - len(answer["items"])


def form_of(*, json: bool, csv: bool, lines: bool) -> Form | None:
    """The form that was asked for; by `BUDGET_OUTPUT` where no option says."""
    if csv:
        return Form.CSV
    if lines:
        return Form.LINES
    if json:
        return Form.JSON
    named = os.environ.get("BUDGET_OUTPUT")
    return Form(named) if named in set(Form) else None
