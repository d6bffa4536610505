"""A coding agent under a cap of $2: 60 calls growing to 150,000 tokens, alone and beside others.

Prices are those of claude-sonnet-5. What is printed of the cap is what was spent when a call was
first refused, or all was done; a refusal is wrong if the whole input, uncached and as the provider
counts it, could have been paid.
"""

import asyncio
import logging
import statistics
import tempfile
from collections.abc import Iterator, Sequence

import aiohttp
import structlog
from tests.frontends.gateway.conftest import gating, nano
from tests.providers.coding import Agent, Work
from tests.providers.server import MockProvider, provider

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.run import Cap, Landing
from tekton_budget.service.runs import AskedRun

Row = tuple[str, float, str, bool]

CAP = 2_000_000_000
CARD = {
    "input": "2",
    "output": "10",
    "cache_read": "0.2",
    "cache_write_5m": "2.5",
    "cache_write_1h": "4",
}
RATES = {unit: nano(usd) // 1_000_000 for unit, usd in CARD.items()}
PACE = {"first_ms": 20.0, "token_ms": 0.2}
CASES: dict[str, tuple[Sequence[Work], int]] = {
    "alone": ([Work(answer=800)], 0),
    "alone, thinking": ([Work(answer=800, thinking=200)], 0),
    "alone, 10 % kept to land": ([Work(answer=800)], 100_000),
    "with 4 sub-agents": (
        [Work(answer=800, **PACE)]
        + [Work(calls=20, tokens=40_000, answer=400, seed=n, **PACE) for n in range(1, 5)],
        0,
    ),
    "five long sessions at once": ([Work(answer=400, seed=n, **PACE) for n in range(5)], 0),
}


def rows(*, quick: bool = False) -> Iterator[Row]:
    """For each case what was used of the cap, what was above it, and who was refused wrongly."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for name, (works, landing) in list(CASES.items())[: 1 if quick else None]:
        agents, billed, spent, counts = measured(works, landing)
        said = [one for agent in agents for one in agent.said]
        slow = statistics.median(one.seconds for one in said if one.status == 200) * 1000
        share = 100 * billed / CAP
        told = (
            f"agents, {name}: % of the cap used ({len(said)} calls, "
            f"{sum(one.status == 402 for one in said)} refused, "
            f"{sum(one.clamped for one in said)} with a lower maximum, "
            f"{sum(one.stop == 'max_tokens' for one in said)} cut by it, "
            f"{sum(one.landing for one in said)} told to land, "
            f"{sum(one.tries - 1 for one in said)} times told to come again, {counts} counted by "
            f"the provider, headers after {slow:.0f} ms)"
        )
        yield told, share, "> 70", share > 70
        over = max(0, billed - CAP, spent - CAP)
        yield f"agents, {name}: over", over, "0", over == 0
        wrong = sum(map(_is_wrong, agents))
        yield f"agents, {name}: refused though it fits", wrong, "0", wrong == 0


def _is_wrong(agent: Agent) -> bool:
    said = agent.refused
    if said is None:
        return False
    [policy] = said.error["error"]["details"]["policies"]
    left = CAP - nano(str(policy["spent"]["cost"]))
    least = 1_025 if agent.work.thinking else 16
    return said.counted * RATES["cache_write_5m"] + least * RATES["output"] <= left


def measured(works: Sequence[Work], landing: int) -> tuple[list[Agent], int, int, int]:
    """The agents at their ends, the provider's bill, the ledger's word, and how often it counted."""
    with (
        tempfile.TemporaryDirectory(prefix="budget-bench-") as home,
        provider() as mock,
        gating(f"sqlite:///{home}/b.db", mock, gateway_wait=1, log_level="ERROR") as gate,
    ):
        service = gate.running.service
        service.prices.set_price(LOCAL, "anthropic", works[0].model, {"rates": CARD})
        asked = AskedRun(
            "bench", cap=Cap(cost_nano=CAP), lease_seconds=3600, landing=Landing(landing)
        )
        run = service.runs.open_run(LOCAL, asked)
        agents = asyncio.run(_work(f"{gate.url}/r/{run.token}/anthropic", works))
        spent = gate.spent(run.run.policy_id or "")
        return (
            agents,
            _billed(mock),
            spent[1] + spent[3],
            mock.bill.reached_by_api["anthropic.count"],
        )


async def _work(url: str, works: Sequence[Work]) -> list[Agent]:
    async with aiohttp.ClientSession() as http:
        agents = [Agent(work, url, busy_pause=0.5) for work in works]
        return await asyncio.gather(*(agent.run(http) for agent in agents))


def _billed(mock: MockProvider) -> int:
    assert mock.bill.settled()
    return sum(RATES[unit] * count for unit, count in mock.bill.units().items())
