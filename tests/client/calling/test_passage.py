"""The gateway in this process: whoever asks may go, forget, wait or fork; every call is settled."""

import asyncio
import gc
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from tests.client.calling import sdks
from tests.client.calling.test_sdks import settles
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider

import tekton_budget
from tekton_budget.library import passage
from tekton_budget.library.loops import LoopThread
from tekton_budget.library.passage import END, Broken, Crossing, Head, Passage

pytestmark = pytest.mark.usefixtures("upstreams")
SLOW = Scenario(tokens=50, token_ms=50)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'passage.db'}"


@pytest.fixture
def budget(url: str) -> Iterator[tekton_budget.Budget]:
    with tekton_budget.open(database_url=url) as one:
        one.set_price("openai", "gpt-4o", input="2.5", output="10")
        one.set_limit("1usd/day")
        yield one


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    one = LoopThread("test")
    yield one
    if not one.is_closed:
        one.close()


def billed(mock: MockProvider) -> int:
    return sum(mock.bill.units().values())


def test_a_stream_that_is_forgotten_ends_too(
    budget: tekton_budget.Budget, mock: MockProvider
) -> None:
    mock.plays("gpt-4o", SLOW)
    stream = sdks.openai_client(budget).chat.completions.create(**sdks.CHAT, stream=True)
    del stream
    gc.collect()
    assert settles(budget, mock)["tokens"] >= billed(mock)
    assert mock.bill.entries[0].end == "gone"


def test_a_stream_under_way_is_billed_when_the_budget_is_closed(
    budget: tekton_budget.Budget, mock: MockProvider, url: str
) -> None:
    mock.plays("gpt-4o", SLOW)
    stream = sdks.openai_client(budget).chat.completions.create(**sdks.CHAT, stream=True)
    next(stream)
    budget.close()
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)) as broken:
        list(stream)
    assert "was closed" in str(broken.value.__cause__ or broken.value)
    with tekton_budget.open(database_url=url) as again:
        assert settles(again, mock)["tokens"] >= billed(mock) > 0
        assert mock.bill.entries[0].end == "gone"
        with pytest.raises(openai.InternalServerError, match="was closed"):
            sdks.openai_whole(budget)


def test_tasks_of_several_event_loops_may_ask_and_go(
    budget: tekton_budget.Budget, mock: MockProvider, url: str
) -> None:
    """One is given up, one stream is left open by a loop that ends; another loop goes on."""
    mock.plays("gpt-4o", Scenario(tokens=10, token_ms=50), SLOW)
    shared = tekton_budget.open_async(database_url=url)
    http = shared.http_client()
    client = openai.AsyncOpenAI(api_key="k", max_retries=0, http_client=http)

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.chat.completions.create(**sdks.CHAT)

    async def left_open() -> Any:
        stream = await client.chat.completions.create(**sdks.CHAT, stream=True)
        await anext(aiter(stream))
        return stream

    asyncio.run(given_up())
    stream = asyncio.run(left_open())
    mock.plays("gpt-4o", Scenario())
    assert asyncio.run(sdks.async_openai_whole(shared))
    del stream
    gc.collect()
    assert settles(budget, mock)["tokens"] >= billed(mock)
    asyncio.run(shared.close())
    assert http.is_closed


def test_a_task_that_waits_too_long_is_told_so_in_its_own_words(
    budget: tekton_budget.Budget, mock: MockProvider, url: str
) -> None:
    mock.plays("gpt-4o", Scenario(tokens=20, fault="stall", at=5))

    async def play() -> None:
        async with tekton_budget.open_async(database_url=url) as shared:
            http = shared.http_client()
            client = openai.AsyncOpenAI(api_key="k", timeout=0.5, max_retries=0, http_client=http)
            with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
                async for _ in await client.chat.completions.create(**sdks.CHAT, stream=True):
                    pass

    asyncio.run(play())
    assert settles(budget, mock)["tokens"] >= billed(mock)


def test_a_fork_is_told_to_open_its_own(
    budget: tekton_budget.Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(openai.InternalServerError, match="after the fork"):
        sdks.openai_whole(budget)
    monkeypatch.undo()


def test_a_key_of_ours_as_the_client_s_own_is_its_caller(
    budget: tekton_budget.Budget, mock: MockProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the provider's key comes from where this installation has it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-installed")
    key = str(budget.create_key("app", role="client", labels={"team": "search"})["key"])
    client = sdks.openai_client(budget).with_options(api_key=key)
    client.chat.completions.create(**sdks.CHAT)
    assert mock.bill.entries[0].key == "sk-installed"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key=key[:-1] + "~").chat.completions.create(**sdks.CHAT)


def test_a_slow_reader_is_waited_for(loop: LoopThread) -> None:
    size, count = passage.UNREAD_MAX // 4, 20
    parts: list[Any] = []
    came = threading.Semaphore(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(count):
            await send({"type": "http.response.body", "body": bytes(size), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def hand(part: Any) -> None:
        parts.append(part)
        came.release()

    crossing = Passage(app, loop).start({}, b"", hand)  # type: ignore[arg-type]  # no gateway
    for _ in range(6):
        assert came.acquire(timeout=5)
    assert not came.acquire(timeout=0.05), "it did not wait"
    for _ in range(count):
        crossing.took(bytes(size))
    for _ in range(count - 4):
        assert came.acquire(timeout=5)
    assert parts[0] == Head(200, [])
    assert parts[-1] is END
    assert len(parts) == count + 2


def test_who_has_gone_keeps_nobody_waiting(loop: LoopThread) -> None:
    ended = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"asked"
        for _ in range(20):
            body = bytes(passage.UNREAD_MAX)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        ended.set()

    Passage(app, loop).start({}, b"asked", lambda _: None).leave()  # type: ignore[arg-type]
    assert ended.wait(5)


def test_whose_event_loop_has_ended_has_gone(loop: LoopThread) -> None:
    ended = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"
        ended.set()

    def hand(part: Any) -> None:
        raise RuntimeError("Event loop is closed")

    Passage(app, loop).start({}, b"", hand)  # type: ignore[arg-type]  # no gateway
    assert ended.wait(5)


def test_a_call_that_cannot_end_is_broken_off_by_closing(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "CLOSE_SECONDS", 0.01)
    began = threading.Event()

    class Stuck:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            began.set()
            await asyncio.Event().wait()

        async def close(self) -> None:
            """Nothing to close."""

    stuck = Passage(Stuck(), loop)  # type: ignore[arg-type]  # no gateway
    stuck.start({}, b"", lambda _: None)
    assert began.wait(5)
    loop.run(stuck.close)
    parts: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stuck.start({}, b"", parts.put)
    assert parts.get(timeout=5) == Broken("this budget was closed")
    loop.close()
    with pytest.raises(tekton_budget.BudgetError, match="was closed"):
        stuck.start({}, b"", lambda _: None)


def test_what_breaks_is_told(loop: LoopThread) -> None:
    parts: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ConnectionResetError("it broke off")

    async def crossed() -> None:
        await Crossing(loop, b"", parts.append).cross(app, {})

    loop.run(crossed)
    assert parts == [Broken("it broke off")]
