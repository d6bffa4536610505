"""A call that another model answers is bounded as that model counts it, or goes to the next."""

from typing import Any

import pytest
from tests.frontends.gateway.conftest import Gate
from tests.providers.scenario import Scenario

from tekton_budget.service.calls import ceilings
from tekton_budget.service.calls.ceilings import Ceiling

PICTURE = "https://pictures.example/cat.png"  # 1,445 tokens for gpt-4o, 48,169 for gpt-4o-mini


def _policy(gate: Gate, limit: str, *ladder: str) -> str:
    return gate.limit(limit, ladder=list(ladder))


def _ask(gate: Gate, body: dict[str, Any]) -> Any:  # Any: JSON
    path = "/gateway/openai/v1/chat/completions"
    return gate.http.post(path, json=body, headers={"authorization": "Bearer sk-theirs"})


def test_a_text_that_does_not_fit_goes_to_the_next_model(gate: Gate) -> None:
    policy = _policy(gate, "0.005usd/day", "gpt-4o-mini")
    gate.mock.plays("gpt-4o-mini", Scenario(tokens=20))
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 2000,
    }
    answer = _ask(gate, body)
    assert answer.headers["x-budget-model"] == answer.json()["model"] == "gpt-4o-mini"
    assert gate.spent(policy)[3] == 0


def test_a_picture_is_bounded_by_the_model_that_will_see_it(gate: Gate) -> None:
    """The smaller model counts 33 times as many tokens for it: 0.0073 USD, where 0.005 are left."""
    _policy(gate, "0.005usd/day", "gpt-4o-mini")
    said = {"type": "image_url", "image_url": {"url": PICTURE}}
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": [said]}],
        "max_tokens": 100,
        "n": 4,
    }
    answer = _ask(gate, body)
    assert "x-budget-model" not in answer.headers


def test_what_the_provider_finds_by_itself_counts_in_the_next_model_too(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may fill the context window of 128,000 tokens: 0.0192 USD, where 0.01 are there."""
    monkeypatch.setattr(ceilings, "_looked_up", lambda *_: Ceiling(128_000, 16_384))
    policy = _policy(gate, "0.01usd/day", "gpt-4o-mini")
    file = {"type": "file", "file": {"file_id": "file-1"}}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": [file]}], "max_tokens": 10}
    answer = _ask(gate, body)
    assert answer.status_code == 402
    assert gate.spent(policy) == (0, 0, 0, 0)


@pytest.mark.parametrize("next_one", ["gpt-4o-mini:online", "gpt-unheard-of"])
def test_a_model_without_a_bound_is_passed_over(gate: Gate, next_one: str) -> None:
    _policy(gate, "0.005usd/day", next_one, "gpt-4o-mini")
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 2000,
    }
    answer = _ask(gate, body)
    assert answer.headers["x-budget-model"] == "gpt-4o-mini"
