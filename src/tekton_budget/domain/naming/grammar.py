"""Grammar: what each seller wraps around the name of a model, and in which order to read it.

A reading is one way to take a name, the most literal first. Prices that differ by region, tuning
or variant are never read away: such a name leads to its own card, or says so in its reading.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Reading(NamedTuple):
    """A name to look up, how it was come by, and where it is served (`None`: not said, global)."""

    name: str
    steps: tuple[str, ...] = ()
    region: str | None = None
    suffix: str = ""  # what the model found must have behind its name: a variant with its own card


class Opaque(NamedTuple):
    """A name that only its owner can explain."""

    why: str


Readings = Sequence[Reading] | Opaque

_OPAQUE = "it hides which model runs; map it to a model, or price by the model that answered"
_I = re.IGNORECASE

# OpenAI, and who sells its models.
_TUNED = re.compile(r"(ft:[^:]+):.*", _I)
_TUNED_OLD = re.compile(r"([^:/]+?)[.:]ft-.+", _I)
_EFFORT = re.compile(
    r"((?:openai/)?(?:o[1-9](?:-mini)?|gpt-5(?:[.-]\d)?(?:-(?:mini|nano|sol|terra|luna|codex"
    r"|codex-max|codex-mini))?))-(minimal|low|medium|high|xhigh)",
    _I,
)

_AZURE_ROUTE = re.compile(r"(?:responses|o_series|gpt5_series)/(.+)", _I)
_AZURE_ZONE = re.compile(r"(us|eu|global|global-standard)/(.+)", _I)

_BEDROCK_ROUTE = re.compile(r"(?:converse|invoke|converse_like|async_invoke)/(.+)", _I)
_BEDROCK_PLACE = re.compile(r"([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d)/(.+)", _I)
_BEDROCK_ARN = re.compile(r"arn:(aws[a-z-]*):bedrock:[^:]*:[^:]*:([^/]+)/(.+)", _I)
_BEDROCK_CONTEXT = re.compile(r"(.+:\d+):(?:\d+k|mm)", _I)
_BEDROCK_MAKERS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai"
    "|nvidia|openai|qwen|stability|twelvelabs|writer|xai|zai"
)
_BEDROCK_AREAS = "us-gov|us|eu|apac|jp|au|ca|sa|me|af|il|mx|in|global"
_BEDROCK_AREA = re.compile(rf"({_BEDROCK_AREAS})\.(.+)", _I)
_BEDROCK_BARE = (("claude", "anthropic."), ("nova-", "amazon."), ("titan-", "amazon."))
_BEDROCK_OPEN = ("foundation-model", "inference-profile")

_VERTEX_PATH = re.compile(
    r"(?:projects/[^/]+/locations/([^/]+)/)?publishers/[^/]+/models/([^/]+)", _I
)
_VERTEX_ENDPOINT = re.compile(r"(?:projects/.+/)?(?:endpoints|models)/.+", _I)
_VERTEX_MAKER = re.compile(
    r"(?:google|anthropic|meta|mistralai|openai|deepseek-ai|qwen|moonshotai|minimaxai|zai-org"
    r"|ai21|xai)/([^/]+)",
    _I,
)
_VERTEX_AREAS = (
    ("us", "us"),
    ("northamerica", "us"),
    ("eu", "eu"),
    ("asia", "apac"),
    ("australia", "au"),
)

_OPENROUTER_SAME = {"nitro", "floor", "online", "exacto"}
_OPENROUTER_BARE = (
    (re.compile(r"claude-", _I), "anthropic/"),
    (re.compile(r"gpt-|o[1-9](-|$)|chatgpt-", _I), "openai/"),
    (re.compile(r"gem(ini|ma)-", _I), "google/"),
    (re.compile(r"grok-", _I), "x-ai/"),
)

_FIREWORKS_PATH = re.compile(r"accounts/fireworks/models/([^/#]+)", _I)

# Names that say by their shape who sells them, where nobody told.
_SHAPES = (
    (re.compile(r"arn:aws[a-z-]*:bedrock:|arn%3aaws", _I), "bedrock"),
    (re.compile(rf"(?:(?:{_BEDROCK_AREAS})\.)?(?:{_BEDROCK_MAKERS})\.[a-z][^/]*$", _I), "bedrock"),
    (re.compile(r"projects/|publishers/|[^/]+@(?:default|latest|\d{3}|\d{8})$", _I), "vertex"),
    (re.compile(r"(?:tuned)?models/", _I), "google"),
    (re.compile(r"accounts/[^/]+/(?:models|deployments|routers)/", _I), "fireworks"),
    (re.compile(r"ft:(?:gpt|o[1-9]|davinci|babbage)", _I), "openai"),
)


def seller_by_shape(name: str) -> str | None:
    """The only seller whose names look like this; `None` if the shape does not tell."""
    return next((seller for shape, seller in _SHAPES if shape.match(name)), None)


def readings(seller: str, name: str) -> Readings:
    """The ways to take this seller's name, the most literal first."""
    grammar = _GRAMMARS.get(seller)
    return grammar(name) if grammar else (Reading(name),)


