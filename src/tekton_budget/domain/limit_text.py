"""Limits and amounts as people write and read them: `50usd/month`, `$5/day`, `5M tokens`."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.errors import invalid
from tekton_budget.domain.money import COST_NANO_MAX, NANO_PER_USD, usd_text
from tekton_budget.domain.period import (
    ROLLING_LENGTH_MAX_US,
    ROLLING_LENGTH_MIN_US,
    Period,
)

TEXT_MAX = 200

_SECOND_US = 1_000_000

_NUMBER = re.compile(r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(.*)", re.DOTALL)
_LENGTH = re.compile(r"([0-9]+)\s*([a-z]+)")
_PER = re.compile(r"\s+per\s+", re.IGNORECASE)

_MULTIPLES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_UNITS = {
    "usd": "cost",
    "$": "cost",
    "dollar": "cost",
    "dollars": "cost",
    "token": "tokens",
    "tokens": "tokens",
    "request": "requests",
    "requests": "requests",
    "call": "requests",
    "calls": "requests",
}
_SCALES = {"tokens": 1, "cost": NANO_PER_USD, "requests": 1}

_ADJECTIVES = {
    "hourly": Period.HOURLY,
    "daily": Period.DAILY,
    "weekly": Period.WEEKLY,
    "monthly": Period.MONTHLY,
    "quarterly": Period.QUARTERLY,
    "yearly": Period.YEARLY,
    "total": Period.TOTAL,
    "per_session": Period.PER_SESSION,
    "per_task": Period.PER_TASK,
}
_PERIODS = _ADJECTIVES | {
    "hour": Period.HOURLY,
    "day": Period.DAILY,
    "week": Period.WEEKLY,
    "month": Period.MONTHLY,
    "quarter": Period.QUARTERLY,
    "year": Period.YEARLY,
    "session": Period.PER_SESSION,
    "task": Period.PER_TASK,
}
_LENGTH_SECONDS = {
    **dict.fromkeys(("s", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400),
}

_LIMIT_FORMS = (
    'write it like "50usd/month", "$5/day", "5Mtokens/day", "100requests/hour", "20usd/24h"'
    ' (rolling), "10usd" (in total) or "50usd+5Mtokens/month"'
)
_AMOUNT_FORMS = 'write it like "20usd", "$20", "5Mtokens", "10requests" or "1usd+1ktokens"'
_PERIOD_FORMS = (
    "a period is hour, day, week, month, quarter, year, session, task or total, or for a rolling"
    " one a length like 30m, 24h or 7d"
)


@dataclass(frozen=True, slots=True)
class LimitText:
    """What one line says: the limits, the period they hold for, and a rolling one's length."""

    limits: Limits
    schedule_period: Period
    length_us: int | None


def limit_from_text(text: str) -> LimitText:
    """Reads `50usd/month` and the like; without a period, in total. Refuses the field `limit`."""
    line = _Line("limit", text, _LIMIT_FORMS)
    parts = [_split_period(part) for part in line.parts()]
    named = [period for _, period in parts if period is not None]
    periods = [line.period(period) for period in named]
    if len(set(periods)) > 1 or (named and parts[-1][1] is None):
        line.refuse(
            "has one period for all its amounts, named at the end; make one policy for each"
            " other period"
        )
    period, length_us = periods[-1] if periods else (Period.TOTAL, None)
    shown = f"/{named[-1]}" if named else ""
    found = line.amounts([amount for amount, _ in parts], shown)
    limits = Limits(found.get("tokens"), found.get("cost"), found.get("requests"))
    return LimitText(limits, period, length_us)


def amount_from_text(text: str) -> Amounts:
    """Reads `20usd`, `1usd+1ktokens` and the like. Refuses the field `amount`."""
    line = _Line("amount", text, _AMOUNT_FORMS)
    parts = [_split_period(part) for part in line.parts()]
    if any(period is not None for _, period in parts):
        line.refuse(f"has a period, but an amount has none; {_AMOUNT_FORMS}")
    found = line.amounts([amount for amount, _ in parts], "")
    return Amounts(found.get("tokens", 0), found.get("cost", 0), found.get("requests", 0))


def limits_text(limits: Limits) -> str:
    """Exact, and read back by `amount_from_text`: `5M tokens`, `$50.00 + 100 requests`."""
    parts = []
    if limits.cost_nano is not None:
        parts.append(usd_text(limits.cost_nano))
    if limits.tokens is not None:
        parts.append(_counted(limits.tokens, _abbreviated(limits.tokens), "token"))
    if limits.requests is not None:
        parts.append(short_amount("requests", limits.requests))
    return " + ".join(parts) or "unlimited"


def tokens_text(tokens: int) -> str:
    """`20,000 tokens`, `1 token`."""
    return _counted(tokens, f"{tokens:,}", "token")


