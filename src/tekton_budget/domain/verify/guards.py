"""Guards: what no price can be, and shapes that no real price has."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from tekton_budget.domain.units import UNITS

from .quote import Quote, Rates, Value, ratio
from .sources import word_of

# The dearest real token price is o1-pro's 150/600.
INPUT_MAX = Decimal(250)
OUTPUT_MAX = Decimal(700)
PRICE_MIN = Decimal("0.001")  # below it, unless zero, a price is in another unit

WRITE_1H = Decimal(2)  # Anthropic: times input …
WRITE_1H_TOLERANCE = Decimal("0.01")
WRITE_5M_MIN, WRITE_5M_MAX = Decimal("1.2"), Decimal("1.25")
READ_USUAL = Decimal("0.1")
DIGITS_MIN, DIGITS_MAX = -18, 12
CHAT_OUTPUT_MIN = Decimal("0.5")  # times input

CHAT_MODES = frozenset({"chat", "completion", "responses"})
# What is priced by the picture, second, page or call: a token price of one source may be a slip.
OTHER_MODES = frozenset(
    {
        "imagegeneration", "imageedit", "image", "audiotranscription", "transcription", "speech",
        "audiospeech", "audio", "tts", "stt", "rerank", "ocr", "search", "videogeneration", "video",
        "moderation", "vectorstore",
    }
)  # fmt: skip

_WRITES = ("cache_write_5m", "cache_write_1h")
_PREMIUM = re.compile(r"claude|gpt-?5[.-]?6")  # models whose sellers bill a premium on cache writes
_FREE = re.compile(r"(?:^|[^a-z])free(?![a-z])")


def split_dimension(dimension: str) -> tuple[str, str]:
    """`input@>200000` → the unit and the condition, empty for the standard price."""
    unit, _, condition = dimension.partition("@")
    return unit, condition


def is_amount(rate: Decimal) -> bool:
    """Whether a rate is a number of a size that can be reckoned with."""
    return rate.is_finite() and (rate == 0 or DIGITS_MIN <= rate.adjusted() <= DIGITS_MAX)


def base_of(rates: Rates) -> Value:
    """Input and output; one that is not told is zero, as an embedding has no output."""
    return rates.get("input", Decimal(0)), rates.get("output", Decimal(0))


def is_free_name(quote: Quote) -> bool:
    """Whether the model's name says that it is free."""
    return any(_FREE.search(name.lower()) for name in (quote.model, quote.listed_as))


def parse_fault(rates: Mapping[str, Decimal]) -> str:
    """Why these are no token prices at all; empty if they are."""
    for dimension, rate in sorted(rates.items()):
        if split_dimension(dimension)[0] not in UNITS:
            return f"{dimension} is not a unit of price"
        if not is_amount(rate):
            return f"{dimension} is not a number"
        if rate < 0:
            return f"{dimension} is negative: no price, or one that is decided by the call"
    if not {"input", "output"} & set(rates):
        return "neither input nor output has a price"
    return _bound_fault(rates)


def _bound_fault(rates: Rates) -> str:
    for dimension, rate in sorted(rates.items()):
        unit, _ = split_dimension(dimension)
        ceiling = {"input": INPUT_MAX, "output": OUTPUT_MAX}.get(unit)
        if ceiling is None:
            continue
        if rate > ceiling:
            return f"{dimension} {rate} is above {ceiling} USD per 1,000,000 tokens: another unit"
        if 0 < rate < PRICE_MIN:
            return f"{dimension} {rate} is below {PRICE_MIN} USD per 1,000,000 tokens: another unit"
    return ""


def base_fault(rates: Rates, mode: str | None) -> str:
    """Why input and output cannot be a model's prices together; empty if they can.

    Where the mode is not known, an output of zero may be an embedding's.
    """
    given, got = base_of(rates)
    word = word_of(mode or "")
    if word and word not in CHAT_MODES:
        return ""
    if (word or got > 0) and got < given * CHAT_OUTPUT_MIN and "input" in rates:
        return f"output {got} is below half of input {given}"
    return ""


def dimension_faults(quote: Quote, rates: Rates) -> Iterator[tuple[str, str]]:
    """Each further dimension whose rate does not fit its own input, with the reason."""
    for dimension, rate in sorted(rates.items()):
        unit, condition = split_dimension(dimension)
        reference = rates.get(f"input@{condition}" if condition else "input")
        if reference is None or reference == 0:
            continue
        reason = ""
        if unit == "cache_read" and rate > reference:
            reason = f"{dimension} {rate} is above input {reference}"
        elif unit in _WRITES and rate > 0:
            reason = _write_fault(quote, unit, ratio(rate, reference))
        if reason:
            yield dimension, reason


def _write_fault(quote: Quote, unit: str, times: Decimal) -> str:
    name = f"{quote.model} {quote.listed_as}".lower()
    if is_anthropic(quote):
        if unit == "cache_write_1h" and abs(times - WRITE_1H) > WRITE_1H * WRITE_1H_TOLERANCE:
            return f"the 1-hour cache write is {times:.4g} × input, not {WRITE_1H} ×"
        if unit == "cache_write_5m" and not WRITE_5M_MIN <= times <= WRITE_5M_MAX:
            return f"the cache write is {times:.4g} × input, not {WRITE_5M_MIN} to {WRITE_5M_MAX} ×"
    if times < 1 and _PREMIUM.search(name):
        return f"the cache write is {times:.4g} × input, though its seller bills a premium"
    return ""


def is_anthropic(quote: Quote) -> bool:
    """Whether Anthropic's pattern of cache prices holds, whoever sells the model."""
    name = f"{quote.model} {quote.listed_as}".lower()
    return word_of(quote.provider) == "anthropic" or "claude" in name


def read_note(quote: Quote, rates: Rates) -> str:
    """What is unusual about a cache read price, without being wrong; empty if nothing is."""
    given, read = rates.get("input"), rates.get("cache_read")
    if not is_anthropic(quote) or not given or read is None or read == given * READ_USUAL:
        return ""
    return f"{quote.source}: cache read is {ratio(read, given):.4g} × input, not {READ_USUAL} ×"
