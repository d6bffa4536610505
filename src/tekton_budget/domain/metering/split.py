"""Each token into exactly one unit: what overlaps in a response is taken apart here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .fields import within

MODALITIES = ("audio", "image", "video")
TEXT = "text"
_NONE: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Side:
    """Tokens of one side, and how many of them are not text; what no modality names is text."""

    whole: int
    path: str  # of the whole, for errors
    of: Mapping[str, int] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class Cache:
    """How many of the input tokens were read from a cache or written to one."""

    read: int = 0
    read_of: Mapping[str, int] = field(default_factory=lambda: _NONE)  # by modality, where told
    written_5m: int = 0
    written_1h: int = 0
    path: str = ""  # of what was read, for errors

    @property
    def total(self) -> int:
        """All that is not fresh."""
        return self.read + self.written_5m + self.written_1h


def input_units(side: Side, cache: Cache) -> dict[str, int]:
    """Input by unit. Cached tokens whose modality is not told are text as far as there is text."""
    fresh = _by_modality(side, cache.read_of)
    within(cache.total, side.whole, cache.path, side.path)
    read = dict.fromkeys(fresh, 0)
    for modality, tokens in cache.read_of.items():
        within(tokens, fresh[modality], f"{cache.path} ({modality})", f"{side.path} ({modality})")
        fresh[modality] -= tokens
        read[modality] = tokens
    told = sum(cache.read_of.values())
    within(told, cache.read, f"{cache.path} (by modality)", cache.path)
    for modality, tokens in _taken(fresh, cache.read - told).items():
        read[modality] += tokens
    _taken(fresh, cache.written_5m + cache.written_1h)
    units = {"input": fresh[TEXT], "cache_read": read[TEXT]}
    units |= {"cache_write_5m": cache.written_5m, "cache_write_1h": cache.written_1h}
    for modality in MODALITIES:
        units[f"input_{modality}"] = fresh[modality]
        units[f"cache_{modality}_read"] = read[modality]
    return units


def output_units(side: Side) -> dict[str, int]:
    """Output by unit; there is none for video, which is sold by the second."""
    tokens = _by_modality(side, _NONE)
    units = {"output": tokens[TEXT] + tokens["video"]}
    return units | {f"output_{modality}": tokens[modality] for modality in ("audio", "image")}


def _by_modality(side: Side, at_least: Mapping[str, int]) -> dict[str, int]:
    named = {
        modality: side.of[modality] if modality in side.of else at_least.get(modality, 0)
        for modality in MODALITIES
    }
    within(sum(named.values()), side.whole, f"{side.path} (by modality)", side.path)
    return {TEXT: side.whole - sum(named.values()), **named}


def _taken(fresh: dict[str, int], tokens: int) -> dict[str, int]:
    """Take so many out of what is fresh, text first; what was taken of each."""
    taken: dict[str, int] = {}
    for modality, there in fresh.items():
        taken[modality] = min(there, tokens)
        fresh[modality] -= taken[modality]
        tokens -= taken[modality]
    return taken
