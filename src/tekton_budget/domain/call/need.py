"""What a request may use at most, before it is made."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tekton_budget.domain.units import STANDARD, PriceContext

from .api import Api
from .trail import NO_TRAIL, Trail

DropPath = tuple[str | int, ...]  # names and positions from the body down


class Boundary(NamedTuple):
    """The end of a message: a digest of all up to here, and the most tokens that can be."""

    digest: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class Need:
    """Bounds of a request: the provider never counts more than this says."""

    api: Api
    model: str
    stream: bool = False
    input_tokens: int = 0
    window: bool = False  # the input may be anything up to the model's context window
    rounds: int = 1  # the input is read this many times over
    units: tuple[tuple[str, int], ...] = ()  # further priced units, in the order of UNITS
    max_output: int | None = None  # per answer, as the client said
    min_output: int = 1  # with less the provider refuses the request
    answers: int = 1
    produces_output: bool = True
    cache_write: str | None = None  # "5m", "1h"
    context: PriceContext = STANDARD
    wants: frozenset[str] = frozenset()
    user: str | None = None
    asked_for_usage: bool = False
    hidden_output: bool = False  # output that a stream does not show as it is made
    unmetered: tuple[str, ...] = ()  # fields that were let pass though they have no bound
    dropped: tuple[DropPath, ...] = ()  # what is left out of the body that is sent
    trail: Trail = field(default=NO_TRAIL, repr=False, compare=False)

    @property
    def boundaries(self) -> tuple[Boundary, ...]:
        """The ends of the messages, oldest first; worked out when first asked for."""
        return tuple(Boundary(*mark) for mark in self.trail.marks())
