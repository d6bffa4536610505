"""The life of a component of Tekton: how its launcher starts it, where it listens, how it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 120


class Component:
    """A process as Tekton's launcher starts it: in a session of its own, read through pipes."""

    def __init__(self, words: list[str], folder: Path, variables: dict[str, str]) -> None:
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("Stop it"):
                break
        assert self.said, self.log.read_text()
        self.url = self.said[0].split(" on ")[1].split()[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS_MAX)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Tekton:
    """A Tekton with files of its own, and a free port for its budget."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "Tekton"
        self.home = folder / "home"
        self.elsewhere = folder / "elsewhere"
        for one in (self.root, self.home, self.elsewhere):
            one.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.write(f"BUDGET_PORT={self.port}\nPENIA_PORT={self.port}\nBUDGET_LOG_FORMAT=json\n")

    def write(self, text: str) -> None:
        (self.root / ".env.tekton").write_text(text)

    @property
    def variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BUDGET_", "HERMES_", "PENIA_", "TEKTON_"))
        }
        return {
            **kept,
            "HOME": str(self.home),
            "TEKTON_ROOT": str(self.root),
            "PYTHONPATH": str(self.root),
        }

    @contextmanager
    def started(self, *words: str) -> Iterator[Component]:
        component = Component(list(words), self.elsewhere, self.variables)
        try:
            yield component
        finally:
            component.close()


@pytest.fixture
def tekton(tmp_path: Path) -> Tekton:
    return Tekton(tmp_path)


@pytest.mark.parametrize("script", ["run_budget.sh", "run_penia.sh"])
def test_the_launcher_starts_and_stops_it_by_its_script(tekton: Tekton, script: str) -> None:
    """From another directory, with Tekton's modules in front of ours."""
    (tekton.root / "typer.py").write_text("raise ImportError('this is not the one')")

    with tekton.started("bash", str(ROOT / script)) as component:
        health = httpx.get(f"http://localhost:{tekton.port}/health").json()
        limit = {"limit": "1usd/day"}
        httpx.post(f"{component.url}/api/v1/policies", json=limit).raise_for_status()
        code = component.stop()  # the launcher knows this process only

    assert (health["status"], health["port"]) == ("healthy", tekton.port)
    assert code == 0, component.log.read_text()
    assert '"event":"stopped"' in component.log.read_text().replace(" ", "")
    assert (tekton.root / ".tekton" / "data" / "budget" / "tekton-budget.db").is_file()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_module_alone_serves(tekton: Tekton, number: int) -> None:
    with tekton.started(sys.executable, "-m", "tekton_budget") as component:
        assert component.url == f"http://127.0.0.1:{tekton.port}"
        assert component.stop(number) == 0


@pytest.mark.parametrize("words", [("start",), ("--debug", "start"), ("--debug",)])
def test_the_original_s_start_serves(tekton: Tekton, words: tuple[str, ...]) -> None:
    with tekton.started(sys.executable, "-m", "tekton_budget", *words) as component:
        httpx.post(f"{component.url}/api/v1/policies", json={"limit": "1usd/day"})
        assert component.stop() == 0

    assert ('"level":"debug"' in component.log.read_text()) is ("--debug" in words)


def test_the_module_takes_the_options_of_serving(tekton: Tekton) -> None:
    words = (
        "-m",
        "tekton_budget",
        "--port",
        "0",
        "--database-url",
        f"sqlite:///{tekton.home}/o.db",
    )
    with tekton.started(sys.executable, *words) as component:
        assert component.url != f"http://127.0.0.1:{tekton.port}"
        assert component.stop() == 0
    assert (tekton.home / "o.db").is_file()


def test_the_module_is_the_command_line_too(tekton: Tekton) -> None:
    def told(*words: str) -> str:
        command = [sys.executable, "-m", "tekton_budget", *words]
        return subprocess.run(
            command, env=tekton.variables, capture_output=True, text=True, check=True
        ).stdout

    shown = told("--nl", "config", "--changed")
    assert f'"source":"{tekton.root}/.env.tekton"' in shown
    assert '"source":"environment (TEKTON_ROOT)"' in shown
    assert told("--help").startswith("Usage: tekton-budget")
    assert told("--version").strip()[0].isdigit()


def test_two_ports_that_differ_are_told(tekton: Tekton) -> None:
    tekton.write(f"BUDGET_PORT={tekton.port}\nPENIA_PORT=8999\n")
    with tekton.started(sys.executable, "-m", "tekton_budget") as component:
        assert component.url == f"http://127.0.0.1:{tekton.port}"
        assert component.stop() == 0

    assert "ports_differ" in component.log.read_text()
    assert "8999" in component.log.read_text()


