"""The crew: several server processes on one port, each replaced when it dies."""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from socket import socket
from types import FrameType

import structlog
from prometheus_client.multiprocess import mark_process_dead

from tekton_budget.domain.errors import Unavailable
from tekton_budget.settings import Settings

log = structlog.get_logger(__name__)

STOP_SECONDS = 45.0  # for all to answer what they took
YOUNG_SECONDS = 5.0  # whoever dies younger than this may never get up
FAILURES_MAX = 5
SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"

Work = Callable[[Settings, socket, int], None]  # the number is the worker's place in the crew


class Crew:
    """Starts, watches, replaces and ends the workers."""

    def __init__(self, settings: Settings, listening: socket, work: Work) -> None:
        self._settings = settings
        self._listening = listening
        self._work = work
        self._spawn = multiprocessing.get_context("spawn")
        self._workers: dict[SpawnProcess, tuple[float, int]] = {}  # since when, and its place
        self._stopping = False
        self._failures = 0

    def run(self) -> None:
        """Until told to stop; refuses when workers cannot start."""
        multiprocessing.allow_connection_pickling()
        directory = tempfile.mkdtemp(prefix="tekton-budget-counts-")
        os.environ[SHARED_COUNTS] = directory
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, self._told)
            for number in range(self._settings.workers):
                self._start(number)
            while not self._stopping:
                self._watch()
            self._end()
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _told(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True

    def _start(self, number: int) -> None:
        worker = self._spawn.Process(
            target=self._work, args=(self._settings, self._listening, number)
        )
        worker.start()
        self._workers[worker] = time.monotonic(), number

    def _watch(self) -> None:
        wait([worker.sentinel for worker in self._workers], timeout=0.2)
        for worker, (since, number) in list(self._workers.items()):
            if worker.is_alive() or self._stopping:
                continue
            del self._workers[worker]
            if worker.pid is not None:
                mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # theirs is untyped
            log.warning("worker_died", pid=worker.pid, exit_code=worker.exitcode)
            young = time.monotonic() - since < YOUNG_SECONDS
            self._failures = self._failures + 1 if young else 0
            if self._failures >= FAILURES_MAX:
                self._end()
                raise Unavailable(
                    f"{FAILURES_MAX} workers in a row ended as they started; the log says why.",
                    code="workers_failed",
                )
            self._start(number)

    def _end(self) -> None:
        for worker in self._workers:
            worker.terminate()
        give_up_at = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.join(max(0.0, give_up_at - time.monotonic()))
            if worker.is_alive():
                log.error("worker_killed", pid=worker.pid)
                worker.kill()
                worker.join()


def end_with_parent() -> None:
    """In a worker: stop when the process that watches over it is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="budget-parent", daemon=True).start()
