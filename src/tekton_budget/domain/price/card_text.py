"""Cards as JSON: in the format of price files and of the store, read strictly, written plainly."""

import re
from collections.abc import Callable, Mapping, Sequence, Sized
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.price.card import Card
from tekton_budget.domain.price.grain import FACTOR_DECIMALS, RATE_DECIMALS, plain
from tekton_budget.domain.price.rates import MILLION, SIZES, Rate, Rates, ServiceTier, Slot, Tier
from tekton_budget.domain.units import COUNT_UNITS, TOKEN_UNITS

Json = Mapping[str, Any]  # Any: JSON
T = TypeVar("T")
S = TypeVar("S", bound=Sized)

UNIT: Final = "per 1,000,000 tokens"
STATUSES: Final = ("verified", "single_source", "curated")
NAME_MAX = 256
RATE_MAX = Decimal(9_000_000)
FACTOR_MAX = Decimal(10)  # what is meant as per cent is not taken for a factor
_TOKENS_MAX = 10**12
_DAY_MINUTES = 24 * 60
_REMARKS = frozenset({"seen_in", "note", "applies_to"})
_FIELDS = frozenset(
    {"provider", "model", "effective_from", "effective_to", "currency", "unit", "rates", "fees"}
    | {"tiers", "service_tiers", "schedule", "regions", "source", "status"}
)
_PER_OF: Mapping[str, int] = MappingProxyType(
    {"usd": 1, "usd_per_1000": 1_000, "usd_per_1000000": MILLION}
)
_SPELLINGS: Mapping[str, str] = MappingProxyType({"cache_write": "cache_write_5m"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US = 253_402_300_800_000_000  # the year 10000, which no text of a date has
PARTS_MAX = 100  # tiers, service tiers, times or regions of one card: each is tried at each request
_SOURCE_MAX = 1_000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_ROUNDED = Context(prec=120)


def card_from_json(
    card: object, *, price_id: str, known_since_us: int = 0, source: str = "manual", at: str = ""
) -> Card:
    """A card from its JSON; every fault names its field, after `at` (`cards[3].`)."""
    fields = _mapping(card, at.rstrip(".") or "card")
    _only(fields, _FIELDS | _REMARKS, at)
    if fields.get("currency", "USD") != "USD":
        raise invalid(f"{at}currency", "prices are in USD: convert it, and say when in source")
    if fields.get("unit", UNIT) != UNIT:
        raise invalid(f"{at}unit", f'rates are USD "{UNIT}"')
    valid_from_us = moment_us(f"{at}effective_from", fields.get("effective_from"))
    valid_to_us = moment_us(f"{at}effective_to", fields.get("effective_to"))
    if valid_from_us is not None and valid_to_us is not None and valid_to_us <= valid_from_us:
        raise invalid(f"{at}effective_to", "must be after effective_from")
    return Card(
        price_id=price_id,
        provider=checked_name(f"{at}provider", fields.get("provider")),
        model=checked_name(f"{at}model", fields.get("model")),
        rates=_rates(fields, at, needed=True),
        tiers=_tiers(fields.get("tiers"), f"{at}tiers"),
        service_tiers=_service_tiers(fields.get("service_tiers"), f"{at}service_tiers"),
        schedule=_many(fields.get("schedule"), f"{at}schedule", _slot),
        regions=_regions(fields.get("regions"), f"{at}regions"),
        valid_from_us=valid_from_us or 0,
        valid_to_us=valid_to_us,
        known_since_us=known_since_us,
        source=_source(f"{at}source", fields.get("source") or source),
        status=_status(fields.get("status"), f"{at}status"),
    )


def _source(field: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _SOURCE_MAX:
        raise invalid(field, f"send a text of at most {_SOURCE_MAX:,} characters")
    return value


def pricing_json(card: Card) -> dict[str, Any]:  # Any: JSON
    """What a card charges, as JSON: all of it but whose and when."""
    found: dict[str, Any] = _rates_json(card.rates)
    if card.tiers:
        found["tiers"] = [_tier_json(tier) for tier in card.tiers]
    if card.service_tiers:
        found["service_tiers"] = {
            name: _rates_json(tier.rates)
            | ({"tiers": [_tier_json(one) for one in tier.tiers]} if tier.tiers else {})
            for name, tier in card.service_tiers.items()
        }
    if card.schedule:
        found["schedule"] = [_slot_json(slot) for slot in card.schedule]
    if card.regions:
        found["regions"] = {name: _text(factor) for name, factor in card.regions.items()}
    return found


def card_json(card: Card) -> dict[str, Any]:  # Any: JSON
    """A card in the format of a price file."""
    dates = {"effective_from": card.valid_from_us or None, "effective_to": card.valid_to_us}
    return {
        "provider": card.provider,
        "model": card.model,
        **{name: moment_text(us) for name, us in dates.items() if us is not None},
        **pricing_json(card),
        "source": card.source,
        **({} if card.status is None else {"status": card.status}),
    }


def checked_name(field: str, value: object) -> str:
    """A provider's or model's name as a card may have it."""
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= NAME_MAX
        or not value.isprintable()
        or value != value.strip()
    ):
        raise invalid(field, f"send 1 to {NAME_MAX} printable characters")
    return value


def checked_rate(field: str, value: object, per: int = MILLION) -> Rate:
    """USD for so many of a unit, 0 or more, of at most 18 decimals for one."""
    usd = number_of(field, value)
    if usd < 0 or usd > RATE_MAX:
        raise invalid(field, f"send USD {_per_text(per)}, 0 or more")
    decimals = RATE_DECIMALS - (len(str(per)) - 1)
    if usd != usd.quantize(Decimal(1).scaleb(-decimals), context=_ROUNDED):
        raise invalid(field, f"send at most {decimals} decimals of USD {_per_text(per)}")
    return Rate(plain(usd), per)


def checked_factor(field: str, value: object) -> Decimal:
    """A surcharge or discount: above 0, up to 10, of at most 6 decimals."""
    factor = number_of(field, value)
    if not 0 < factor <= FACTOR_MAX:
        raise invalid(field, f"send a factor above 0, at most {FACTOR_MAX}: 0.85 is 15 % off")
    if factor != factor.quantize(Decimal(1).scaleb(-FACTOR_DECIMALS), context=_ROUNDED):
        raise invalid(field, f"send at most {FACTOR_DECIMALS} decimals")
    return plain(factor)


def number_of(field: str, value: object) -> Decimal:
    """A decimal from JSON: a text, a whole number or a decimal, never a binary float."""
    found: Decimal | None = None
    if isinstance(value, Decimal):
        found = value
    elif isinstance(value, str | int) and _NUMBER.fullmatch(str(value)):  # True is none of them
        found = Decimal(value)
    if found is None or not found.is_finite():
        raise invalid(field, 'send a decimal number, best as text: "2.5"')
    return found


def moment_us(field: str, value: object) -> int | None:
    """A day (its beginning in UTC) or an RFC 3339 moment → µs since 1970; `None` stays open."""
    if value is None:
        return None
    try:
        text = str(value)
        found = (
            datetime.fromisoformat(text)
            if len(text) > len("2026-01-01")
            else datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        )
    except ValueError:
        raise invalid(field, "send a day (2026-08-21) or an RFC 3339 moment with offset") from None
    if found.tzinfo is None:
        raise invalid(field, "send the moment with its offset: 2026-08-21T00:00:00Z")
    moment = found - _EPOCH
    us = (moment.days * 86_400 + moment.seconds) * 1_000_000 + moment.microseconds
    return checked_moment(field, us)


def checked_moment(field: str, us: int) -> int:
    """A moment that a price can begin or end at."""
    if us < 0:
        raise invalid(field, "lies before 1970: leave it out for a price without a beginning")
    if us >= _LATEST_US:
        raise invalid(field, "lies after the year 9999: leave it out for a price without an end")
    return us


def moment_text(us: int) -> str:
    """µs since 1970 → a day, or a moment where it is not one's beginning."""
    days, rest = divmod(us, 86_400_000_000)
    if not rest:
        return date.fromordinal(date(1970, 1, 1).toordinal() + days).isoformat()
    return (
        datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000).isoformat()
    )


def _status(status: object, field: str) -> str | None:
    if status is None or status in STATUSES:
        return None if status is None else str(status)
    raise invalid(field, f"is one of {', '.join(STATUSES)}, or left out")


def _rates(fields: Json, at: str, *, needed: bool = False) -> Rates:
    rates = _token_rates(fields.get("rates"), f"{at}rates")
    flat, sized = _fees(fields.get("fees"), f"{at}fees")
    if needed and not rates and not flat and not sized:
        raise invalid(f"{at}rates", 'give at least one rate: {"input": "2.5", "output": "10"}')
    return Rates({**rates, **flat}, sized)


def _token_rates(rates: object, at: str) -> dict[str, Rate]:
    found: dict[str, Rate] = {}
    for name, value in _mapping(rates, at, optional=True).items():
        unit = _SPELLINGS.get(name, name)
        if unit not in TOKEN_UNITS:
            raise invalid(f"{at}.{name}", f"is no unit of tokens: {', '.join(TOKEN_UNITS)}")
        if unit in found:
            raise invalid(f"{at}.{name}", f"{unit} is given twice")
        if value is not None:
            found[unit] = checked_rate(f"{at}.{name}", value)
    return found


def _fees(fees: object, at: str) -> tuple[dict[str, Rate], dict[str, dict[str, Rate]]]:
    flat: dict[str, Rate] = {}
    sized: dict[str, dict[str, Rate]] = {}
    for unit, value in _mapping(fees, at, optional=True).items():
        field = f"{at}.{unit}"
        if unit not in COUNT_UNITS:
            raise invalid(field, f"is no fee: {', '.join(COUNT_UNITS)}")
        name, amount = "usd", value
        if isinstance(value, Mapping):
            _only(value, frozenset({*_PER_OF, "search_context_size"}), f"{field}.")
            if len(value) != 1:
                raise invalid(field, f"give one of {', '.join(_PER_OF)}, search_context_size")
            name, amount = next(iter(value.items()))
        per = _PER_OF.get(name, 1)
        if isinstance(amount, Mapping):
            amount = amount.get("search_context_size", amount)
            sizes = _mapping(amount, f"{field}.{name}")
            if not sizes:
                raise invalid(f"{field}.{name}", f"give at least one of {', '.join(SIZES)}")
            _only(sizes, frozenset(SIZES), f"{field}.{name}.")
            sized[unit] = {
                size: checked_rate(f"{field}.{name}.{size}", usd, per)
                for size, usd in sizes.items()
            }
        else:
            flat[unit] = checked_rate(field, amount, per)
    return flat, sized


def _tiers(tiers: object, at: str) -> tuple[Tier, ...]:
    found = sorted(_many(tiers, at, _tier), key=lambda tier: tier.above)
    if len({tier.above for tier in found}) < len(found):
        raise invalid(at, "two tiers begin at the same length")
    return tuple(found)


def _tier(tier: Json, at: str) -> Tier:
    _only(tier, frozenset({"when", "rates", "fees"}) | _REMARKS, at)
    when = _mapping(tier.get("when"), f"{at}when")
    _only(when, frozenset({"total_input_tokens_gt", "total_input_tokens_gte"}), f"{at}when.")
    if len(when) != 1:
        raise invalid(f"{at}when", "give total_input_tokens_gt (above) or total_input_tokens_gte")
    name, above = next(iter(when.items()))
    if isinstance(above, bool) or not isinstance(above, int) or not 0 < above <= _TOKENS_MAX:
        raise invalid(f"{at}when.{name}", "give a whole number of tokens")
    return Tier(above - (name == "total_input_tokens_gte"), _rates(tier, at, needed=True))


def _service_tiers(tiers: object, at: str) -> dict[str, ServiceTier]:
    return {
        checked_name(f"{at}.{name}", name): _service_tier(
            _mapping(tier, f"{at}.{name}"), f"{at}.{name}."
        )
        for name, tier in _few(at, _mapping(tiers, at, optional=True)).items()
    }


def _service_tier(tier: Json, at: str) -> ServiceTier:
    if not tier.keys() & {"rates", "tiers", "fees"}:
        return ServiceTier(Rates(_token_rates(tier, at.rstrip("."))))
    _only(tier, frozenset({"rates", "tiers", "fees"}) | _REMARKS, at)
    return ServiceTier(_rates(tier, at), _tiers(tier.get("tiers"), f"{at}tiers"))


def _slot(slot: Json, at: str) -> Slot:
    _only(slot, frozenset({"when", "rates", "fees"}) | _REMARKS, at)
    when = _mapping(slot.get("when"), f"{at}when")
    _only(when, frozenset({"utc_time", "weekdays_utc"}), f"{at}when.")
    times = when.get("utc_time", "00:00-00:00")
    windows = [times] if isinstance(times, str) else _sequence(times, f"{at}when.utc_time")
    days = _sequence(when.get("weekdays_utc", [1, 2, 3, 4, 5, 6, 7]), f"{at}when.weekdays_utc")
    for day in days:
        if isinstance(day, bool) or day not in range(1, 8):
            raise invalid(f"{at}when.weekdays_utc", "give days from 1 (Monday) to 7 (Sunday)")
    return Slot(
        tuple(_window(window, f"{at}when.utc_time") for window in windows),
        frozenset(days),
        _rates(slot, at, needed=True),
    )


def _window(window: object, field: str) -> tuple[int, int]:
    """`16:30-00:30` → seconds of the day; a remark behind it in brackets is let be."""
    start, dash, end = str(window).partition("(")[0].strip().partition("-")
    if not dash:
        raise invalid(field, 'give "HH:MM-HH:MM" in UTC')
    return _second(start, field), _second(end, field)


def _second(text: str, field: str) -> int:
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == len("00")):
        raise invalid(field, 'give "HH:MM-HH:MM" in UTC')
    total = int(hours) * 60 + int(minutes)
    if int(minutes) >= 60 or total > _DAY_MINUTES:
        raise invalid(field, "there is no such time of day")
    return total % _DAY_MINUTES * 60


