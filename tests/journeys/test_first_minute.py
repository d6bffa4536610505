"""The first minute: `make run`, the lines it prints pasted into a fresh shell, and a 402."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 60


class Served:
    """A server as a newcomer starts it, with what it said."""

    def __init__(self, home: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if "BUDGET" not in name}
        environment |= {
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "BUDGET_PORT": "0",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            _command(), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("Stop it:"):
                break

    def stop(self) -> int:
        """As Ctrl-C does."""
        pid = int(re.findall(r"kill (\d+)", self.said[-1])[0])
        os.kill(pid, signal.SIGINT)
        return self.process.wait(START_SECONDS_MAX)


def _command() -> list[str]:
    """`make run`, where the checkout was installed by make; else what it calls."""
    if (ROOT / ".venv/bin/.runtime").exists():
        return ["make", "run"]
    return [sys.executable, "-c", "from tekton_budget.frontends.cli import main; main()", "serve"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path)
    yield server
    if server.process.poll() is None:
        server.stop()
    if server.process.stdout is not None:
        server.process.stdout.close()


def test_the_printed_lines_pasted_into_a_fresh_shell_end_in_a_402(
    served: Served, tmp_path: Path
) -> None:
    assert re.fullmatch(r"Tekton Budget listens on http://127\.0\.0\.1:\d+", served.said[0])
    assert str(tmp_path / "data") in served.said[1]
    pasted = [line for line in served.said if line.startswith("  ")]
    assert len(pasted) >= 2
    for _ in range(2):  # as often as they are pasted
        shell = subprocess.run(
            ["bash", "--noprofile", "--norc"],
            input="\n".join(pasted),
            env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        last = shell.stdout[shell.stdout.rindex("HTTP/1.1") :]

        assert last.startswith("HTTP/1.1 402"), shell.stdout + shell.stderr
        assert "Over budget: this call may cost up to" in last

    assert served.stop() == 0
