"""Tekton's three tiers of models: a table that operators can change."""

from typing import NamedTuple


class TierTerm(NamedTuple):
    """A model's tier from when it was said on; `None` takes it out of the table."""

    provider: str | None  # None: whoever sells it
    model: str
    tier: str | None
    known_since_us: int = 0
