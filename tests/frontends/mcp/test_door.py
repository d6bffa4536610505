"""Who is let in at /mcp, with how much, for how long, and how it ends."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError
from tests.frontends.mcp.conftest import (
    ALONE,
    ERAS,
    Service,
    done,
    over_http,
    over_streams,
    serving,
    until,
)
from tests.keeper import warm_program
from tests.server.test_serving import running as server_process

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.frontends.mcp import door

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "a client", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


def asked(service: Service, body: Any = HELLO, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with httpx.Client(timeout=60) as http:
        return http.post(f"{service.url}/mcp", content=content, headers={**ACCEPT, **named})


def test_a_key_is_needed_as_everywhere(service: Service) -> None:
    assert asked(service).status_code == 200
    key = service.key("a", team="a")

    refused = asked(service)

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "tekton-budget keys create" in refused.json()["error"]["message"]
    assert asked(service, authorization="Bearer nonsense").status_code == 401
    assert asked(service, authorization=f"Bearer {key}").status_code == 200
    assert asked(service, x_api_key=key).status_code == 200


def test_other_hosts_proxies_and_pages_are_turned_away(service: Service) -> None:
    codes = {
        "foreign_host": asked(service, host="evil.example"),
        "proxied": asked(service, x_forwarded_for="1.2.3.4"),
        "foreign_origin": asked(service, origin="http://evil.example"),
    }

    for code, answer in codes.items():
        assert answer.status_code == 403, code
        assert answer.json()["error"]["data"]["code"] == code
    assert asked(service, origin="http://localhost:1234").status_code == 200
    key = service.key("a")
    page = asked(service, origin="http://evil.example", x_api_key=key)
    assert page.status_code == 403
    read = httpx.get(f"{service.url}/mcp", headers={"origin": "http://evil.example"})
    assert read.status_code == 403


def test_configured_pages_may_ask_and_read_the_session(sqlite_url: str) -> None:
    page = "https://page.example"
    with serving(sqlite_url, cors_origins=(page,)) as service:
        wanted = "mcp-session-id,mcp-protocol-version,authorization,content-type"
        before = httpx.options(
            f"{service.url}/mcp",
            headers={
                "Origin": page,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": wanted,
            },
        )
        answer = asked(service, origin=page)
        other = httpx.options(
            f"{service.url}/mcp",
            headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
        )

    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == page
    assert answer.headers["access-control-allow-origin"] == page
    assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]
    assert "mcp-session-id" in answer.headers
    assert "access-control-allow-origin" not in other.headers


def test_a_session_belongs_to_the_key_that_opened_it(service: Service) -> None:
    key_a, key_b = service.key("a", team="a"), service.key("b", team="b")
    session = asked(service, x_api_key=key_a).headers["mcp-session-id"]

    assert asked(service, PING, x_api_key=key_a, mcp_session_id=session).status_code == 200
    assert asked(service, PING, x_api_key=key_b, mcp_session_id=session).status_code == 404
    assert asked(service, PING, x_api_key=key_a, mcp_session_id="0" * 32).status_code == 404
    service.running.service.keys.revoke_key(LOCAL, "a")
    service.port.api.state.doorkeeper.forget()
    assert asked(service, PING, x_api_key=key_a, mcp_session_id=session).status_code == 401


def test_bodies_and_sessions_are_bounded(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SESSIONS_MAX", 2)
    monkeypatch.setattr(door, "IDLE_SECONDS", 0.5)
    with serving(sqlite_url) as service:
        large = json.dumps({**PING, "params": {"_meta": {"x": "y" * door.BODY_MAX}}}).encode()
        assert asked(service, large).status_code == 413
        assert asked(service, b"{").status_code == 400
        assert [asked(service).status_code for _ in range(3)] == [200, 200, 503]
        done(until(lambda: asked(service).status_code == 200))  # the idle ones were closed


def test_sessions_that_others_make_up_let_none_forget(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "SESSIONS_MAX", 3)

    async def story(service: Service, key_a: str, key_b: str) -> None:
        async with over_http(service, key=key_a) as client:
            for _ in range(2):
                latest = await client.data("allocate", cost=0.1)
            for number in range(4):
                made_up = {"mcp_session_id": f"{number:032x}", "x_api_key": key_b}
                assert (await asyncio.to_thread(asked, service, PING, **made_up)).status_code == 404
            settled = await client.data("settle", cost=0.1)
            assert settled["allocation_id"] == latest["allocation_id"]

    with serving(sqlite_url) as service:
        done(story(service, service.key("a", team="a"), service.key("b", team="b")))


def test_it_can_be_turned_off(sqlite_url: str) -> None:
    with serving(sqlite_url, mcp_enabled=False) as service:
        assert asked(service).status_code == 404


def test_calls_are_counted_and_nothing_of_the_sdk_is_loaded_before_the_first(
    tmp_path: Path, sqlite_url: str
) -> None:
    code = (
        "import sys, tekton_budget.frontends.port, tekton_budget.frontends.cli;"
        "print('mcp.server' in sys.modules or 'mcp_types' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
    with serving(sqlite_url) as service:
        asked(service)
        metrics = httpx.get(f"{service.url}/metrics").text
    assert 'route="/mcp"' in metrics


@pytest.mark.parametrize("era", ERAS)
def test_open_streams_end_when_the_server_stops(sqlite_url: str, era: str) -> None:
    """The server of these tests waits without end for streams that do not."""
    ended: list[str] = []

    async def story(service: Service, opened: asyncio.Event) -> None:
        async with over_http(service, era) as client:
            if era == ALONE:
                uris = ["budget://status"]
                async with client.client.listen(resource_subscriptions=uris) as stream:
                    opened.set()
                    async for _ in stream:
                        pass
                    ended.append("in order")
            else:
                await client.says("budget_status")
                opened.set()
                await asyncio.Event().wait()

    async def whole() -> None:
        opened = asyncio.Event()
        with serving(sqlite_url) as service:
            task = asyncio.create_task(story(service, opened))
            await asyncio.wait_for(opened.wait(), 30)
            assert service.port is not None
            loop = service.port.mcp._opening.get_loop()
            stopping = asyncio.run_coroutine_threadsafe(service.port.stop(), loop)
            await asyncio.wrap_future(stopping)
            if era == ALONE:
                await asyncio.wait_for(task, 30)
            late = await asyncio.to_thread(asked, service)
            assert late.status_code == 503
            # What follows waits for the server to end while the client still listens.
            await asyncio.to_thread(lambda: None)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    done(whole())
    assert ended == (["in order"] if era == ALONE else [])


def test_a_stream_ends_when_its_key_is_revoked_or_nobody_follows_any_more(
    service: Service,
) -> None:
    service.limit("1usd/day")
    keys = {name: service.key(name) for name in ("first", "second")}

    async def story() -> None:
        for name, key in keys.items():
            async with over_http(service, ALONE, key=key) as client:
                uris = ["budget://status"]
                async with client.client.listen(resource_subscriptions=uris) as stream:
                    await client.data("allocate", cost=0.1)
                    async with asyncio.timeout(20):
                        assert (await anext(stream)).uri == "budget://status"
                    if name == "first":
                        revoke = service.running.service.keys.revoke_key
                        await asyncio.to_thread(revoke, LOCAL, name)
                    else:
                        hub = service.port.api.state.hub
                        loop = service.port.mcp._opening.get_loop()
                        asyncio.run_coroutine_threadsafe(hub.close(), loop)
                    async with asyncio.timeout(20):
                        assert [one async for one in stream] == []

    done(story())


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
def test_once_nothing_is_watched_nothing_is_looked_at(service: Service) -> None:
    service.limit("1usd/day", name="cap")
    hub = service.port.api.state.hub

    async def story() -> None:
        async with over_http(service) as client:
            await client.client.subscribe_resource("balance://cap")
            assert hub.is_looking
            await client.client.unsubscribe_resource("balance://cap")
            await until(lambda: not hub.is_looking)
            with pytest.raises(MCPError, match="nobody"):
                await client.client.subscribe_resource("balance://nobody")
            await until(lambda: not hub.is_looking)

    done(story())


@pytest.mark.parametrize("era", ERAS)
def test_a_cancelled_ask_holds_nothing(service: Service, era: str) -> None:
    service.limit("1usd/day", name="cap")

    async def story() -> None:
        async with over_http(service, era) as client:
            first = await client.data("allocate", cost=1)
            waiting = asyncio.create_task(client.call("allocate", cost=1, wait_seconds=20))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await asyncio.sleep(0.5)
            await client.data("release", allocation_id=first["allocation_id"])
            face = service.face()
            await asyncio.sleep(0.5)
            active = await face.allocations(is_active=True)
            assert active["items"] == []
            assert (await client.call("allocate", cost=1)).is_error is False

    done(story())


def test_what_a_killed_client_held_ends_by_its_time(service: Service) -> None:
    service.limit("1usd/day", name="cap")
    main = "from tekton_budget.frontends.cli import main; main()"
    database = service.running.settings.database_url
    ask = {"name": "allocate", "arguments": {"cost": 1, "lifetime_seconds": 2}}
    with subprocess.Popen(
        [sys.executable, "-c", main, "mcp", "--database-url", database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for line in (HELLO, INITIALIZED, {**PING, "method": "tools/call", "params": ask}):
            client.stdin.write(json.dumps(line) + "\n")
        client.stdin.flush()
        client.stdout.readline()
        granted = json.loads(client.stdout.readline())["result"]
        client.kill()
    assert granted["isError"] is False

    async def story() -> None:
        async with over_http(service) as other:
            assert (await other.call("allocate", cost=1)).is_error
            assert not (await other.call("allocate", cost=1, wait_seconds=20)).is_error

    done(story())


def test_standard_output_carries_the_protocol_only(tmp_path: Path) -> None:
    """Whatever is logged goes to standard error: the client reads every line as JSON."""
    call = {**PING, "method": "tools/call", "params": {"name": "budget_status"}}
    program = [*warm_program(), "mcp", "--database-url", f"sqlite:///{tmp_path}/b.db"]
    said = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert said.stdin is not None
    assert said.stdout is not None
    for line in (HELLO, INITIALIZED, call):
        said.stdin.write(json.dumps(line) + "\n")
    said.stdin.write("no json at all\n")
    said.stdin.flush()
    answers = [json.loads(said.stdout.readline()) for _ in range(2)]
    rest, _ = said.communicate(timeout=60)
    assert [one["id"] for one in answers] == [1, 2]
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert said.returncode == 0


def test_without_a_server_the_address_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        where = {"BUDGET_URL": "http://127.0.0.1:9"}
        async with over_streams(ALONE, folder=tmp_path, **where) as client:
            assert "No server answers at http://127.0.0.1:9" in await client.denied("budget_status")
            with pytest.raises(MCPError, match="No server answers"):
                await client.client.read_resource("budget://status")

    done(story())


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
def test_several_processes_serve_one_client(tmp_path: Path, postgres_url: str, era: str) -> None:
    """Each request may come to another worker: nothing of it lives in one alone."""
    with server_process(
        tmp_path / "s", database_url=postgres_url, workers=2, cors_origins=[]
    ) as server:
        server.http.post("/api/v1/policies", json={"limit": "1usd/day", "name": "cap"})
        service = Service(running=None, url=server.url)

        async def story() -> None:
            async with over_http(service, era) as client:
                for _ in range(6):
                    await client.data("allocate", cost=0.1)
                    await client.data("settle", cost=0.1)
                assert (await client.says("budget_status")).startswith("$0.40 of $1.00 left")
                if era == ALONE:
                    uris = ["budget://status"]
                    async with client.client.listen(resource_subscriptions=uris) as stream:
                        await client.data("allocate", cost=0.1)
                        async with asyncio.timeout(20):
                            assert (await anext(stream)).uri == "budget://status"
                else:
                    assert client.client.server_capabilities.resources.subscribe is False

        done(story())
        assert server.stop() == 0, server.log.read_text()


def test_a_viewer_reads(service: Service) -> None:
    service.limit("1usd/day", name="cap")
    key = service.key("v", Role.VIEWER)

    async def story() -> None:
        async with over_http(service, key=key) as client:
            assert (await client.says("budget_status")).startswith("$1.00 of $1.00 left")

    done(story())