def _openai(name: str) -> Readings:
    return _tuned(Reading(name)) or _with_effort(Reading(name))


def _azure(name: str) -> Readings:
    route = _AZURE_ROUTE.fullmatch(name)
    first = Reading(route[1], ("route",)) if route else Reading(name)
    zone = _AZURE_ZONE.fullmatch(first.name)
    if not zone:
        return _tuned(first) or _with_effort(first)
    steps = (*first.steps, f"zone {zone[1].lower()}")
    region = None if zone[1].lower().startswith("global") else zone[1].lower()
    below = Reading(zone[2], steps, region)
    return (first._replace(steps=steps), *(_tuned(below) or _with_effort(below)))


def _tuned(reading: Reading) -> tuple[Reading, ...]:
    """A fine-tuned model has the rates of its tuned base, `ft:base`, never those of the base."""
    if new := _TUNED.fullmatch(reading.name):
        return (reading._replace(name=new[1], steps=(*reading.steps, "fine-tuned")),)
    if old := _TUNED_OLD.fullmatch(reading.name):
        return (reading._replace(name=f"ft:{old[1]}", steps=(*reading.steps, "fine-tuned")),)
    return ()


def _with_effort(reading: Reading) -> tuple[Reading, ...]:
    """How hard a model is told to think is no part of its price; the tokens are."""
    effort = _EFFORT.fullmatch(reading.name)
    if not effort:
        return (reading,)
    steps = (*reading.steps, f"effort {effort[2].lower()}")
    return (reading, reading._replace(name=effort[1], steps=steps))


def _bedrock(name: str) -> Readings:
    """`route/place/arn:…/area.maker.model-v1:0:200k`, any of it left out.

    An area (`us.`) is an inference profile and may have a surcharge. The place of the endpoint is
    where a bare id is served anyway; only GovCloud is priced apart.
    """
    name = re.sub("%3a", ":", re.sub("%2f", "/", name, flags=_I), flags=_I)
    steps: tuple[str, ...] = ()
    own: tuple[Reading, ...] = ()
    region = None
    if route := _BEDROCK_ROUTE.fullmatch(name):
        name, steps = route[1], ("route",)
    if place := _BEDROCK_PLACE.fullmatch(name):
        steps = (*steps, f"place {place[1].lower()}")
        own = (Reading(name, steps),)
        name, region = place[2], _government(place[1])
    if name[:4].lower() == "arn:":
        arn = _BEDROCK_ARN.fullmatch(name)
        if not arn or arn[2].lower() not in _BEDROCK_OPEN:
            return Opaque(_OPAQUE)
        name, steps, region = arn[3], (*steps, f"arn {arn[2].lower()}"), _government(arn[1])
    return (*own, *_bedrock_id(Reading(name, steps, region)))


def _government(place: str) -> str | None:
    return "us-gov" if "us-gov" in place.lower() else None


