"""What is held for a call under way is out of its client's hands: freed, it could be spent twice."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate
from tests.providers.scenario import Scenario

from tekton_budget.domain.caller import Role

BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 100,
    "stream": True,
}
PATH = "/gateway/openai/v1/chat/completions"
OF_ONE: dict[str, dict[str, object]] = {
    "release": {},
    "settle": {"input_tokens": 1, "output_tokens": 1},
    "extend": {"lifetime_seconds": 1},
}


def _under_way(gate: Gate, key: str) -> Iterator[str]:
    gate.mock.plays("gpt-4o", Scenario(tokens=100, first_ms=200))
    headers = {"authorization": "Bearer sk-theirs", "x-budget-key": key}
    with gate.http.stream("POST", PATH, json=BODY, headers=headers) as answer:
        assert answer.status_code == 200
        yield answer.headers["x-budget-allocation"]
        answer.read()


@pytest.mark.parametrize("verb", [*OF_ONE, "grow", "record", "part"])
def test_a_client_can_do_nothing_with_it(gate: Gate, verb: str) -> None:
    policy = gate.limit("1usd/day")
    key = gate.key()
    for id_ in _under_way(gate, key):
        path = f"/api/v1/allocations/{id_}/{verb}"
        body = OF_ONE.get(verb, {})
        if verb == "grow":
            path, body = path.replace("grow", "extend"), {"max_output_tokens": 5_000}
        elif verb == "record":
            path, body = "/api/v1/usage/record", {"allocation_id": id_, "cost": 0}
        elif verb == "part":
            path, body = "/api/v1/allocations", {"parent_id": id_, "cost": 0.0001}
        answer = gate.http.post(path, json=body, headers={"authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "held_by_gateway")
    assert gate.mock.bill.settled()
    assert gate.spent(policy)[0] == sum(gate.mock.bill.units().values())


def test_an_operator_may_end_it(gate: Gate) -> None:
    key, above = gate.key(), gate.key("op", Role.OPERATOR)
    for id_ in _under_way(gate, key):
        headers = {"authorization": f"Bearer {above}"}
        answer = gate.http.post(f"/api/v1/allocations/{id_}/release", json={}, headers=headers)
        assert answer.json().get("code") != "held_by_gateway"
