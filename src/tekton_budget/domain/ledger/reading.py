"""A provider's own response as a usage: only what was read of it goes further."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.metering import Metered, counts_of, read_response, read_stream
from tekton_budget.domain.money import CALL_COST_NANO_MAX, nano_from_usd
from tekton_budget.domain.scope import LABEL_VALUE_MAX
from tekton_budget.domain.units import PriceContext
from tekton_budget.domain.usage import CostSource, Response, Usage, UsageFault

INVALID = "invalid_usage"
MISSING = "missing_usage"
_CHARGED = (
    "All that was held is charged, as an estimate; record what was used for this allocation, "
    "and it takes the estimate's place"
)


def usage_read(
    state: State, usage: Usage, labels: Mapping[str, str], *, placed_us: int, known_us: int
) -> Usage:
    """The usage with its amounts, model and charge as its response has them, if it has one.

    What a caller says of the cost or of the model goes before what the response says. Refuses a
    response that contradicts itself or tells nothing (`invalid_usage`, `missing_usage`).
    """
    if usage.response is None:
        return usage
    model = usage.model_used or labels.get("model")
    provider = usage.provider_used or labels.get("provider")
    if provider is None:
        name = model or _model_said(usage.response)
        provider = _seller_of(state, name, placed_us=placed_us, known_us=known_us)
    metered = _metered(usage.response, provider, model)
    cost_nano, source = usage.cost_nano, usage.cost_source
    if cost_nano is None and metered.billed_usd is not None:
        cost_nano, source = _billed_nano(metered.billed_usd), CostSource.PROVIDER
    counts = counts_of(metered.parts)
    return replace(
        usage,
        counts=counts,
        reasoning_tokens=min(metered.reasoning_tokens, counts.total),
        cost_nano=cost_nano,
        cost_source=source,
        model_used=usage.model_used or _name(metered.model),
        model_is_read=usage.model_used is None,
        request_id=usage.request_id or _name(metered.response_id),
        parts=metered.parts,
        response=None,
    )


def fault_of(refusal: InvalidInput) -> UsageFault:
    """Why a usage cannot be told: there is none, or none that can be."""
    detail = f"{refusal.detail}. {_CHARGED}"
    return UsageFault(MISSING if refusal.code == MISSING else INVALID, detail)


def _model_said(response: Response) -> str | None:
    said = response.body.get("model") if isinstance(response.body, Mapping) else None
    return said if isinstance(said, str) else None


def _seller_of(state: State, model: str | None, *, placed_us: int, known_us: int) -> str | None:
    """Whose card a model without a provider is charged by."""
    if not model:
        return None
    found = state.book.card_named(None, model, valid_us=placed_us, known_us=known_us)
    return None if found is None else found.card.provider


def _metered(response: Response, provider: str | None, model: str | None) -> Metered:
    known = {"api": response.api, "provider": provider, "model": model}
    if isinstance(response.body, list):
        metered = read_stream(response.body, context=response.context, **known)
    else:
        metered = read_response(response.body, context=response.context, **known)
    for part in metered.parts:
        for word in (part.model, *_words(part.context)):
            if word is not None and _name(word) is None:
                text = "has a name longer than any is, or with characters that none has"
                raise invalid("response", text, INVALID)
    return metered


def _words(context: PriceContext) -> tuple[str | None, ...]:
    return context.service_tier, context.region, context.search_context_size


def _billed_nano(billed_usd: Decimal) -> int:
    cost_nano = nano_from_usd(billed_usd)
    if cost_nano > CALL_COST_NANO_MAX:
        raise invalid("response", "tells of a cost higher than any call has", INVALID)
    return cost_nano


def _name(value: str | None) -> str | None:
    """A name as labels and ids may have it; what is longer is of no use as one."""
    fits = value is not None and 0 < len(value) <= LABEL_VALUE_MAX and value.isprintable()
    return value if fits else None
