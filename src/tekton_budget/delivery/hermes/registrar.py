"""The registrar: leads the conversation with Hermes, in a thread of its own, until stopped."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from tekton_budget.delivery.hermes.answers import Answer, Away, Listed, Registered, Taken
from tekton_budget.delivery.hermes.client import HermesClient
from tekton_budget.delivery.hermes.machine import Act, Pace, Rules, Standing, next_act
from tekton_budget.delivery.hermes.profile import Profile
from tekton_budget.delivery.hermes.state import HermesState

log = structlog.get_logger(__name__)

LEAVE_SECONDS = 3.0  # for the farewell, whatever Hermes does
LAST_LOOK_SECONDS = 1.0  # of these
REPORT_SECONDS = 2.0  # for finding out how we are; then that is what is told
FAULT_SECONDS = 30.0  # after a fault of our own
_MICROSECONDS = 1_000_000

Report = Callable[[], Awaitable[Mapping[str, Any]]]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time and chance come from; in tests, from a hand."""

    now: Callable[[], float] = time.monotonic
    wall_us: Callable[[], int] = lambda: 0
    roll: Callable[[], float] = random.random


class Conversation:
    """One step after the other, as the machine says. It has no thread and waits for nothing."""

    def __init__(
        self,
        client: HermesClient,
        profile: Profile,
        pace: Pace,
        report: Report,
        clocks: Clocks,
        told: Callable[[HermesState], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._profile = profile
        self._report = report
        self._clocks = clocks
        self._told = told
        self._rules = Rules(profile.component_id, profile.other_id, pace, bool(profile.tools))
        self._standing = self._rules.start()
        self._is_registering = False
        self._counts = dict.fromkeys(("registrations", "heartbeats", "errors"), 0)
        self.state = HermesState(client.url, profile.component_id)

    async def turn(self) -> float:
        """Take the step that is due, if any; for how many seconds there is nothing to do then."""
        act, at = next_act(self._standing, self._clocks.now())
        if act is None:
            return max(0.0, at - self._clocks.now())
        answer = await self._taken(act)
        before = self._standing
        after = self._rules.after(before, act, answer, self._clocks.now(), self._clocks.roll())
        self._standing = after
        self._count(act, answer)
        self._show()
        _say(before, after, self._client.url)
        return 0.0

    async def leave(self) -> None:
        """Have ourselves and our tools taken out, if Hermes has us and not another by our id."""
        standing = self._standing
        token = standing.token
        if self._is_registering:  # it did not answer, but may have us: the token is lost
            answer = await self._client.register(self._mine())
            token = answer.token if isinstance(answer, Registered) else token
        if token is not None and await self._is_ours(standing.component_id):
            left = await self._client.leave(standing.component_id, token)
            await self._client.withdraw(self._mine())
            log.info("hermes_left", component_id=standing.component_id, answer=str(left))
        self._standing = self._rules.start()
        self._show()

    async def _is_ours(self, component_id: str) -> bool:
        """Whether the entry by this id is ours to take out; it is, if Hermes does not say."""
        try:
            async with asyncio.timeout(LAST_LOOK_SECONDS):
                found = await self._client.look(self._profile, component_id, self._wall_seconds())
        except TimeoutError:
            return True
        return not isinstance(found, Listed) or found.has_us

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()

    async def _taken(self, act: Act) -> Answer:
        standing = self._standing
        if act is Act.REGISTER:
            self._is_registering = True
            answer = await self._client.register(self._mine())
            self._is_registering = isinstance(answer, Away)
            return answer
        if act is Act.LOOK:
            return await self._client.look(
                self._profile, standing.component_id, self._wall_seconds()
            )
        if act is Act.OFFER:
            return await self._client.offer(self._mine())
        assert standing.token is not None
        status = await self._status()
        return await self._client.beat(standing.component_id, standing.token, status)

    async def _status(self) -> Mapping[str, Any]:  # Any: JSON
        """How we are; whoever cannot say so in time is not well, and says that."""
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                return await self._report()
        except TimeoutError:
            return {"healthy": False, "status": "unhealthy", "cause": "does not answer itself"}
        except Exception as error:  # noqa: BLE001  (whatever it is, Hermes is told that it is)
            return {"healthy": False, "status": "unhealthy", "cause": type(error).__name__}

    def _mine(self) -> Profile:
        return self._profile.under(self._standing.component_id)

    def _wall_seconds(self) -> float:
        return self._clocks.wall_us() / _MICROSECONDS

    def _count(self, act: Act, answer: Answer) -> None:
        if isinstance(answer, Registered):
            self._counts["registrations"] += 1
        elif isinstance(answer, Taken) and act is Act.BEAT:
            self._counts["heartbeats"] += 1
        elif hasattr(answer, "error"):
            self._counts["errors"] += 1

    def _show(self) -> None:
        standing = self._standing
        _, next_at = next_act(standing, self._clocks.now())
        self.state = HermesState(
            url=self._client.url,
            component_id=standing.component_id,
            layout=self._client.layout,
            registered=standing.is_registered,
            since_us=self._us(standing.since),
            last_heartbeat_us=self._us(standing.beaten_at),
            last_error=standing.error,
            next_try_us=self._us(next_at),
            tools=standing.tools,
            registrations=self._counts["registrations"],
            heartbeats=self._counts["heartbeats"],
            errors=self._counts["errors"],
        )
        self._told(self.state)

    def _us(self, at: float | None) -> int | None:
        """The time of a day of a moment of the other clock."""
        if at is None:
            return None
        return self._clocks.wall_us() + round((at - self._clocks.now()) * _MICROSECONDS)


class Registrar:
    """A conversation in a daemon thread. `stop` is quick even in the middle of a slow answer."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._thread = threading.Thread(target=self._run, name="budget-hermes", daemon=True)
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        """Begin; nobody waits for Hermes."""
        self._thread.start()

    def state(self) -> HermesState:
        """How things stand."""
        return self._conversation.state

    def stop(self) -> None:
        """Say farewell, within seconds, and end."""
        if not self._thread.is_alive():
            return
        self._begun.wait()
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(LEAVE_SECONDS + 1)

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception:
            log.exception("hermes_failed")
        finally:
            self._begun.set()

    async def _live(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        speaking = asyncio.create_task(self._speak())
        told = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((speaking, told), return_when=asyncio.FIRST_COMPLETED)
        for task in (speaking, told):
            task.cancel()
        await asyncio.wait((speaking, told))
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._conversation.leave()
        except TimeoutError:
            log.warning("hermes_not_left", do="It keeps our entry until we start again.")
        await self._conversation.close()

    async def _speak(self) -> None:
        while True:
            try:
                wait_seconds = await self._conversation.turn()
            except Exception:
                log.exception("hermes_turn_failed")  # a fault of ours: never a hot loop
                wait_seconds = FAULT_SECONDS
            await asyncio.sleep(wait_seconds)


def _say(before: Standing, after: Standing, url: str) -> None:
    """A line where something changed, and what to do about it."""
    if after.is_registered and not before.is_registered:
        log.info("hermes_registered", url=url, component_id=after.component_id)
    elif after.is_away and not before.is_away:
        log.warning(
            "hermes_away",
            url=url,
            error=after.error,
            do="The service works alone and tries again by itself. Start Hermes, or name it by "
            "BUDGET_HERMES_URL; empty, nobody is asked.",
        )
    elif before.token is not None and after.token is None:
        log.warning("hermes_lost_us", url=url, cause=after.error, do="Nothing: registering again.")
    elif after.error is not None and after.error != before.error:
        log.warning(
            "hermes_puzzles",
            url=url,
            error=after.error,
            do="Look whether that address is Hermes, and into its log; trying again by itself.",
        )
