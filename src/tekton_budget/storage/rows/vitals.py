"""Vital signs of a store: few rows by their indexes, and no lock that a writer could hold."""

from typing import NamedTuple

from sqlalchemy import func, select

from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader


class VitalRows(NamedTuple):
    """How many prices there are and the newest, each list's version and arrival, and the event that
    waits longest for its number.
    """

    prices: int
    newest_price_us: int | None
    lists: tuple[tuple[str, int], ...]
    oldest_event_us: int | None


def vital_rows(reader: Reader) -> VitalRows:
    """In one short snapshot."""
    prices = select(func.count(), func.max(tables.prices.c.known_since_us))
    events = (
        select(tables.outbox.c.at_us)
        .where(tables.outbox.c.position.is_(None))
        .order_by(tables.outbox.c.no)
        .limit(1)
    )
    lists = select(tables.price_lists.c.version, tables.price_lists.c.known_since_us)
    with reader.snapshot() as connection:
        count, newest_us = connection.execute(prices).one()
        return VitalRows(
            int(count),
            newest_us,
            tuple((version, since_us) for version, since_us in connection.execute(lists)),
            connection.execute(events).scalar_one_or_none(),
        )
