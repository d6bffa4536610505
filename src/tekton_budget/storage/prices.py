"""Prices as rows: inserted, never changed."""

from tekton_budget.domain.price import Price
from tekton_budget.storage import tables
from tekton_budget.storage.session import Session

_COLUMNS = (
    "price_id, provider, model, input_atto, output_atto, cache_read_atto, cache_write_atto, "
    "request_atto, valid_from_us, valid_to_us, known_since_us, source"
)


def insert_price(session: Session, price: Price) -> None:
    """One more price; every process reads the book again."""
    row = tuple(getattr(price, name.strip()) for name in _COLUMNS.split(","))
    session.write(session.statements.insert(tables.prices, _COLUMNS), [row])
    session.execute("UPDATE meta SET price_generation = price_generation + 1")
