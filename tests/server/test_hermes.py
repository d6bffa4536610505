"""A whole server and Hermes: how it registers, what it says of itself, and what is left of it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hermes.conftest import unused_port
from tests.hermes.stand_in import StandIn, served
from tests.server.test_serving import Server, running, until

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.server.hermes import profile_of
from tekton_budget.settings import load_settings

__all__ = ["unused_port"]  # a fixture

FAST = {"hermes_interval_seconds": 0.2, "hermes_timeout_seconds": 5.0}
TOOLS = [
    "AllocateBudget",
    "CheckBudget",
    "GetBudgetStatus",
    "GetModelRecommendations",
    "GetUsageAnalytics",
    "RecordUsage",
    "RouteWithBudgetAwareness",
    "component_info",
    "health_check",
]


class Alive(StandIn):
    """A stand-in by the host's clock."""

    @property
    def now(self) -> float:
        return time.time()

    @now.setter
    def now(self, value: float) -> None:
        del value


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    one = Alive()
    with served(one):
        yield one


def health(server: Server) -> Any:
    return server.http.get("/health").json()


def workers_of(server: Server) -> list[int]:
    """Its children, but for the one that multiprocessing has to itself."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_a_server_is_known_with_its_real_port_until_it_stops(
    tmp_path: Path, sqlite_url: str, stand_in: StandIn
) -> None:
    settings = {"database_url": sqlite_url, "hermes_url": stand_in.url, **FAST}
    with running(tmp_path / "s", **settings) as server:
        until(lambda: len(stand_in.tools) == 9 and stand_in.statuses)
        port = int(server.url.rsplit(":", 1)[1])
        entry = stand_in.components["budget"]

        assert entry["endpoint"] == f"http://localhost:{port}"
        assert (entry["name"], entry["metadata"]["type"]) == ("budget", "budget")
        assert entry["metadata"]["port"] == port
        assert entry["metadata"]["mcp_endpoint"] == "/api/mcp/v2"
        assert "budget_management" in entry["metadata"]["mcp_capabilities"]
        assert all(isinstance(one, str) for one in entry["capabilities"])
        assert stand_in.names() == [f"budget_{name}" for name in TOOLS]
        tool = next(one for one in stand_in.tools.values() if "Allocate" in one["name"])
        assert tool["endpoint"].endswith(f":{port}/api/mcp/v2/tools/AllocateBudget/execute")
        assert tool["schema"]["required"] == ["amount"]
        status = stand_in.statuses[-1]
        assert (status["healthy"], status["status"]) == (True, "healthy")
        assert status["parts"]["database"] == "ok"
        assert status["uptime_seconds"] > 0

        told = until(lambda: (one := health(server))["registeredWithHermes"] and one)
        assert told["details"]["parts"]["hermes"]["layout"] == "/api"
        assert "tekton_budget_hermes_registered 1.0" in server.http.get("/metrics").text

        assert server.stop() == 0
    assert (stand_in.components, stand_in.tools) == ({}, {})
    assert "hermes_registered" in server.log.read_text()


def test_a_server_that_was_killed_and_started_again_is_known_once(
    tmp_path: Path, sqlite_url: str, stand_in: StandIn, unused_port: int
) -> None:
    settings = {
        "database_url": sqlite_url,
        "hermes_url": stand_in.url,
        "port": unused_port,
        **FAST,
    }
    with running(tmp_path / "s", **settings) as server:
        until(lambda: len(stand_in.tools) == 9)
        server.stop(signal.SIGKILL)
    assert list(stand_in.components) == ["budget"]

    with running(tmp_path / "s", **settings) as server:
        until(lambda: health(server)["registeredWithHermes"])
        assert list(stand_in.components) == ["budget"]
        assert len(stand_in.tools) == 9


def test_a_server_works_alone_and_says_so_until_hermes_comes_and_after_it_went(
    tmp_path: Path, sqlite_url: str, unused_port: int
) -> None:
    late = Alive()
    url = f"http://127.0.0.1:{unused_port}"
    with running(tmp_path / "s", database_url=sqlite_url, hermes_url=url, **FAST) as server:
        told = until(lambda: (one := health(server))["details"]["parts"]["hermes"]["error"] and one)
        assert (told["status"], told["registeredWithHermes"]) == ("healthy", False)
        assert server.http.post("/api/v1/allocations", json={"tokens": 5}).status_code == 201
        assert server.http.get("/ready").status_code == 200

        with served(late, unused_port):
            until(lambda: health(server)["registeredWithHermes"])
        until(lambda: not health(server)["registeredWithHermes"])
        late.restart()
        with served(late, unused_port):
            until(lambda: len(late.tools) == 9)
            assert server.stop() == 0
        assert "BUDGET_HERMES_URL" in server.log.read_text()


def test_two_servers_on_one_host_are_both_known(tmp_path: Path, stand_in: StandIn) -> None:
    first = {"database_url": f"sqlite:///{tmp_path}/1.db", "hermes_url": stand_in.url, **FAST}
    second = {**first, "database_url": f"sqlite:///{tmp_path}/2.db"}
    with running(tmp_path / "a", **first) as one, running(tmp_path / "b", **second) as other:
        until(lambda: len(stand_in.components) == 2 and len(stand_in.tools) == 18)
        assert {entry["endpoint"].rsplit(":", 1)[1] for entry in stand_in.components.values()} == {
            server.url.rsplit(":", 1)[1] for server in (one, other)
        }


@pytest.mark.parametrize(
    ("settings", "other_id"),
    [
        ({}, "budget-8014"),
        ({"public_host": "localhost"}, "budget-8014"),
        ({"host": "0.0.0.0"}, "budget-8014"),
        ({"host": "10.0.0.5"}, "budget-10.0.0.5-8014"),
        ({"public_host": "box"}, "budget-box-8014"),
        ({"hermes_name": "penia"}, "penia-8014"),
    ],
)
def test_the_second_of_a_name_has_an_id_that_no_third_has(
    settings: dict[str, Any], other_id: str
) -> None:
    profile = profile_of(load_settings(**settings), "0.1.0", "sqlite", 8014)
    assert (profile.other_id, profile.name) == (other_id, settings.get("hermes_name", "budget"))
    assert profile.type == profile.component_id == profile.name


def test_without_tools_none_are_told_of() -> None:
    profile = profile_of(load_settings(mcp_enabled=False), "0.1.0", "sqlite", 8013)
    assert profile.tools == ()
    assert "mcp_endpoint" not in profile.metadata


@pytest.mark.parametrize("name", ["", "Budget", "a b", "x" * 65, "-a"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="BUDGET_HERMES_NAME"):
        load_settings(hermes_name=name)


def test_the_worker_that_speaks_is_replaced_like_any_other(
    tmp_path: Path, postgres_url: str, stand_in: StandIn
) -> None:
    settings = {"database_url": postgres_url, "hermes_url": stand_in.url, "workers": 2, **FAST}
    with running(tmp_path / "s", **settings) as server:
        until(lambda: len(stand_in.tools) == 9)
        for pid in workers_of(server):
            os.kill(pid, signal.SIGKILL)
        stand_in.restart()
        until(lambda: len(stand_in.tools) == 9)
        until(lambda: health(server)["registeredWithHermes"])

        assert list(stand_in.components) == ["budget"]
        assert server.stop() == 0
    assert (stand_in.components, stand_in.tools) == ({}, {})


def test_of_several_workers_one_speaks_and_all_tell(
    tmp_path: Path, postgres_url: str, stand_in: StandIn
) -> None:
    settings = {"database_url": postgres_url, "hermes_url": stand_in.url, "workers": 3, **FAST}
    with running(tmp_path / "s", **settings) as server:
        until(lambda: len(stand_in.tools) == 9)
        for _ in range(20):  # whichever worker answers
            server.http.close()
            server.http = type(server.http)(base_url=server.url, timeout=60)
            told = until(lambda: (one := health(server))["registeredWithHermes"] and one)
            assert told["details"]["parts"]["hermes"]["component_id"] == "budget"
            assert "tekton_budget_hermes_registered 1.0" in server.http.get("/metrics").text
        assert stand_in.asked("/register") == 1
        assert list(stand_in.components) == ["budget"]

        assert server.stop() == 0
    assert (stand_in.components, stand_in.tools) == ({}, {})
