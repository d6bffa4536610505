"""A program under `tekton-budget run`, with a home of its own, before the mock provider."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.providers.server import MockProvider, provider
from tests.tools.packages import installed
from tests.tools.programs import Program

WALL_SECONDS = 90
_BUDGET = (sys.executable, "-c", "from tekton_budget.frontends.cli import main; main()")
_KEPT = ("PATH", "LANG", "TERM", "SSL_CERT_FILE")


@dataclass
class Told:
    """How a program ended and what it printed; the run's last lines are among them."""

    code: int
    printed: str
    run: dict[str, Any]


@dataclass
class Desk:
    """Where programs are tried."""

    home: Path
    mock: MockProvider

    def tried(self, program: Program, cost: str) -> Told:
        """A run of a program."""
        for name, text in program.files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        work = self.home / "work"
        work.mkdir(exist_ok=True)
        bin_folder = installed(program.package)
        command = [*_found(program, bin_folder)]
        words = ("run", "--name", "tried", "--cost", cost, "--land", "0")
        done = subprocess.run(
            [*_BUDGET, *words, "--wall", str(WALL_SECONDS), "--", *command],
            env=self._variables(bin_folder) | program.variables,
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * WALL_SECONDS,
        )
        shown = subprocess.run(
            [*_BUDGET, "runs", "show", "tried"],
            env=self._variables(bin_folder),
            capture_output=True,
            text=True,
            check=True,
        )
        return Told(done.returncode, done.stdout + done.stderr, json.loads(shown.stdout))

    def _variables(self, bin_folder: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {
            "PATH": f"{bin_folder}:{kept['PATH']}",
            "HOME": str(self.home),
            "OPENAI_API_KEY": "sk-theirs",
            "ANTHROPIC_API_KEY": "sk-ant-theirs",
            "GEMINI_API_KEY": "theirs",
            "GOOGLE_API_KEY": "theirs",
            "GOOGLE_GENERATIVE_AI_API_KEY": "theirs",
            "BUDGET_DATABASE_URL": f"sqlite:///{self.home / 'budget.db'}",
            "BUDGET_UPSTREAM_OPENAI": f"{self.mock.url}/v1",
            "BUDGET_UPSTREAM_ANTHROPIC": self.mock.url,
            "BUDGET_UPSTREAM_GEMINI": self.mock.url,
            "BUDGET_PRICES": "embedded",
        }


def _found(program: Program, bin_folder: Path) -> Iterator[str]:
    """Its words, the program itself by its whole path."""
    first, *rest = program.words
    if first == "node":  # it looks for packages beside the script
        scripts = Path(__file__).parent / "scripts"
        script = shutil.copy(scripts / rest[0], bin_folder.parent.parent / rest[0])
        yield from ("node", str(script), *rest[1:])
    else:
        yield from (str(bin_folder / first), *rest)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with provider() as mock:
        yield Desk(tmp_path, mock)
