"""A provider's response read into exact units: the way in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real

from tekton_budget.domain.units import UNITS, Part, PriceContext

from . import steps
from .apis import Api, recognised
from .context import Told, price_context, told_by
from .counting import Counted, counted, missing, usage_of
from .fields import Place, faulty, number
from .metered import Metered
from .searches import searches
from .shapes import OPENAI
from .steps import Step

_TICKS_MOST = 10**18  # of 10⁻¹⁰ USD
_COST_OF = {"openrouter": "cost", "perplexity": "cost.total_cost"}
_IDS = ("id", "responseId", "response_id", "generation_id", "ResponseMetadata.RequestId")
_MODELS = ("model", "modelVersion", "model_version", "trace.promptRouter.invokedModelId")
# What results come wrapped in, and what stands beside a result of a batch.
_WRAPPERS = ("result.message", "response.body", "modelOutput", "response")
_LAST_FRAMES = ("metadata", "delta", "data")  # Bedrock's, Cohere's and Mistral's, of a stream
_OF_A_BATCH = ("custom_id", "recordId", "processed_time", "key")  # the last: Gemini
_USAGE = ("usage", "usageMetadata", "usage_metadata", "meta")
# APIs with an answer that may tell nothing, since they are sold by what was sent.
_BY_COUNT = {"speech", "transcriptions", "images", "videos", "ocr"}
# Usage in fields that no reader knows must not pass for none; Cohere's own figures are not billed.
_MAY_BILL_NOTHING = {"cohere"}
_OF_TOKENS = ("tokens", "tokencount", "token_count")


@dataclass(frozen=True, slots=True)
class _Call:
    """A response and all that is known of how to read it."""

    body: Place
    api: Api
    told: Told
    model: str | None


def read_response(
    response: Mapping[str, object],
    *,
    api: str | None = None,
    provider: str | None = None,
    context: Mapping[str, object] | None = None,
    model: str | None = None,
) -> Metered:
    """What a response says was used, each token in exactly one unit.

    `api` names the API (`openai.chat`, …), else the shape decides; `provider` is who sold the call,
    `model` who was asked, for where the response does not say who answered. A response without
    usage, or with usage that contradicts itself, is refused (`missing_usage`, `invalid_usage`).
    """
    told = told_by(context)
    if not isinstance(response, Mapping):  # callers in Python are not held to the type
        raise faulty("response", "must be an object, as the provider returned it")
    body, batch = _unwrapped(Place(response))
    spoken = recognised(api, provider, body)
    call = _Call(body, spoken, told, body.text(*_MODELS) or model or None)
    usage = usage_of(spoken.shape, body)
    found = _with_counts(call, _steps(call, usage), usage or Place({}))
    priced = price_context(body, usage, told, seller=spoken.seller, batch=batch or spoken.batch)
    parts = tuple(_part(step, priced) for step in found)
    if not any(part.units for part in parts) and spoken.flavour not in _MAY_BILL_NOTHING:
        _nothing_at_all(usage or body)
    return Metered(
        api=spoken.word,
        parts=parts,
        model=body.text(*_MODELS),
        reasoning_tokens=sum(step.counted.reasoning for step in found),
        billed_usd=_billed(usage, spoken.seller),
        response_id=body.text(*_IDS),
    )


def _unwrapped(outer: Place) -> tuple[Place, bool]:
    """The response itself, and whether its wrapper is that of a result of a batch."""
    if any(outer.value(name) for name in _USAGE):
        return outer, False
    for name in _WRAPPERS:
        inner = outer.place(name)
        if inner is not None:
            batch = any(outer.value(mark) is not None for mark in _OF_A_BATCH)
            return inner, batch
    for name in _LAST_FRAMES:
        inner = outer.place(name)
        if inner is not None and inner.place("usage") is not None:
            return inner, False
    return outer, False


def _steps(call: _Call, usage: Place | None) -> list[Step]:
    flavour, body = call.api.flavour, call.body
    if flavour == "ocr":
        by_count = steps.pages(body)
    elif flavour == "transcriptions" or body.value("usage.type") == "duration":
        by_count = steps.seconds(body)
    elif flavour == "images" and (usage is None or not _tells_tokens(usage)):
        by_count = steps.pictures(body)
    else:
        by_count = None
    if by_count is None and usage is None and flavour in _BY_COUNT and call.told.counts:
        by_count = Counted({})
    if by_count is not None:
        return [Step(by_count)]
    if usage is None:
        raise missing(body.path_of(call.api.shape.roots[0]), "the object is not there, or empty")
    if flavour == "messages":
        return steps.messages(usage, call.model)
    if flavour == "cohere":
        return [Step(steps.cohere(usage))]
    if call.api.seller == "perplexity":
        return [Step(steps.perplexity(usage, call.model))]
    return [Step(counted(call.api.shape, usage))]


def _tells_tokens(usage: Place) -> bool:
    return any(usage.value(name) is not None for name in (*OPENAI.input, *OPENAI.output))


def _with_counts(call: _Call, found: list[Step], usage: Place) -> list[Step]:
    """The steps, with searches and with what the caller counted where the response is silent."""
    own = _own(found)
    units = dict(found[own].counted.units)
    for unit, count in call.told.counts.items():
        made = "output_second" if (call.api.flavour, unit) == ("videos", "input_second") else unit
        units[made] = units.get(made) or count
    said = searches(call.api.flavour, call.api.seller, call.body, usage, call.model or "")
    if said is not None:
        units["web_search"] = said
    step = Step(Counted(units, found[own].counted.reasoning), found[own].model)
    return [*found[:own], step, *found[own + 1 :]]


def _own(found: Sequence[Step]) -> int:
    """The step of the call's own model, which the searches and the caller's counts belong to."""
    return next((number for number, step in enumerate(found) if step.model is None), 0)


def _part(step: Step, context: PriceContext) -> Part:
    units = step.counted.units
    used = tuple((unit, units[unit]) for unit in UNITS if units.get(unit))
    return Part(used, context, step.model)


def _nothing_at_all(told: Place) -> None:
    """Refuse a body that tells of tokens in fields that are not read, rather than bill nothing."""
    for name, value in told.body.items():
        counts = str(name).lower().endswith(_OF_TOKENS)
        if counts and isinstance(value, Real | Decimal) and value:
            raise faulty(
                told.path_of(name),
                f"tells of {value} tokens, but the counts that are billed are 0; "
                "name the `api` that the response is of",
            )


def _billed(usage: Place | None, seller: str) -> Decimal | None:
    """What the provider says it charged; of a call with the caller's own key it is no price."""
    if usage is None:
        return None
    ticks = usage.value("cost_in_usd_ticks")
    if ticks is not None:
        path = usage.path_of("cost_in_usd_ticks")
        return number(ticks, path, most=_TICKS_MOST).scaleb(-10)
    # OpenRouter alone says whose key it was: it sold the call, whoever is taken for the seller.
    name = "cost" if usage.value("is_byok") is not None else _COST_OF.get(seller)
    if name is None or usage.value("is_byok") is True or usage.value(name) is None:
        return None
    return number(usage.value(name), usage.path_of(name))
