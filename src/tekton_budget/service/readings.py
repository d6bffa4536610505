"""A provider's own response as a usage: read here once, and only what was read is kept."""

from collections.abc import Mapping
from decimal import Decimal

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.metering import Metered, counts_of, read_response, read_stream
from tekton_budget.domain.money import CALL_COST_NANO_MAX, nano_from_usd
from tekton_budget.domain.scope import LABEL_VALUE_MAX
from tekton_budget.domain.usage import CostSource, Usage
from tekton_budget.service.asks import Used

UNREADABLE = frozenset({"invalid_usage", "missing_usage"})
_AMOUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "tokens",
    "reasoning_tokens",
)


def metered_of(used: Used, labels: Mapping[str, object]) -> Metered:
    """What a response says was used; refuses one that contradicts itself or says nothing."""
    doubled = [name for name in _AMOUNTS if getattr(used, name)]
    if doubled:
        text = "is read from the response: send the response or the amounts, not both"
        raise InvalidInput(f"{doubled[0]}: {text}", *(FieldFault(one, text) for one in doubled))
    known = {
        "api": used.api,
        "provider": used.provider_used or _text(labels.get("provider")),
        "model": used.model_used or _text(labels.get("model")),
    }
    if isinstance(used.response, list):
        return read_stream(used.response, context=used.context, **known)
    return read_response(used.response or {}, context=used.context, **known)


def usage_read(metered: Metered, usage: Usage) -> Usage:
    """The usage with its amounts, model and charge as the response has them.

    What a caller says of the cost or of the model goes before what the response says.
    """
    cost_nano, source = usage.cost_nano, usage.cost_source
    if cost_nano is None and metered.billed_usd is not None:
        cost_nano, source = _billed_nano(metered.billed_usd), CostSource.PROVIDER
    counts = counts_of(metered.parts)
    return Usage(
        counts=counts,
        reasoning_tokens=min(metered.reasoning_tokens, counts.total),
        cost_nano=cost_nano,
        cost_source=source,
        provider_used=usage.provider_used,
        model_used=usage.model_used or _label(metered.model),
        timestamp_us=usage.timestamp_us,
        measurement=usage.measurement,
        operation_id=usage.operation_id,
        request_id=usage.request_id or _label(metered.response_id),
        metadata=usage.metadata,
        parts=metered.parts,
    )


def told_of(metered: Metered) -> dict[str, object]:
    """What was read, by which a retry is told from another usage; never the response itself."""
    return {"parts": metered.parts, "model": metered.model, "billed": metered.billed_usd}


def _billed_nano(billed_usd: Decimal) -> int | None:
    cost_nano = nano_from_usd(billed_usd)
    return cost_nano if 0 <= cost_nano <= CALL_COST_NANO_MAX else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _label(value: str | None) -> str | None:
    """A name as labels and ids may have it; what is longer is of no use as one."""
    fits = value is not None and 0 < len(value) <= LABEL_VALUE_MAX and value.isprintable()
    return value if fits else None
