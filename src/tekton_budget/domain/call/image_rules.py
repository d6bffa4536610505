"""How many tokens a picture can be at most, by each provider's rule.

`None` where no maximum is known: then it is at most what the model's context window holds.
"""

import re
from typing import NamedTuple

from .pictures import Size

ANTHROPIC_IMAGE_MAX = 4_800  # models of 2576 pixels a side: 92 × 52 patches
_ANTHROPIC_SMALL_MAX = 1_640  # models of 1568 pixels a side, before Opus 4.7
_ANTHROPIC_SMALL = re.compile(r"claude-(3|instant|\w+-4(-[0156])?(-\d{8}|@|$))")
_ANTHROPIC_PATCH = 28

GEMINI_TILE = 258
_GEMINI_WHOLE = 2_304  # from Gemini 3 on: by resolution, up to 2,240
_GEMINI_IMAGE_MAX = 6_500  # 3072 pixels a side, in tiles of at least 256


class Tiles(NamedTuple):
    """A base and so many tokens for each tile of 512 pixels, of which there are at most 8."""

    base: int
    tile: int


class Patches(NamedTuple):
    """So many hundredths of a token for each patch of 32 pixels, up to a number of patches."""

    hundredths: int
    patches_max: int | None  # None: no maximum is known
    patches_high: int = 2_500  # of `detail: high`


class Either(NamedTuple):
    """Models of one name of which some count in tiles and some in patches: the larger."""

    tiles: Tiles
    patches: Patches


_WIDE = Patches(120, None)
# OpenAI's models, the first that matches; what is not in it takes the rule for open models.
_OPENAI = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"gpt-4o-mini", Tiles(2833, 5667)),
        (r"(gpt-4\.1|gpt-5)-mini", Patches(162, 1_536)),
        (r"(gpt-4\.1|gpt-5)-nano", Patches(246, 1_536)),
        (r"o4-mini", Patches(172, 1_536)),
        (r"gpt-4|chatgpt-4o", Tiles(85, 170)),
        (r"o[13]|computer-use", Tiles(75, 150)),
        (r"gpt-5(\.[0-3])?(-|$)|codex", Either(Tiles(70, 140), Patches(162, 2_500))),
        (r"gpt-5\.\d+-nano", Patches(246, 10_000)),
        (r"gpt-5\.\d+-mini", Patches(162, 10_000)),
        (r"gpt-5\.", Patches(120, 10_000)),
        (r"gpt-\d+.*-(mini|nano)", Patches(246, None)),
        (r"gpt-|o\d", _WIDE),
    )
)
_OPEN_PATCH = 16  # Pixtral's; those of others are larger
_OPEN_LEAST = 6_500  # Llama's four tiles; others take less for a small picture
_OPEN_MAX = 16_500  # Qwen's, the most of any


def openai_image(model: str, size: Size | None, detail: object) -> int | None:
    """By tiles or patches, whichever the model's family uses."""
    name = bare(model)
    for pattern, rule in _OPENAI:
        if pattern.match(name):
            return _by_rule(rule, size, detail)
    if size is None:
        return _OPEN_MAX
    across, down = _covers(size, _OPEN_PATCH)
    return min(_OPEN_MAX, max(_OPEN_LEAST, (across + 1) * down))


def anthropic_image(model: str, size: Size | None) -> int:
    """By patches, scaled down above the model's maximum."""
    most = _ANTHROPIC_SMALL_MAX if _ANTHROPIC_SMALL.match(bare(model)) else ANTHROPIC_IMAGE_MAX
    if size is None:
        return most
    across, down = _covers(size, _ANTHROPIC_PATCH)
    return min(most, across * down)


def gemini_image(size: Size | None) -> int:
    """By tiles up to Gemini 2.5, by the resolution asked for from Gemini 3 on: the larger."""
    if size is None:
        return _GEMINI_IMAGE_MAX
    unit = min(768, max(256, min(size) * 2 // 3))
    across, down = _covers(size, unit)
    return max(_GEMINI_WHOLE, min(_GEMINI_IMAGE_MAX, GEMINI_TILE * (across * down + 1)))


def bare(model: str) -> str:
    """A model's name without the seller before it."""
    return model.rpartition("/")[2].lower()


def _by_rule(rule: Tiles | Patches | Either, size: Size | None, detail: object) -> int | None:
    if isinstance(rule, Tiles):
        return rule.base + rule.tile * (0 if detail == "low" else _tiles(size))
    if isinstance(rule, Patches):
        return _patches(rule, size, detail)
    found = (_by_rule(one, size, detail) for one in rule)
    return max(tokens for tokens in found if tokens is not None)


def _tiles(size: Size | None) -> int:
    if size is None:
        return 8
    shorter = min(size)
    across, down = (-(-min(2048, -(-side * 768 // shorter)) // 512) for side in size)
    return across * down


def _patches(rule: Patches, size: Size | None, detail: object) -> int | None:
    most = rule.patches_max
    if detail in ("low", "high"):
        most = min(most or rule.patches_high, rule.patches_high)
    if size is not None:
        across, down = _covers(size, 32)
        most = across * down if most is None else min(most, across * down)
    # The provider rounds each side by itself when it scales down: one patch a side more.
    return None if most is None else -(-most * rule.hundredths // 100) + 2


def _covers(size: Size, unit: int) -> Size:
    return -(-size[0] // unit), -(-size[1] // unit)
