"""Health: whether the parts do their work, and what was decided, for those who watch."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tekton_budget.domain.answer import Denial, Grant, Several
from tekton_budget.storage.clock import host_now_us
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.vitals import vital_rows
from tekton_budget.storage.writer import Writer

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the store says of itself; ages in seconds, `None` where there is nothing to be old."""

    prices: int
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
        return Vitals(
            rows.prices,
            None if rows.newest_price_us is None else _seconds(now_us - rows.newest_price_us),
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


def _seconds(us: int) -> float:
    return max(0, us) / _SECOND_US
