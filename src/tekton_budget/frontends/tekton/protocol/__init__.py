"""Tekton's Multi-Component Protocol: other components ask by message or by tool."""

from fastapi import APIRouter

from tekton_budget.frontends.tekton.protocol.routes import router

VERSION = "/v2"  # of the protocol, as other components have it in their paths


def protocol_routers() -> tuple[APIRouter, ...]:
    """For the API, below each of its prefixes: `/mcp/…`, and the same as `/mcp/v2/…`."""
    plain = APIRouter(prefix="/mcp")
    plain.include_router(router)
    versioned = APIRouter(prefix=f"/mcp{VERSION}", include_in_schema=False)
    versioned.include_router(router)
    return plain, versioned


__all__ = ["protocol_routers"]
