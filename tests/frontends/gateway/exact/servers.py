"""Servers in processes of their own: forked from one that has everything imported, killed at will.

Run as a script it is that one: each line it reads holds a server's settings, and where it logs.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]


@dataclass
class Server:
    """One process, listening."""

    pid: int
    url: str
    log: Path

    def kill(self) -> None:
        """Without a warning."""
        os.kill(self.pid, signal.SIGKILL)


class Servers:
    """Starts servers quickly."""

    def __init__(self, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self._home = home
        self._started: list[Server] = []
        self._parent = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )

    def start(self, count: int = 1, **settings: Any) -> list[Server]:
        """So many, each on a port of its own."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        begun = len(self._started)
        for number in range(begun, begun + count):
            work = {"log": str(self._home / f"{number}.log"), "settings": settings}
            self._parent.stdin.write(json.dumps(work) + "\n")
        self._parent.stdin.flush()
        for _ in range(count):
            pid, url, log = self._parent.stdout.readline().split()
            self._started.append(Server(int(pid), url, Path(log)))
        return self._started[begun:]

    def close(self) -> None:
        """End all of them."""
        for server in self._started:
            try:
                server.kill()
            except ProcessLookupError:
                continue
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(60)
        self._parent.stdout.close()


def main() -> None:
    """Fork for each line; ends with its input."""
    from tekton_budget import server  # noqa: F401  (so that the forked ones have it)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        if os.fork() == 0:
            try:
                run(**json.loads(line))
            finally:
                os._exit(1)


def run(log: str, settings: dict[str, Any]) -> None:
    """One server, until it is killed."""
    from tekton_budget.server import serve
    from tekton_budget.settings import load_settings

    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 2)

    def announce(text: str) -> None:
        url = text.partition(" on ")[2].split()[0]
        os.write(1, f"{os.getpid()} {url} {log}\n".encode())

    serve(load_settings(port=0, **settings), announce=announce)


if __name__ == "__main__":
    main()
