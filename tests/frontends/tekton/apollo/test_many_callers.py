"""A hard limit that was set by Apollo's own calls holds: 50 threads, several processes, both ways in."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.frontends.tekton.apollo import program
from tests.http_server import listening

import tekton_budget
from tekton_budget.frontends.api import create_app
from tekton_budget.frontends.tekton.apollo import TokenBudgetManager
from tekton_budget.library import quieten
from tekton_budget.settings import load_settings
from tekton_budget.wiring import open_service

THREADS = 50
LIMIT = 2_000
SHARED = 5_000  # by processes, which take a moment to start
ROOT = Path(__file__).parents[4]


@pytest.fixture
def server_url(sqlite_url: str) -> Iterator[str]:
    quieten()
    with (
        open_service(load_settings(database_url=sqlite_url)) as running,
        listening(create_app(running)) as url,
    ):
        yield url


def test_fifty_threads_use_a_limit_up_and_no_more(store_url: str) -> None:
    with tekton_budget.open(database_url=store_url) as budget:
        _fifty(budget)


def test_fifty_threads_use_a_limit_up_over_http(server_url: str) -> None:
    with tekton_budget.open(server_url) as budget:
        _fifty(budget)


def _fifty(budget: tekton_budget.Budget) -> None:
    manager = TokenBudgetManager(budget=budget)
    policy_id = program.limited(manager, "ergon", LIMIT)
    done = program.crowd(manager, "ergon", THREADS, "t")

    assert done["tokens"] == LIMIT
    assert done["denied"] >= THREADS
    _check(budget, policy_id, manager, LIMIT)


def test_processes_share_a_limit(store_url: str) -> None:
    with tekton_budget.open(database_url=store_url) as budget:
        manager = TokenBudgetManager(budget=budget)
        policy_id = program.limited(manager, "ergon", SHARED)
        done = _processes(2, {"BUDGET_DATABASE_URL": store_url})

        assert sum(one["tokens"] for one in done) == SHARED
        _check(budget, policy_id, manager, SHARED)


def test_processes_share_a_limit_over_http(server_url: str) -> None:
    with tekton_budget.open(server_url) as budget:
        manager = TokenBudgetManager(budget=budget)
        policy_id = program.limited(manager, "ergon", SHARED)
        done = _processes(2, {"BUDGET_URL": server_url})

        assert sum(one["tokens"] for one in done) == SHARED
        _check(budget, policy_id, manager, SHARED)


def test_a_process_that_is_killed_takes_nothing_along(store_url: str) -> None:
    with tekton_budget.open(database_url=store_url) as budget:
        manager = TokenBudgetManager(budget=budget)
        policy_id = program.limited(manager, "ergon", SHARED)
        killed = _started("k", {"BUDGET_DATABASE_URL": store_url})
        while len(manager.usage_records) < 10 and killed.poll() is None:
            time.sleep(0.02)
        killed.kill()
        killed.communicate()
        [after] = _processes(1, {"BUDGET_DATABASE_URL": store_url})
        records = manager.usage_records
        before = sum(one.tokens_used for one in records if one.context_id.startswith("k-"))
        left_holding = [one for one in manager.allocations.values() if one.is_active]

        assert 0 < before < SHARED
        assert before + after["tokens"] == SHARED - sum(a.remaining_tokens for a in left_holding)
        for one in left_holding:  # who knows that their process is gone gives them back
            manager.update_allocation(one.context_id, is_active=False)
        program.crowd(manager, "ergon", 2, "rest")
        _check(budget, policy_id, manager, SHARED)


def _processes(count: int, variables: dict[str, str]) -> list[dict[str, int]]:
    started = [_started(f"p{number}", variables) for number in range(count)]
    answers = [process.communicate(timeout=240)[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    return [json.loads(answer) for answer in answers]


def _started(name: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    module = "tests.frontends.tekton.apollo.program"
    return subprocess.Popen(
        [sys.executable, "-m", module, "ergon", "0", "8", name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        text=True,
    )


def _check(
    budget: tekton_budget.Budget, policy_id: str, manager: TokenBudgetManager, limit: int
) -> None:
    """The ledger's own numbers agree, to the last token."""
    [summary] = manager.get_budget_summary(tier="remote_heavyweight", component="ergon")
    stands = budget.status({"component": "ergon", "tier": "remote_heavyweight"})["policies"]
    own = next(one for one in stands if one["allowance"]["tokens"] == limit)

    assert summary.limit == limit
    assert summary.total_used == own["spent"]["tokens"] == limit
    assert own["held"]["tokens"] == 0
    assert manager.get_policy(policy_id).limit == limit
    assert manager.allocations == {} or not any(a.is_active for a in manager.allocations.values())
    assert budget.verify()["ok"]
