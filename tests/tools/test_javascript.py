"""The official JavaScript SDKs in one journey: with all their defaults, under a cap, and over it."""

import json

import pytest
from tests.providers.scenario import Scenario
from tests.tools.conftest import Desk
from tests.tools.programs import Program

pytestmark = [pytest.mark.registry, pytest.mark.timeout(900)]
# Model, the calls that the script makes of it, and what a refusal with 402 raises.
APIS = {
    "chat": ("gpt-5.4-mini", 4, "APIError"),
    "messages": ("claude-sonnet-5", 2, "PaymentRequiredError"),
    "generate": ("gemini-2.5-flash", 2, "ApiError"),
}
each = pytest.mark.parametrize("api", APIS)


def script(api: str) -> Program:
    model = APIS[api][0]
    return Program("javascript", ("node", "by_sdks.mjs", model, api), model)


@each
def test_they_are_answered_as_without_us_and_paid_for(desk: Desk, api: str) -> None:
    desk.mock.default = Scenario(text="All is well.")
    told = desk.tried(script(api), "5")
    calls = APIS[api][1]
    assert told.code == 0, told.printed
    assert told.printed.count("All is well.") == calls
    assert told.run["calls"] == calls
    assert told.run["total_tokens"] == sum(desk.mock.bill.units().values())
    assert told.run["cost"] > 0


@each
def test_a_denial_is_raised_as_their_own_and_asked_once(desk: Desk, api: str) -> None:
    told = desk.tried(script(api), "0.000001")
    raised = json.loads(told.printed[told.printed.index("{") : told.printed.index("}") + 1])
    assert (raised["error"], raised["status"]) == (APIS[api][2], 402)
    assert told.run["refused"] == told.run["calls"] == 1
    assert "Over budget: this call " in told.printed
    assert told.code == 75
