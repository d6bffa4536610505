"""The original's WebSockets: `/ws/budget/…` with a topic each, and `/ws` with all of them."""

from tekton_budget.frontends.api.sockets.door import Sockets

__all__ = ["Sockets"]
