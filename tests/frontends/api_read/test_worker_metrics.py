"""Several workers on one port: whichever is asked for metrics tells what all of them counted."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

ASKS = 60
SERVE = """
import sys
from tekton_budget.server import serve
from tekton_budget.settings import load_settings

if __name__ == "__main__":
    serve(
        load_settings(database_url=sys.argv[1], port=0, workers=2, access_log=False),
        announce=lambda text: print(text, flush=True),
    )
"""


@pytest.fixture
def url(postgres_url: str, tmp_path: object) -> Iterator[str]:
    """Two workers over one PostgreSQL."""
    script = f"{tmp_path}/serve_two.py"  # a file, for workers import it again
    with open(script, "w") as file:  # noqa: PTH123
        file.write(SERVE)
    server = subprocess.Popen(
        [sys.executable, script, postgres_url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BUDGET_LOG_LEVEL": "ERROR"},
    )
    assert server.stdout is not None
    said = next(line for line in server.stdout if "listens on" in line)
    address = re.search(r"http://\S+", said)
    assert address is not None
    yield address[0]
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
    server.stdout.close()


def ask(url: str) -> int:
    """Over a connection of its own, so that any worker may get it."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=20)) as http:
        return http.post(f"{url}/api/v1/allocations", json={"cost": 1}, timeout=60).status_code


def counted(url: str) -> dict[str, float]:
    """What one worker says, but for what the asking itself changes."""
    text = httpx.get(f"{url}/metrics", timeout=60).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if (
                sample.labels.get("route") not in ("/metrics", "/ready")
                and "sum" not in sample.name
            ):
                found[f"{sample.name}{sorted(sample.labels.items())}"] = sample.value
    return {name: value for name, value in found.items() if "outbox" not in name}


def test_every_worker_tells_the_counts_of_all(url: str) -> None:
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(lambda _: ask(url), range(ASKS))) == {201}
        told = list(threads.map(lambda _: counted(url), range(20)))

    assert told[0]["tekton_budget_decisions_total[('decision', 'allow')]"] == ASKS
    requests = [("method", "POST"), ("route", "/allocations"), ("status", "201")]
    assert told[0][f"tekton_budget_http_requests_total{requests}"] == ASKS
    assert told[0]["tekton_budget_active_allocations[]"] == ASKS
    assert told[0]["tekton_budget_queue_length[]"] == 0
    assert all(one == told[0] for one in told)
