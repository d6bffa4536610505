"""The counts of one usage object, checked against each other and split into units."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tekton_budget.domain.errors import InvalidInput, invalid

from .fields import MISSING, Place, faulty, rounded_up, within
from .narrowing import narrowed
from .shapes import Names, Shape
from .split import MODALITIES, TEXT, Cache, Side, input_units, output_units


@dataclass(frozen=True, slots=True)
class Counted:
    """What was used, by unit (0 where none was), and how many of the output tokens reasoned."""

    units: Mapping[str, int]
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class _Told:
    """The amounts as the response tells them; whether parts are inside is not yet decided."""

    input: int
    more_input: int
    output: int
    total: int | None
    cache: Cache
    reasoning: int
    cache_inside: bool
    reasoning_inside: bool

    @property
    def sum(self) -> int:
        """All tokens, if what is said to be inside is inside."""
        beside = 0 if self.cache_inside else self.cache.total
        beside += 0 if self.reasoning_inside else self.reasoning
        return self.input + self.more_input + self.output + beside


def usage_of(shape: Shape, body: Place) -> Place | None:
    """The object that holds the counts; `None` where there is none, or nothing in it."""
    for root in shape.roots:
        found = body.value(root)
        if found and not isinstance(found, Mapping):
            raise faulty(body.path_of(root), "must be an object with the amounts used")
    return body if shape.roots == ("",) else body.place(*shape.roots)


def counted(shape: Shape, usage: Place) -> Counted:
    """Read one usage object. It is refused where it contradicts itself or tells no amounts."""
    shape = narrowed(shape, usage.body)
    told = _judged(shape, usage, _told(shape, usage))
    into, out = usage.path_told(*shape.input), usage.path_told(*shape.output)
    whole_input = told.input + told.more_input + (0 if told.cache_inside else told.cache.total)
    by_modality = _by_modality(usage, shape.input_details, shape.input_is, told.input, whole_input)
    more = _by_modality(usage, shape.more_input_details, TEXT, told.more_input, whole_input)
    for modality, tokens in more.items():
        by_modality[modality] = by_modality.get(modality, 0) + tokens
    if told.reasoning_inside and told.reasoning:
        within(told.reasoning, told.output, usage.path_told(*shape.reasoning), out)
    whole_output = told.output + (0 if told.reasoning_inside else told.reasoning)
    out_by_modality = _by_modality(
        usage, shape.output_details, shape.output_is, told.output, whole_output
    )
    fresh = usage.count(*shape.uncached) or 0
    if fresh:
        path = usage.path_told(*shape.uncached)
        within(fresh + told.cache.total, whole_input, f"{path}, with the cached ones,", into)
    units = input_units(Side(whole_input, into, by_modality), told.cache)
    units |= output_units(Side(whole_output, out, out_by_modality))
    seconds = [rounded_up(usage.value(name), usage.path_of(name)) for name in shape.seconds]
    units["input_second"] = max((one for one in seconds if one), default=0)
    return Counted(units, told.reasoning)


def _told(shape: Shape, usage: Place) -> _Told:
    more_input = usage.count(*shape.more_input) or 0
    reasoning = usage.count(*shape.reasoning) or 0
    total = usage.count(*shape.total)
    beside = more_input + (0 if shape.reasoning_inside else reasoning)
    into, out = usage.count(*shape.input), usage.count(*shape.output)
    if into is None and out is None:
        into = _only_input(shape, usage, total, beside)
    # One count that is not told is what the total leaves for it.
    if into is None:
        into = _left(
            usage, shape.input, total, beside + (out or 0), may_be_zero=shape.zeros_left_out
        )
    if out is None:
        no_output = shape.zeros_left_out or not shape.needs_output
        out = _left(usage, shape.output, total, beside + into, may_be_zero=no_output)
    return _Told(
        input=into,
        more_input=more_input,
        output=out,
        total=total,
        cache=_cache(shape, usage),
        reasoning=reasoning,
        cache_inside=shape.cache_inside,
        reasoning_inside=shape.reasoning_inside,
    )


def _only_input(shape: Shape, usage: Place, total: int | None, beside: int) -> int | None:
    """The input where neither side is told by name: all, in an API that makes no output."""
    if total is not None and not shape.needs_output:
        return max(0, total - beside)
    if beside and shape.zeros_left_out:
        return None
    if total:
        raise faulty(
            usage.path_told(*shape.total),
            f"is {total}, but neither {shape.input[0]} nor {shape.output[0]} is told; "
            "input and output have different prices: send both",
        )
    raise missing(usage.path, f"{shape.input[0]} and {shape.output[0]}")


def missing(path: str, names: str) -> InvalidInput:
    """The refusal of a response that does not tell what was used."""
    return invalid(
        path or "response",
        f"tells no usage ({names}); send the provider's response whole, or name the `api` it is "
        "of; a stream tells it in its last frame (OpenAI's if asked by stream_options). "
        "No usage is not zero usage",
        MISSING,
    )


def _left(usage: Place, names: Names, total: int | None, rest: int, *, may_be_zero: bool) -> int:
    if total is not None:
        return max(0, total - rest)
    if may_be_zero:
        return 0
    raise faulty(usage.path_of(names[0]), "is missing; send the provider's response whole")


def _judged(shape: Shape, usage: Place, told: _Told) -> _Told:
    """Let the total say what includes what, as far as the API leaves it open."""
    if told.total is None or told.total == told.sum:
        return told
    readings = [told]
    if shape.judged:
        readings.append(replace(told, reasoning_inside=not told.reasoning_inside))
    if shape.cache_judged:
        readings += [replace(one, cache_inside=not one.cache_inside) for one in readings]
    for reading in readings:
        # Some versions leave the tokens of tools out of the total.
        if told.total in {reading.sum, reading.sum - told.more_input}:
            return reading
    sides = told.input + told.output
    if told.total > sides and shape.rest_is_reasoning:
        return replace(told, reasoning=told.total - sides, reasoning_inside=False)
    audio = any(usage.value(name) for name in shape.seconds)
    if told.total >= sides and (audio or (not shape.judged and told.total <= told.sum)):
        return told
    raise faulty(
        usage.path_told(*shape.total),
        f"is {told.total}, but its parts make {told.sum}; "
        "send the usage as the provider returned it",
    )


def _cache(shape: Shape, usage: Place) -> Cache:
    read = usage.count(*shape.cached) or 0
    written = usage.count(*shape.written)
    short, long = _by_ttl(shape, usage)
    if written is None:
        written = short + long
    names = shape.cached if read else shape.written
    names_split = shape.written_5m or shape.written
    if names_split:
        within(short + long, written, usage.path_told(*names_split), "the tokens written to caches")
    read_of = _by_modality(usage, shape.cached_details, TEXT, read, read)
    path = usage.path_told(*names) if names else usage.path
    return Cache(read, read_of, written - long, long, path)


def _by_ttl(shape: Shape, usage: Place) -> tuple[int, int]:
    """Tokens written for 5 minutes and for an hour, where that is told."""
    found = {
        "5m": usage.count(*shape.written_5m) or 0,
        "1h": usage.count(*shape.written_1h) or 0,
    }
    for item in usage.items(shape.written_list) if shape.written_list else ():
        ttl = item.text("ttl")
        if ttl not in found:
            raise faulty(item.path_of("ttl"), "must be 5m or 1h; no other has a price")
        found[ttl] += item.count("inputTokens") or 0
    return found["5m"], found["1h"]


def _by_modality(
    usage: Place, names: Names, otherwise: str, tokens: int, whole: int
) -> dict[str, int]:
    """Tokens that are no text, by modality; lists may not add up to the whole."""
    found: dict[str, int] = {}
    for name in names:
        details = usage.place(name)
        if details is not None:
            for modality in (TEXT, *MODALITIES):
                count = details.count(f"{modality}_tokens")
                if count is not None:
                    found[modality] = count
        for item in usage.items(name):
            modality = (item.text("modality") or TEXT).lower()
            count = item.count("tokenCount", "token_count", "tokens") or 0
            key = modality if modality in MODALITIES else TEXT  # documents are charged as text
            found[key] = found.get(key, 0) + count
        if found:
            break
    for modality, count in found.items():
        within(count, whole, usage.path_of(f"{name} ({modality})"), "the whole")
    if not found and otherwise != TEXT:
        return {otherwise: tokens}
    found.pop(TEXT, None)
    return found
