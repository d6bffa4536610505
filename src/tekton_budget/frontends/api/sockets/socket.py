"""One WebSocket: what the client says is answered, and what happens is pushed, at its own pace."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NoReturn, Protocol

import structlog
from starlette.types import Message, Receive, Send

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, Conflict, InvalidInput, Unavailable
from tekton_budget.frontends.api.sockets.messages import (
    TOPICS_MAX,
    MessageType,
    Said,
    Unreadable,
    read,
    written,
)
from tekton_budget.frontends.api.sockets.pushes import Push
from tekton_budget.frontends.api.sockets.topics import BUDGETS, KNOWN, PERIODIC
from tekton_budget.frontends.http.following import Follow
from tekton_budget.frontends.http.wire import time_text
from tekton_budget.service.following import Logged
from tekton_budget.service.paging import INTEGER_END

log = structlog.get_logger(__name__)

AWAY_SECONDS = 2.0  # between two tries while the store is away
TICK_SECONDS = 1.0  # between two looks at what is due; budgets that move are told of so often
UPDATE_SECONDS = 60.0  # between two pushes on a topic `budget_update_<period>`
SEND_SECONDS = 20.0  # a client that takes nothing for so long is let go
AUTHENTICATE_SECONDS = 15.0  # for a client that came without a key to show one
GREETING = "Connected to Budget WebSocket Server"

GOING_AWAY, POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN = 1001, 1008, 1011, 1013
REASON_BYTES_MAX = 120
_SECRETS = ("api_key", "apiKey", "token", "key")


class End(Exception):
    """The connection is over, for a reason that its client is told."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Gone(Exception):
    """The client closed the connection, or it broke."""


class Around(Protocol):
    """What a socket asks of those around it."""

    async def caller_of(self, secret: str) -> Caller | None:
        """Who a key stands for, if it is valid."""

    async def still_welcome(self, caller: Caller) -> bool:
        """Whether a client without a key may stay."""

    def follow(self, caller: Caller, after: int | None) -> Follow:
        """The log of events from a position on."""

    async def pushes(
        self, caller: Caller, topics: Sequence[str], events: Sequence[Logged]
    ) -> tuple[Sequence[Push], frozenset[str | None]]:
        """What some events are told as, and which budgets they touched."""

    async def budget_update(
        self, caller: Caller, budget_id: str | None, position: int
    ) -> dict[str, object] | None:
        """How a budget stands, no older than a position."""

    async def period_update(self, caller: Caller, period: str, position: int) -> dict[str, object]:
        """How the policies of a period stand."""

    def now_us(self) -> int:
        """What time it is."""


@dataclass(frozen=True, slots=True)
class Opened:
    """How a connection begins."""

    topic: str  # in what is not about another one
    topics: tuple[str, ...]
    both_forms: bool = False  # `payload` and `data` say the same
    caller: Caller | None = None  # none: it has to show a key first
    after: int | None = None  # from where to follow


