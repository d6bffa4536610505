"""The zone in which days are cut is the store's: kept from the first start on.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Not known of a store that was there before: the next start says it."""
    with op.batch_alter_table("meta") as meta:
        meta.add_column(sa.Column("timezone", sa.Text(), nullable=True))
