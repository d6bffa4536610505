"""When we break down ourselves: killed, without our store, or merely at work for very long."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from tests.frontends.gateway.conftest import PRICES, gating
from tests.frontends.gateway.exact.bills import billed, settled
from tests.frontends.gateway.exact.crowd import asked, path_of
from tests.frontends.gateway.exact.servers import Servers
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider
from tests.storage.proxy import Proxy

from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls import admitting, ending
from tekton_budget.settings import load_settings
from tekton_budget.storage import batch
from tekton_budget.storage.clock import host_now_us
from tekton_budget.wiring import Running, open_service

OURS = {"authorization": "Bearer sk-theirs"}
HOLD = 177 * 2_500 + 64 * 10_000


@contextmanager
def under_way(url: str, mock: MockProvider, *, stream: bool, count: int = 1) -> Iterator[list[int]]:
    """Calls that have reached the provider; their statuses once the block has ended."""
    statuses: list[int] = []

    def call() -> None:
        try:
            body = asked(most=64, stream=stream)
            answer = httpx.post(url + path_of("openai"), json=body, headers=OURS, timeout=20)
            statuses.append(answer.status_code)
        except httpx.TransportError:
            statuses.append(0)

    before = mock.bill.reached
    callers = [threading.Thread(target=call) for _ in range(count)]
    for one in callers:
        one.start()
    give_up_at = time.monotonic() + 10
    while mock.bill.reached < before + count and time.monotonic() < give_up_at:
        time.sleep(0.005)
    yield statuses
    for one in callers:
        one.join()


def test_killed_with_calls_in_flight(servers: Servers, sqlite_url: str, mock: MockProvider) -> None:
    """What was settled stays so; what was in flight is charged once its time is over."""
    settings = load_settings(database_url=sqlite_url, expire_seconds=0.1)
    with open_service(settings) as running:
        for (seller, model), rates in PRICES.items():
            running.service.prices.set_price(LOCAL, seller, model, {"rates": rates})
        made = running.service.policies.create_policy(LOCAL, {"limit": "1usd/day"})
    policy = made.policy.policy_id
    upstreams = {"openai": f"{mock.url}/v1"}
    [server] = servers.start(database_url=sqlite_url, upstreams=upstreams, log_level="WARNING")
    assert httpx.post(server.url + path_of("openai"), json=asked(most=64), headers=OURS).is_success
    [entry] = mock.bill.entries
    mock.default = Scenario(first_ms=5_000)
    with under_way(server.url, mock, stream=False, count=3) as statuses:
        server.kill()
    assert statuses == [0, 0, 0]

    def later() -> int:
        return host_now_us() + 200_000_000

    with open_service(settings, clock=later, background=True) as running:
        give_up_at = time.monotonic() + 10
        while (stands := _stands(running, policy))[1]:
            assert time.monotonic() < give_up_at, "what was in flight never ends"
            time.sleep(0.02)
        assert stands == (billed(entry) + 3 * HOLD, 0)


def _stands(running: Running, policy: str) -> tuple[int, int]:
    [view] = running.service.standings.of_policy(LOCAL, policy).items
    return view.spent[1], view.held[1]


@pytest.mark.parametrize("how", ["whole", "stream", "refused"])
def test_a_store_that_is_away_when_a_call_ends(
    postgres_url: str, mock: MockProvider, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The answer is handed over; it is settled, or released, when the store is back."""
    monkeypatch.setattr(batch, "AWAY_SECONDS", 0.1)
    monkeypatch.setattr(ending, "AWAITED_SECONDS", 0.1)
    monkeypatch.setattr(ending, "_RETRY_SECONDS", (0.05,) * 200)
    proxy = Proxy(postgres_url)
    try:
        with gating(proxy.url, mock) as gate:
            policy = gate.limit("1usd/day")
            mock.default = Scenario(first_ms=150, tokens=9)
            if how == "refused":
                mock.default = Scenario(usage="none", fault="close", first_ms=150)
            with under_way(gate.url, mock, stream=how == "stream") as statuses:
                proxy.down()
            assert statuses == [502 if how == "refused" else 200]
            proxy.up()
            settled(gate, policy)

            [entry] = mock.bill.entries
            cost = 177 * 2_500 if how == "refused" else billed(entry)
            assert gate.spent(policy)[1] == cost
    finally:
        proxy.close()


def test_a_long_stream_is_kept_alive(
    sqlite_url: str, mock: MockProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of half an hour outlives its hold 15 times: here of a second. One command for all."""
    monkeypatch.setattr(admitting, "LIFETIME_SECONDS", 1)
    monkeypatch.setattr(ending, "LIFETIME_SECONDS", 1)
    monkeypatch.setattr(ending, "EXTEND_SECONDS", 0.4)
    commands: list[int] = []
    keep_alive = LedgerVerbs.keep_alive

    def counted(self: LedgerVerbs, keys: Sequence[tuple[str, str]], seconds: int) -> Any:
        commands.append(len(keys))
        return keep_alive(self, keys, seconds)

    monkeypatch.setattr(LedgerVerbs, "keep_alive", counted)
    with gating(sqlite_url, mock, expire_seconds=0.1) as gate:
        policy = gate.limit("1usd/day")
        mock.default = Scenario(tokens=40, token_ms=60)
        with under_way(gate.url, mock, stream=True, count=4) as statuses:
            held = gate.spent(policy)
        settled(gate, policy)

        assert statuses == [200] * 4
        assert held[3] == 4 * HOLD
        assert commands[:5] == [4] * 5
        assert len(commands) <= 8
        assert gate.spent(policy)[1] == sum(map(billed, mock.bill.entries))


def test_a_call_that_expired_after_all_is_settled_to_its_usage(
    sqlite_url: str, mock: MockProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The charge at its expiry is an estimate, which the measured usage takes back."""
    monkeypatch.setattr(admitting, "LIFETIME_SECONDS", 1)
    with gating(sqlite_url, mock, expire_seconds=0.1) as gate:
        policy = gate.limit("1usd/day")
        mock.default = Scenario(tokens=20, first_ms=1_500)
        with under_way(gate.url, mock, stream=False):
            pass
        settled(gate, policy)

        assert gate.spent(policy)[1] == sum(map(billed, mock.bill.entries))
