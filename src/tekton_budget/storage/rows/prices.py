"""The price book as rows: cards, lists and terms; inserted, never changed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import structlog
from sqlalchemy import Table, select

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.naming import Alias, filed_under
from tekton_budget.domain.price import (
    Card,
    Contract,
    PriceBook,
    PriceList,
    Rates,
    TierTerm,
    card_from_json,
    pricing_json,
)
from tekton_budget.storage import tables
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.session import Session

log = structlog.get_logger(__name__)

Row = Mapping[str, Any]  # Any: a database row's columns have many types
Term = Contract | Alias | TierTerm

_CARD = "price_id, provider, model, valid_from_us, valid_to_us, known_since_us, source, pricing"
_LIST = "list_id, version, known_since_us, content"
_TERM = "term_id, kind, body, known_since_us"
_KINDS: dict[str, type[Any]] = {"contract": Contract, "name": Alias, "tier": TierTerm}
_LISTS_KEPT = 8


def insert_cards(session: Session, cards: list[Card]) -> None:
    """More cards; every process reads the book again."""
    rows = [
        (
            card.price_id,
            card.provider,
            card.model,
            card.valid_from_us,
            card.valid_to_us,
            card.known_since_us,
            card.source,
            json_text(pricing_json(card)),
        )
        for card in cards
    ]
    session.write(session.statements.insert(tables.prices, _CARD), rows)
    _changed(session)


def insert_list(session: Session, version: str, content: str, now_us: int) -> None:
    """A list, whole."""
    row = (list_id_of(content), version, now_us, content)
    session.write(session.statements.insert(tables.price_lists, _LIST), [row])
    _changed(session)


def lists_there(rows: Callable[[Any], list[Any]]) -> dict[str, str]:  # Any: a statement, its rows
    """The version of every list that is there, readable or not, by its id."""
    columns = tables.price_lists.c
    return {
        str(id_): str(version) for id_, version in rows(select(columns.list_id, columns.version))
    }


def checked_list(content: str) -> PriceList:
    """A list as this program reads it; refused whole if one of its cards cannot be read."""

    def refuse(fault: InvalidInput) -> None:
        raise fault

    found = PriceList(_decoded(content), list_id_of(content), 0, refuse)
    for key in found.keys():  # noqa: SIM118  (a list is no mapping)
        found.cards(key)
    return found


def insert_term(session: Session, term_id: str, term: Term, now_us: int) -> None:
    """A contract, a name or a tier."""
    kind = next(name for name, one in _KINDS.items() if isinstance(term, one))
    row = (term_id, kind, json_text(term), now_us)
    session.write(session.statements.insert(tables.price_terms, _TERM), [row])
    _changed(session)


def list_id_of(content: str) -> str:
    """The same for the same list everywhere."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_book(
    rows: Callable[[Table, str], Sequence[Row]], earlier: PriceBook | None = None
) -> PriceBook:
    """The book that a snapshot sees; `rows` reads named columns of a table.

    Rows never change: what the earlier book of the same store has read is not read again, for a
    writer holds its locks meanwhile. What cannot be read is told to the log and prices nothing.
    """
    terms: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    told = sorted(rows(tables.price_terms, _TERM), key=_when_told)
    for row in told:
        kind = str(row["kind"])
        if kind in _KINDS:
            terms[kind].append(msgspec.json.decode(row["body"], type=_KINDS[kind]))
        else:  # of a later program
            log.error("price_term_unreadable", term_id=row["term_id"], kind=kind)

    known = {} if earlier is None else earlier.own
    return PriceBook(
        [known.get(row["price_id"]) or _card(row) for row in rows(tables.prices, _CARD)],
        _lists_of(rows, () if earlier is None else earlier.lists),
        terms["contract"],
        terms["name"][::-1],  # of two that begin together the first counts: the one told last
        terms["tier"],
    )


# A list is the same for every book of a process, and so are its cards once they are parsed. `None`
# is one that cannot be read.
_lists: dict[tuple[str, int], PriceList | None] = {}


def _lists_of(
    rows: Callable[[Table, str], Sequence[Row]], earlier: Sequence[PriceList]
) -> list[PriceList]:
    known = {**_lists, **{(one.list_id, one.known_since_us): one for one in earlier}}
    there = [
        (str(row["list_id"]), int(row["known_since_us"]))
        for row in rows(tables.price_lists, "list_id, known_since_us")
    ]
    unread = [key for key in there if key not in known]
    if unread:
        found = rows(tables.price_lists, "list_id, content")
        contents = {str(row["list_id"]): str(row["content"]) for row in found}
        known.update((key, _read_list(key, contents[key[0]])) for key in unread)
    return [one for key in there if (one := known[key]) is not None]


def _read_list(key: tuple[str, int], content: str) -> PriceList | None:
    def tell(fault: InvalidInput) -> None:
        log.error("price_card_unreadable", list_id=key[0], cause=str(fault))

    found = None
    try:
        found = PriceList(_decoded(content), *key, tell)
    except (InvalidInput, msgspec.DecodeError) as fault:
        cause = str(fault)
        log.error("price_list_unreadable", list_id=key[0], cause=cause)  # noqa: TRY400  (no crash)
    while len(_lists) >= _LISTS_KEPT:
        _lists.pop(next(iter(_lists)), None)
    _lists[key] = found
    return found


@lru_cache(maxsize=2)
def _decoded(content: str) -> dict[str, Any]:  # Any: JSON
    decoded: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
    return decoded


def _when_told(row: Row) -> tuple[int, str]:
    return int(row["known_since_us"]), str(row["term_id"])


def _card(row: Row) -> Card:
    provider = filed_under(row["provider"])
    named = {"provider": provider, "model": row["model"], "source": row["source"]}
    try:
        card = card_from_json(
            {**named, **msgspec.json.decode(row["pricing"], type=dict[str, Any])},
            price_id=row["price_id"],
            known_since_us=row["known_since_us"],
        )
    except (InvalidInput, msgspec.DecodeError) as fault:
        told = {"price_id": row["price_id"], "cause": str(fault)}
        log.error("price_card_unreadable", **told)  # noqa: TRY400  (no crash)
        named = {**named, "source": "unreadable"}
        known_us = row["known_since_us"]
        card = Card(row["price_id"], rates=Rates({}), known_since_us=known_us, **named)
    return card.valid_between(row["valid_from_us"], row["valid_to_us"])


def _changed(session: Session) -> None:
    session.execute("UPDATE meta SET price_generation = price_generation + 1")
