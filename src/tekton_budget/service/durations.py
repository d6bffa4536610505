"""Durations as people write them: `90d`, `12h`, `15min`, `30s`, `2w`."""

import re

from tekton_budget.domain.errors import invalid

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_FORM = re.compile(r"([0-9]{1,9}) ?([a-z]+)")
SECONDS_MAX = 100 * 366 * 86_400


def seconds_from_text(text: str, field: str) -> int:
    """Seconds; refuses what is no duration, or longer than a hundred years."""
    found = _FORM.fullmatch(text.strip().lower())
    seconds = int(found[1]) * _SECONDS.get(found[2], 0) if found is not None else 0
    if not 0 < seconds <= SECONDS_MAX and not (found is not None and int(found[1]) == 0):
        raise invalid(field, "send a duration like 90d, 12h, 15min or 30s")
    return seconds
