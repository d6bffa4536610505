"""Prices: set by hand with a date, and read back as they were valid and known."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import AuditNote
from tekton_budget.domain.errors import Forbidden, NotFound, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.price import Price, PriceBook, atto_per_token
from tekton_budget.service.commands import new_id
from tekton_budget.service.retries import Retry, done_before, note_done
from tekton_budget.storage.appending import write_audit, write_events
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.prices import insert_price
from tekton_budget.storage.writer import Exclusively, Writer

_NAME_MAX = 256
_REQUEST_FEE_MAX = Decimal(9)


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per 1,000,000 tokens by kind, and USD per request."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    request: Decimal = Decimal(0)


class PriceVerbs:
    """The price book as people set it: never edited, later prices count from their date."""

    def __init__(self, writer: Writer, book: Callable[[], PriceBook]) -> None:
        self._writer = writer
        self._book = book

    def set_price(
        self,
        caller: Caller,
        provider: str,
        model: str,
        rates: Rates,
        *,
        valid_from_us: int | None = None,
        valid_to_us: int | None = None,
        source: str = "manual",
        retry: Retry | None = None,
    ) -> Price:
        """A price from a date on (default: now), known from now on."""
        if caller.role not in (Role.ADMIN, Role.OPERATOR) or caller.labels:
            raise Forbidden(
                "Prices are set by admin or operator keys without labels.", code="role_needed"
            )
        _checked_names(provider, model)
        fee = rates.request
        if not (fee.is_finite() and 0 <= fee <= _REQUEST_FEE_MAX):
            raise invalid("request", f"send USD per request, 0 to {_REQUEST_FEE_MAX}")
        if valid_from_us is not None and valid_to_us is not None and valid_to_us <= valid_from_us:
            raise invalid("valid_to", "must be after valid_from")

        def run(alone: Exclusively) -> Price:
            done = done_before(alone, caller, retry)
            if done is not None:
                first = alone.cache.book.history(provider, model)
                return next(price for price in first if price.price_id == done["price_id"])
            price = Price(
                price_id=new_id(),
                provider=provider,
                model=model,
                input_atto=atto_per_token("input", rates.input),
                output_atto=atto_per_token("output", rates.output),
                cache_read_atto=_optional("cache_read", rates.cache_read),
                cache_write_atto=_optional("cache_write", rates.cache_write),
                request_atto=int(fee.scaleb(18)),
                valid_from_us=alone.now_us if valid_from_us is None else valid_from_us,
                valid_to_us=valid_to_us,
                known_since_us=alone.now_us,
                source=source,
            )
            insert_price(alone.session, price)
            after = json_text(price)
            note = AuditNote("set", "price", f"{provider}/{model}", "null", after)
            write_audit(alone.session, [(caller.key_id, caller.name, note)], alone.now_us)
            event = Event(EventType.PRICE_SET, price.price_id, "", {"model": model})
            write_events(alone.session, [event], alone.now_us)
            note_done(alone, caller, retry, {"price_id": price.price_id})
            return price

        return self._writer.exclusively(run).result()

    def current_price(
        self, provider: str | None, model: str, *, at_us: int, known_us: int | None = None
    ) -> Price:
        """The price valid at a moment, as known at another (default: the same)."""
        found = self._book().price_at(
            provider, model, valid_us=at_us, known_us=at_us if known_us is None else known_us
        )
        if found is None:
            raise NotFound(
                f"No price is known for {model} at that time. Set one: tekton-budget prices set "
                f"{provider or 'PROVIDER'}/{model} --input USD --output USD",
                code="price_not_found",
                suggestions=self._book().suggestions(model),
            )
        return found

    def price_history(self, provider: str, model: str) -> list[Price]:
        """Every price of a model, by start of validity."""
        return self._book().history(provider, model)

    def list_prices(
        self, *, at_us: int, provider: str | None = None, model: str | None = None
    ) -> list[Price]:
        """The prices valid at a moment."""
        found = [
            price
            for price in self._book().current(at_us=at_us)
            if provider in (None, price.provider) and model in (None, price.model)
        ]
        return sorted(found, key=lambda price: (price.provider, price.model))


def _optional(field: str, rate: Decimal | None) -> int | None:
    return None if rate is None else atto_per_token(field, rate)


def _checked_names(provider: str, model: str) -> None:
    for field, value in (("provider", provider), ("model", model)):
        if not 0 < len(value) <= _NAME_MAX or not value.isprintable() or value != value.strip():
            raise invalid(field, f"send 1 to {_NAME_MAX} printable characters")
