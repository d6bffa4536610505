"""What callers sent and heard, and when: written through at once, so that no kill can take it."""

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path


class Verb(StrEnum):
    """What was called."""

    RESERVE = "reserve"
    SETTLE = "settle"
    RELEASE = "release"
    ALLOW = "allow"  # a person changed what may be used altogether


class Heard(StrEnum):
    """How a call ended, as its caller saw it."""

    GRANTED = "granted"
    DENIED = "denied"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Call:
    """One call. What was never answered may have happened, or not."""

    verb: Verb
    id: str
    group: str
    amount: int
    least: int
    sent_ns: int
    answered_ns: int | None = None
    heard: Heard | None = None
    granted: int = 0
    error: str = ""


class CallLog:
    """One process's calls, in a file. Two lines a call: sent, and heard."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._numbers = count()
        self._lock = threading.Lock()

    def sent(self, verb: Verb, id: str, group: str, amount: int, least: int | None = None) -> int:
        """Note what is about to be sent; what comes back is its number."""
        with self._lock:
            number = next(self._numbers)
        least = amount if least is None else least
        self._write(">", number, verb, id, group, amount, least, time.monotonic_ns())
        return number

    def heard(self, number: int, heard: Heard, granted: int = 0, error: str = "") -> None:
        """Note the answer."""
        now_ns = time.monotonic_ns()
        text = " ".join(error.split())
        self._write("<", number, heard, granted, now_ns, text)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _write(self, *fields: object) -> None:
        os.write(self._file, ("\t".join(map(str, fields)) + "\n").encode())


def read_calls(paths: Iterable[Path]) -> list[Call]:
    """All calls of all processes, in the order in which they were sent."""
    calls: list[Call] = []
    for path in paths:
        calls += _calls_of(path)
    calls.sort(key=lambda call: call.sent_ns)
    return calls


def _calls_of(path: Path) -> list[Call]:
    calls: dict[int, Call] = {}
    text = path.read_text() if path.exists() else ""
    for line in text.split("\n")[:-1]:  # a last line without its end was cut off by a kill
        mark, number, *fields = line.split("\t")
        if mark == ">":
            verb, id_, group, amount, least, sent_ns = fields
            calls[int(number)] = Call(Verb(verb), id_, group, int(amount), int(least), int(sent_ns))
        else:
            heard, granted, answered_ns, error = fields
            call = calls[int(number)]
            call.heard, call.granted = Heard(heard), int(granted)
            call.answered_ns, call.error = int(answered_ns), error
    return list(calls.values())
