"""Prices are cards of any rates, taken one by one or as lists; usage keeps what it was made of.

Revision ID: 0003
"""

import json
from decimal import Decimal

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_RATES = {"input": "input", "output": "output", "cache_read": "cache_read"}
_RATES |= {"cache_write_5m": "cache_write"}


def upgrade() -> None:
    """Prices set before keep their ids, their dates and every digit."""
    connection = op.get_bind()
    known = connection.execute(sa.text("SELECT * FROM prices")).mappings().all()
    op.drop_index("prices_by_model", table_name="prices")
    op.drop_table("prices")
    prices = op.create_table(
        "prices",
        sa.Column("price_id", ID, primary_key=True),
        sa.Column("provider", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("valid_from_us", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_us", sa.BigInteger(), nullable=True),
        sa.Column("known_since_us", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("pricing", sa.Text(), nullable=False),
    )
    op.create_index("prices_by_model", "prices", ["provider", "model", "valid_from_us"])
    for row in known:
        names = [column.name for column in prices.c if column.name != "pricing"]
        kept = {name: row[name] for name in names}
        connection.execute(prices.insert().values(**kept, pricing=_pricing(row)))
    op.create_table(
        "price_lists",
        sa.Column("list_id", ID, primary_key=True),
        sa.Column("version", ID, nullable=False),
        sa.Column("known_since_us", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_table(
        "price_terms",
        sa.Column("term_id", ID, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("known_since_us", sa.BigInteger(), nullable=False),
    )
    op.add_column("usage", sa.Column("parts", sa.Text(), nullable=True))


def _pricing(row: sa.RowMapping) -> str:
    rates = {
        unit: _text(row[f"{name}_atto"], 12)
        for unit, name in _RATES.items()
        if row[f"{name}_atto"] is not None
    }
    fees = {"request": {"usd": _text(row["request_atto"], 18)}} if row["request_atto"] else {}
    return json.dumps({"rates": rates} | ({"fees": fees} if fees else {}), separators=(",", ":"))


def _text(atto: int, decimals: int) -> str:
    whole, rest = divmod(atto, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if rest else f"{Decimal(whole):f}"
