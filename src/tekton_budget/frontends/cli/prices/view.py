"""Prices in words and tables: exact, with everything that changes them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.naming import seller_by_shape
from tekton_budget.domain.units import UNITS
from tekton_budget.frontends.cli.terminal.output import Column, moment_text

Json = Mapping[str, Any]  # Any: decoded JSON

_FIRST = "1970-01-01T00:00:00+00:00"  # of a price without a beginning
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PER_MILLION = "USD per 1,000,000 tokens"
_WIDTH = 18
_PER = {"usd": "each", "usd_per_1000": "per 1,000", "usd_per_1000000": "per 1,000,000"}

RATES: tuple[Column, ...] = (
    ("#input", lambda one: usd(one["input"])),
    ("#output", lambda one: usd(one["output"])),
    ("?#cache read", lambda one: usd(one["cache_read"])),
    ("?#cache write", lambda one: usd(one["cache_write"])),
    ("?#request", lambda one: usd(one["request"]) if one["request"] else ""),
    ("?also", lambda one: ", ".join(_also(one))),
    ("from", lambda one: _day(since(one["effective_date"]))),
)


def usd(value: Decimal | int | None) -> str:
    """Dollars with all their digits."""
    if value is None:
        return "–"
    number = Decimal(value)
    whole, _, rest = f"{abs(number):f}".partition(".")
    sign = "-" if number < 0 else ""
    return f"{sign}${int(whole):,}.{rest.rstrip('0').ljust(2, '0')}"


def since(text: str | None) -> str:
    """A moment; that of a price without a beginning is none."""
    return "always" if text == _FIRST else moment_text(text)


def until(text: str | None) -> str:
    """The end of a price, a day where it is the beginning of one."""
    return _day(moment_text(text))


def _day(text: str) -> str:
    return text.removesuffix(" 00:00 UTC")


def told_by(source: str) -> str:
    """Whom a price is from, in a table: a reason for it is for `prices show`."""
    return re.sub(r"\bcurated: .*", "curated", source)


def _from(text: str) -> str:
    return "always" if text == _FIRST else f"from {moment_text(text)}"


def seller_and_model(words: str) -> tuple[str, str]:
    """`openai/gpt-5-mini` → its two parts."""
    provider, slash, name = words.partition("/")
    if seller := seller_by_shape(words):
        raise invalid("model", f'"{words}" names no provider: write {seller}/{words}')
    if not slash or not provider or not name:
        raise invalid("model", f'"{words}" names no provider: write PROVIDER/MODEL')
    return provider, name


def described(price: Json) -> str:
    """A price in one line."""
    named = {"input": "in", "output": "out", "cache_read": "cache read"}
    named["cache_write"] = "cache write"
    told = {word: price[name] for name, word in named.items() if price[name] is not None}
    parts = [f"{usd(rate)} {word}" for word, rate in told.items()]
    parts = [f"{', '.join(parts)} per 1,000,000 tokens"] if parts else []
    if price["request"]:
        parts.append(f"{usd(price['request'])} a call")
    parts += _also(price)
    text = f"{price['provider']}/{price['model']}: {', '.join(parts)}"
    if price["factor"] != 1:
        text += f" (× {price['factor']:f} by contract)"
    return f"{text}, from {since(price['effective_date'])} ({price['source']})"


def laid_out(price: Json, asked: str) -> Iterator[str]:
    """A price whole, a line at a time: how the name was understood, and all that is charged."""
    card = price["card"]
    yield f"{price['provider']}/{price['model']}"
    yield f"  {asked} was understood by: {', '.join(price['resolved_by'])}"
    until = "" if price["end_date"] is None else f" to {moment_text(price['end_date'])}"
    known = moment_text(price["known_since"])
    yield f"  valid {_from(price['effective_date'])}{until}, known since {known}"
    yield f"  source: {price['source']}"
    yield from _part(_PER_MILLION, card)
    for tier in card.get("tiers", ()):
        yield from _part(f"{_length(tier)}, for the whole request", tier)
    for name, tier in card.get("service_tiers", {}).items():
        yield from _part(f"service tier {name}", tier)
        for inner in tier.get("tiers", ()):
            yield from _part(f"service tier {name}, {_length(inner)}", inner)
    for slot in card.get("schedule", ()):
        yield from _part(_times(slot["when"]), slot)
    if card.get("regions"):
        yield "  by region, on the rates of tokens"
        for name, factor in card["regions"].items():
            yield f"    {'any other' if name == '*' else name:<{_WIDTH}} × {factor}"
    if price["region"]:
        yield f"  region of this name: {price['region']}"
    if price["factor"] != 1:
        yield f"  contract: all of it × {price['factor']:f}"
    rates = [f"{usd(price[kind])} {kind}" for kind in ("input", "output") if price[kind]]
    if rates and (price["region"] or price["factor"] != 1):
        yield f"  so it charges {', '.join(rates)}"


def _part(title: str, part: Json) -> Iterator[str]:
    rates, fees = part.get("rates") or {}, part.get("fees") or {}
    if rates or fees:
        yield f"  {title}" if rates else f"  {title.replace(_PER_MILLION, 'fees')}"
    for unit, rate in sorted(rates.items(), key=_in_order):
        yield f"    {spoken(unit):<{_WIDTH}} {usd(Decimal(rate))}"
    for unit, fee in sorted(fees.items(), key=_in_order):
        name, amount = next(iter(fee.items()))
        yield f"    {spoken(unit):<{_WIDTH}} {_fee(amount)} {_PER[name]}"


def _in_order(unit_rate: tuple[str, object]) -> int:
    return UNITS.index(unit_rate[0])


def _fee(amount: Any) -> str:  # Any: JSON, a text or an object by size
    if isinstance(amount, Mapping):
        sizes = amount["search_context_size"].items()
        return ", ".join(f"{size} {usd(Decimal(rate))}" for size, rate in sizes)
    return usd(Decimal(amount))


def spoken(unit: str) -> str:
    """A unit as it is said: `cache_write_5m` → `cache write 5m`."""
    return unit.replace("_", " ")


def _length(tier: Json) -> str:
    return f"input above {tier['when']['total_input_tokens_gt']:,} tokens"


def _times(when: Json) -> str:
    times = when["utc_time"]
    windows = [times] if isinstance(times, str) else times
    days = when.get("weekdays_utc") or []
    on = "" if len(days) in (0, len(_DAYS)) else f", {_weekdays(days)}"
    shown = ", ".join(windows).replace("00:00-00:00", "all day")
    return f"{shown} UTC{on}"


def _weekdays(days: Sequence[int]) -> str:
    names = [_DAYS[day - 1] for day in days]
    is_run = len(days) > 2 and days[-1] - days[0] == len(days) - 1
    return f"{names[0]} to {names[-1]}" if is_run else ", ".join(names)


def _also(price: Json) -> list[str]:
    """What else a price hangs on, in a word each."""
    card = price["card"]
    shown = {"input", "output", "cache_read", "cache_write_5m"}
    more = [spoken(unit) for unit in card.get("rates", {}) if unit not in shown]
    fees = set(card.get("fees", {})) - ({"request"} if price["request"] else set())
    more += [spoken(unit) for unit in card.get("fees", {}) if unit in fees]
    more += [f"tier > {tier['when']['total_input_tokens_gt']:,}" for tier in card.get("tiers", ())]
    more += list(card.get("service_tiers", {}))
    more += ["by time of day"] if card.get("schedule") else []
    more += ["by region"] if card.get("regions") else []
    more += [f"contract × {price['factor']:f}"] if price["factor"] != 1 else []
    return more
