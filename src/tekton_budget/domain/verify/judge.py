"""The judgement over the quotes for one model."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from .quote import Accepted, Quote, Rates
from .verdict import Status, Verdict


def judge(
    quotes: Sequence[Quote],
    *,
    last: Accepted | None = None,
    siblings: Mapping[str, Rates] | None = None,
    at: datetime | None = None,
) -> Verdict:
    """What the quotes for one model come to."""
    del quotes, last, siblings, at
    return Verdict(Status.REJECTED)
