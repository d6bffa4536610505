"""The command line as people run it: on a database of its own, or against a server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from tests.keeper import warm_program

from tekton_budget.frontends.cli import app
from tekton_budget.frontends.cli.terminal import output as output_module

from ...client.conftest import Served, no_variables, served, unused_port

__all__ = ["Served", "no_variables", "served", "unused_port"]

# The runner would put all commands together anew for each that it runs: half of all its time.
typer.testing._get_command = cache(typer.testing._get_command)


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Told]


@pytest.fixture(params=["own database", "server"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command, as a program would: JSON comes out."""
    if request.param == "server":
        monkeypatch.setenv("BUDGET_URL", request.getfixturevalue("served").url)
    return run_command


@pytest.fixture
def run_here() -> Run:
    """The same, on the database only."""
    return run_command


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same for people: tables come out, 110 columns wide."""
    monkeypatch.setenv("COLUMNS", "110")

    class People(output_module.Output):
        def __init__(self, form: output_module.Form | None = None) -> None:
            super().__init__(form or output_module.Form.TABLE)

    monkeypatch.setattr("tekton_budget.frontends.cli.terminal.session.Output", People)
    return run_command


def run_command(*words: str, stdin: str | None = None) -> Told:
    result = typer.testing.CliRunner().invoke(app, list(words), input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)


def run_process(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A real process with a home of its own, from its very start."""
    code = "from tekton_budget.frontends.cli import main; main()"
    return _run([sys.executable, "-c", code, *words], folder, variables)


def run_warm(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The same of one that has read its modules."""
    return _run([*warm_program(), *words], folder, variables)


def _run(
    command: list[str], folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BUDGET_")},
        "XDG_DATA_HOME": str(folder),
        "HOME": str(folder),
        **variables,
    }
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
