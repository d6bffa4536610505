"""Start-up: from the command to the first answer of an empty server, and the memory it then holds."""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

Row = tuple[str, float, str, bool]  # what, figure, target, reached

SECONDS_MAX = 1.5
MEGABYTES_MAX = 150
TIMES = 5


def rows(*, quick: bool = False) -> Iterator[Row]:
    """The median of several starts over a fresh database each."""
    taken = [_started() for _ in range(1 if quick else TIMES)]
    seconds = statistics.median(each[0] for each in taken)
    megabytes = statistics.median(each[1] for each in taken)
    yield "start-up of an empty server, s", seconds, "<= 1.5", seconds <= SECONDS_MAX
    yield "its resident memory, MB", megabytes, "< 150", megabytes < MEGABYTES_MAX


def _started() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "BUDGET_DATABASE_URL": f"sqlite:///{folder}/budget.db",
            "BUDGET_PORT": "0",
            "PYTHONUNBUFFERED": "1",
        }
        command = "from tekton_budget.frontends.cli import main; main()"
        begun = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-c", command, "serve"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            url = re.findall(r"http://\S+", server.stdout.readline())[0]
            with urlopen(f"{url}/health") as answer:
                answer.read()
            seconds = time.perf_counter() - begun
            return seconds, _resident_megabytes(server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _resident_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        found = subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)], text=True)
        return int(found) / 1024
    return int(re.findall(r"VmRSS:\s+(\d+)", status.read_text())[0]) / 1024


if __name__ == "__main__":
    for row in rows():
        print(*row, sep=" | ")
