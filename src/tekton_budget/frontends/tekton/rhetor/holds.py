"""What a check holds until the call that it was made for is recorded.

Rhetor's callers check, call the model, and record; nothing says which record belongs to which
check, and many check without the component that they record. So a record takes the hold of a check
for the same model: of the same text, else of the same thread or task, else the oldest. Holds of one
model are alike enough that which one is taken hardly changes a sum. One that nobody takes expires
in the ledger.
"""

import asyncio
import hashlib
import threading
import time
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

Model = tuple[str, str]  # provider, model


@dataclass(frozen=True, slots=True)
class Held:
    """One hold in the ledger: for what text, with which labels, and when it is gone."""

    allocation_id: str
    text: bytes
    labels: Mapping[str, str]
    ends: float  # by the monotonic clock
    who: Hashable


class Holds:
    """Those of one process. Safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[Model, deque[Held]] = {}
        self._latest: dict[tuple[Hashable, bytes], tuple[Model, Held]] = {}

    def add(self, model: Model, allocation_id: str, text: str, labels: Mapping[str, str]) -> None:
        """Notes what a check of this thread or task holds."""
        ends = time.monotonic() + self._seconds
        held = Held(allocation_id, _digest(text), labels, ends, _who())
        with self._lock:
            self._waiting(model)  # nobody may ever record here: what is gone is let go of
            self._held.setdefault(model, deque()).append(held)
            self._latest[held.who, held.text] = model, held

    def abandoned(self, text: str) -> str | None:
        """What this thread or task holds for a text, when it checks the same text again.

        The check before led to no call, or that would have been recorded; so nothing is lost by
        giving it back.
        """
        with self._lock:
            found = self._latest.get((_who(), _digest(text)))
            if found is None or found[1].ends <= time.monotonic():
                return None
            self._drop(*found)
            return found[1].allocation_id

    def take(self, model: Model, text: str | None, labels: Mapping[str, str]) -> Held | None:
        """The hold for a call that is over, if one was made."""
        who, digest = _who(), None if text is None else _digest(text)

        def strangeness(one: Held) -> tuple[bool, bool, bool]:
            return one.text != digest, one.who != who, not one.labels.items() <= labels.items()

        with self._lock:
            held = min(self._waiting(model), key=strangeness, default=None)
            if held is not None:
                self._drop(model, held)
        return held

    def _waiting(self, model: Model) -> deque[Held]:
        """Those for a model that are not gone; they go in the order in which they came."""
        now = time.monotonic()
        waiting = self._held.get(model, deque())
        while waiting and waiting[0].ends <= now:
            self._drop(model, waiting[0])
        return waiting

    def _drop(self, model: Model, held: Held) -> None:
        self._held[model].remove(held)
        if not self._held[model]:
            del self._held[model]
        self._forget(model, held)

    def _forget(self, model: Model, held: Held) -> None:
        if self._latest.get((held.who, held.text)) == (model, held):
            del self._latest[held.who, held.text]


def _who() -> Hashable:
    """The task of an event loop, else the thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident() if task is None else id(task)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
