"""`OpenAI(http_client=budget.http_client())` and its like: capped, whichever SDK, either way."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google.genai import errors as google
from tests.client.calling import sdks
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider

import tekton_budget

IN_PROCESS = pytest.mark.parametrize("opened", ["in process"], indirect=True)


def policy(budget: Any) -> Any:
    [found] = budget.status()["policies"]
    return found


def settles(budget: Any, mock: MockProvider) -> Any:
    """What is spent, once nothing is under way any more."""
    assert mock.bill.settled()
    until = time.monotonic() + 10
    while (found := policy(budget))["held"]["tokens"]:
        assert time.monotonic() < until, "a hold is left"
        time.sleep(0.01)
    return found["spent"]


def test_every_call_is_counted_as_the_provider_bills_it(
    budget: tekton_budget.Budget, mock: MockProvider
) -> None:
    budget.set_limit("1usd/day")
    for call in sdks.SYNC:
        mock.bill.clear()
        before = policy(budget)["spent"]["tokens"]
        assert call(budget), call
        assert settles(budget, mock)["tokens"] - before == sum(mock.bill.units().values()), call
        assert mock.bill.entries[0].key == sdks.KEY, call


def test_and_by_tasks(opened: Callable[..., Any], mock: MockProvider) -> None:
    async def play() -> None:
        async with opened(tekton_budget.open_async) as budget:
            await budget.set_limit("1usd/day")
            for call in sdks.ASYNC:
                assert await call(budget), call
            [found] = (await budget.status())["policies"]
        assert found["spent"]["tokens"] == sum(mock.bill.units().values())
        assert found["held"]["tokens"] == 0

    asyncio.run(play())


def test_denials_are_the_sdks_own_errors(budget: tekton_budget.Budget, mock: MockProvider) -> None:
    budget.set_limit("0usd/day")
    with pytest.raises(openai.APIStatusError) as denied:
        sdks.openai_streamed(budget)
    assert (denied.value.status_code, denied.value.code) == (402, "budget_exceeded")
    with pytest.raises(anthropic.APIStatusError, match="Over budget"):
        sdks.anthropic_whole(budget)
    with pytest.raises(google.ClientError, match="Over budget"):
        sdks.gemini_whole(budget)
    assert not mock.requests


def test_labels_of_the_budget_the_client_and_the_call(
    opened: Callable[..., Any], mock: MockProvider
) -> None:
    del mock
    odd = "Käse, 100%=alles"
    with opened(tekton_budget.open, labels={"team": odd, "feature": "x", "agent": "a"}) as budget:
        client = sdks.openai_client(budget, labels={"feature": "y", "agent": "b"})
        client.chat.completions.create(**sdks.CHAT, extra_headers={"X-Budget-Labels": "agent=c"})
        [record] = budget.usage_records()["items"]
    told = {name: record["labels"][name] for name in ("team", "feature", "agent")}
    assert told == {"team": odd, "feature": "y", "agent": "c"}


@IN_PROCESS
def test_a_label_that_is_none_is_refused_at_once(budget: tekton_budget.Budget) -> None:
    with pytest.raises(tekton_budget.InvalidInput):
        budget.http_client(labels={"no label": "x"})


def test_the_key_of_the_budget_is_the_caller_s(
    opened: Callable[..., Any], mock: MockProvider
) -> None:
    with opened(tekton_budget.open) as budget:
        key = budget.create_key("boss", role="admin")["key"]
        theirs = budget_key(budget, key, opened)
    with opened(tekton_budget.open, key=theirs) as budget:
        sdks.openai_whole(budget)
        [record] = budget.usage_records()["items"]
    assert record["labels"]["key"] == "app"
    assert record["labels"]["team"] == "search"
    assert mock.bill.entries[0].key == sdks.KEY


def budget_key(budget: Any, key: str, opened: Callable[..., Any]) -> str:
    with opened(tekton_budget.open, key=key) as boss:
        made = boss.create_key("app", role="client", labels={"team": "search"})
    return str(made["key"])


def test_room_for_five_lets_exactly_five_of_twenty_through(
    budget: tekton_budget.Budget, mock: MockProvider
) -> None:
    """Each uses all that it may: a cent a call, five of them."""
    mock.plays("gpt-4o", Scenario(tokens=1000, first_ms=20))
    budget.set_price("openai", "gpt-4o", input="0", output="10")
    budget.set_limit("0.05usd/day")
    client = sdks.openai_client(budget)

    def call(stream: bool) -> bool:
        try:
            answer = client.chat.completions.create(
                model="gpt-4o",
                messages=sdks.HELLO,
                max_completion_tokens=1000,
                stream=stream,
                extra_headers={"X-Budget-Fit": "all"},
            )
            return bool(list(answer) if stream else answer)
        except openai.APIStatusError as denied:
            assert denied.status_code in (402, 429)
            return False

    with ThreadPoolExecutor(20) as threads:
        passed = list(threads.map(call, [True, False] * 10))
    assert sum(passed) == 5
    assert len([one for one in mock.bill.entries if one.units.get("output")]) == 5
    assert policy(budget)["spent"]["cost"] == policy(budget)["allowance"]["cost"]


def test_the_first_words_are_not_held_back(
    budget: tekton_budget.Budget, mock: MockProvider
) -> None:
    mock.plays("gpt-4o", Scenario(tokens=20, token_ms=100))
    budget.set_limit("1usd/day")
    stream = sdks.openai_client(budget).chat.completions.create(**sdks.CHAT, stream=True)
    next(stream)
    assert mock.bill.open == 1
    stream.close()
    spent = settles(budget, mock)["tokens"]
    assert spent >= sum(mock.bill.units().values())
    assert mock.bill.entries[0].end == "gone"


def test_a_provider_that_breaks_off_breaks_off_for_the_client(
    budget: tekton_budget.Budget, mock: MockProvider
) -> None:
    mock.plays("gpt-4o", Scenario(tokens=20, fault="reset", at=5))
    budget.set_limit("1usd/day")
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        sdks.openai_streamed(budget)
    assert settles(budget, mock)["tokens"] >= sum(mock.bill.units().values())


def test_who_waits_too_long_is_told_so_in_its_own_words(
    budget: tekton_budget.Budget, mock: MockProvider
) -> None:
    mock.plays("gpt-4o", Scenario(tokens=5, first_ms=400))
    budget.set_limit("1usd/day")
    client = sdks.openai_client(budget)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.1).chat.completions.create(**sdks.CHAT)
    mock.plays("gpt-4o", Scenario(tokens=20, fault="stall", at=5))
    hasty = client.with_options(timeout=0.5)
    with pytest.raises((openai.APITimeoutError, httpx2.TransportError)):
        list(hasty.chat.completions.create(**sdks.CHAT, stream=True))
    assert settles(budget, mock)["tokens"] >= sum(mock.bill.units().values())


@IN_PROCESS
def test_an_address_of_no_provider_is_not_let_through(budget: tekton_budget.Budget) -> None:
    http = budget.http_client()
    client = openai.OpenAI(base_url="https://llm.example.org/v1", api_key="k", http_client=http)
    with pytest.raises(openai.NotFoundError, match="BUDGET_UPSTREAM_NAME=https://llm"):
        client.chat.completions.create(**sdks.CHAT)
    with pytest.raises(openai.APIStatusError, match="not let through"):
        client.with_options(base_url="https://api.openai.com/v1").audio.speech.create(
            model="tts-1", voice="alloy", input="hello"
        )


@IN_PROCESS
def test_a_provider_that_was_set_up_is_found_by_its_address(
    budget: tekton_budget.Budget, mock: MockProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGET_UPSTREAM_OPENAI", f"{mock.url}/v1")
    budget.set_limit("1usd/day")
    address = mock.url.replace("127.0.0.1", "localhost")
    client = sdks.openai_client(budget).with_options(base_url=f"{address}/v1")
    assert client.chat.completions.create(**sdks.CHAT).usage
    assert settles(budget, mock)["tokens"] == sum(mock.bill.units().values())


@IN_PROCESS
def test_the_demo_provider_is_there_without_a_network(budget: tekton_budget.Budget) -> None:
    budget.set_price("demo", "demo-small", input="0.1", output="0.4")
    budget.set_limit("1usd/day")
    client = sdks.openai_client(budget).with_options(base_url="https://demo.invalid/v1")
    assert client.chat.completions.create(model="demo-small", messages=sdks.HELLO).usage
    other = sdks.anthropic_client(budget).with_options(base_url="https://demo.invalid")
    assert other.messages.create(model="demo-small", messages=sdks.HELLO, max_tokens=9).usage
    assert policy(budget)["spent"]["tokens"]


def test_either_module_does(budget: tekton_budget.Budget) -> None:
    """All others go by httpx2, which is there."""
    client = sdks.openai_client(budget, module="httpx")
    assert type(client._client).__module__ == "httpx"
    assert client.chat.completions.create(**sdks.CHAT).usage
    chunks = client.chat.completions.create(**sdks.CHAT, stream=True)
    assert len(list(chunks)) > 1


def test_it_is_closed_by_itself_or_with_the_budget(opened: Callable[..., Any]) -> None:
    budget = opened(tekton_budget.open)
    with budget.http_client() as one:
        pass
    other = budget.http_client()
    assert (one.is_closed, other.is_closed) == (True, False)
    budget.close()
    assert other.is_closed
