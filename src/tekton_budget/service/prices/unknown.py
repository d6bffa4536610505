"""Names that mean no model with a price: the refusals, with what is near and what would help."""

import shlex

from tekton_budget.domain.errors import FieldFault, InvalidInput, NotFound
from tekton_budget.domain.naming import Resolution, Unknown, seller_by_shape
from tekton_budget.domain.price import Card, PriceBook, moment_text

_SPANS_MAX = 3


def resolved(book: PriceBook, provider: str | None, model: str, at_us: int) -> Resolution:
    """Which model a name means at a moment; `NotFound` with what is near where it means none."""
    found = book.resolver.resolve(provider, model, at_us)
    if isinstance(found, Unknown):
        raise unknown_model(provider, model, found)
    return found


def with_dates(
    book: PriceBook, provider: str | None, model: str, unknown: Unknown, at_us: int
) -> Unknown:
    """The same; of a model that has prices at other times, from when to when."""
    found = book.resolver.resolve(provider, model, at_us)
    if unknown.hint or isinstance(found, Unknown):
        return unknown
    cards = book.history((found.provider, found.model))
    spans = list(dict.fromkeys(_span(card) for card in cards))[-_SPANS_MAX:]
    return unknown._replace(hint=f"{found.provider}/{found.model} has some {', '.join(spans)}")


def unknown_model(provider: str | None, model: str, unknown: Unknown) -> NotFound:
    """The refusal to show a name without a card, with what is near and what would set one."""
    return NotFound(
        _no_price(provider, model, unknown),
        code="price_not_found",
        suggestions=list(unknown.suggestions),
        reason=unknown.reason,
    )


def unknown_price(provider: str | None, model: str, unknown: Unknown) -> InvalidInput:
    """The refusal to compute with a name without a card: no cost is better than a wrong one."""
    return InvalidInput(
        _no_price(provider, model, unknown),
        FieldFault("model", "no price is known"),
        code="unknown_price",
        suggestions=list(unknown.suggestions),
        reason=unknown.reason,
    )


def _no_price(provider: str | None, model: str, unknown: Unknown) -> str:
    why = ": ".join(part for part in (unknown.reason, unknown.hint) if part)
    near = f" Near: {', '.join(unknown.suggestions)}." if unknown.suggestions else ""
    name = shlex.quote(_to_set(provider, model))
    more = ""
    if unknown.reason == "no price then":
        more = " --from DAY"
    elif model:
        more = (
            ". Or say what the name means: tekton-budget prices name "
            f"{shlex.quote(model)} PROVIDER/MODEL"
        )
    return (
        f"No price is known for {model or 'a model without a name'} ({why}).{near} "
        f"Set one: tekton-budget prices set {name} --input USD --output USD{more}"
    )


def _to_set(provider: str | None, model: str) -> str:
    """A name with its seller, as `prices set` takes it; its shape may tell who that is."""
    seller = provider or seller_by_shape(model)
    return model if seller is None and "/" in model else f"{seller or 'PROVIDER'}/{model}"


def _span(card: Card) -> str:
    from_ = f"from {moment_text(card.valid_from_us)}" if card.valid_from_us else ""
    to = f"to {moment_text(card.valid_to_us)}" if card.valid_to_us is not None else ""
    known = f"known since {moment_text(card.known_since_us)}"
    return " ".join(part for part in (from_, to) if part) or known
