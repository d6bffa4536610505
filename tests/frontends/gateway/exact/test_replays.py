"""A retry is told from a new try by its idempotency key: what was paid for is not bought twice."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.bills import billed
from tests.frontends.gateway.exact.crowd import Json, asked, path_of
from tests.providers.scenario import Scenario

from tekton_budget.domain.caller import LOCAL
from tekton_budget.frontends.gateway import replays

SHAPES: dict[str, Callable[[Json], object]] = {
    "openai": lambda told: told["error"]["code"],
    "anthropic": lambda told: told["error"]["details"]["code"],
    "gemini": lambda told: told["error"]["details"][0]["reason"].lower(),
}


def ask(
    gate: Gate, key: str | None, api: str = "openai", *, text: str = "hello", who: str = "sk-theirs"
) -> httpx.Response:
    body = json.loads(json.dumps(asked(api, most=64)).replace("hello", text))
    headers = {"authorization": f"Bearer {who}", "anthropic-version": "2023-06-01"}
    if key is not None:
        headers["idempotency-key"] = key
    return gate.http.post(path_of(api), json=body, headers=headers)


def test_one_upstream_call_is_charged_once_and_two_twice(gate: Gate) -> None:
    policy = gate.limit("1usd/day")
    first, again, other, none = (ask(gate, key) for key in ("k1", "k1", "k2", None))

    assert first.content == again.content
    assert again.headers["x-budget-replayed"] == "true"
    assert again.headers["x-budget-allocation"] == first.headers["x-budget-allocation"]
    assert "x-budget-replayed" not in first.headers
    assert len({first.json()["id"], other.json()["id"], none.json()["id"]}) == 3
    assert len(gate.mock.bill.entries) == 3
    assert gate.spent(policy)[1] == sum(map(billed, gate.mock.bill.entries))


def test_a_retry_while_the_first_is_under_way_waits_for_it(gate: Gate) -> None:
    gate.limit("1usd/day")
    gate.mock.default = Scenario(first_ms=100)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: ask(gate, "k"), range(5)))

    assert len({answer.content for answer in answers}) == 1
    assert len(gate.mock.bill.entries) == 1


def test_a_retry_of_one_whose_client_left_gets_its_answer(gate: Gate) -> None:
    gate.limit("1usd/day")
    gate.mock.default = Scenario(first_ms=150)
    headers = {"authorization": "Bearer sk-theirs", "idempotency-key": "k"}
    with pytest.raises(httpx.ReadTimeout):
        gate.http.post(path_of("openai"), json=asked(most=64), headers=headers, timeout=0.05)

    assert ask(gate, "k").is_success
    assert len(gate.mock.bill.entries) == 1


@pytest.mark.parametrize("api", SHAPES)
def test_another_request_under_the_key_is_refused(gate: Gate, api: str) -> None:
    gate.limit("1usd/day")
    assert ask(gate, "k", api).is_success
    refused = ask(gate, "k", api, text="other")

    assert refused.status_code == 409
    assert refused.headers["x-should-retry"] == "false"
    assert SHAPES[api](refused.json()) == "idempotency_mismatch"
    assert len(gate.mock.bill.entries) == 1


def test_keys_of_others_are_others(gates: Callable[..., Gate]) -> None:
    gate = gates(upstream_keys={"openai": "sk-own"})
    gate.limit("1usd/day")
    one, two = gate.key("one"), gate.key("two")
    for who in (one, two, one):
        assert ask(gate, "k", who=who, text=who).is_success

    assert len(gate.mock.bill.entries) == 2


@pytest.mark.parametrize("fault", [{"fault": "status", "status": 500}, {"fault": "reset"}])
def test_what_failed_is_tried_anew(gate: Gate, fault: Json) -> None:
    gate.limit("1usd/day")
    gate.mock.plays("gpt-4o", Scenario(**fault), Scenario())

    assert ask(gate, "k").status_code >= 500
    assert ask(gate, "k").status_code == 200


def test_a_denial_is_judged_anew(gate: Gate) -> None:
    none = gate.limit("0usd/day")
    assert ask(gate, "k").status_code == 402
    gate.running.service.policies.change_policy(LOCAL, none, {"limit": "1usd"})

    assert ask(gate, "k").status_code == 200


def test_a_stream_is_a_call_of_its_own(gate: Gate) -> None:
    gate.limit("1usd/day")
    headers = {"authorization": "Bearer sk-theirs", "idempotency-key": "k"}
    for _ in range(2):
        body = asked(most=64, stream=True)
        assert gate.http.post(path_of("openai"), json=body, headers=headers).is_success

    assert len(gate.mock.bill.entries) == 2


@pytest.mark.parametrize(
    ("bound", "value"), [("KEPT_MAX", 2), ("BYTES_MAX", 1_500), ("KEPT_SECONDS", -1)]
)
def test_what_is_kept_is_bounded(
    gate: Gate, bound: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, bound, value)
    gate.limit("1usd/day")
    for key in ("a", "b", "c", "a"):
        assert ask(gate, key).is_success

    assert len(gate.mock.bill.entries) == 4


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_a_length(gate: Gate, key: str) -> None:
    assert ask(gate, key).status_code == 422