def test_several_workers_start_and_stop_as_one(tekton: Tekton, postgres_url: str) -> None:
    tekton.write(
        f"BUDGET_PORT={tekton.port}\nBUDGET_DATABASE_URL={postgres_url}\nBUDGET_WORKERS=2\n"
    )
    with tekton.started(sys.executable, "-m", "tekton_budget") as component:
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(base_url=component.url, transport=transport, timeout=60) as http:
            assert http.get("/health").json()["status"] == "healthy"
        code = component.stop()

    assert code == 0, component.log.read_text()
    assert "worker_killed" not in component.log.read_text()


def test_the_host_that_tekton_builds_addresses_of_is_where_it_listens(tekton: Tekton) -> None:
    tekton.write(f"BUDGET_PORT={tekton.port}\nBUDGET_HOST=localhost\nTEKTON_HOST=0.0.0.0\n")
    with tekton.started(sys.executable, "-m", "tekton_budget") as component:
        assert component.url == f"http://localhost:{tekton.port}"
        assert httpx.get(f"http://127.0.0.1:{tekton.port}/health").status_code == 200
        assert component.stop() == 0


def test_it_stops_when_asked_over_http(tekton: Tekton) -> None:
    tekton.write(f"BUDGET_PORT={tekton.port}\nBUDGET_SHUTDOWN_ENABLED=true\n")
    with tekton.started(sys.executable, "-m", "tekton_budget") as component:
        answer = httpx.post(f"{component.url}/api/shutdown")
        code = component.process.wait(SECONDS_MAX)

    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert code == 0


def test_a_faulty_file_of_tekton_stops_the_start_with_its_name(tekton: Tekton) -> None:
    tekton.write("TEKTON_MCP_ENABLED=perhaps\n")
    command = [sys.executable, "-m", "tekton_budget"]
    told = subprocess.run(
        command, env=tekton.variables, capture_output=True, text=True, check=False
    )

    assert told.returncode == 3
    assert told.stderr.startswith("setting_invalid: TEKTON_MCP_ENABLED: ")


def test_a_key_that_is_asked_for_has_to_be_there(tekton: Tekton) -> None:
    tekton.write("BUDGET_API_REQUIRE_AUTH=true\n")
    command = [sys.executable, "-m", "tekton_budget", "--port", "0"]
    told = subprocess.run(
        command, env=tekton.variables, capture_output=True, text=True, check=False
    )

    assert told.returncode == 6
    assert told.stderr.startswith("keys_needed: BUDGET_API_REQUIRE_AUTH")


MAKEFILE = """
.venv/bin/.runtime:
\t@mkdir -p .venv/bin; touch .venv/bin/tekton-budget; chmod +x .venv/bin/tekton-budget
\t@printf '#!/bin/sh\\necho "$$0" "$${PYTHONPATH-none}" "$$@"\\n' > .venv/bin/python
\t@chmod +x .venv/bin/python; echo installed
"""


def test_the_script_makes_what_is_not_there(tekton: Tekton) -> None:
    """In a folder with a space in its name, through a link from Tekton's own."""
    home = tekton.home / "a budget"
    home.mkdir()
    shutil.copy(ROOT / "run_budget.sh", home)
    (home / "Makefile").write_text(MAKEFILE)
    (tekton.root / "run_budget.sh").symlink_to(home / "run_budget.sh")

    def told() -> subprocess.CompletedProcess[str]:
        command = ["bash", str(tekton.root / "run_budget.sh"), "--port", "8 0"]
        return subprocess.run(
            command,
            cwd=tekton.elsewhere,
            env=tekton.variables,
            capture_output=True,
            text=True,
            check=True,
        )

    first, second = told(), told()

    said = f"{home}/.venv/bin/python none -m tekton_budget --port 8 0\n"
    assert (first.stdout, second.stdout) == (said, said)
    assert "installed" in first.stderr
    assert second.stderr == ""


def test_what_is_loaded_for_a_start_is_not_looked_through_for_garbage(tmp_path: Path) -> None:
    code = (
        "import atexit, gc;"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000, gc.isenabled()));"
        "from tekton_budget.frontends.cli import main; main()"
    )
    database = f"sqlite:///{tmp_path}/b.db"
    words = ["serve", "--host", "0.0.0.0", "--database-url", database]  # refused: there is no key
    told = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert told.stdout == "True True\n", told.stderr
