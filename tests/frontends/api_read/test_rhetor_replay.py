"""Real input: every call of a Rhetor store replayed over HTTP gives exactly that store's totals."""

import asyncio
import json
import os
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.frontends.api_read.conftest import Served, served

STORE = Path(__file__).parents[4] / "shared" / "tekton" / "rhetor-A"
AT_ONCE = 16
ALONE = 200  # calls that are replayed one by one
BATCH = 300
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """The totals as the store's README lists them."""
    if not STORE.is_dir():
        message = f"the Rhetor store is not beside the repository ({STORE}): nothing was replayed"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    text = (STORE / "README.md").read_text()
    block = re.search(r"## Expected totals\n+```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return json.loads(block[1])


@pytest.fixture(scope="module")
def replayed(expected: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that has seen every call."""
    path = tmp_path_factory.mktemp("replay") / "budget.db"
    with served(f"sqlite:///{path}") as server:
        server.limit("1000usd/month")
        server.limit("500usd/month", per=["component"])
        server.limit("500usd/month", scope={"provider": "anthropic"})
        asyncio.run(_replay(server, _calls()))
        yield server


def _calls() -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{STORE / 'rhetor.db'}?mode=ro", uri=True)) as store:
        store.row_factory = sqlite3.Row
        return [dict(row) for row in store.execute("SELECT * FROM usage ORDER BY id")]


async def _replay(server: Served, calls: list[dict[str, Any]]) -> None:
    """Some calls by requests of their own, many at once; the others in batches."""
    waiting = iter(calls[:ALONE])
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:

        async def work() -> None:
            for call in waiting:
                ask, used = _ask(call), _used(call)
                asked = await http.post("/api/v1/allocations", json=ask)
                assert asked.status_code == 201, asked.text
                path = f"/api/v1/allocations/{ask['allocation_id']}/settle"
                settled = await http.post(path, json=used)
                assert settled.status_code == 200, settled.text

        async def batches(part: list[dict[str, Any]]) -> None:
            asks = [{"do": "allocate", **_ask(call)} for call in part]
            ends = [
                {"do": "settle", "allocation_id": _ask(call)["allocation_id"], **_used(call)}
                for call in part
            ]
            for commands, status in ((asks, 201), (ends, 200)):
                answer = await http.post("/api/v1/batch", json={"commands": commands})
                assert answer.status_code == 200, answer.text
                results = answer.json()["results"]
                assert {one["status"] for one in results} == {status}

        rest = [calls[n : n + BATCH] for n in range(ALONE, len(calls), BATCH)]
        await asyncio.gather(*(work() for _ in range(AT_ONCE)), *map(batches, rest))


def _ask(call: dict[str, Any]) -> dict[str, Any]:
    labels = {name: call[name] for name in ("provider", "model", "component", "task_type")}
    return {"allocation_id": f"rhetor-{call['id']}", "cost": _cost(call), **labels}


def _used(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "record_id": f"usage-{call['id']}",
        "input_tokens": call["input_tokens"],
        "output_tokens": call["output_tokens"],
        "cost": _cost(call),
        "timestamp": f"{call['timestamp']}+00:00",
    }


def _cost(call: dict[str, Any]) -> str:
    return str(Decimal(repr(call["cost"])))


def _summary(server: Served, **query: Any) -> dict[str, Any]:
    answer = server.http.get("/api/v1/usage/summary", params=query)
    assert answer.status_code == 200, answer.text
    return _decode(answer.content)


def _as_expected(sums: dict[str, Any]) -> dict[str, Any]:
    return {
        "records": sums["count"],
        "input_tokens": sums["input_tokens"],
        "output_tokens": sums["output_tokens"],
        "cost": Decimal(sums["cost"]),
    }


def _decimals(expected: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**sums, "cost": Decimal(sums["cost"])} for name, sums in expected.items()}


def test_the_whole_is_exact(replayed: Served, expected: dict[str, Any]) -> None:
    summary = _summary(replayed)

    assert summary["count"] == expected["usage_rows"] == 2600
    assert summary["total_input_tokens"] == expected["input_tokens"]
    assert summary["total_output_tokens"] == expected["output_tokens"]
    assert Decimal(summary["total_cost"]) == Decimal(expected["cost_decimal_sum"])


@pytest.mark.parametrize("label", ["provider", "component", "task_type"])
def test_every_group_of_a_label_is_exact(
    replayed: Served, expected: dict[str, Any], label: str
) -> None:
    group = _summary(replayed)["groups"][label]

    found = {name: _as_expected(sums) for name, sums in group.items()}
    assert found == _decimals(expected[f"by_{label}"])


def test_every_model_is_exact(replayed: Served, expected: dict[str, Any]) -> None:
    answer = replayed.http.get("/api/v1/usage/report", params={"by": "provider,model"})
    report = _decode(answer.content)

    found = {
        f"{row['values']['provider']} / {row['values']['model']}": _as_expected(row)
        for row in report["rows"]
    }
    assert found == _decimals(expected["by_model"])
    assert Decimal(report["total"]["cost"]) == Decimal(expected["cost_decimal_sum"])


def test_every_day_is_exact(replayed: Served, expected: dict[str, Any]) -> None:
    summary = _summary(replayed, start_date="2026-02-09", end_date="2026-03-15")

    found = {day["date"]: (day["count"], Decimal(day["cost"])) for day in summary["daily_usage"]}
    wanted = {
        day: (sums["records"], Decimal(sums["cost"])) for day, sums in expected["by_day"].items()
    }
    assert found == wanted


def test_every_month_and_a_day_at_its_edges_are_exact(
    replayed: Served, expected: dict[str, Any]
) -> None:
    for month, sums in _decimals(expected["by_month"]).items():
        answer = replayed.http.get("/api/v1/usage/report", params={"month": month, "by": "model"})
        assert _as_expected(_decode(answer.content)["total"]) == sums
    for day in ("2026-02-23", "2026-02-26", "2026-03-01"):  # have a call at midnight, sharp
        found = _summary(replayed, start_time=day, end_time=day)
        assert found["count"] == expected["by_day"][day]["records"]


def test_the_records_add_up_to_the_same_and_each_is_there_once(
    replayed: Served, expected: dict[str, Any]
) -> None:
    with replayed.http.stream("GET", "/api/v1/usage/records?format=ndjson") as answer:
        records = [_decode(line) for line in answer.iter_lines()]

    assert len({record["record_id"] for record in records}) == 2600
    total = sum((Decimal(record["total_cost"]) for record in records), Decimal())
    assert total == Decimal(expected["cost_decimal_sum"])
    assert [r["timestamp"] for r in records] == sorted(r["timestamp"] for r in records)


def test_the_balances_hold_what_was_spent_and_nothing_more(
    replayed: Served, expected: dict[str, Any]
) -> None:
    answer = replayed.http.get("/api/v1/status", params={"component": "ergon"})
    policies = {one["name"]: one for one in _decode(answer.content)["policies"]}

    whole = policies["monthly"]
    assert Decimal(whole["spent"]["cost"]) == Decimal(expected["cost_decimal_sum"])
    assert whole["held"] == {"tokens": 0, "cost": 0, "requests": 0}
    ergon = next(one for one in policies.values() if one["group"] == "ergon")
    assert Decimal(ergon["spent"]["cost"]) == Decimal(expected["by_component"]["ergon"]["cost"])
