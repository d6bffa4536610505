"""Prices: set, looked up, computed with, taken over; contracts, names and tiers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tekton_budget.domain.metering import slimmed
from tekton_budget.face.hold import Amount
from tekton_budget.face.ledger import exact, text_of
from tekton_budget.face.request import Json, Request, given, items, new_id, same, verb

Moment = datetime | str
Parts = Mapping[str, Any]  # Any: JSON of a price card


class PricingVerbs:
    """Prices, and what else the price book knows."""

    @verb
    def set_price(
        self,
        provider: str,
        model: str,
        *,
        input: Amount | None = None,
        output: Amount | None = None,
        cache_read: Amount | None = None,
        cache_write: Amount | None = None,
        request: Amount | None = None,
        rates: Mapping[str, Amount] | None = None,
        fees: Parts | None = None,
        tiers: Sequence[Parts] | None = None,
        service_tiers: Parts | None = None,
        schedule: Sequence[Parts] | None = None,
        regions: Parts | None = None,
        valid_from: Moment | None = None,
        valid_to: Moment | None = None,
        source: str | None = None,
    ) -> Request[Json]:
        """A price from a date on (default: now), in USD per 1,000,000 tokens.

        `rates` are for other units of tokens; the further fields are those of a price card.
        """
        body = given(
            provider=provider,
            model=model,
            input=exact(input, "input"),
            output=exact(output, "output"),
            cache_read=exact(cache_read, "cache_read"),
            cache_write=exact(cache_write, "cache_write"),
            request=exact(request, "request"),
            rates={unit: exact(rate, f"rates.{unit}") for unit, rate in (rates or {}).items()},
            fees=fees,
            tiers=tiers,
            service_tiers=service_tiers,
            schedule=schedule,
            regions=regions,
            valid_from=text_of(valid_from),
            valid_to=text_of(valid_to),
            source=source,
        )
        return Request("set_price", "POST", "/prices", same, body=body, id=new_id())

    @verb
    def load_prices(
        self, cards: Parts | Sequence[Parts], *, source: str | None = None
    ) -> Request[Json]:
        """Take over many cards at once, all or none: a list, or by names as in `rate_cards`."""
        named = {"rate_cards": dict(cards)} if isinstance(cards, Mapping) else {"cards": cards}
        body = {**named, **given(source=source)}
        return Request("load_prices", "POST", "/prices/load", same, body=body, id=new_id())

    @verb
    def update_prices(self) -> Request[Json]:
        """Take over what the sources have that is newer: `message`, and `updated` by source."""
        return Request("update_prices", "POST", "/prices/update", same)

    @verb
    def current_price(
        self,
        provider: str | None,
        model: str,
        *,
        at: Moment | None = None,
        known: Moment | None = None,
    ) -> Request[Json]:
        """The price that is charged now, or was or will be at a moment, as known at another."""
        body = given(provider=provider, model=model, at=text_of(at), known=text_of(known))
        return Request("current_price", "POST", "/prices/current", same, body=body)

    @verb
    def price_history(self, provider: str, model: str) -> Request[list[Json]]:
        """Every price of a model, by start of validity."""
        named = {"provider": provider, "model": model}
        return Request(
            "price_history", "GET", "/prices/history/{provider}/{model}", items, named=named
        )

    @verb
    def prices(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        at: Moment | None = None,
        known: Moment | None = None,
    ) -> Request[list[Json]]:
        """The prices valid now, or at a moment; `model` may be a glob: `gpt-5*`."""
        query = given(provider=provider, model=model, at=text_of(at), known=text_of(known))
        return Request("prices", "GET", "/prices", items, query=query)

    @verb
    def calculate(
        self,
        model: str | None = None,
        *,
        provider: str | None = None,
        response: object = None,
        usage: Mapping[str, Any] | None = None,
        api: str | None = None,
        at: Moment | None = None,
        known: Moment | None = None,
        context: Mapping[str, Any] | None = None,
        requests: int | None = None,
    ) -> Request[Json]:
        """The exact cost of a usage with its components, the card and the reasons; posts nothing.

        `response` is a provider's own answer, an SDK's object or the chunks of a stream; `usage`
        quantities by unit (`{"input_tokens": …, "cache_write_1h": …}`), or such an answer's usage.
        """
        body = given(
            model=model,
            provider=provider,
            api=api,
            at=text_of(at),
            known=text_of(known),
            context=context,
            requests=requests,
        )
        if response is not None:
            body["response"] = slimmed(response)
        if usage is not None:
            body["usage"] = dict(usage)
        return Request("calculate", "POST", "/prices/calculate", same, body=body)

    @verb
    def resolve_model(
        self, model: str, *, provider: str | None = None, at: Moment | None = None
    ) -> Request[Json]:
        """Which model of the price book a name means: `provider`, `model`, `region` and `path`."""
        body = given(provider=provider, model=model, at=text_of(at))
        return Request("resolve_model", "POST", "/prices/resolve", same, body=body)

    @verb
    def check_names(self, file: Mapping[str, Any]) -> Request[list[Json]]:
        """Each name of a file of the format `name-cases/1`, resolved and priced; what differs."""
        body = {"file": dict(file)}
        return Request("check_names", "POST", "/prices/names/check", items, body=body)

    @verb
    def models(
        self, *, provider: str | None = None, model: str | None = None
    ) -> Request[list[Json]]:
        """What is known of models besides their prices: length, modalities, tools, dates."""
        query = given(provider=provider, model=model)
        return Request("models", "GET", "/prices/models", items, query=query)

    @verb
    def price_lists(self) -> Request[list[Json]]:
        """The price lists that were taken over: how old they are, and of which sources."""
        return Request("price_lists", "GET", "/prices/lists", items)

    @verb
    def agree_contract(
        self,
        provider: str,
        factor: Amount,
        *,
        model: str | None = None,
        valid_from: Moment | None = None,
        valid_to: Moment | None = None,
    ) -> Request[Json]:
        """What is paid of a provider's prices, or of one model's: 0.85 is 15 % off."""
        body = given(
            provider=provider,
            model=model,
            factor=exact(factor, "factor", "the share that you pay: 0.85 is 15 % off"),
            valid_from=text_of(valid_from),
            valid_to=text_of(valid_to),
        )
        return Request("agree_contract", "POST", "/prices/contracts", same, body=body, id=new_id())

    @verb
    def contracts(self) -> Request[list[Json]]:
        """Every contract, and whether it is in force."""
        return Request("contracts", "GET", "/prices/contracts", items)

    @verb
    def name_model(
        self,
        name: str,
        to_provider: str,
        to_model: str,
        *,
        provider: str | None = None,
        valid_from: Moment | None = None,
    ) -> Request[Json]:
        """What a name of your own means from a moment on: a deployment, an ARN, a nickname."""
        body = given(
            name=name,
            provider=provider,
            to_provider=to_provider,
            to_model=to_model,
            valid_from=text_of(valid_from),
        )
        return Request("name_model", "POST", "/prices/names", same, body=body, id=new_id())

    @verb
    def model_names(self) -> Request[list[Json]]:
        """Every name of your own, and whether it is in force."""
        return Request("model_names", "GET", "/prices/names", items)

    @verb
    def set_tier(
        self, model: str, tier: str | None, *, provider: str | None = None
    ) -> Request[Json]:
        """Of which of Tekton's three tiers a model is from now on; `None` is of none.

        `*` is all of a provider's models.
        """
        body = {"model": model, "tier": tier, **given(provider=provider)}
        return Request("set_tier", "POST", "/prices/tiers", same, body=body, id=new_id())

    @verb
    def tiers(self) -> Request[list[Json]]:
        """Every tier that was said of a model, and whether it is in force."""
        return Request("tiers", "GET", "/prices/tiers", items)
