"""Prices: set by hand with a date, and read as they are, were and will be."""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.price import Price, rates_json
from tekton_budget.frontends.api.answers import usd_per_token
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Runs, Verbs
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import Body, Time, TimeOut, Usd, UsdOut, View
from tekton_budget.frontends.api.spending import retry_of
from tekton_budget.frontends.api.wire import Reply, number, time_text
from tekton_budget.service.prices import Rates

router = exact_router("/prices")

_PER_MILLION = "USD per 1,000,000 tokens"
_PER_ONE = "The original's name: USD per token"


class PriceBody(Body):
    """A price from a date on. Rates are USD per 1,000,000 tokens."""

    provider: str = Field(examples=["openai"])
    model: str = Field(examples=["gpt-5-mini"])
    input: Usd | None = Field(None, description=_PER_MILLION, examples=[0.25])
    output: Usd | None = Field(None, description=_PER_MILLION, examples=[2])
    cache_read: Usd | None = Field(None, description=_PER_MILLION)
    cache_write: Usd | None = Field(None, description=_PER_MILLION)
    request: Usd = Field(Decimal(0), description="USD per request")
    input_cost_per_token: Usd | None = Field(None, description=_PER_ONE)
    output_cost_per_token: Usd | None = Field(None, description=_PER_ONE)
    valid_from: Time | None = None
    valid_to: Time | None = None
    source: str = Field("manual", max_length=200)


class CurrentBody(Body):
    """Whose price, and when."""

    provider: str | None = None
    model: str
    at: Time | None = None


class PriceOut(View):
    """A price with the original's names beside ours."""

    pricing_id: str
    provider: str
    model: str
    input: UsdOut
    output: UsdOut
    cache_read: UsdOut
    cache_write: UsdOut
    request: UsdOut
    price_type: str
    input_cost_per_token: UsdOut
    output_cost_per_token: UsdOut
    fixed_cost_per_request: UsdOut
    source: str
    effective_date: TimeOut
    end_date: TimeOut
    known_since: TimeOut


@router.get("", response_model=list[PriceOut])
def list_prices(
    runs: Runs,
    provider: Annotated[str | None, Query()] = None,
    model: Annotated[str | None, Query()] = None,
) -> Reply:
    """The prices valid now."""
    found = runs.service.prices.list_prices(
        at_us=runs.store.now_us(), provider=provider, model=model
    )
    return Reply([to_api_price(price) for price in found])


@router.post("", status_code=201, response_model=PriceOut)
def set_price(body: PriceBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """A price from a date on (default: now). Prices are never edited; later ones follow."""
    price = verbs.prices.set_price(
        asker,
        body.provider,
        body.model,
        _rates(body),
        valid_from_us=body.valid_from,
        valid_to_us=body.valid_to,
        source=body.source,
        retry=retry_of("prices", key, body.given()),
    )
    return Reply(to_api_price(price), status_code=201)


@router.post("/current", response_model=PriceOut)
def current_price(body: CurrentBody, runs: Runs) -> Reply:
    """The price valid now, or at a moment."""
    at_us = runs.store.now_us() if body.at is None else body.at
    return Reply(
        to_api_price(runs.service.prices.current_price(body.provider, body.model, at_us=at_us))
    )


@router.get("/history/{provider}/{model:path}", response_model=list[PriceOut])
def price_history(provider: str, model: str, verbs: Verbs) -> Reply:
    """Every price of a model, by start of validity."""
    return Reply([to_api_price(price) for price in verbs.prices.price_history(provider, model)])


def to_api_price(price: Price) -> dict[str, Any]:  # Any: JSON
    """A price."""
    rates = {name: number(rate) for name, rate in rates_json(price).items()}
    return {
        "pricing_id": price.price_id,
        "provider": price.provider,
        "model": price.model,
        **rates,
        "price_type": "token_based",
        "input_cost_per_token": usd_per_token(price.input_atto),
        "output_cost_per_token": usd_per_token(price.output_atto),
        "fixed_cost_per_request": usd_per_token(price.request_atto),
        "source": price.source,
        "effective_date": time_text(price.valid_from_us),
        "end_date": time_text(price.valid_to_us),
        "known_since": time_text(price.known_since_us),
    }


def _rates(body: PriceBody) -> Rates:
    return Rates(
        input=_rate("input", body.input, body.input_cost_per_token),
        output=_rate("output", body.output, body.output_cost_per_token),
        cache_read=body.cache_read,
        cache_write=body.cache_write,
        request=body.request,
    )


def _rate(field: str, per_million: Decimal | None, per_token: Decimal | None) -> Decimal:
    if per_million is not None and per_token is None:
        return per_million
    if per_token is None or per_million is not None:
        raise invalid(
            field, f"send either {field} (per 1,000,000 tokens) or {field}_cost_per_token"
        )
    return per_token.scaleb(6)
