"""Processes of callers for tests: forked from one that has everything imported, killed at will.

Run as a script it is that one: each line it reads names a store, callers, how much they ask, and a file in which
every answer is written down as soon as it is there.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]


class Callers:
    """Starts processes quickly, and kills them."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), *sys.path])},
        )

    def start(self, **work: object) -> int:
        """A process at work; its id."""
        self._parent.stdin.write(json.dumps(work) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    @staticmethod
    def kill(pid: int) -> None:
        """Without a warning."""
        os.kill(pid, signal.SIGKILL)
        Callers.wait(pid)

    @staticmethod
    def wait(pid: int, seconds: float = 120.0) -> None:
        """Until the process has ended."""
        give_up = time.monotonic() + seconds
        while Path(f"/proc/{pid}").exists() or _is_there(pid):
            assert time.monotonic() < give_up, "a caller did not end"
            time.sleep(0.005)

    def close(self) -> None:
        self._parent.stdin.close()
        self._parent.wait(60)
        self._parent.stdout.close()


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Fork for each line; ends with its input."""
    from tests.storage import workbench  # noqa: F401  (so that the forked ones have it)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run(**json.loads(line))
                code = 0
            finally:
                os._exit(code)
        print(pid, flush=True)


def run(url: str, out: str, name: str, threads: int, calls: int, cost: str, settled: str) -> None:
    """Threads that ask and settle, one call after the other; what they are told is written down."""
    from tests.storage.workbench import Bench, allocate, settle

    from tekton_budget.domain.answer import Ended, Grant

    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(*words: str) -> None:
        os.write(file, (" ".join(words) + "\n").encode())

    def call(bench: Bench, thread: int) -> None:
        for number in range(calls):
            id_ = f"{name}-{thread}-{number}"
            labels = {"user": f"u{thread}"}
            write("asking", id_)
            answer = bench.run(allocate(id_, cost, labels=labels))
            if not isinstance(answer, Grant):
                write(type(answer).__name__, id_)
                continue
            write("granted", id_)
            if settled != "never":
                ended = bench.run(settle(id_, settled))
                assert isinstance(ended, Ended), ended
                write("settled", id_)

    with Bench(url) as bench:
        write("ready", name)
        workers = [threading.Thread(target=call, args=(bench, t)) for t in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    write("done", name)


if __name__ == "__main__":
    main()
