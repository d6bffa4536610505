"""Streams: passed on frame by frame, settled before the last is handed over."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive

from tekton_budget.domain.call import measured_input
from tekton_budget.frontends.gateway import partial, whole
from tekton_budget.frontends.gateway.endings import Ending, ending_of
from tekton_budget.frontends.gateway.exchange import (
    Exchange,
    Sender,
    context_of,
    granted_headers,
    left_headers,
)
from tekton_budget.frontends.gateway.frames import Frames
from tekton_budget.frontends.gateway.headers import to_client
from tekton_budget.frontends.gateway.upstream import Headers, UpstreamAnswer, UpstreamAway
from tekton_budget.frontends.gateway.watching import Watch
from tekton_budget.service.calls import Admitted, Calls
from tekton_budget.service.calls.growing import Growth

_WITHOUT_BODY = frozenset({204, 304})
DRAIN_SECONDS = 2  # for the usage of a stream that had come to its end when its client went


@dataclass(slots=True)
class Stream:
    """One stream under way."""

    exchange: Exchange
    admitted: Admitted
    calls: Calls
    answer: UpstreamAnswer
    watch: Watch
    gone: bool = False  # whoever asked
    broke: bool = False  # the provider
    held: list[bytes] = field(default_factory=list)  # the last frames, until it is settled
    cut: bool = False  # by us: no slice of output fits any more
    growth: Growth | None = None
    ending: Ending | None = None

    async def run(self) -> int:
        """Pass it on to its end; the status."""
        await self._start()
        watching = asyncio.create_task(self._watch_client(self.exchange.receive))
        try:
            await self._pass_on()
        finally:
            watching.cancel()
            await self._settle()
        await self._finish()
        return 499 if self.gone else self.answer.status

    async def _start(self) -> None:
        headers = to_client(self.answer.headers) + granted_headers(self.admitted)
        headers += left_headers(self.admitted, None)
        start = {
            "type": "http.response.start",
            "status": self.answer.status,
            "headers": headers,
        }
        await self.exchange.send(start)

    async def _watch_client(self, receive: Receive) -> None:
        """When it hangs up, so do we: what is not generated is not billed."""
        message = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()
        self.gone = True
        if self.watch.finished:  # its usage may come yet
            await asyncio.sleep(DRAIN_SECONDS)
        self.answer.close()

    async def _pass_on(self) -> None:
        frames, send = Frames(), self._send
        try:
            async for chunk in self.answer.chunks():
                passed = self._passed(frames.feed(chunk))
                if passed and not self.gone:
                    await send(passed)
                if self.gone and not self.watch.finished:
                    break
                if self.growth is not None and not await self._carried(self.growth):
                    break
        except UpstreamAway:
            self.broke = not self.gone
        rest = frames.rest()
        if rest and not self.gone and not self.cut:
            self.watch.see(rest)
            self.held.append(rest)

    def _passed(self, found: list[bytes]) -> bytes:
        """What may be handed over now of the frames that came."""
        watch, out = self.watch, []
        for frame in found:
            seen = watch.see(frame)
            if seen.hidden:
                continue
            if seen.ends:
                self.held.append(frame)
                continue
            if self.held:
                out += self.held
                self.held.clear()
            out.append(frame)
        if self.ending is not None:
            for frame in out:
                self.ending.follow(frame)
        return out[0] if len(out) == 1 else b"".join(out)

    async def _carried(self, growth: Growth) -> bool:
        """Whether the hold goes on to cover it; if not, it ends here."""
        self.cut = not self.watch.finished and not await growth.carries(self.watch.said)
        return not self.cut

    async def _send(self, body: bytes) -> None:
        await self.exchange.send({"type": "http.response.body", "body": body, "more_body": True})

    async def _settle(self) -> None:
        self.answer.close()
        if self.growth is not None:
            await self.growth.close()
        need, watch = self.admitted.call.need, self.watch
        kept = watch.kept
        ended = watch.finished or not (self.gone or self.broke or self.cut)
        response = partial.complete(need.api, kept) if ended else None  # counts so far are no end
        context = context_of(self.exchange.body)
        if response is not None:
            self.calls.learn(self.admitted, measured_input(need.api, partial.last(need.api, kept)))
            await self.calls.endings.settled(self.admitted, response, context=context)
            return
        output = self._output()
        guess = partial.guessed(need.api, kept, output)
        if guess is not None:
            await self.calls.endings.settled(self.admitted, guess, context=context, estimated=True)
        else:
            await self.calls.endings.estimated(self.admitted, output_tokens=output)

    def _output(self) -> int:
        """The most tokens of output that can have been made of what was seen."""
        most = self.admitted.grant.max_output_tokens or 0
        if self.growth is not None:
            most = self.growth.covered
        if self.admitted.hides_output:
            return most
        ahead = 0 if self.watch.finished else self.calls.rules.margin_tokens
        return min(most, self.watch.said + ahead)

    async def _finish(self) -> None:
        """The last frames; a stream that broke off breaks off for the client too."""
        if self.gone:
            return
        if self.broke and not self.watch.finished:
            raise ConnectionResetError("the provider broke off in mid-stream")
        body = b"".join(self.held)
        if self.cut and self.ending is not None:
            usage = self.admitted.call.need.asked_for_usage
            body = self.ending.end(self.admitted.input_tokens, self._output(), usage=usage)
        await self.exchange.send({"type": "http.response.body", "body": body, "more_body": False})


async def streamed(exchange: Exchange, admitted: Admitted, sender: Sender, calls: Calls) -> int:
    """A stream; the status that was sent."""
    answer = await whole.opened(exchange, admitted, sender, calls)
    if isinstance(answer, tuple):
        return await _sent_whole(exchange, answer)
    try:
        return await _answered(exchange, admitted, answer, calls)
    finally:
        calls.endings.left(admitted)  # whatever went wrong: it is not kept alive for ever


async def _answered(
    exchange: Exchange, admitted: Admitted, answer: UpstreamAnswer, calls: Calls
) -> int:
    if not _is_stream(answer.headers):
        growth = calls.growth(admitted)
        if growth is not None:  # it answers whole, so nothing of it can be cut
            await growth.to_the_most()
        ended = await whole.ended(exchange, admitted, answer, calls)
        return await _sent_whole(exchange, ended)
    need = admitted.call.need
    watch = Watch(need.api, hides_usage=not need.asked_for_usage)
    stream = Stream(exchange, admitted, calls, answer, watch)
    stream.growth = calls.growth(admitted)
    if stream.growth is not None:
        stream.ending = ending_of(need.api)
    return await stream.run()


def _is_stream(headers: Headers) -> bool:
    return any(
        name == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in headers
    )


async def _sent_whole(exchange: Exchange, answer: whole.Answer) -> int:
    await send_whole(exchange.send, answer)
    return answer[0]


async def send_whole(send: Any, answer: whole.Answer) -> None:  # Any: ASGI's send
    """An answer at once."""
    status, body, headers = answer
    if status not in _WITHOUT_BODY:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
