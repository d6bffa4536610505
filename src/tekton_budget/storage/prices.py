"""The price book as rows: cards, lists and terms; inserted, never changed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Table, func, select

from tekton_budget.domain.naming import Alias
from tekton_budget.domain.price import (
    Card,
    Contract,
    PriceBook,
    PriceList,
    TierTerm,
    card_from_json,
    pricing_json,
)
from tekton_budget.storage import tables
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.session import Session

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


def newest_version(rows: Callable[[Any], list[Any]]) -> str:  # Any: a statement, its rows
    """The version of the newest list that is there; empty if none is."""
    return str(rows(select(func.max(tables.price_lists.c.version)))[0][0] or "")


def insert_term(session: Session, term_id: str, term: Term, now_us: int) -> None:
    """A contract, a name or a tier."""
    kind = next(name for name, one in _KINDS.items() if isinstance(term, one))
    row = (term_id, kind, json_text(term), now_us)
    session.write(session.statements.insert(tables.price_terms, _TERM), [row])
    _changed(session)


def list_id_of(content: str) -> str:
    """The same for the same list everywhere."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_book(rows: Callable[[Table, str], Sequence[Row]]) -> PriceBook:
    """The book that a snapshot sees; `rows` reads named columns of a table."""
    terms: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    told = sorted(rows(tables.price_terms, _TERM), key=_when_told)
    for row in told:
        kind = str(row["kind"])
        terms[kind].append(msgspec.json.decode(row["body"], type=_KINDS[kind]))

    def content(list_id: str) -> str:
        found = rows(tables.price_lists, "list_id, content")
        return next(str(row["content"]) for row in found if row["list_id"] == list_id)

    lists = []
    for row in rows(tables.price_lists, "list_id, known_since_us"):
        key = str(row["list_id"]), int(row["known_since_us"])
        lists.append(_lists.get(key) or _read_list(key, content(key[0])))
    return PriceBook(
        [_card(row) for row in rows(tables.prices, _CARD)],
        lists,
        terms["contract"],
        terms["name"][::-1],  # of two that begin together the first counts: the one told last
        terms["tier"],
    )


# A list is the same for every book of a process, and so are its cards once they are parsed.
_lists: dict[tuple[str, int], PriceList] = {}


def _read_list(key: tuple[str, int], content: str) -> PriceList:
    found = PriceList(_decoded(content), *key)
    while len(_lists) >= _LISTS_KEPT:
        _lists.pop(next(iter(_lists)), None)
    _lists[key] = found
    return found


@lru_cache(maxsize=2)
def _decoded(content: str) -> dict[str, Any]:  # Any: JSON
    decoded: dict[str, Any] = msgspec.json.decode(content)
    return decoded


def _when_told(row: Row) -> tuple[int, str]:
    return int(row["known_since_us"]), str(row["term_id"])


def _card(row: Row) -> Card:
    named = {"provider": row["provider"], "model": row["model"], "source": row["source"]}
    card = card_from_json(
        {**named, **msgspec.json.decode(row["pricing"])},
        price_id=row["price_id"],
        known_since_us=row["known_since_us"],
    )
    return card.valid_between(row["valid_from_us"], row["valid_to_us"])


def _changed(session: Session) -> None:
    session.execute("UPDATE meta SET price_generation = price_generation + 1")
