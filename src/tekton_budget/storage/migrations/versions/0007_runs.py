"""Runs: commands under a cap of their own, known by the hash of a token.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """A new table beside the others."""
    op.create_table(
        "runs",
        sa.Column("run_id", ID, primary_key=True),
        sa.Column("name", ID, nullable=False),
        sa.Column("token_hash", ID, nullable=False),
        sa.Column("policy_id", sa.Text(), nullable=True),
        sa.Column("labels", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("outer_id", ID, nullable=True),
        sa.Column("key_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("key_name", sa.Text(), nullable=False, server_default=""),
        sa.Column("command", sa.Text(), nullable=False, server_default=""),
        sa.Column("land_note", sa.Text(), nullable=True),
        sa.Column("reserve_id", ID, nullable=True),
        sa.Column("lease_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("alive_until_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("calls", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("refused", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("clamped", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_index("runs_by_name", "runs", ["name"], unique=True)
    op.create_index("runs_by_token", "runs", ["token_hash"], unique=True)
    op.create_index("runs_by_start", "runs", ["started_us", "run_id"])
