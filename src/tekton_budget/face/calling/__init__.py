"""Calls of providers' own clients, led through a gateway: `budget.http_client()`."""

from tekton_budget.face.calling.addresses import Addresses
from tekton_budget.face.calling.modules import Clients, http_module
from tekton_budget.face.calling.redirect import Redirect
from tekton_budget.face.calling.transport import AsyncGatewayTransport, GatewayTransport

__all__ = [
    "Addresses",
    "AsyncGatewayTransport",
    "Clients",
    "GatewayTransport",
    "Redirect",
    "http_module",
]
