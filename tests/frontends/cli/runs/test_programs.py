"""Real programs, as they come from their registries, under a cap: each makes its call through the gateway.

They are looked for in the folder that `BUDGET_TEST_PROGRAMS` names, as
`npm install @anthropic-ai/claude-code @openai/codex opencode-ai` leaves them in `node_modules/.bin`.
"""

import os
import shutil
from pathlib import Path

import pytest
from tests.providers.server import provider

from .conftest import run_command

FOLDER = os.environ.get("BUDGET_TEST_PROGRAMS", "")
PROGRAMS: dict[str, tuple[str, ...]] = {
    "claude": ("claude", "-p", "say hi", "--model", "claude-sonnet-4-5"),
    "codex": ("codex", "exec", "--skip-git-repo-check", "-m", "gpt-5-mini", "say hi"),
    "opencode with Anthropic": ("opencode", "run", "-m", "anthropic/claude-sonnet-4-5", "say hi"),
    "opencode with OpenAI": ("opencode", "run", "-m", "openai/gpt-5-mini", "say hi"),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_real_program_is_held_to_the_cap(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which(command[0], path=FOLDER) if FOLDER else None
    if program is None:
        pytest.skip(f"BUDGET_TEST_PROGRAMS names no folder with {command[0]}")
    (tmp_path / ".codex").mkdir()
    monkeypatch.chdir(tmp_path)
    with provider() as mock:
        for name, value in {
            "HOME": str(tmp_path),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "CODEX_HOME": str(tmp_path / ".codex"),
            "ANTHROPIC_API_KEY": "sk-theirs",
            "OPENAI_API_KEY": "sk-theirs",
            "CODEX_API_KEY": "sk-theirs",
            "BUDGET_PRICES": "embedded",
            "BUDGET_UPSTREAM_OPENAI": f"{mock.url}/v1",
            "BUDGET_UPSTREAM_ANTHROPIC": mock.url,
        }.items():
            monkeypatch.setenv(name, value)
        words = ("--name", "p", "--cost", "2", "--strict", "--wall", "90")
        told = run_command("run", *words, "--", program, *command[1:])

    assert told.code == 0, told.err
    run = run_command("runs", "show", "p").json
    assert run["calls"] >= 1
    assert 0 < run["cost"] <= 2
    assert run["refused"] == 0
