"""The library: a budget over a server, or in this very process over the user's own database."""

from collections.abc import Callable
from typing import TypeVar

from tekton_budget.face.budget import AsyncBudget, Budget
from tekton_budget.face.environment import environment
from tekton_budget.face.request import Labels
from tekton_budget.library.door import AsyncInProcess, Door, InProcess, quieten
from tekton_budget.settings import Settings, load_settings

__all__ = ["open", "open_async", "open_async_in_process", "open_in_process", "quieten"]

B = TypeVar("B")


def open(  # noqa: A001  (tekton_budget.open reads as it should)
    url: str | None = None,
    *,
    database_url: str | None = None,
    labels: Labels | None = None,
    key: str | None = None,
) -> Budget:
    """A budget to ask: the server at `url` or `BUDGET_URL`, else a database in this process.

    Which database: `database_url`, else `BUDGET_DATABASE_URL`, else the user's own. `labels` (and
    those of `BUDGET_LABELS` and `BUDGET_RUN`) are sent with every call.
    """
    return _opened(url, database_url, labels, key, _sync_client, _sync_in_process)


def open_async(
    url: str | None = None,
    *,
    database_url: str | None = None,
    labels: Labels | None = None,
    key: str | None = None,
) -> AsyncBudget:
    """The same with verbs that are awaited."""
    return _opened(url, database_url, labels, key, _async_client, _async_in_process)


def open_in_process(
    settings: Settings, *, labels: Labels | None = None, key: str | None = None
) -> Budget:
    """A budget over the database that settings name, in this process, with these labels alone."""
    return Budget(InProcess(Door(settings, key)), labels)


def open_async_in_process(
    settings: Settings, *, labels: Labels | None = None, key: str | None = None
) -> AsyncBudget:
    """The same with verbs that are awaited."""
    return AsyncBudget(AsyncInProcess(Door(settings, key)), labels)


def _opened(
    url: str | None,
    database_url: str | None,
    labels: Labels | None,
    key: str | None,
    client: Callable[[str, str | None, Labels], B],
    in_process: Callable[[Door, Labels], B],
) -> B:
    found = environment()
    together = {**found.labels, **(labels or {})}
    url = url or (found.url if database_url is None else None)
    if url is not None:
        return client(url, key or found.key, together)
    return in_process(Door(load_settings(database_url=database_url), key), together)


def _sync_client(url: str, key: str | None, labels: Labels) -> Budget:
    from tekton_budget.client import Client

    return Client(url, key=key, labels=labels)


def _async_client(url: str, key: str | None, labels: Labels) -> AsyncBudget:
    from tekton_budget.client import AsyncClient

    return AsyncClient(url, key=key, labels=labels)


def _sync_in_process(door: Door, labels: Labels) -> Budget:
    return Budget(InProcess(door), labels)


def _async_in_process(door: Door, labels: Labels) -> AsyncBudget:
    return AsyncBudget(AsyncInProcess(door), labels)