class Socket:
    """A connection that was accepted."""

    def __init__(self, around: Around, opened: Opened, receive: Receive, send: Send) -> None:
        self._around = around
        self._opened = opened
        self._receive = receive
        self._send = send
        self._sending = asyncio.Lock()
        self._caller = opened.caller
        self._joined = dict.fromkeys(opened.topics)
        self._chosen = False  # the client has said what it wants to hear
        self._position = opened.after
        self._pushing: asyncio.Task[None] | None = None
        self._over: asyncio.Future[End | Gone] = asyncio.get_running_loop().create_future()
        self._budgets_due = 0.0
        self._period_due: dict[str, float] = {}
        self._touched: dict[str | None, None] = {}
        self._short_words = False

    async def run(self) -> None:
        """Until it is over; then the client is told why."""
        reading = asyncio.create_task(self._tried(self._read()))
        late = asyncio.create_task(self._tried(self._wait_for_key()))
        try:
            outcome = await self._over
        finally:
            tasks = [one for one in (reading, late, self._pushing) if one is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(outcome, End):
            await self._close(outcome)

    def end(self, code: int, reason: str) -> None:
        """Close it soon."""
        if not self._over.done():
            self._over.set_result(End(code, reason))

    # --- what the client says ------------------------------------------------------------------

    async def _read(self) -> None:
        if self._caller is not None:
            await self._begin(self._caller)
        await self._say(MessageType.BUDGET_UPDATE, self._opened.topic, {"message": GREETING})
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise Gone
            try:
                said = read(_content(message))
            except Unreadable as error:
                await self._fault(str(error))
                continue
            await self._answer(said)

    async def _answer(self, said: Said) -> None:
        self._short_words = self._short_words or (said.short and "channels" not in said.payload)
        if said.type is MessageType.HEARTBEAT:
            topic = said.topic or self._opened.topic
            await self._say(MessageType.HEARTBEAT, topic, {"timestamp": self._now()})
        elif said.type is MessageType.AUTHENTICATION:
            await self._authenticate(said)
        elif said.type in (MessageType.SUBSCRIPTION, MessageType.UNSUBSCRIPTION):
            if not said.topics:
                await self._fault("channels: name at least one")
            for topic in said.topics:
                await self._subscribe(said.type, topic)
            if said.type is MessageType.SUBSCRIPTION:
                await self._resume(said.payload.get("after"))

    async def _authenticate(self, said: Said) -> None:
        shown = [said.payload[name] for name in _SECRETS if name in said.payload]
        secret = shown[0] if shown else None
        caller = None
        if isinstance(secret, str) and secret.strip():
            caller = await self._around.caller_of(secret.strip())
        if caller is not None:
            self._caller = caller
            await self._begin(caller)
        topic = said.topic or self._opened.topic
        await self._say(MessageType.AUTHENTICATION, topic, {"success": caller is not None})

    async def _subscribe(self, type_: MessageType, topic: str) -> None:
        error = None
        if topic not in KNOWN:
            error = f"{topic[:100]!r} is no topic: send one of {', '.join(KNOWN)}"
        elif self._caller is None:
            error = "show a key first: an authentication message with payload.api_key"
        elif type_ is MessageType.UNSUBSCRIPTION:
            self._joined.pop(topic, None)
            self._period_due.pop(topic, None)
        else:
            if self._opened.both_forms and not self._chosen:
                self._joined.clear()
            self._chosen = True
            self._joined[topic] = None
            assert len(self._joined) <= TOPICS_MAX, "there are not so many topics"
            if topic in PERIODIC:
                self._period_due.setdefault(topic, _time() + UPDATE_SECONDS)
        payload: dict[str, object] = {"success": error is None, "topic": topic[:100]}
        if error is not None:
            payload["error"] = error
        await self._say(type_, topic[:100], payload)

    async def _resume(self, after: object) -> None:
        """From a position that the client kept."""
        if after is None or self._caller is None:
            return
        if type(after) is not int or not 0 <= after < INTEGER_END:
            await self._fault("after: send the position of the last message that you have")
            return
        self._position = after
        await self._begin(self._caller)

    # --- what is pushed ------------------------------------------------------------------------

    async def _begin(self, caller: Caller) -> None:
        """Follow as this caller from where the client is; nothing from here on is missed."""
        if self._pushing is not None:
            self._pushing.cancel()
            await asyncio.wait((self._pushing,))
        follow = self._around.follow(caller, self._position)
        self._position = await follow.begin()
        self._pushing = asyncio.create_task(self._tried(self._push(caller, follow)))

    async def _push(self, caller: Caller, follow: Follow) -> None:
        while True:
            try:
                with closing(follow):
                    await self._push_on(caller, follow)
            except (Conflict, InvalidInput) as refusal:  # the place is not there any more
                follow = self._around.follow(caller, refusal.extra.get("next"))
                self._position = await follow.begin()
                await self._fault(refusal.detail, code=refusal.code, **refusal.extra)
            except Unavailable:  # the store is away: from where it was
                await asyncio.sleep(AWAY_SECONDS)
                follow = self._around.follow(caller, self._position)

    async def _push_on(self, caller: Caller, follow: Follow) -> NoReturn:
        coming: asyncio.Task[list[Logged]] | None = None
        try:
            while True:
                coming = coming or asyncio.create_task(follow.some())
                await asyncio.wait((coming,), timeout=TICK_SECONDS)
                if coming.done():
                    events, coming = coming.result(), None
                    await self._tell(caller, events)
                    self._position = follow.position
                await self._tell_what_is_due(caller)
                if not caller.key_id and not await self._around.still_welcome(caller):
                    raise End(POLICY_VIOLATION, "a key is needed by now: connect again with one")
        finally:
            if coming is not None:
                coming.cancel()

    async def _tell(self, caller: Caller, events: Sequence[Logged]) -> None:
        pushes, touched = await self._around.pushes(caller, tuple(self._joined), events)
        self._touched |= dict.fromkeys(touched)
        for push in pushes:
            is_short = self._short_words and push.type is MessageType.ALERT
            type_ = "budget_alert" if is_short else push.type
            await self._say(type_, push.topic, push.payload, push.position)

    async def _tell_what_is_due(self, caller: Caller) -> None:
        """Budgets that moved, once in a while however often they do; and periods by the minute."""
        position = self._position or 0
        if self._touched and _time() >= self._budgets_due:
            self._budgets_due = _time() + TICK_SECONDS
            touched, self._touched = self._touched, {}
            for budget_id in touched:
                update = await self._around.budget_update(caller, budget_id, position)
                if update is not None and BUDGETS in self._joined:
                    await self._say(MessageType.BUDGET_UPDATE, BUDGETS, update, position)
        for topic, due in list(self._period_due.items()):
            if _time() >= due:
                self._period_due[topic] = _time() + UPDATE_SECONDS
                told = await self._around.period_update(caller, PERIODIC[topic], position)
                await self._say(MessageType.BUDGET_UPDATE, topic, told, position)

    # --- how it is said ------------------------------------------------------------------------

    async def _say(
        self, type_: str, topic: str, payload: dict[str, object], position: int | None = None
    ) -> None:
        text = written(
            type_,
            topic,
            payload,
            timestamp=self._now(),
            position=position,
            both=self._opened.both_forms,
        )
        try:
            async with asyncio.timeout(SEND_SECONDS), self._sending:
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError as error:
            after = "" if self._position is None else f" with ?after={self._position}"
            raise End(TRY_AGAIN, f"too slow: connect again{after}") from error
        except OSError as error:
            raise Gone from error

    async def _fault(self, text: str, **more: object) -> None:
        await self._say(MessageType.ERROR, "error", {"error": text, **more})

    async def _close(self, end: End) -> None:
        reason = end.reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        message = {"type": "websocket.close", "code": end.code, "reason": reason}
        try:
            async with asyncio.timeout(1.0):
                await self._send(message)
        except (TimeoutError, OSError):
            return

    async def _wait_for_key(self) -> None:
        await asyncio.sleep(AUTHENTICATE_SECONDS)
        if self._caller is None:
            raise End(POLICY_VIOLATION, "no key was shown in time")

    async def _tried(self, work: Awaitable[None]) -> None:
        """Whatever ends one of the tasks ends the connection."""
        try:
            await work
        except (End, Gone) as outcome:
            if not self._over.done():
                self._over.set_result(outcome)
        except StopAsyncIteration:
            self.end(GOING_AWAY, "the server stops")
        except BudgetError as refusal:
            away = isinstance(refusal, Unavailable)
            self.end(TRY_AGAIN if away else POLICY_VIOLATION, refusal.detail)
        except Exception:
            log.exception("socket_failed", topic=self._opened.topic)
            self.end(INTERNAL_ERROR, "something went wrong here; it is in the server's log")

    def _now(self) -> str | None:
        return time_text(self._around.now_us())


def _content(message: Message) -> str | bytes:
    text = message.get("text")
    return text if text is not None else message.get("bytes") or b""


def _time() -> float:
    """The event loop's own clock."""
    return asyncio.get_running_loop().time()
