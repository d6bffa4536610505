"""Alerts, which people acknowledge; and events say whose call they tell of.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """A new table beside the others, and a column that older events leave empty."""
    op.add_column("outbox", sa.Column("key_id", sa.Text(), nullable=True))
    op.create_table(
        "alerts",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("alert_id", ID, nullable=False, unique=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("budget_id", ID, nullable=False),
        sa.Column("policy_id", ID, nullable=False),
        sa.Column("balance_id", ID, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("acknowledged_us", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
    )
    op.create_index("alerts_by_time", "alerts", ["at_us"])
    op.create_index("alerts_by_balance", "alerts", ["balance_id", "no"])
    op.create_index(
        "alerts_open",
        "alerts",
        ["no"],
        sqlite_where=sa.text("acknowledged_us IS NULL"),
        postgresql_where=sa.text("acknowledged_us IS NULL"),
    )