def _regions(regions: object, at: str) -> dict[str, Decimal]:
    return {
        checked_name(f"{at}.{name}", name): checked_factor(f"{at}.{name}", factor)
        for name, factor in _few(at, _mapping(regions, at, optional=True)).items()
    }


def _many(value: object, at: str, one: Callable[[Json, str], T]) -> tuple[T, ...]:
    if value is None:
        return ()
    return tuple(
        one(_mapping(each, f"{at}[{i}]"), f"{at}[{i}].")
        for i, each in enumerate(_sequence(value, at))
    )


def _mapping(value: object, field: str, *, optional: bool = False) -> Json:
    if value is None and optional:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise invalid(field, "send an object")
    return value


def _sequence(value: object, field: str) -> Sequence[Any]:  # Any: JSON
    if not isinstance(value, list | tuple):
        raise invalid(field, "send a list")
    return _few(field, value)


def _few(field: str, several: S) -> S:
    if len(several) > PARTS_MAX:
        raise invalid(field, f"send at most {PARTS_MAX} of them")
    return several


def _only(fields: Json, known: frozenset[str], at: str) -> None:
    for name in fields:
        if name not in known:
            raise invalid(f"{at}{name}", f"is not known here: {', '.join(sorted(known))}")


def _per_text(per: int) -> str:
    return "each" if per == 1 else f"per {per:,}"


