"""Standard streams: a client starts this process, and talks to it on its input and output."""

import asyncio
from contextlib import suppress

from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.mcp.desk import Desk, Memory


async def serve_streams(face: AsyncBudget, *, administers: bool = False) -> None:
    """Until the client closes the input. Standard output carries the protocol and nothing else."""
    from mcp.server.stdio import stdio_server

    from tekton_budget.frontends.mcp.protocol import Protocol

    desk = Desk(face, Memory(), administers)
    server = Protocol(lambda _: desk, has_sessions=True).server
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


def serve_until_closed(face: AsyncBudget, *, administers: bool = False) -> None:
    """The same for a program that does nothing else; Ctrl-C ends it too."""

    async def whole() -> None:
        async with face:
            await serve_streams(face, administers=administers)

    with suppress(KeyboardInterrupt):
        asyncio.run(whole())
