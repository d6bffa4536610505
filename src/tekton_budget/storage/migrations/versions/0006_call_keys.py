"""Keys say which models to go on with, and whether a call's body may name its user.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keys that were there before name no models and take no user."""
    op.add_column("keys", sa.Column("ladder", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("keys", sa.Column("takes_user", sa.Integer(), nullable=False, server_default="0"))
