"""The server: the HTTP door on one port, in one process or in several."""

from tekton_budget.server.serving import serve

__all__ = ["serve"]
