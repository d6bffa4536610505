"""Coding agents under a cap: never over it, refused only where their call cannot be paid, no crumbs."""

import asyncio
from collections.abc import Callable, Sequence

import aiohttp
import pytest
from tests.frontends.gateway.conftest import PRICES, Gate, nano
from tests.providers.coding import Agent, Work

from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.run import Cap, Landing
from tekton_budget.service.runs import AskedRun, OpenedRun

SMALL = Work(calls=16, tokens=40_000, begins=8_000, answer=300)
RATES = {unit: nano(usd) // 1_000_000 for unit, usd in PRICES["anthropic", SMALL.model].items()}
RATES |= {name: nano(usd) // 1_000_000 for name, usd in [("output", "15"), ("input", "3")]}


def begun(gate: Gate, cap: str, *, landing: str | None = None, name: str = "a") -> OpenedRun:
    """A run under way, as the command line opens it."""
    kept = Landing(int(float(landing) * 1_000_000)) if landing else Landing(0)
    asked = AskedRun(name, cap=Cap(cost_nano=nano(cap)), lease_seconds=600, landing=kept)
    return gate.running.service.runs.open_run(LOCAL, asked)


def worked(gate: Gate, run: OpenedRun, *works: Work) -> list[Agent]:
    """Agents at work side by side, to their ends."""

    async def all_of_them() -> list[Agent]:
        async with aiohttp.ClientSession() as http:
            url = f"{gate.url}/r/{run.token}/anthropic"
            agents = [Agent(work, url, busy_pause=0.01) for work in works]
            return await asyncio.gather(*(agent.run(http) for agent in agents))

    return asyncio.run(all_of_them())


def billed(gate: Gate) -> int:
    """What the provider asks for, in 10⁻⁹ USD."""
    assert gate.mock.bill.settled()
    return sum(RATES[unit] * count for unit, count in gate.mock.bill.units().items())


def wrongly_refused(agents: Sequence[Agent]) -> list[tuple[int, int]]:
    """What was left, and what would have been needed: the whole input uncached, and a word."""
    found = []
    for agent in agents:
        said = agent.refused
        if said is None:
            continue
        assert said.status == 402, said
        [policy] = said.error["error"]["details"]["policies"]
        left = nano(str(policy["allowance"]["cost"])) - nano(str(policy["spent"]["cost"]))
        least = max(16, 1025 if agent.work.thinking else 0)
        needed = said.counted * RATES["cache_write_5m"] + least * RATES["output"]
        if needed <= left:
            found.append((left, needed))
    return found


def test_a_session_that_fits_is_neither_refused_nor_cut(gate: Gate) -> None:
    run = begun(gate, "2")
    [agent] = worked(gate, run, SMALL)
    assert len(agent.said) == SMALL.calls
    assert not any(said.clamped or said.status != 200 for said in agent.said)
    assert gate.spent(run.run.policy_id or "")[1] == billed(gate)
    assert gate.mock.bill.reached_by_api["anthropic.count"] == 0


@pytest.mark.parametrize("thinking", [0, 200])
def test_a_session_above_its_cap_uses_all_that_the_rule_allows(gate: Gate, thinking: int) -> None:
    run = begun(gate, "0.36")
    work = Work(calls=40, tokens=40_000, begins=8_000, answer=300, thinking=thinking)
    [agent] = worked(gate, run, work)
    spent = gate.spent(run.run.policy_id or "")
    assert agent.refused is not None
    assert wrongly_refused([agent]) == []
    assert spent[1] == billed(gate) <= nano("0.36")
    assert spent[3] == 0
    assert spent[1] >= nano("0.36") * 0.6
    assert gate.mock.bill.reached_by_api["anthropic.count"] <= 8


def test_agents_side_by_side_wait_for_each_other_and_never_go_over(
    gates: Callable[..., Gate],
) -> None:
    gate = gates(gateway_wait=0.3)
    run = begun(gate, "0.9")
    works = [
        Work(calls=14, tokens=24_000, begins=8_000, answer=250, seed=seed, token_ms=0.05)
        for seed in range(5)
    ]
    agents = worked(gate, run, *works)
    spent = gate.spent(run.run.policy_id or "")
    assert any(agent.refused for agent in agents)
    assert wrongly_refused(agents) == []
    assert spent[1] == billed(gate) <= nano("0.9")
    assert spent[3] == 0
    assert spent[1] >= nano("0.9") * 0.75
    shortest = [said.output for agent in agents for said in agent.said if said.clamped]
    assert min(shortest) > 16  # no crumbs


def test_a_session_lands_with_an_answer(gate: Gate) -> None:
    run = begun(gate, "0.36", landing="0.1")
    [agent] = worked(gate, run, Work(calls=40, tokens=40_000, begins=8_000, answer=300))
    last = agent.said[-1]
    assert last.status == 200
    assert last.landing
    assert last.text
    assert last.stop != "max_tokens"
    assert not any(said.landing for said in agent.said[:-1])
    sent = gate.mock.requests[-1].body
    assert b"budget" in sent.lower()
    spent = gate.spent(run.run.policy_id or "")
    assert spent[1] == billed(gate) <= nano("0.36")


def test_holds_of_others_do_not_open_what_is_kept_for_the_end(gates: Callable[..., Gate]) -> None:
    gate = gates(gateway_wait=0.3)
    run = begun(gate, "0.9", landing="0.1")
    works = [
        Work(calls=3, tokens=16_000, begins=8_000, answer=300, seed=seed, first_ms=30)
        for seed in range(4)
    ]
    agents = worked(gate, run, *works)
    assert all(said.status == 200 and not said.landing for one in agents for said in one.said)
    assert any(said.clamped or said.tries > 1 for one in agents for said in one.said)
