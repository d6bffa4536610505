"""JSON as the API speaks it: exact numbers, names in snake_case, times in RFC 3339."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.responses import Response

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.money import NANO_PER_USD
from tekton_budget.frontends.http.refused import Malformed

# Objects whose names are people's own words, or a provider's, and stay as they were sent.
AS_SENT = frozenset({"labels", "metadata", "scope", "groups", "response", "usage", "context"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_DIGITS_MAX = 60
DEPTH_MAX = 64  # of objects and lists in each other: what reads them calls itself once a level

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Reply(Response):
    """An answer in JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # Any: whatever msgspec can write
        """JSON bytes."""
        return encode(content)


def encode(value: object) -> bytes:
    """Compact JSON; decimals are numbers with all their digits."""
    return _encode(value)


def decode(body: bytes) -> Any:  # Any: JSON
    """JSON with every fraction as a decimal; refuses what is malformed or cannot be stored."""
    if b"\\u0000" in body and _has_nul(body):
        raise unstorable("body")
    try:
        value = _decoder.decode(body)
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation) as error:
        raise Malformed(f"The body is not valid JSON: {error}", code="malformed_json") from error
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX and _is_too_deep(value):
        raise _too_deep()
    return value


def in_snake_case(value: Any) -> Any:  # Any: JSON
    """Names like `maxOutputTokens` as `max_output_tokens`, except inside people's own objects."""
    if type(value) is dict:
        found = {
            (snake := snake_case(name)): inner if snake in AS_SENT else in_snake_case(inner)
            for name, inner in value.items()
        }
        if len(found) < len(value):
            raise _two_spellings(value)
        return found
    if type(value) is list:
        return [in_snake_case(inner) for inner in value]
    return value


def outer_in_snake_case(value: Any) -> Any:  # Any: JSON
    """The same for the names of the outermost object alone; what is inside stays as sent."""
    if type(value) is not dict:
        return value
    found = {snake_case(name): inner for name, inner in value.items()}
    if len(found) < len(value):
        raise _two_spellings(value)
    return found


def in_camel_case(name: str) -> str:
    """`max_output_tokens` as `maxOutputTokens`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@lru_cache(maxsize=8192)
def usd(cost_nano: int | None) -> msgspec.Raw | None:
    """USD as a JSON number with all its digits and no exponent: `0.0000001`."""
    if cost_nano is None:
        return None
    whole, rest = divmod(abs(cost_nano), NANO_PER_USD)
    text = f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
    return msgspec.Raw(f"-{text}".encode() if cost_nano < 0 else text.encode())


def number(value: Decimal | None) -> msgspec.Raw | None:
    """A decimal as a JSON number with all its digits and no exponent."""
    return None if value is None else msgspec.Raw(f"{value:f}".encode())


def ppm(value: int | None) -> msgspec.Raw | None:
    """Millionths as a number: 250,000 is 0.25."""
    return None if value is None else number(Decimal(value).scaleb(-6).normalize() + 0)


def share(part: int, whole: int | None) -> msgspec.Raw | None:
    """What part of a whole, as a number to six digits. Unknown where there is no whole."""
    return ppm(part * 1_000_000 // whole) if whole else None


def amounts(value: Amounts | Limits) -> dict[str, object]:
    """Tokens, cost in USD, and requests; a unit without limit is `null`."""
    return {"tokens": value[0], "cost": usd(value[1]), "requests": value[2]}


def time_text(at_us: int | None, zone: str = "UTC") -> str | None:
    """RFC 3339 with offset; whole seconds without a fraction."""
    if at_us is None:
        return None
    second, rest = divmod(at_us, 1_000_000)
    text, offset = _second_text(second, zone)
    return f"{text}.{rest:06d}{offset}" if rest else text + offset


@lru_cache(maxsize=8192)
def _second_text(second: int, zone: str) -> tuple[str, str]:
    """A whole second, and its offset."""
    try:
        at = _EPOCH + timedelta(seconds=second)
    except OverflowError:
        return "9999-12-31T23:59:59", "+00:00"
    text = (at if zone == "UTC" else at.astimezone(ZoneInfo(zone))).isoformat()
    return text[:19], text[19:]


def us_from_text(value: object) -> int:
    """µs since 1970 of an RFC 3339 text; one without offset is taken as UTC."""
    try:
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]  # told below
    except (ValueError, TypeError) as error:
        raise ValueError("send a time like 2026-12-01T00:00:00Z") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    at_us = (at - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= at_us < 253_402_300_800_000_000:
        raise ValueError("send a time from 1970 to 9999")
    return at_us


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """`maxOutputTokens` as `max_output_tokens`."""
    return _HUMP.sub(r"_\1", name).lower() if not name.islower() else name


def _exact(text: str) -> Decimal:
    """Every digit kept; numbers of absurd size are refused before anything computes with them."""
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _DIGITS_MAX or len(text) > 2 * _DIGITS_MAX:
        raise InvalidInput(
            f"{text[:40]} is not a number that can be used: send at most {_DIGITS_MAX} digits.",
            FieldFault("body", "has a number of absurd size"),
        )
    return value


_decoder = msgspec.json.Decoder(float_hook=_exact)


def _has_nul(body: bytes) -> bool:
    return re.search(rb"(?<!\\)(?:\\\\)*\\u0000", body) is not None


def _is_too_deep(value: Any) -> bool:  # Any: JSON
    level = [value] if type(value) in (dict, list) else []
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for one in level
            for inner in (one.values() if type(one) is dict else one)
            if type(inner) in (dict, list)
        ]
        if not level:
            return False
    return True


def _too_deep() -> InvalidInput:
    return InvalidInput(
        f"The body has more than {DEPTH_MAX} objects and lists in each other: send it flatter.",
        FieldFault("body", f"is nested deeper than {DEPTH_MAX}"),
    )


def _two_spellings(value: Mapping[str, object]) -> InvalidInput:
    names = [snake_case(name) for name in value]
    return sent_twice(next(name for name in names if names.count(name) > 1))


def sent_twice(name: str) -> InvalidInput:
    """The refusal of two names that are one: nobody can tell which was meant."""
    return InvalidInput(
        f"{name} was sent twice under two spellings: send one of them.",
        FieldFault(name, "was sent twice under two spellings; send one of them"),
    )


def unstorable(place: str) -> InvalidInput:
    """The refusal of a character that PostgreSQL has no text with."""
    return InvalidInput(
        f"The {place} has the character U+0000, which cannot be stored: leave it out.",
        FieldFault(place, "has the character U+0000"),
    )
