"""Units: all that a price can be for. Each thing used is counted in exactly one of them."""

from typing import NamedTuple

TOKEN_UNITS = (
    "input",
    "output",
    "cache_read",
    "cache_write_5m",  # also where the time to live is not told: the default
    "cache_write_1h",
    "reasoning",
    "citation",
    "input_audio",
    "output_audio",
    "cache_audio_read",
    "input_image",
    "output_image",
    "cache_image_read",
    "input_video",
    "output_video",
    "cache_video_read",
)
COUNT_UNITS = (
    "request",
    "web_search",
    "image",  # a picture made or read, where pictures are not counted in tokens
    "page",
    "input_character",
    "output_character",
    "input_second",
    "output_second",
)
UNITS = TOKEN_UNITS + COUNT_UNITS

# Of which kind of token a policy counts each unit; what is no token is of no kind.
KIND_OF_UNIT = {
    "input": "input",
    "output": "output",
    "cache_read": "cache_read",
    "cache_write_5m": "cache_write",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "citation": "input",
    "input_audio": "input",
    "output_audio": "output",
    "cache_audio_read": "cache_read",
    "input_image": "input",
    "output_image": "output",
    "cache_image_read": "cache_read",
    "input_video": "input",
    "output_video": "output",
    "cache_video_read": "cache_read",
}


class PriceContext(NamedTuple):
    """What a price depends on besides the amounts; `None` is the standard, or not told."""

    service_tier: str | None = None  # batch, flex, priority, fast: as served, not as asked for
    region: str | None = None
    search_context_size: str | None = None  # low, medium, high


STANDARD = PriceContext()
SAME_PRICE_TIERS = {("groq", "flex")}  # seller and service tier without a price of its own


class Part(NamedTuple):
    """What one model did for a call: units with their quantities, each above 0, in UNITS' order."""

    units: tuple[tuple[str, int], ...]
    context: PriceContext = STANDARD
    model: str | None = None  # None: the model of the call itself