def _bedrock_id(reading: Reading) -> tuple[Reading, ...]:
    name, steps, region, _ = reading
    if context := _BEDROCK_CONTEXT.fullmatch(name):
        name, steps = context[1], (*steps, "context length")
    if area := _BEDROCK_AREA.fullmatch(name):
        word = area[1].lower()
        steps = (*steps, f"region {word}")
        regional = None if word == "global" else word
        return (Reading(name, steps), Reading(area[2], steps, regional))
    for family, maker in _BEDROCK_BARE:
        if name.lower().startswith(family):
            bare = Reading(maker + name, (*steps, f"maker {maker[:-1]}"), region)
            return (Reading(name, steps, region), bare)
    return (Reading(name, steps, region),)


def _google(name: str) -> Readings:
    if name.lower().startswith("tunedmodels/"):
        return Opaque(_OPAQUE)
    path = _VERTEX_PATH.fullmatch(name)
    if path:
        return (Reading(path[2], ("path",)),)
    return (
        (Reading(name[7:], ("path",)),) if name.lower().startswith("models/") else (Reading(name),)
    )


def _vertex(name: str) -> Readings:
    """A place in the path is a regional endpoint, maybe with a surcharge; bare ids are global."""
    path = _VERTEX_PATH.fullmatch(name)
    if not path and _VERTEX_ENDPOINT.fullmatch(name):
        return Opaque(_OPAQUE)
    first = Reading(path[2], ("path",), _vertex_area(path[1] or "")) if path else Reading(name)
    found = [first]
    if maker := _VERTEX_MAKER.fullmatch(first.name):
        found.append(first._replace(name=maker[1], steps=(*first.steps, "maker")))
    return tuple(
        found
        + [
            reading._replace(name=reading.name[:-8], steps=(*reading.steps, "@default"))
            for reading in found
            if reading.name.lower().endswith("@default")
        ]
    )


def _vertex_area(place: str) -> str | None:
    return next((area for head, area in _VERTEX_AREAS if place.lower().startswith(head)), None)


def _openrouter(name: str) -> Readings:
    """`maker/model:variant`. Some variants only choose how to route; the others are other cards."""
    first = Reading(name)
    found = [first]
    while ":" in first.name:
        base, _, variant = first.name.rpartition(":")
        steps = (*first.steps, f"variant {variant.lower()}")
        if not _only_routes(base, variant.lower()):
            found.append(Reading(base, steps, suffix=f":{variant}"))
            break
        first = Reading(base, steps)
        found.append(first)
    if ":" not in first.name:
        found += _with_effort(first)[1:]
    if "/" not in name:
        found += [
            reading._replace(
                name=maker + reading.name, steps=(*reading.steps, f"maker {maker[:-1]}")
            )
            for reading in found
            for own, maker in _OPENROUTER_BARE
            if own.match(reading.name)
        ]
    return tuple(found)


def _only_routes(base: str, variant: str) -> bool:
    """Thinking has Claude's price; with others, it has had its own."""
    claude = base.lower().startswith(("anthropic/", "claude-"))
    return variant in _OPENROUTER_SAME or (variant == "thinking" and claude)


def _fireworks(name: str) -> Readings:
    if "#" in name or "/deployments/" in name.lower():
        return Opaque("it is a deployment, billed by time; map it to a model or set a price for it")
    path = _FIREWORKS_PATH.fullmatch(name)
    return (Reading(name), Reading(path[1], ("path",))) if path else (Reading(name),)


def _mistral(name: str) -> Readings:
    return _tuned(Reading(name)) or (Reading(name),)


_GRAMMARS: dict[str, Callable[[str], Readings]] = {
    "openai": _openai,
    "azure": _azure,
    "azure_ai": _openai,
    "bedrock": _bedrock,
    "google": _google,
    "vertex": _vertex,
    "openrouter": _openrouter,
    "fireworks": _fireworks,
    "mistral": _mistral,
}
