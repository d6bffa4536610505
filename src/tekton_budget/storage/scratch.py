"""Scratch: values by key on disk while they are counted, so that memory stays bounded."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

CACHED_MAX = 50_000
PAGE = 1000

V = TypeVar("V")


class Scratch(Generic[V]):
    """A table in a file of its own that goes away with it; the keys in use are in `values`."""

    def __init__(self, pack: Callable[[V], bytes], unpack: Callable[[bytes], V]) -> None:
        self._pack = pack
        self._unpack = unpack
        self.values: dict[str, V] = {}
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-16384"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute(
            "CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB, seen INTEGER NOT NULL DEFAULT 0)"
            " WITHOUT ROWID"
        )

    def bring(self, keys: Iterable[str]) -> None:
        """Have these in `values`, where they are known; the rest may be put away."""
        if len(self.values) > CACHED_MAX:
            self.put_away()
        for key in set(keys) - self.values.keys():
            row = self._file.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
            if row is not None:
                self.values[key] = self._unpack(row[0])

    def put_away(self) -> None:
        """Write what is in `values` to the file."""
        self._file.execute("BEGIN")
        self._file.executemany(
            "INSERT INTO kept (key, value) VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            ((key, self._pack(value)) for key, value in self.values.items()),
        )
        self._file.execute("COMMIT")
        self.values = {}

    def drop(self) -> None:
        """Forget what is in `values`, which is as it is on file."""
        self.values = {}

    def see(self, keys: Iterable[str]) -> None:
        """Mark keys as met; only those that are on file can be."""
        self._file.executemany("UPDATE kept SET seen = 1 WHERE key = ?", ((key,) for key in keys))

    def unseen(self) -> Iterator[str]:
        """The keys that were never met."""
        after = ""
        while True:
            rows = self._file.execute(
                f"SELECT key FROM kept WHERE seen = 0 AND key > ? ORDER BY key LIMIT {PAGE}",
                (after,),
            ).fetchall()
            if not rows:
                return
            for (key,) in rows:
                yield key
            after = rows[-1][0]

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