def _text(number: Decimal) -> str:
    return f"{number:f}"


def _rates_json(rates: Rates) -> dict[str, Any]:  # Any: JSON
    tokens = {u: _text(rate.usd) for u, rate in rates.flat.items() if u in TOKEN_UNITS}
    fees: dict[str, Any] = {
        unit: {_name_of(rate.per): _text(rate.usd)}
        for unit, rate in rates.flat.items()
        if unit not in TOKEN_UNITS
    }
    for unit, by_size in rates.sized.items():
        sizes = {size: _text(rate.usd) for size, rate in by_size.items()}
        per = next(iter(by_size.values())).per
        fees[unit] = {_name_of(per): {"search_context_size": sizes}}
    return {"rates": tokens} | ({"fees": fees} if fees else {})


def _name_of(per: int) -> str:
    return next(name for name, one in _PER_OF.items() if one == per)


def _tier_json(tier: Tier) -> dict[str, Any]:  # Any: JSON
    return {"when": {"total_input_tokens_gt": tier.above}, **_rates_json(tier.rates)}


def _slot_json(slot: Slot) -> dict[str, Any]:  # Any: JSON
    times = [f"{_clock(start)}-{_clock(end)}" for start, end in slot.windows]
    when = {"utc_time": times, "weekdays_utc": sorted(slot.weekdays)}
    return {"when": when, **_rates_json(slot.rates)}


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}"
