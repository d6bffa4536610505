"""Allocations have children: each row says what is above it and what it has below.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those that were there before have no family."""
    op.add_column("allocations", sa.Column("ancestors", sa.Text(), nullable=True))
    op.add_column("allocations", sa.Column("children", sa.Text(), nullable=True))
    op.create_index(
        "allocations_by_parent",
        "allocations",
        ["parent_id", "ended_us"],
        sqlite_where=sa.text("parent_id IS NOT NULL"),
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
