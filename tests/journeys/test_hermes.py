"""A component of Tekton finds the budget by Hermes, asks it by message and by tool, and is told no."""

import os
import signal
import sys
import time
from pathlib import Path

import httpx
from tests.hermes.stand_in import served
from tests.server.test_component import Component
from tests.server.test_hermes import Alive

SECONDS_MAX = 120


def test_from_the_listing_to_a_denial_and_gone(tmp_path: Path) -> None:
    hermes = Alive()
    with served(hermes), httpx.Client(timeout=60) as http:
        variables = {
            **os.environ,
            "BUDGET_DATABASE_URL": f"sqlite:///{tmp_path}/budget.db",
            "BUDGET_HERMES_URL": hermes.url,
            "BUDGET_HERMES_INTERVAL_SECONDS": "0.2",
            "BUDGET_PORT": "0",
        }
        command = str(Path(sys.executable).with_name("tekton-budget"))
        budget = Component([command, "serve"], tmp_path, variables)
        try:
            _wait_for(hermes, tools=9)
            listed = http.get(f"{hermes.url}/api/components?healthy_only=true").json()
            (entry,) = [one for one in listed["components"] if one["name"] == "budget"]
            url = entry["endpoint"]
            http.put(f"{url}/api/v1/policies", json={"limit": "1000tokens/day"}).raise_for_status()
            message = {
                "sender": "ergon",
                "message_type": "budget.allocate_tokens",
                "payload": {"context_id": "c1", "amount": 900, "task_type": "coding"},
            }
            place = url + entry["metadata"]["mcp_endpoints"]["message"]
            first, second = (http.post(place, json=message).json() for _ in range(2))

            assert (first["status"], first["payload"]["amount"]) == ("success", 900)
            assert second["status"] == "error"
            assert second["error"].startswith("Over budget: ")

            tools = {one["name"]: one for one in http.get(f"{hermes.url}/api/mcp/v2/tools").json()}
            status = tools["budget_GetBudgetStatus"]
            ran = http.post(status["endpoint"], json={"parameters": {"period": "daily"}}).json()
            assert ran["result"]["summaries"][0]["tokens_allocated"] == 900

            assert budget.stop(signal.SIGTERM) == 0
        finally:
            budget.close()
        assert (hermes.components, hermes.tools) == ({}, {})


def _wait_for(hermes: Alive, *, tools: int) -> None:
    give_up_at = time.monotonic() + SECONDS_MAX
    while not (len(hermes.tools) == tools and hermes.statuses):
        assert time.monotonic() < give_up_at, "it never came to be"
        time.sleep(0.05)
