"""Prices: set with a date, read as they are, were and will be, taken over from files."""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Verbs
from tekton_budget.frontends.api.bodies.prices import (
    ModelOut,
    PriceListOut,
    PriceOut,
    UpdatedOut,
    to_api_list,
    to_api_model,
    to_api_price,
    to_api_updated,
)
from tekton_budget.frontends.api.bodies.spending import retry_of
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import Body, Time, Usd
from tekton_budget.frontends.http.wire import Reply

router = exact_router("/prices")

Json = dict[str, Any]  # Any: JSON
_PER_MILLION = "USD per 1,000,000 tokens"
_PER_ONE = "The original's name: USD per token"
_PLAIN = {"input": "input", "output": "output", "cache_read": "cache_read"}
_PLAIN |= {"cache_write": "cache_write_5m"}


class PriceBody(Body):
    """A price from a date on. Rates are USD per 1,000,000 tokens."""

    provider: str = Field(examples=["openai"])
    model: str = Field(examples=["gpt-5-mini"])
    input: Usd | None = Field(None, description=_PER_MILLION, examples=[0.25])
    output: Usd | None = Field(None, description=_PER_MILLION, examples=[2])
    cache_read: Usd | None = Field(None, description=_PER_MILLION)
    cache_write: Usd | None = Field(None, description=_PER_MILLION)
    request: Usd | None = Field(None, description="USD per request")
    input_cost_per_token: Usd | None = Field(None, description=_PER_ONE)
    output_cost_per_token: Usd | None = Field(None, description=_PER_ONE)
    rates: dict[str, Usd] | None = Field(None, description="Any units of tokens, beside the above")
    fees: Json | None = Field(None, description="What is not by tokens: web_search, image, …")
    tiers: list[Json] | None = Field(None, description="Rates above a length of input")
    service_tiers: Json | None = Field(None, description="batch, flex, priority, …")
    schedule: list[Json] | None = Field(None, description="Rates by time of day and weekday")
    regions: Json | None = Field(None, description="Factors by region")
    valid_from: Time | None = None
    valid_to: Time | None = None
    source: str = Field("manual", max_length=200)


class CurrentBody(Body):
    """Whose price, valid when, as known when."""

    provider: str | None = None
    model: str
    at: Time | None = None
    known: Time | None = None


Seller = Annotated[str | None, Query(description="Only of this provider")]
Name = Annotated[str | None, Query(description="Only of this model, or of a glob: gpt-5*")]


@router.get("", response_model=list[PriceOut])
def list_prices(
    verbs: Verbs,
    provider: Seller = None,
    model: Name = None,
    at: Annotated[Time | None, Query()] = None,
    known: Annotated[Time | None, Query()] = None,
) -> Reply:
    """The prices valid now, or at a moment as known at another."""
    found = verbs.book.listed(provider=provider, model=model, at_us=at, known_us=known)
    facts = verbs.book.models(provider=provider, model=model)
    length = {(one.provider, one.model): one.context_tokens for one in facts}
    return Reply(
        [
            {**to_api_price(card), "context_window_tokens": length.get((card.provider, card.model))}
            for card in found
        ]
    )


@router.post("", status_code=201, response_model=PriceOut)
def set_price(body: PriceBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """A price from a date on (default: now). Prices are never edited; later ones follow."""
    card = verbs.prices.set_price(
        asker,
        body.provider,
        body.model,
        _pricing(body),
        valid_from_us=body.valid_from,
        valid_to_us=body.valid_to,
        source=body.source,
        retry=retry_of("prices", key, body.given()),
    )
    return Reply(to_api_price(card), status_code=201)


@router.get("/models", response_model=list[ModelOut])
def list_models(verbs: Verbs, provider: Seller = None, model: Name = None) -> Reply:
    """What is known of models besides their prices: length, modalities, tools, dates."""
    return Reply([to_api_model(one) for one in verbs.book.models(provider=provider, model=model)])


@router.get("/lists", response_model=list[PriceListOut])
def list_lists(verbs: Verbs) -> Reply:
    """The price lists that were taken over, the latest first: how old, and of which sources."""
    return Reply([to_api_list(one) for one in verbs.book.ages()])


@router.post("/update", response_model=UpdatedOut)
def update_prices(asker: Asker, verbs: Verbs) -> Reply:
    """Take over what the sources of prices have that is newer, and tell what that changed.

    Today's source is the list that comes with the program. Prices that you set or loaded yourself
    stay before it.
    """
    return Reply(to_api_updated(verbs.price_updates.update(asker)))


@router.post("/current", response_model=PriceOut)
def current_price(body: CurrentBody, verbs: Verbs) -> Reply:
    """The price valid now, or at a moment as known at another, and how the name led to it."""
    found = verbs.book.current(body.provider, body.model, at_us=body.at, known_us=body.known)
    return Reply(to_api_price(found.card, found.resolution))


@router.get("/history/{provider}/{model:path}", response_model=list[PriceOut])
def price_history(provider: str, model: str, verbs: Verbs) -> Reply:
    """Every price of a model, by start of validity."""
    return Reply([to_api_price(card) for card in verbs.book.history(provider, model)])


def _pricing(body: PriceBody) -> Json:
    """The card of a body, its plain rates among the others."""
    per_token = {"input": body.input_cost_per_token, "output": body.output_cost_per_token}
    rates: dict[str, object] = dict(body.rates or {})
    for name, unit in _PLAIN.items():
        rate = _rate(name, getattr(body, name), per_token.get(name))
        if rate is not None and unit in rates:
            raise invalid(name, f"is sent as rates.{unit} too: send it once")
        if rate is not None:
            rates[unit] = rate
    fees = dict(body.fees or {})
    if body.request:
        fees["request"] = body.request
    others = ("tiers", "service_tiers", "schedule", "regions")
    given = {name: value for name in others if (value := getattr(body, name)) is not None}
    return {"rates": rates, **({"fees": fees} if fees else {}), **given}


def _rate(field: str, per_million: Decimal | None, per_token: Decimal | None) -> Decimal | None:
    if per_million is not None and per_token is not None:
        raise invalid(
            field, f"send either {field} (per 1,000,000 tokens) or {field}_cost_per_token"
        )
    return per_million if per_token is None else per_token.scaleb(6)
