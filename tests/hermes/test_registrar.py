"""The registrar's thread: nobody waits for it, and it ends quickly whatever Hermes does."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hermes.conftest import NAMES, PROFILE
from tests.hermes.stand_in import StandIn, hermes, served

from tekton_budget.delivery.hermes import Board, HermesState, Pace, Registrar
from tekton_budget.delivery.hermes.client import HermesClient
from tekton_budget.delivery.hermes.registrar import Clocks, Conversation

SECONDS_MAX = 30


def until(found: Callable[[], Any]) -> Any:
    give_up_at = time.monotonic() + SECONDS_MAX
    while time.monotonic() < give_up_at:
        if value := found():
            return value
        time.sleep(0.01)
    raise AssertionError("it never came to be")


async def well() -> dict[str, Any]:
    return {"healthy": True}


def registrar(url: str, timeout_seconds: float = 20.0) -> Registrar:
    client = HermesClient(url, timeout_seconds)
    return Registrar(Conversation(client, PROFILE, Pace(), well, Clocks()))


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with hermes() as one:
        one.now = time.monotonic()
        yield one


def test_it_registers_by_itself_and_takes_everything_out_at_its_end(stand_in: StandIn) -> None:
    one = registrar(stand_in.url)
    one.start()
    until(lambda: one.state().tools == 3)
    assert stand_in.names() == NAMES
    one.stop()

    assert (stand_in.components, stand_in.tools) == ({}, {})
    assert not any(thread.name == "budget-hermes" for thread in threading.enumerate())
    one.stop()  # once more is nothing


@pytest.mark.parametrize("on", ["/components", "/register", "/heartbeat", "/mcp/v2/tools"])
def test_it_ends_in_the_middle_of_a_slow_answer(stand_in: StandIn, on: str) -> None:
    """Hermes would take 30 seconds; the test's own time-out of 60 would be near."""
    stand_in.fails("slow", on=on)
    one = registrar(stand_in.url)
    one.start()
    until(lambda: stand_in.asked(on))
    one.stop()

    assert not any(thread.name == "budget-hermes" for thread in threading.enumerate())
    assert stand_in.components == {}


def test_it_ends_though_hermes_does_not_answer_at_all_any_more(stand_in: StandIn) -> None:
    one = registrar(stand_in.url)
    one.start()
    until(lambda: one.state().tools == 3)
    stand_in.fails("slow", times=1000)
    one.stop()

    assert not any(thread.name == "budget-hermes" for thread in threading.enumerate())


def test_it_can_be_stopped_before_it_began_and_without_a_hermes(unused_port: int) -> None:
    one = registrar(f"http://127.0.0.1:{unused_port}")
    one.stop()
    one.start()
    until(lambda: one.state().errors)
    assert not one.state().registered
    one.stop()


def test_an_address_that_is_none_is_told_as_an_error_and_ends_nothing() -> None:
    one = registrar("http://[")
    one.start()
    until(lambda: one.state().last_error)
    one.stop()


def test_a_fault_of_ours_does_not_end_the_conversation(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tekton_budget.delivery.hermes.registrar.FAULT_SECONDS", 0.01)
    broken = [RuntimeError("ours")]
    real = HermesClient.look

    async def look(self: HermesClient, *args: Any) -> Any:
        if broken:
            raise broken.pop()
        return await real(self, *args)

    monkeypatch.setattr(HermesClient, "look", look)
    one = registrar(stand_in.url)
    one.start()
    until(lambda: one.state().registered)
    one.stop()


def test_the_board_tells_other_processes(tmp_path: Path) -> None:
    board = Board(tmp_path, "http://h")
    assert board.state() == HermesState("http://h", "")
    state = HermesState("http://h", "budget", registered=True, since_us=7, heartbeats=3)
    board.write(state)

    assert Board(tmp_path, "http://h").state() == state
    (tmp_path / "hermes.json").write_text("{")
    assert not board.state().registered


def test_hermes_may_come_later(unused_port: int) -> None:
    one = registrar(f"http://127.0.0.1:{unused_port}")
    one.start()
    until(lambda: one.state().errors)
    later = StandIn()
    with served(later, unused_port):
        until(lambda: later.components)
        one.stop()
        assert later.components == {}
