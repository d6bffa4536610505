"""The schema: brought up to date when embedded, checked otherwise."""

import uuid_utils

from tekton_budget.storage import tables
from tekton_budget.storage.store import Store


def prepare(store: Store) -> None:
    """Create what is missing."""
    tables.metadata.create_all(store.engine)
    with store.engine.begin() as connection:
        if connection.execute(tables.meta.select()).first() is None:
            connection.execute(
                tables.meta.insert().values(
                    id=1, installation_id=str(uuid_utils.uuid7()), created_us=store.now_us()
                )
            )
