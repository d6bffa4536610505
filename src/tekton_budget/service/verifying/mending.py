"""Mending: what a sealed row was before one of its digits changed, found by trying every digit."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tekton_budget.service.verifying.findings import Value
from tekton_budget.storage.packing import digest_of

DIGITS = "0123456789"
DIGITS_MAX = 20_000  # tried in one row


class Mended(NamedTuple):
    """Which value of a row was changed, and what it was; `None` where it is the seal itself."""

    position: int | None
    value: Value


def mended(content: Sequence[Value], digest: str) -> Mended | None:
    """The one change of a digit by which content and digest agree again, if there is one."""
    own = digest_of(content)
    if len(own) == len(digest) and sum(a != b for a, b in zip(own, digest, strict=True)) == 1:
        return Mended(None, own)
    tried = list(content)
    left = DIGITS_MAX
    for position, value in enumerate(content):
        for other in _neighbours(value):
            left -= 1
            if left < 0:
                return None
            tried[position] = other
            if digest_of(tried) == digest:
                return Mended(position, other)
        tried[position] = value
    return None


def _neighbours(value: Value) -> Iterator[Value]:
    """Every value that differs in one digit; a number may have had zeros in front."""
    if value is None:
        return
    text = str(value)
    for place, character in enumerate(text):
        if character not in DIGITS:
            continue
        for digit in DIGITS:
            if digit != character:
                other = text[:place] + digit + text[place + 1 :]
                yield int(other) if isinstance(value, int) else other
