"""Allocations keep what they were granted in the words of the ask, so that they can grow.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Not known of allocations that were there before: they stay as they are."""
    op.add_column("allocations", sa.Column("stated", sa.Text(), nullable=True))
