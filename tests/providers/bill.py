"""The mock provider's books: what it would charge, for what it generated until the client was gone."""

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 20_000


@dataclass(slots=True)
class Entry:
    """One request. `units` in tokens, by the names of our price cards; `output` has reasoning in it."""

    number: int
    api: str
    model: str
    stream: bool
    key: str
    status: int = 200
    units: dict[str, int] = field(default_factory=dict)
    reasoning: int = 0
    end: str = ""  # "" while it goes on, then: done, gone (the client), fault, refused
    began: float = 0.0
    ended: float = 0.0


class Bill:
    """Filled by the server's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self.entries: deque[Entry] = deque(maxlen=KEPT)
            self.reached = 0
            self.reached_by_api: Counter[str] = Counter()
            self.totals: Counter[str] = Counter()
            self._under_way: dict[
                int, Entry
            ] = {}  # by identity: one from before `clear` is not here

    def begin(self, api: str, model: str, *, stream: bool, key: str) -> Entry:
        with self._lock:
            self.reached += 1
            self.reached_by_api[api] += 1
            entry = Entry(self.reached, api, model, stream, key, began=time.monotonic())
            self.entries.append(entry)
            self._under_way[id(entry)] = entry
            return entry

    def end(self, entry: Entry, how: str) -> None:
        with self._lock:
            if self._under_way.pop(id(entry), None) is None:
                return
            entry.end, entry.ended = how, time.monotonic()
            self.totals.update(entry.units)
            if not self._under_way:
                self._lock.notify_all()

    @property
    def open(self) -> int:
        """Requests under way."""
        return len(self._under_way)

    def settled(self, timeout: float = 10) -> bool:
        """Waits until no request is under way."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._under_way, timeout)

    def units(self) -> dict[str, int]:
        """All requests together, those under way with what they have so far."""
        with self._lock:
            found: Counter[str] = Counter(self.totals)
            for entry in self._under_way.values():
                found.update(entry.units)
            return {unit: n for unit, n in found.items() if n}

    def document(self) -> dict[str, Any]:  # Any: JSON
        units = self.units()
        with self._lock:
            return {
                "reached": self.reached,
                "reached_by_api": dict(self.reached_by_api),
                "open": self.open,
                "units": units,
                "entries": [asdict(entry) for entry in list(self.entries)[-1000:]],
            }
