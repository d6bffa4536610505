"""200 callers at once on a budget with room for exactly 10: 10 are let through, in every form."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.frontends.gateway.conftest import PRICES, gating
from tests.frontends.gateway.exact.crowd import asked, crowd, statuses
from tests.frontends.gateway.exact.servers import Servers
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider, provider

from tekton_budget.domain.caller import LOCAL
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

CALLERS, ROOM = 200, 10
OUTPUT = 16  # tokens that each call makes, and the fewest that a call is cut to
INPUT, OUTPUT_RATE = 2_500, 10_000  # 10⁻⁹ USD for a token
COUNTED = 8  # tokens of "hello" by the provider; their bound is 177, so the last fit by the count
_teams = itertools.count()


@dataclass
class Served:
    """Servers before one provider, and the service beside them over the same store."""

    urls: list[str]
    running: Running
    mock: MockProvider

    def room(self, nano: int) -> tuple[str, str]:
        """A team and its policy."""
        team = f"t{next(_teams)}"
        fields = {"limit": f"{nano / 1e9:.9f}usd/day", "scope": {"team": team}}
        made = self.running.service.policies.create_policy(LOCAL, fields)
        return team, made.policy.policy_id

    def stands(self, policy: str) -> tuple[int, int]:
        """10⁻⁹ USD spent and held."""
        [view] = self.running.service.standings.of_policy(LOCAL, policy).items
        return view.spent[1] or 0, view.held[1] or 0


@contextmanager
def processes(servers: Servers, url: str, count: int) -> Iterator[Served]:
    """Real servers, and the service in this process."""
    with provider() as mock, open_service(load_settings(database_url=url)) as running:
        for (seller, model), rates in PRICES.items():
            running.service.prices.set_price(LOCAL, seller, model, {"rates": rates})
        upstreams = {"openai": f"{mock.url}/v1"}
        started = servers.start(
            count, database_url=url, upstreams=upstreams, gateway_wait=30, log_level="WARNING"
        )
        yield Served([one.url for one in started], running, mock)
        for one in started:
            one.kill()


@pytest.fixture(params=["sqlite", "postgresql", "4 processes"])
def served(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Served]:
    """On SQLite in one process, on PostgreSQL in one and in four."""
    if request.param == "sqlite":
        url = request.getfixturevalue("sqlite_url")
        with provider() as mock, gating(url, mock, gateway_wait=30) as gate:
            yield Served([gate.url], gate.running, mock)
        return
    count = 4 if request.param == "4 processes" else 1
    with processes(servers, request.getfixturevalue("postgres_url"), count) as one:
        yield one


def test_200_callers_where_10_fit(served: Served) -> None:
    """Concurrency overshoot, and phantom refusals: neither one more nor one less."""
    for most, stream in itertools.product((OUTPUT, None), (False, True)):
        ten_of_200(served, most, stream=stream)


def ten_of_200(served: Served, most: int | None, *, stream: bool) -> None:
    """With a maximum or without one, whole or streamed."""
    mock = served.mock
    mock.clear()
    mock.default = Scenario(first_ms=3, tokens=OUTPUT)
    call = COUNTED * INPUT + OUTPUT * OUTPUT_RATE
    team, policy = served.room(ROOM * call + call - 1)  # after ten: too little for one more

    body = asked(most=most, stream=stream)
    told = crowd(served.urls, CALLERS, body, x_budget_labels=f"team={team}")

    assert statuses(told) == {200: ROOM, 402: CALLERS - ROOM}
    assert {one.code for one in told if one.status == 402} == {"budget_exceeded"}
    assert len([one for one in mock.bill.entries if one.units.get("output")]) == ROOM
    assert mock.bill.units() == {"input": COUNTED * ROOM, "output": OUTPUT * ROOM}
    assert served.stands(policy) == (ROOM * call, 0)
