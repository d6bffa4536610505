"""What operators tell the price book: cards, lists, contracts, names and tiers; all from now on."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import AuditNote
from tekton_budget.domain.errors import Forbidden, NotFound, invalid
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.naming import (
    Alias,
    Resolution,
    cleaned,
    filed_under,
)
from tekton_budget.domain.price import (
    Card,
    Contract,
    PriceBook,
    TierTerm,
    card_from_json,
    card_json,
    checked_factor,
    checked_moment,
    checked_name,
    version_rank,
)
from tekton_budget.domain.price.grain import plain
from tekton_budget.service.asking.commands import new_id
from tekton_budget.service.asking.retries import Retry, done_before, note_done
from tekton_budget.service.prices.unknown import resolved
from tekton_budget.storage.appending import write_audit, write_events
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.prices import (
    checked_list,
    insert_cards,
    insert_list,
    insert_term,
    list_id_of,
    lists_there,
)
from tekton_budget.storage.writer import Exclusively, Writer

T = TypeVar("T", Contract, Alias, TierTerm)

CARDS_MAX = 2_000  # at once, so that the writer is held up for some 50 ms at most
NAME_MAX = 256
MILLION = 1_000_000
_PER_MILLION_MIN = Decimal("0.0001")
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
        may_price(caller)
        if not isinstance(pricing, Mapping):
            raise invalid("pricing", 'send an object: {"rates": {"input": "2.5", "output": "10"}}')
        for name in pricing.keys() & {"effective_from", "effective_to"}:
            raise invalid(name, "send valid_from and valid_to")
        named = {"provider": filed_under(checked_name("provider", provider)), "model": model}
        card = card_from_json({**pricing, **named}, price_id=new_id(), source=source)
        _not_per_token(card)

        def run(alone: Exclusively) -> Card:
            done = done_before(alone, caller, retry)
            if done is not None:
                first = alone.cache.book.own[done["price_id"]]
                return alone.cache.book.agreed(first, first.valid_from_us, first.known_since_us)
            from_us = _begin(valid_from_us, valid_to_us, alone.now_us)
            made = card.valid_between(from_us, valid_to_us).learnt_at(alone.now_us)
            _insert(alone, caller, [made])
            note_done(alone, caller, retry, {"price_id": made.price_id})
            return alone.cache.book.agreed(made, from_us, alone.now_us)

        return self._writer.exclusively(run).result()

    def load_cards(
        self, caller: Caller, cards: object, source: str, *, retry: Retry | None = None
    ) -> list[Card]:
        """Many cards at once, all or none: the `rate_cards` of a price file, or a list of cards.

        A card without `effective_from` is valid from ever on; all are known from now on.
        """
        may_price(caller)
        read = read_cards(cards, source)

        def run(alone: Exclusively) -> list[Card]:
            done = done_before(alone, caller, retry)
            if done is not None:
                first = set(done["price_ids"])
                keys = dict.fromkeys((card.provider, card.model) for card in read)
                known = (card for key in keys for card in alone.cache.book.history(key))
                return [card for card in known if card.price_id in first]
            made = [card.learnt_at(alone.now_us) for card in read]
            _insert(alone, caller, made)
            note_done(alone, caller, retry, {"price_ids": [card.price_id for card in made]})
            return made

        return self._writer.exclusively(run).result()

    def take_list(self, version: str, content: str) -> bool:
        """Take over a whole list, unless one as new is there and can be read; whether it was taken.

        An older program beside a newer one does not put its own list before the newer; where it
        cannot read that one, its own is the best it has.
        """
        id_, rank = list_id_of(content), version_rank(version)
        there = lists_there(self._reader.rows)
        newer = any(version_rank(known) >= rank for known in there.values())
        if id_ in there or (newer and _is_superseded(self._reader.book(), rank)):
            return False
        checked_list(content)

        def run(alone: Exclusively) -> bool:
            known = alone.cache.book
            if any(one.list_id == id_ for one in known.lists) or _is_superseded(known, rank):
                return False
            insert_list(alone.session, version, content, alone.now_us)
            event = Event(EventType.PRICES_TAKEN, id_, "", {"list": version})
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
        retry: Retry | None = None,
    ) -> Contract:
        """A factor on prices from a date on (default: now); 1 ends an earlier one."""
        may_price(caller)
        checked_name("provider", provider)
        factor = checked_factor("factor", factor)
        seller, named = (
            (self._seller(provider), None) if model is None else self._key_of(provider, model)
        )

        def made(id_: str, now_us: int) -> Contract:
            from_us = _begin(valid_from_us, valid_to_us, now_us)
            return Contract(id_, seller, named, factor, from_us, valid_to_us, now_us)

        return self._add(caller, "contract", Contract, made, retry)

    def name_model(
        self,
        caller: Caller,
        provider: str | None,
        name: str,
        target: tuple[str, str],
        *,
        valid_from_us: int | None = None,
        retry: Retry | None = None,
    ) -> Alias:
        """What a name of one's own means from a moment on: a deployment, an ARN, a nickname."""
        may_price(caller)
        if cleaned(name) != name or len(name) > NAME_MAX:
            raise invalid("name", f"send 1 to {NAME_MAX} printable ASCII characters")
        if provider is not None:
            provider = filed_under(checked_name("provider", provider))
        found = self._resolved(*target)
        # A region is part of what is charged, and only the name as it was given tells it.
        key = found.provider, found.model if found.region is None else target[1]

        def made(_: str, now_us: int) -> Alias:
            return Alias(provider, name, *key, _begin(valid_from_us, None, now_us))

        return self._add(caller, "name", Alias, made, retry)

    def set_tier(
        self,
        caller: Caller,
        provider: str | None,
        model: str,
        tier: str | None,
        *,
        retry: Retry | None = None,
    ) -> TierTerm:
        """Which of Tekton's three tiers a model is of, from now on; `None` is of none."""
        may_price(caller)
        checked_name("model", model)
        if provider is not None:
            provider = filed_under(checked_name("provider", provider))
        if tier is not None and tier not in TIERS:
            raise invalid("tier", f"send one of {', '.join(TIERS)}")

        def made(_: str, now_us: int) -> TierTerm:
            return TierTerm(provider, model, tier, now_us)

        return self._add(caller, "tier", TierTerm, made, retry)

    def _add(
        self,
        caller: Caller,
        kind: str,
        of: type[T],
        made: Callable[[str, int], T],
        retry: Retry | None,
    ) -> T:
        def run(alone: Exclusively) -> T:
            done = done_before(alone, caller, retry)
            if done is not None:
                return msgspec.convert(done["term"], type=of)
            term_id = new_id()
            term = made(term_id, alone.now_us)
            insert_term(alone.session, term_id, term, alone.now_us)
            note = AuditNote("set", kind, json_text(term), "null", json_text(term))
            write_audit(alone.session, [(caller.key_id, caller.name, note)], alone.now_us)
            note_done(alone, caller, retry, {"term": term})
            return term

        return self._writer.exclusively(run).result()

    def _key_of(self, provider: str, model: str) -> tuple[str, str]:
        found = self._resolved(provider, model)
        return found.provider, found.model

    def _resolved(self, provider: str, model: str) -> Resolution:
        return resolved(self._reader.book(), provider, model, self._reader.now_us())

    def _seller(self, provider: str) -> str:
        """The provider as its cards spell it."""
        book = self._reader.book()
        known = {key[0] for key in book}
        seller = book.seller(provider)
        if seller not in known:
            raise NotFound(
                f"No price of the provider {provider} is known, so a contract with it would change "
                f"nothing. Known: {', '.join(sorted(known)) or 'none'}.",
                code="price_not_found",
            )
        return str(seller)


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
        card_from_json(_filed(card), price_id=new_id(), source=source, at=f"{at}.")
        for at, card in named
    ]


