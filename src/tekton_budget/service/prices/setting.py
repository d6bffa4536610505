"""What operators tell the price book: cards, lists, contracts, names and tiers; all from now on."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import AuditNote
from tekton_budget.domain.errors import Forbidden, NotFound, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.naming import Alias, Unknown
from tekton_budget.domain.price import (
    Card,
    Contract,
    TierTerm,
    card_from_json,
    card_json,
    checked_name,
)
from tekton_budget.service.commands import new_id
from tekton_budget.service.retries import Retry, done_before, note_done
from tekton_budget.storage.appending import write_audit, write_events
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.prices import (
    insert_cards,
    insert_list,
    insert_term,
    list_id_of,
    newest_version,
)
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.writer import Exclusively, Writer

T = TypeVar("T", Contract, Alias, TierTerm)

CARDS_MAX = 5_000
TIERS = ("local_lightweight", "local_midweight", "remote_heavyweight")


class PriceVerbs:
    """The price book as people set it: never edited; what comes later counts from its date."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def set_price(
        self,
        caller: Caller,
        provider: str,
        model: str,
        pricing: Mapping[str, Any],  # Any: JSON
        *,
        valid_from_us: int | None = None,
        valid_to_us: int | None = None,
        source: str = "manual",
        retry: Retry | None = None,
    ) -> Card:
        """A card from a date on (default: now), known from now on; `pricing` as in price files."""
        _may_price(caller)
        named = {"provider": provider, "model": model}
        card = card_from_json({**pricing, **named}, price_id=new_id(), source=source)
        if valid_from_us is not None and valid_to_us is not None and valid_to_us <= valid_from_us:
            raise invalid("valid_to", "must be after valid_from")

        def run(alone: Exclusively) -> Card:
            done = done_before(alone, caller, retry)
            if done is not None:
                first = alone.cache.book.history((provider, model))
                return next(one for one in first if one.price_id == done["price_id"])
            from_us = alone.now_us if valid_from_us is None else valid_from_us
            made = card.valid_between(from_us, valid_to_us).learnt_at(alone.now_us)
            _insert(alone, caller, [made])
            note_done(alone, caller, retry, {"price_id": made.price_id})
            return made

        return self._writer.exclusively(run).result()

    def load_cards(self, caller: Caller, cards: object, source: str) -> list[Card]:
        """Many cards at once, all or none: the `rate_cards` of a price file, or a list of cards.

        A card without `effective_from` is valid from ever on; all are known from now on.
        """
        _may_price(caller)
        read = read_cards(cards, source)

        def run(alone: Exclusively) -> list[Card]:
            made = [card.learnt_at(alone.now_us) for card in read]
            _insert(alone, caller, made)
            return made

        return self._writer.exclusively(run).result()

    def take_list(self, version: str, content: str) -> bool:
        """Take over a whole list, unless one as new is there; whether it was taken.

        An older program beside a newer one does not put its own list before the newer.
        """
        if newest_version(self._reader.rows) >= version:
            return False

        def run(alone: Exclusively) -> bool:
            if any(known.version >= version for known in alone.cache.book.lists):
                return False
            insert_list(alone.session, version, content, alone.now_us)
            event = Event(EventType.PRICES_TAKEN, list_id_of(content), "", {"list": version})
            write_events(alone.session, [event], alone.now_us)
            return True

        return self._writer.exclusively(run).result()

    def agree_contract(
        self,
        caller: Caller,
        provider: str,
        model: str | None,
        factor: Decimal,
        *,
        valid_from_us: int | None = None,
        valid_to_us: int | None = None,
    ) -> Contract:
        """A factor on listed prices from a date on (default: now); 1 ends an earlier one."""
        _may_price(caller)
        checked_name("provider", provider)
        if model is not None:
            model = self._key_of(provider, model)[1]
        if valid_from_us is not None and valid_to_us is not None and valid_to_us <= valid_from_us:
            raise invalid("valid_to", "must be after valid_from")

        def made(id_: str, now_us: int) -> Contract:
            from_us = now_us if valid_from_us is None else valid_from_us
            return Contract(id_, provider, model, factor, from_us, valid_to_us, now_us)

        return self._add(caller, "contract", made)

    def name_model(
        self,
        caller: Caller,
        provider: str | None,
        name: str,
        target: tuple[str, str],
        *,
        valid_from_us: int | None = None,
    ) -> Alias:
        """What a name of one's own means from a moment on: a deployment, an ARN, a nickname."""
        _may_price(caller)
        checked_name("name", name)
        key = self._key_of(*target)
        return self._add(
            caller,
            "name",
            lambda _, now_us: Alias(
                provider, name, *key, now_us if valid_from_us is None else valid_from_us
            ),
        )

    def set_tier(
        self, caller: Caller, provider: str | None, model: str, tier: str | None
    ) -> TierTerm:
        """Which of Tekton's three tiers a model is of, from now on; `None` is of none."""
        _may_price(caller)
        checked_name("model", model)
        if tier is not None and tier not in TIERS:
            raise invalid("tier", f"send one of {', '.join(TIERS)}")
        return self._add(caller, "tier", lambda _, now_us: TierTerm(provider, model, tier, now_us))

    def _add(self, caller: Caller, kind: str, made: Callable[[str, int], T]) -> T:
        def run(alone: Exclusively) -> T:
            term = made(new_id(), alone.now_us)
            insert_term(alone.session, new_id(), term, alone.now_us)
            note = AuditNote("set", kind, json_text(term), "null", json_text(term))
            write_audit(alone.session, [(caller.key_id, caller.name, note)], alone.now_us)
            return term

        return self._writer.exclusively(run).result()

    def _key_of(self, provider: str, model: str) -> tuple[str, str]:
        found = self._reader.book().resolver.resolve(provider, model, self._reader.now_us())
        if isinstance(found, Unknown):
            raise unknown_model(provider, model, found)
        return found.provider, found.model


