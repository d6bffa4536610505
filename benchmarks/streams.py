"""Streams: 128 clients of each of three gateways over one budget, each until it is refused.

The workload by which others measure streams: 20,000 tokens, a maximum of 1,024, lengths log-normal
with a median of 150. What the provider bills is set against the budget.
"""

import asyncio
import logging
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit, urlunsplit

import structlog
from tests.frontends.gateway.conftest import gating
from tests.providers.server import provider
from tests.providers.streaming import Heard, Load, stream_all

Row = tuple[str, float, str, bool]

BUDGETS = {"tokens": "20000tokens/total", "USD": "0.2usd/total"}
ALLOWANCE = {"tokens": 20_000, "USD": 200_000_000}
RATES = {"input": 2_500, "output": 10_000, "cache_read": 1_250}
REPLICAS = 3
SHARE = 98.7


def rows(*, quick: bool = False) -> Iterator[Row]:
    """What part of the budget the provider bills, and what it bills above it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load = Load(streams=16) if quick else Load()
    for unit in BUDGETS:
        for hold in ("growing", "full"):
            billed, spent, heard = measured(unit, hold, load)
            share = 100 * billed / ALLOWANCE[unit]
            told = (
                f"streams, {hold}, {unit}: % of the budget used ({heard.answers} answers, "
                f"{heard.at_once} at once, {heard.ends['length']} shortened, {heard.busy} times "
                "told to come again)"
            )
            yield told, share, f">= {SHARE}", share >= SHARE
            over = max(billed, spent) - ALLOWANCE[unit]
            yield f"streams, {hold}, {unit}: over", max(0, over), "0", over <= 0


def measured(unit: str, hold: str, load: Load, replicas: int = REPLICAS) -> tuple[int, int, Heard]:
    """What the provider billed, what the ledger has, and what clients heard."""
    with ExitStack() as stack:
        url = stack.enter_context(database())
        mock = stack.enter_context(provider())
        gates = [
            stack.enter_context(gating(url, mock, gateway_wait=10, log_level="ERROR"))
            for _ in range(replicas)
        ]
        policy = gates[0].limit(BUDGETS[unit])
        urls = [f"{gate.url}/gateway/openai" for gate in gates]
        heard = asyncio.run(stream_all(urls, load, hold))
        assert mock.bill.settled()
        units = mock.bill.units()
        spent = gates[0].spent(policy)
        if unit == "tokens":
            return sum(units.values()), spent[0] + spent[2], heard
        cost = sum(RATES[name] * count for name, count in units.items())
        return cost, spent[1] + spent[3], heard


@contextmanager
def database() -> Iterator[str]:
    """A new one: of the PostgreSQL at BENCH_DATABASE_URL, else of SQLite."""
    server = os.environ.get("BENCH_DATABASE_URL")
    if server is None:
        with tempfile.TemporaryDirectory(prefix="budget-bench-") as home:
            yield f"sqlite:///{home}/b.db"
        return
    import psycopg

    name = f"bench_{uuid.uuid4().hex[:12]}"
    plain = server.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
