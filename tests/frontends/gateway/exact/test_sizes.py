"""How large a call may be: what fits by the provider's count is let through, else less, else a ladder."""

import base64
import struct
from collections.abc import Callable

import httpx
import pytest
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.crowd import Json, asked, path_of
from tests.providers.scenario import Scenario

from tekton_budget.domain.caller import LOCAL, Role

THEIRS = {"authorization": "Bearer sk-theirs", "anthropic-version": "2023-06-01"}
LONG = "word " * 1_000
COUNTS = {"anthropic": "anthropic.count", "gemini": "gemini.count", "responses": "openai.count"}
# By the count of 1,250 tokens it fits, by its 5,000 bytes it does not.
TIGHT = {"anthropic": "0.008", "gemini": "0.0011", "responses": "0.006"}


def talk(api: str, *texts: str, most: int = 64) -> Json:
    """A conversation: the user and the model by turns."""
    body = asked(api, most=most)
    own = "model" if api == "gemini" else "assistant"
    turns = [("user" if it % 2 == 0 else own, text) for it, text in enumerate(texts)]
    if api == "gemini":
        return {**body, "contents": [{"role": r, "parts": [{"text": t}]} for r, t in turns]}
    field = "input" if api == "responses" else "messages"
    return {**body, field: [{"role": role, "content": text} for role, text in turns]}


def post(gate: Gate, api: str, body: Json, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return gate.http.post(path_of(api), json=body, headers={**THEIRS, **given})


@pytest.mark.parametrize("api", COUNTS)
def test_what_fits_by_the_provider_s_count_is_let_through(gate: Gate, api: str) -> None:
    gate.limit(f"{TIGHT[api]}usd/day")
    answer = post(gate, api, talk(api, LONG))

    assert answer.is_success, answer.text
    assert "x-budget-clamped" not in answer.headers
    assert gate.mock.bill.reached_by_api[COUNTS[api]] == 1


@pytest.mark.parametrize("api", COUNTS)
def test_the_count_is_not_asked_for_where_it_cannot_help(gate: Gate, api: str) -> None:
    gate.limit("0usd/day")
    assert post(gate, api, talk(api, LONG)).status_code == 402
    assert not gate.mock.requests


@pytest.mark.parametrize("api", COUNTS)
def test_what_was_measured_bounds_what_goes_on_from_it(gate: Gate, api: str) -> None:
    """The second call of a conversation needs no count: of its beginning one is known."""
    gate.mock.default = Scenario(tokens=4)
    gate.limit("1usd/day", scope={"model": "!x"}, name="wide")
    assert post(gate, api, talk(api, LONG)).is_success
    gate.limit(f"{float(TIGHT[api]) + 0.004:.4f}usd/day", name="tight")
    gate.mock.bill.clear()
    answer = post(gate, api, talk(api, LONG, "yes", "more"))

    assert answer.is_success, answer.text
    assert gate.mock.bill.reached == 1


@pytest.mark.parametrize(("cached", "status"), [(False, 200), (True, 402)])
def test_the_rate_of_cache_writes_counts_only_where_asked_for(
    gate: Gate, status: int, *, cached: bool
) -> None:
    gate.mock.default = Scenario(bytes_per_token=1)
    gate.limit("0.0175usd/day")
    body = talk("anthropic", LONG)
    if cached:
        text = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
        body["messages"] = [{"role": "user", "content": [text]}]

    assert post(gate, "anthropic", body, x_budget_fit="all").status_code == status


def test_less_output_is_asked_for_and_said(gate: Gate) -> None:
    gate.limit("0.0015usd/day")  # 8 tokens of input, as counted, and 148 of output
    assert post(gate, "openai", asked(most=400), x_budget_fit="all").status_code == 402
    answer = post(gate, "openai", asked(most=400))

    assert answer.headers["x-budget-clamped"] == "148 of 400"
    assert b'"max_completion_tokens":148' in gate.mock.requests[-1].body


def test_thinking_is_clamped_with_the_maximum(gate: Gate) -> None:
    gate.limit("0.03usd/day")
    body = asked("anthropic", most=4_000)
    body["thinking"] = {"type": "enabled", "budget_tokens": 3_000}
    answer = post(gate, "anthropic", body)

    assert answer.is_success, answer.text
    [sent] = [request.json() for request in gate.mock.requests if b"max_tokens" in request.body]
    assert answer.headers["x-budget-clamped"] == f"{sent['max_tokens']} of 4000"
    assert 1_024 <= sent["thinking"]["budget_tokens"] < sent["max_tokens"] < 2_000


def test_thinking_that_cannot_be_clamped_is_denied(gate: Gate) -> None:
    gate.limit("0.014usd/day")
    body = asked("anthropic", most=4_000)
    body["thinking"] = {"type": "enabled", "budget_tokens": 3_000}

    assert post(gate, "anthropic", body).status_code == 402


def test_a_policy_may_say_how_much_who_says_nothing_gets(gate: Gate) -> None:
    gate.limit("1usd/day", default_output_tokens=20)
    assert post(gate, "openai", asked()).is_success
    assert b'"max_completion_tokens":20' in gate.mock.requests[-1].body


def png() -> str:
    size = struct.pack(">II", 64, 64)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + size).decode()


PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
NEEDS: dict[str, tuple[Json, str, str | None]] = {
    "text": ({}, "gpt-3.5-turbo", "4096 of 5000"),
    "tools": ({"tools": [TOOL]}, "gpt-3.5-turbo", "4096 of 5000"),
    "picture": ({"messages": [{"role": "user", "content": [PICTURE]}]}, "gpt-4o-mini", None),
    "context": (
        {"messages": [{"role": "user", "content": LONG * 4}]},
        "gpt-4o-mini",
        None,
    ),
}


@pytest.mark.parametrize("needs", NEEDS)
@pytest.mark.parametrize("of_key", [False, True])
def test_a_ladder_leads_to_the_first_model_that_can(
    gates: Callable[..., Gate], needs: str, *, of_key: bool
) -> None:
    gate = gates(prices="embedded", upstream_keys={"openai": "sk-own"})
    ladder = ["gpt-4o", "gpt-3.5-turbo", "gpt-4o-mini"]
    headers = {}
    if of_key:
        keys = gate.running.service.keys
        key = keys.create_key(LOCAL, "app", role=Role.CLIENT, ladder=ladder)
        headers["authorization"] = f"Bearer {key.secret}"
    gate.limit("0.02usd/day", **({} if of_key else {"ladder": ladder}))
    more, model, clamped = NEEDS[needs]
    answer = post(gate, "openai", {**asked(most=5_000), **more}, **headers)

    assert answer.is_success, answer.text
    assert answer.headers["x-budget-model"] == model
    assert answer.json()["model"] == model
    assert answer.headers.get("x-budget-clamped") == clamped
    assert gate.mock.bill.entries[-1].model == model


def test_what_fits_is_not_swapped(gate: Gate) -> None:
    gate.limit("1usd/day", ladder=["gpt-4o-mini"])
    answer = post(gate, "openai", asked(most=50))

    assert "x-budget-model" not in answer.headers
    assert answer.json()["model"] == "gpt-4o"
