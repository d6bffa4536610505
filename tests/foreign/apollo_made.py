"""Apollo stores made for tests: any records, spread over any files, some in several."""

import json
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

MODELS = [
    ("anthropic", "claude-3-opus"),
    ("openai", "GPT-4"),
    ("ollama", "llama-3"),
    ("local", "starcoder"),
    ("unknown", "unknown"),
]


def record(record_id: str, **fields: Any) -> Json:
    return {
        "record_id": record_id,
        "allocation_id": f"allocation of {record_id}",
        "context_id": "ergon:coding-1",
        "component": "ergon",
        "provider": "anthropic",
        "model": "claude-3-opus",
        "task_type": "coding",
        "tokens_used": 100,
        "usage_type": "input",
        "timestamp": "2026-02-09T09:14:03.200000",
        "operation_id": None,
        "metadata": {},
        **fields,
    }


def policy(policy_id: str, **fields: Any) -> Json:
    return {
        "policy_id": policy_id,
        "type": "hard_limit",
        "period": "daily",
        "tier": "remote_heavyweight",
        "component": None,
        "task_type": None,
        "limit": 60000,
        "warning_threshold": 0.8,
        "action_threshold": 0.95,
        "start_date": "2026-02-09T08:13:00",
        "end_date": None,
        "enabled": True,
        "metadata": {},
        **fields,
    }


def packed(rows: Any) -> bytes:
    return json.dumps(rows, indent=2).encode()


@st.composite
def records(draw: st.DrawFn, most: int = 12) -> list[Json]:
    """Records with ids of their own."""
    count = draw(st.integers(0, most))
    listed = []
    for number in range(count):
        provider, model = draw(st.sampled_from(MODELS))
        at = draw(st.datetimes(datetime(2026, 1, 1), datetime(2026, 4, 30)))
        listed.append(
            record(
                f"r{number}",
                provider=provider,
                model=model,
                component=draw(st.sampled_from(["ergon", "athena", "日本 ☕", " spaced "])),
                context_id=draw(st.sampled_from(["c:1", "c:2", ""])),
                task_type=draw(st.sampled_from(["coding", "default"])),
                tokens_used=draw(st.integers(0, 10**9)),
                usage_type=draw(st.sampled_from(["input", "output", "total"])),
                timestamp=at.isoformat(),
                operation_id=draw(st.none() | st.just("op-1")),
                metadata=draw(st.sampled_from([{}, {"note": "naïve \u0000 ☕", "n": [1, 2.5]}])),
            )
        )
    return listed


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[Json], dict[str, bytes]]:
    """Records, and files that hold each of them at least once."""
    listed = draw(records())
    number = draw(st.integers(1, 4))
    spread: list[list[Json]] = [[] for _ in range(number)]
    for one in listed:
        for place in draw(st.sets(st.integers(0, number - 1), min_size=1)):
            spread[place].append(one)
    files = {f"usage_records_{1770000000 + n}.json": packed(rows) for n, rows in enumerate(spread)}
    return listed, dict(draw(st.permutations(list(files.items()))))
