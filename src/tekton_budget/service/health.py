"""Health: whether the parts do their work, and what was decided, for those who watch."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tekton_budget.domain.answer import Denial, Grant, Several
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.vitals import vital_rows
from tekton_budget.storage.writer import Writer

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the store says of itself; ages in seconds, `None` where there is nothing to be old.

    Prices are as old as the newest of them: one's own since it was set, those of a list since the
    list was made, however late it came. `price_list` is the newest list's version.
    """

    prices: int
    price_list: str | None
    price_age_seconds: float | None
    outbox_lag_seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of commands as it went: how many, how long, what was decided, how many wait."""

    commands: int
    seconds: float
    decisions: Mapping[str, int]
    waiting: int


class Health:
    """The parts of a running service. Nothing here waits for a lock of the ledger."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def vitals(self) -> Vitals:
        """Read from the store; raises `Unavailable` when it is away."""
        rows = vital_rows(self._reader)
        now_us = host_now_us()
        dated = {_made_us(version, since_us): version for version, since_us in rows.lists}
        newest_us = max((*dated, rows.newest_price_us or 0))
        return Vitals(
            rows.prices,
            dated[max(dated)] if dated else None,
            _seconds(now_us - newest_us) if newest_us else None,
            0.0 if rows.oldest_event_us is None else _seconds(now_us - rows.oldest_event_us),
        )

    @property
    def store_kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return "postgresql" if self._reader.is_postgresql else "sqlite"

    @property
    def is_working(self) -> bool:
        """Whether commands are taken."""
        return self._writer.is_working

    @property
    def queue(self) -> tuple[int, int]:
        """Commands taken and not yet answered, and how many may wait."""
        return self._writer.queue_length, self._writer.queue_max

    def now_us(self) -> int:
        """This host's clock: the store's may be away."""
        return host_now_us()

    def watch(self, seen: Callable[[Batch], None]) -> None:
        """Tell of every batch from now on, from the writer's own thread: be quick."""

        def watched(answers: Sequence[object], seconds: float, waiting: int) -> None:
            seen(Batch(len(answers), seconds, Counter(_decisions(answers)), waiting))

        self._writer.watch = watched


def _decisions(answers: Iterable[object]) -> Iterator[str]:
    for answer in answers:
        if isinstance(answer, Grant):
            yield "would_deny" if answer.would_deny else answer.decision
        elif isinstance(answer, Denial):
            yield "deny"
        elif isinstance(answer, Several):
            yield from _decisions(answer.answers)


def _made_us(version: str, since_us: int) -> int:
    """When a list was made: its version begins with the day, else it is as old as its arrival."""
    try:
        made = datetime.fromisoformat(version[:10]).replace(tzinfo=UTC)
    except ValueError:
        return since_us
    return min(since_us, int(made.timestamp()) * _SECOND_US)


def _seconds(us: int) -> float:
    return max(0, us) / _SECOND_US