def read_cards(cards: object, source: str) -> list[Card]:
    """The cards of a price file, each with its fault named by its place."""
    if isinstance(cards, Mapping):
        cards = cards.get("rate_cards", cards.get("cards", cards))
    named: Sequence[tuple[str, object]]
    if isinstance(cards, Mapping):
        named = [(f"rate_cards.{name}", card) for name, card in cards.items()]
    elif isinstance(cards, list):
        named = [(f"cards[{number}]", card) for number, card in enumerate(cards)]
    else:
        raise invalid("cards", 'send a list of cards, or {"rate_cards": {…}}')
    if not 0 < len(named) <= CARDS_MAX:
        raise invalid("cards", f"send 1 to {CARDS_MAX:,} cards")
    return [
        card_from_json(card, price_id=new_id(), source=source, at=f"{at}.") for at, card in named
    ]


def unknown_model(provider: str | None, model: str, unknown: Unknown) -> NotFound:
    """The refusal of a name without a card, with what is near and what would set one."""
    near = f" Near: {', '.join(unknown.suggestions)}." if unknown.suggestions else ""
    name = f"{provider or 'PROVIDER'}/{model}"
    return NotFound(
        f"No price is known for {model or 'a model without a name'} ({unknown.reason}).{near} "
        f"Set one: tekton-budget prices set {name} --input USD --output USD",
        code="price_not_found",
        suggestions=list(unknown.suggestions),
        reason=unknown.reason,
    )


def _insert(alone: Exclusively, caller: Caller, cards: list[Card]) -> None:
    insert_cards(alone.session, cards)
    notes = [
        AuditNote(
            "set", "price", f"{card.provider}/{card.model}", "null", json_text(card_json(card))
        )
        for card in cards
    ]
    write_audit(alone.session, [(caller.key_id, caller.name, note) for note in notes], alone.now_us)
    events = [
        Event(
            EventType.PRICE_SET, card.price_id, "", {"provider": card.provider, "model": card.model}
        )
        for card in cards
    ]
    write_events(alone.session, events, alone.now_us)


def _may_price(caller: Caller) -> None:
    if caller.role not in (Role.ADMIN, Role.OPERATOR) or caller.labels:
        raise Forbidden(
            "Prices are set by admin or operator keys without labels.", code="role_needed"
        )
