"""Who counts requests, and who writes a line for each."""

from typing import Protocol

from starlette.types import Scope


class Meter(Protocol):
    """Who counts requests."""

    def __call__(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request, answered."""


class AccessLog(Protocol):
    """Who writes a line for each request."""

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """One request, answered."""
