"""Many clients stream from one budget until they are refused: all of it is used, nothing above."""

import asyncio

import pytest
from tests.frontends.gateway.conftest import gating
from tests.providers.server import MockProvider
from tests.providers.streaming import Load, stream_all


@pytest.mark.parametrize(
    ("hold", "limit", "most", "max_tokens"),
    [
        ("growing", "20000tokens/total", 20_000, 1024),
        ("growing", "0.2usd/total", 200_000_000, 8192),
        ("full", "20000tokens/total", 20_000, 1024),
    ],
)
def test_the_whole_budget_is_used_and_nothing_above_it(
    store_url: str, mock: MockProvider, hold: str, limit: str, most: int, max_tokens: int
) -> None:
    load = Load(streams=8, max_tokens=max_tokens, token_ms=0.05, first_ms=0, busy_pause=0.01)
    with gating(store_url, mock) as one, gating(store_url, mock) as other:
        policy = one.limit(limit)
        urls = [f"{gate.url}/gateway/openai" for gate in (one, other)]
        heard = asyncio.run(stream_all(urls, load, hold))
        assert mock.bill.settled()
        tokens, cost, *held = one.spent(policy)
    units = mock.bill.units()
    billed, spent = sum(units.values()), tokens
    if "usd" in limit:
        billed, spent = units["input"] * 2_500 + units["output"] * 10_000, cost
    assert heard.refused == 16
    assert billed <= spent <= most
    assert billed >= most * 0.987
    assert held == [0, 0]
