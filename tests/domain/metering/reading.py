"""What the tests of metering share: a reading in few words."""

from collections import Counter
from collections.abc import Iterable

from tekton_budget.domain.metering import read_response
from tekton_budget.domain.units import Part


def units_of(parts: Iterable[Part]) -> dict[str, int]:
    """All parts together, by unit."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(dict(part.units))
    return dict(found)


def read(body: object, api: str | None = None, **more: object) -> dict[str, int]:
    return units_of(read_response(body, api=api, **more).parts)
