"""A program as it would be written for Apollo's class: many workers share one hard limit.

Nothing in it is ours but the one import; with `apollo.core.token_budget` and `apollo.models.budget`
in its place it runs as well (and uses more than its limit).

    python -m tests.frontends.tekton.apollo.program COMPONENT LIMIT WORKERS NAME
"""

import asyncio
import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from tekton_budget.frontends.tekton.apollo import (
    BudgetPeriod,
    BudgetPolicy,
    BudgetPolicyType,
    BudgetTier,
    TokenBudgetManager,
)

CALL_TOKENS = 600


def limited(manager: TokenBudgetManager, component: str, limit: int) -> str:
    """A hard limit on what a component may use a day."""
    return manager.add_policy(
        BudgetPolicy(
            type=BudgetPolicyType.HARD_LIMIT,
            period=BudgetPeriod.DAILY,
            tier=BudgetTier.REMOTE_HEAVYWEIGHT,
            component=component,
            limit=limit,
        )
    )


def work(manager: TokenBudgetManager, component: str, worker: str) -> dict[str, int]:
    """Calls, one after the other, until nothing is left: ever smaller ones at the end."""
    dice = random.Random(worker)
    done = {"calls": 0, "tokens": 0, "denied": 0}
    size = CALL_TOKENS
    while size:
        context = f"{worker}:{done['calls']}"
        ask = manager.allocate_budget(
            context_id=context,
            component=component,
            task_type="coding",
            provider="anthropic",
            model="claude-3-opus",
            token_count=size,
        )
        if asyncio.run(ask) is None:
            done["denied"] += 1
            size = size // 30 or min(1, size - 1)
            continue
        used = dice.randint(1, size)
        first = used // 3
        done["tokens"] += manager.record_usage(context, first, usage_type="input")
        done["tokens"] += manager.record_usage(context, used - first, usage_type="output")
        manager.update_allocation(context, is_active=False)
        done["calls"] += 1
    return done


def crowd(manager: TokenBudgetManager, component: str, workers: int, name: str) -> dict[str, int]:
    """So many threads at once; what they did together."""
    with ThreadPoolExecutor(workers) as threads:
        each = [threads.submit(work, manager, component, f"{name}-{n}") for n in range(workers)]
        done = [one.result() for one in each]
    return {name: sum(one[name] for one in done) for name in done[0]}


if __name__ == "__main__":
    component, limit, workers, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    manager = TokenBudgetManager()
    if limit:
        limited(manager, component, limit)
    print(json.dumps(crowd(manager, component, workers, name)))
