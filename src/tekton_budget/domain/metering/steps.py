"""APIs that bill otherwise than by one set of counts: by steps, by the page, by the second."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from tekton_budget.domain.units import KIND_OF_UNIT

from .counting import Counted, counted
from .fields import Place, faulty, rounded_up, within
from .shapes import ANTHROPIC, COHERE, OPENAI

_STEP = replace(ANTHROPIC, zeros_left_out=True)
_DEEP = replace(OPENAI, reasoning=(), total=(), judged=False, cache_judged=False)


class Step(NamedTuple):
    """One step of a call, and its model where another than the call's answered."""

    counted: Counted
    model: str | None = None


def messages(usage: Place, model: str | None) -> list[Step]:
    """Anthropic: `iterations`, if there are any, are the bill.

    The top level leaves out what a compaction or an adviser used, and may leave out more; it never
    tells more than the steps do together.
    """
    listed = usage.value("iterations")
    if not listed:
        return [Step(counted(ANTHROPIC, usage))]
    steps = list(usage.items("iterations"))
    if not isinstance(listed, list | tuple) or len(steps) < len(listed):
        raise faulty(usage.path_of("iterations"), "must be a list of objects, one for each step")
    found = []
    for step in steps:
        named = step.text("model")
        found.append(Step(counted(_STEP, step), None if named == model else named))
    if any(usage.value(name) is not None for name in ("input_tokens", "output_tokens")):
        top = _sides(counted(_STEP, usage).units)
        done = [_sides(step.counted.units) for step in found]
        for number, side in enumerate(("input", "output")):
            together = sum(sides[number] for sides in done)
            within(top[number], together, usage.path_of(f"{side}_tokens"), "all `iterations`")
    return found


def perplexity(usage: Place, model: str | None) -> Counted:
    """Perplexity: deep research bills reasoning, citations and searches at rates of their own.

    Its other models search for a fee by the request, and read what they cite for nothing.
    """
    reasoning, cited = usage.count("reasoning_tokens"), usage.count("citation_tokens")
    deep = "deep-research" in model if model else bool(reasoning or cited)
    if not deep:
        return counted(OPENAI, usage)
    found = counted(_DEEP, usage)
    sides, total = sum(_sides(found.units)), usage.count("total_tokens")
    if total is not None:
        within(sides, total, usage.path_of("prompt_tokens"), usage.path_of("total_tokens"))
    own = {
        "reasoning": reasoning or 0,
        "citation": cited or 0,
        "web_search": usage.count("num_search_queries") or 0,
    }
    return Counted({**found.units, **own}, reasoning or 0)


def cohere(usage: Place) -> Counted:
    """Cohere: reranking is sold by the search, older embeddings of pictures by the picture."""
    more = {"web_search": usage.count("search_units"), "image": usage.count("images")}
    told = {unit: count for unit, count in more.items() if count is not None}
    names = ("input_tokens", "output_tokens", "image_tokens")
    if told and all(usage.value(name) is None for name in names):
        return Counted(told)
    found = counted(COHERE, usage)
    if usage.count("image_tokens"):
        told.pop("image", None)
    return Counted({**found.units, **told})


def seconds(body: Place) -> Counted | None:
    """A transcription by the second of audio; tokens beside the seconds are not billed."""
    names = ("usage.seconds", "usage.prompt_audio_seconds")
    for name in names if body.place("usage") else ("duration",):
        found = rounded_up(body.value(name), body.path_of(name))
        if found is not None:
            return Counted({"input_second": found})
    return None


def pages(body: Place) -> Counted | None:
    """Reading of documents by the page."""
    usage = body.place("usage_info")
    found = usage.count("pages_processed") if usage else None
    return None if found is None else Counted({"page": found})


def pictures(body: Place) -> Counted | None:
    """Pictures by the piece, where a model does not count them in tokens."""
    made = sum(1 for _ in body.items("data"))
    return Counted({"image": made}) if made else None


def _sides(units: Mapping[str, int]) -> tuple[int, int]:
    """All tokens in, and all tokens out."""
    into = sum(n for unit, n in units.items() if KIND_OF_UNIT.get(unit, "output") != "output")
    out = sum(n for unit, n in units.items() if KIND_OF_UNIT.get(unit) == "output")
    return into, out
