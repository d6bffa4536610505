"""Runs the revisions on the connection that `schema` hands over, inside its transaction."""

from alembic import context
from sqlalchemy import Connection

from tekton_budget.storage.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