def short_amount(unit: str, value: int) -> str:
    """One unit's value in words: `$0.40`, `20,000 tokens`, `3 requests`."""
    if unit == "cost":
        return usd_text(value)
    if unit == "tokens":
        return tokens_text(value)
    assert unit == "requests", unit
    return _counted(value, f"{value:,}", "request")


@dataclass(frozen=True, slots=True)
class _Line:
    """One text being read: what its field is called and how it should have been written."""

    field: str
    text: str
    forms: str

    def refuse(self, why: str) -> NoReturn:
        """The text is cut short, for it may be anything."""
        cut = self.text if len(self.text) <= 60 else f"{self.text[:60]}…"
        raise invalid(self.field, f'"{cut}" {why}')

    def parts(self) -> list[str]:
        """What stands between the plus signs."""
        if not self.text.strip():
            self.refuse(f"is empty; {self.forms}")
        if len(self.text) > TEXT_MAX:
            self.refuse(f"is longer than {TEXT_MAX} characters; {self.forms}")
        return self.text.split("+")

    def amounts(self, parts: list[str], period: str) -> dict[str, int]:
        """Unit → value; each unit once."""
        found: dict[str, int] = {}
        for part in parts:
            unit, value = self._amount(part.strip(), period)
            if unit in found:
                self.refuse(f"limits {unit} twice; name each unit once")
            found[unit] = value
        return found

    def period(self, given: str) -> tuple[Period, int | None]:
        """A calendar period by its name, or a rolling one by its length."""
        word = given.strip().lower()
        if word in _PERIODS:
            return _PERIODS[word], None
        length = _LENGTH.fullmatch("1 minute" if word in ("minute", "min") else word)
        if length is None or length[2] not in _LENGTH_SECONDS:
            self.refuse(f'names a period "{given.strip()}" that is not known; {_PERIOD_FORMS}')
        length_us = int(length[1]) * _LENGTH_SECONDS[length[2]] * _SECOND_US
        if not ROLLING_LENGTH_MIN_US <= length_us <= ROLLING_LENGTH_MAX_US:
            self.refuse("has a rolling length outside of 1 minute to 400 days")
        return Period.ROLLING, length_us

    def _amount(self, part: str, period: str) -> tuple[str, int]:
        dollar = part.startswith("$")
        number = _NUMBER.fullmatch(part.removeprefix("$").lstrip())
        if number is None:
            self.refuse(f"has no amount that can be read; {self.forms}")
        digits, word = number[1], number[2].strip().lower()
        multiple, unit = _multiple_and_unit(word, dollar=dollar)
        if unit is None and word in _MULTIPLES:
            plain = f"{digits}{number[2].strip()}"
            self.refuse(
                f"has no unit: did you mean {plain}usd{period}, {plain}tokens{period} or"
                f" {plain}requests{period}?"
            )
        if unit is None:
            self.refuse(f'has the unknown unit "{word}": use usd, tokens or requests; {self.forms}')
        return unit, self._exact(digits, multiple, unit)

    def _exact(self, digits: str, multiple: int, unit: str) -> int:
        exact = Fraction(digits.replace(",", "")) * multiple * _SCALES[unit]
        if exact.denominator != 1:
            smallest = "$0.000000001" if unit == "cost" else f"1 {unit[:-1]}"
            self.refuse(f"is not a whole multiple of {smallest}, the smallest there is")
        if exact > COST_NANO_MAX:
            self.refuse(f"is more than {short_amount(unit, COST_NANO_MAX)}, the most there can be")
        return int(exact)


def _split_period(part: str) -> tuple[str, str | None]:
    """`50usd/month`, `50usd per month` or `50usd monthly` → its amount and its period, if any."""
    amount, slash, period = _PER.sub("/", part).partition("/")
    if slash:
        return amount, period
    words = part.split()
    if len(words) > 1 and words[-1].lower() in _ADJECTIVES:
        return " ".join(words[:-1]), words[-1]
    return part, None


def _multiple_and_unit(word: str, *, dollar: bool) -> tuple[int, str | None]:
    """`mtokens` → a million and tokens; after a dollar sign no other unit than money can stand."""
    for letter in (word[:1], ""):
        rest = word.removeprefix(letter).lstrip()
        if letter in _MULTIPLES and (dollar or rest):
            unit = _UNITS.get(rest or "$")
            if unit == "cost" or (unit is not None and not dollar):
                return _MULTIPLES[letter], unit
    return 1, None


def _abbreviated(tokens: int) -> str:
    """`5M`, `1.25k`; in full where that would not be exact."""
    for letter in ("G", "M", "k"):
        multiple = _MULTIPLES[letter.lower()]
        if tokens >= multiple:
            hundredths, rest = divmod(tokens * 100, multiple)
            if rest:
                break
            short = f"{hundredths // 100:,}.{hundredths % 100:02d}".rstrip("0").rstrip(".")
            return f"{short}{letter}"
    return f"{tokens:,}"


def _counted(count: int, shown: str, noun: str) -> str:
    return f"{shown} {noun}" if count == 1 else f"{shown} {noun}s"
