"""Prices and keys."""

from collections.abc import Sequence
from datetime import datetime

from tekton_budget.face.hold import Amount
from tekton_budget.face.ledger import exact, text_of
from tekton_budget.face.request import (
    Json,
    Labels,
    Request,
    deleted,
    given,
    items,
    new_id,
    same,
    verb,
)


class CatalogueVerbs:
    """Prices and keys."""

    @verb
    def set_price(
        self,
        provider: str,
        model: str,
        *,
        input: Amount,
        output: Amount,
        cache_read: Amount | None = None,
        cache_write: Amount | None = None,
        request: Amount | None = None,
        valid_from: datetime | str | None = None,
        valid_to: datetime | str | None = None,
        source: str | None = None,
    ) -> Request[Json]:
        """A price from a date on (default: now), in USD per 1,000,000 tokens."""
        body = given(
            provider=provider,
            model=model,
            input=exact(input, "input"),
            output=exact(output, "output"),
            cache_read=exact(cache_read, "cache_read"),
            cache_write=exact(cache_write, "cache_write"),
            request=exact(request, "request"),
            valid_from=text_of(valid_from),
            valid_to=text_of(valid_to),
            source=source,
        )
        return Request("set_price", "POST", "/prices", same, body=body, id=new_id())

    @verb
    def current_price(self, provider: str | None, model: str) -> Request[Json]:
        """The price that is charged now."""
        body = given(provider=provider, model=model)
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
        self, *, provider: str | None = None, model: str | None = None
    ) -> Request[list[Json]]:
        """The prices valid now."""
        query = given(provider=provider, model=model)
        return Request("prices", "GET", "/prices", items, query=query)

    @verb
    def create_key(
        self,
        name: str,
        *,
        role: str = "client",
        labels: Labels | None = None,
        requires: Sequence[str] = (),
        max_priority: int | None = None,
        expires_in_seconds: int | None = None,
        limit: str | None = None,
    ) -> Request[Json]:
        """A key; its secret is in the answer, and nowhere else. `limit` is for this key alone."""
        body = given(
            name=name,
            role=role,
            labels=dict(labels or {}),
            requires=list(requires) or None,
            max_priority=max_priority,
            expires_in_seconds=expires_in_seconds,
            limit=limit,
        )
        return Request("create_key", "POST", "/keys", same, body=body, id=new_id())

    @verb
    def rotate_key(self, key: str, *, overlap_seconds: int | None = None) -> Request[Json]:
        """A new secret; the old one works on for the overlap (default: a day)."""
        return Request(
            "rotate_key",
            "POST",
            "/keys/{key}/rotate",
            same,
            named={"key": key},
            body=given(overlap_seconds=overlap_seconds),
            id=new_id(),
        )

    @verb
    def revoke_key(self, key: str) -> Request[Json]:
        """No longer valid, from now on."""
        return deleted("revoke_key", "/keys/{key}", {"key": key})

    @verb
    def keys(self) -> Request[list[Json]]:
        """Every key with its last use, without secrets."""
        return Request("keys", "GET", "/keys", items)
