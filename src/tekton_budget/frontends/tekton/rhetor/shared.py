"""Reads that many threads ask for at once, done once for all of them.

Each check tells of limits and usage. From fifty threads these are the same fifty reads; so whoever
asks while one is under way waits for the next, and has it together with all who came meanwhile.
What anyone is told was read after they asked.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Shared:
    """One read of a kind at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: dict[Hashable, Future[Any]] = {}  # Any: of each key another
        self._under_way: dict[Hashable, threading.Lock] = {}

    def read(self, key: Hashable, read: Callable[[], T]) -> T:
        """What `read` answers, or raises, to the first of those who wait for it."""
        with self._lock:
            found: Future[T] | None = self._next.get(key)
            if found is None:
                mine: Future[T] = Future()
                self._next[key] = mine
                under_way = self._under_way.setdefault(key, threading.Lock())
        if found is not None:
            return found.result()
        with under_way:
            with self._lock:
                del self._next[key]  # who comes from here on waits for another
            try:
                mine.set_result(read())
            except BaseException as error:
                mine.set_exception(error)
                raise
            finally:
                with self._lock:
                    if key not in self._next:  # nobody waits for the end of this one
                        del self._under_way[key]
        return mine.result()
