"""Moving in from Apollo and Rhetor: both genuine stores by the command line, killed in the middle
and run again, to the last token and cent; then the service holds calls to the limits that came in.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

pytestmark = pytest.mark.slow
STORES = Path(__file__).parents[3] / "shared" / "tekton"
PROGRAM = (sys.executable, "-c", "from tekton_budget.frontends.cli import main; main()")
GIVE_UP_SECONDS = 100
CALL = {"component": "ergon", "task_type": "coding", "provider": "anthropic"}


def readme(name: str) -> Any:
    """The totals that a store's own program reports."""
    if not (STORES / name).is_dir():
        pytest.skip(f"the store is not beside the repository ({STORES / name})")
    text = (STORES / name / "README.md").read_text()
    block = re.search(r"## Expected totals.*?```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return json.loads(block[1], parse_float=Decimal)


class Shell:
    """Commands as a person runs them, on one database."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.database_url = database_url
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BUDGET_")}
        self._environment = {
            **kept,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "BUDGET_DATABASE_URL": database_url,
            "BUDGET_PORT": "0",
            "PYTHONUNBUFFERED": "1",
        }

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*PROGRAM, *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> Any:
        """What it answers, once it ended well."""
        process = self.begin(*words)
        out, _ = process.communicate(timeout=GIVE_UP_SECONDS)
        assert process.returncode == 0, out
        return json.loads(out, parse_float=Decimal)

    def count(self) -> int:
        """Usage records that are there now; none before the database is made."""
        query = "SELECT count(*) FROM usage"
        try:
            if self.database_url.startswith("sqlite"):
                path = self.database_url.removeprefix("sqlite:///")
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                    return int(connection.execute(query).fetchone()[0])
            with psycopg.connect(self.database_url) as connection:
                found = connection.execute(query).fetchone()
                assert found is not None
                return int(found[0])
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return 0

    def kill_in_the_middle(self, *words: str) -> int:
        """Begin a command and kill it as soon as it has recorded anything; how much it had."""
        before = self.count()
        process = self.begin(*words)
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while self.count() == before:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return self.count()

    @contextmanager
    def served(self) -> Iterator[httpx.Client]:
        """The service over the same database."""
        process = self.begin("serve")
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://[\d.]+:\d+", line)
            assert found is not None, line
            with httpx.Client(base_url=found[0], timeout=60) as http:
                yield http
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=GIVE_UP_SECONDS)


@pytest.fixture
def shell(store_url: str, tmp_path: Path) -> Shell:
    return Shell(store_url, tmp_path)


def sums(report: Any, by: str, *names: str) -> Any:
    """Our side of one dimension, in the words of a README."""
    return {
        one["value"]: {said: one["ours"][name] for said, name in map(_pair, names)}
        for one in report["check"]["sums"]
        if one["by"] == by
    }


def _pair(name: str) -> tuple[str, str]:
    return (name, {"tokens": "total_tokens"}.get(name, name))


def decimals(expected: Any) -> Any:
    return {
        value: {**of, "cost": Decimal(of["cost"])} if "cost" in of else of
        for value, of in expected.items()
    }


def test_apollo_moves_in_is_killed_and_goes_on_and_its_limits_hold(shell: Shell) -> None:
    expected = readme("apollo-A")
    words = ("import", "apollo", str(STORES / "apollo-A"), "--timezone", "UTC")

    there = shell.kill_in_the_middle(*words)
    report = shell.run(*words)
    again = shell.run(*words)

    assert 0 < there < expected["unique_records"]
    assert (report["usage"]["there"], report["usage"]["new"]) == (there, 3920 - there)
    assert (report["verified"], report["complete"]) == (True, True)
    for by, said in {
        "component": "by_component",
        "provider": "by_provider",
        "model": "by_model",
        "task_type": "by_task_type",
        "tier": "by_tier_apollo_rule",
        "type": "by_usage_type",
        "month": "by_month",
    }.items():
        assert sums(report, by, "records", "tokens") == expected[said], by
    assert report["check"]["total"]["ours"]["total_tokens"] == expected["unique_tokens"]
    assert (again["usage"]["new"], again["usage"]["there"]) == (0, 3920)
    assert again["check"] == report["check"]
    assert {limit["outcome"] for limit in again["limits"]} == {"same"}
    assert shell.count() == 3920
    with shell.served() as http:
        ask = {**CALL, "model": "claude-3-opus", "tokens": 60_001}
        denied = http.post("/api/v1/allocations", json=ask)
        granted = http.post("/api/v1/allocations", json={**ask, "tokens": 60_000})
        full = http.post("/api/v1/allocations", json={**ask, "tokens": 1})
        policies = http.get("/api/v1/policies", params={"limit": 100}).json()["items"]
    assert denied.status_code == full.status_code == 402, denied.text
    assert [p["policy_id"] for p in denied.json()["policies"]] == [
        "41d69a93-3032-4713-aa9c-aa3d4cb191aa"
    ]
    assert granted.status_code == 201
    assert len(policies) == expected["policies"]
    assert sum(policy["enabled"] for policy in policies) == expected["policies_enabled"]
    assert shell.run("verify")["ok"] is True


def test_rhetor_moves_in_is_killed_and_goes_on_and_its_limits_hold(shell: Shell) -> None:
    expected = readme("rhetor-A")
    words = ("import", "rhetor", str(STORES / "rhetor-A" / "rhetor.db"), "--timezone", "UTC")

    there = shell.kill_in_the_middle(*words)
    report = shell.run(*words)
    again = shell.run(*words)

    assert 0 < there < expected["usage_rows"]
    assert (report["usage"]["there"], report["usage"]["new"]) == (there, 2600 - there)
    assert (report["verified"], report["complete"]) == (True, True)
    names = ("records", "input_tokens", "output_tokens", "cost")
    for by in ("provider", "model", "component", "task_type", "month", "day"):
        assert sums(report, by, *names) == decimals(expected[f"by_{by}"]), by
    assert report["check"]["total"]["ours"]["cost"] == Decimal(expected["cost_decimal_sum"])
    assert (again["usage"]["new"], again["usage"]["there"]) == (0, 2600)
    assert again["check"] == report["check"]
    assert shell.count() == 2600
    with shell.served() as http:
        ask = {**CALL, "provider": "openai", "tokens": 1, "cost": "30.01"}
        denied = http.post("/api/v1/allocations", json=ask)
        granted = http.post("/api/v1/allocations", json={**ask, "cost": "29.5"})
        full = http.post("/api/v1/allocations", json={**ask, "cost": "0.51"})
        policies = http.get("/api/v1/policies", params={"limit": 100}).json()["items"]
    assert denied.status_code == full.status_code == 402, denied.text
    assert [policy["name"] for policy in denied.json()["policies"]] == ["rhetor all daily #5"]
    assert granted.status_code == 201
    assert sum(policy["enabled"] for policy in policies) == 4  # of 5 active, one limits nothing
    assert shell.run("verify")["ok"] is True


def test_both_move_into_one_ledger_while_it_is_served_and_go_out_again(
    shell: Shell, tmp_path: Path
) -> None:
    readme("apollo-A")
    shadow = ("--timezone", "UTC", "--shadow")
    with shell.served() as http:
        url = ("--url", str(http.base_url).rstrip("/"))
        apollo = shell.run("import", "apollo", str(STORES / "apollo-A"), *shadow, *url)
        rhetor = shell.run(
            "import", "rhetor", str(STORES / "rhetor-A" / "rhetor.db"), *shadow, *url
        )
        ask = {**CALL, "model": "claude-3-opus", "tokens": 60_001, "cost": "30.01"}
        as_if = http.post("/api/v1/allocations", json=ask).json()
        listed = http.get("/api/v1/usage/records", params={"limit": 1}).json()
    back = shell.run("export", "apollo", str(tmp_path / "back"), "--timezone", "UTC")
    money = shell.run("export", "rhetor", str(tmp_path / "back.db"), "--timezone", "UTC")

    assert apollo["complete"] is rhetor["complete"] is True
    assert as_if["would_deny"] == [
        "apollo daily remote_heavyweight ergon coding",
        "rhetor all daily #5",
    ]
    assert shell.count() == 3920 + 2600
    assert listed["total"] == 3920 + 2600
    assert (back["records"], back["tokens"], back["policies"]) == (3920, 4314398, 13)
    assert (money["records"], money["cost"], money["policies"]) == (2600, Decimal("71.013542"), 8)