def _filed(card: object) -> object:
    """A card under its seller, whatever it is called in the file."""
    if not isinstance(card, Mapping) or not isinstance(card.get("provider"), str):
        return card  # which is refused as it is
    return {**card, "provider": filed_under(card["provider"])}


def _not_per_token(card: Card) -> None:
    """Nothing costs so little for a million tokens: a price for one was typed."""
    for unit in ("input", "output"):
        rate = card.rates.flat.get(unit)
        if rate is not None and 0 < rate.usd < _PER_MILLION_MIN:
            raise invalid(
                f"rates.{unit}",
                f"{rate.usd:f} USD for 1,000,000 tokens looks like the price of one token: send "
                f"{plain(rate.usd * MILLION):f}",
            )


def _begin(from_us: int | None, to_us: int | None, now_us: int) -> int:
    """When what is told begins: now, unless said; it ends later, if ever."""
    begin_us = now_us if from_us is None else checked_moment("valid_from", from_us)
    if to_us is not None and checked_moment("valid_to", to_us) <= begin_us:
        raise invalid("valid_to", "must be after valid_from, which is now unless you send it")
    return begin_us


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


def _is_superseded(book: PriceBook, rank: tuple[int, ...]) -> bool:
    return any(version_rank(known.version) >= rank for known in book.lists)


def may_price(caller: Caller) -> None:
    """Refuses whoever may not change what all are charged by."""
    if caller.role not in (Role.ADMIN, Role.OPERATOR) or caller.labels:
        raise Forbidden(
            "Prices are set by admin or operator keys without labels.", code="role_needed"
        )
