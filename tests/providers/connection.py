"""One client's connection: requests one after the other, answered in their order."""

import asyncio
import gzip as packing
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import httptools
from tests.providers import (
    anthropic_messages,
    gemini,
    listing,
    openai_chat,
    openai_others,
    openai_responses,
)
from tests.providers.bill import Entry
from tests.providers.heads import head
from tests.providers.mock import MockProvider
from tests.providers.recorded import Recording, recording
from tests.providers.scenario import Plan, planned
from tests.providers.sending import Sending
from tests.providers.waiting import Waiting
from tests.providers.wire import Api, Call, Frames, Refused, Request, dumps, model_of

_POST = {
    "/v1/chat/completions": openai_chat.CHAT,
    "/v1/responses": openai_responses.RESPONSES,
    "/v1/responses/input_tokens": openai_responses.COUNT,
    "/v1/completions": openai_others.COMPLETIONS,
    "/v1/embeddings": openai_others.EMBEDDINGS,
    "/v1/messages": anthropic_messages.MESSAGES,
    "/v1/messages/count_tokens": anthropic_messages.COUNT,
}
_GEMINI = {
    "generateContent": gemini.GENERATE,
    "streamGenerateContent": gemini.GENERATE,
    "countTokens": gemini.COUNT,
    "embedContent": gemini.EMBED,
    "batchEmbedContents": gemini.EMBED,
}


def api_of(method: str, path: str) -> Api | None:
    if method != "POST":
        return None
    found = _POST.get(path)
    if found is None and (in_gemini := gemini.PATH.search(path)):
        found = _GEMINI.get(in_gemini[2])
    if found is None and path.startswith("/openai/deployments/"):
        found = _POST.get("/v1/" + "/".join(path.split("/")[4:]))
    if found is None and path.startswith("/openai/v1/"):  # Azure's own of today
        found = _POST.get(path.removeprefix("/openai"))
    return found


class Connection(asyncio.Protocol):
    """One client: requests one after the other, answered in their order."""

    def __init__(self, mock: MockProvider) -> None:
        self._mock = mock
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.is_paused = False
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._sending: Sending | Waiting | None = None
        self._url, self._headers, self._body = b"", {}, []  # type: ignore[var-annotated]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._mock.connections.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._mock.connections.discard(self.transport)
        if self._sending is not None:
            self._sending.gone()
            self._sending = None

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        if isinstance(self._sending, Sending):
            self._sending.resumed()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            self._parser.get_method().decode(), path, query, self._headers, b"".join(self._body)
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._sending is None:
            self._answer_next()

    # Answers.

    def _answer_next(self) -> None:
        while self._waiting and self._sending is None and not self.transport.is_closing():
            self._answer(self._waiting.popleft()[0])

    def finished(self, *, keep: bool) -> None:
        self._sending = None
        if not keep:
            self.transport.close()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._answer_next)

    def _answer(self, request: Request) -> None:
        if request.path == "/_bill":
            if request.method == "DELETE":
                self._mock.clear()
            self._send(200, dumps(self._mock.bill.document()))
            return
        self._mock.requests.append(request)
        api = api_of(request.method, request.path)
        if api is None:
            self._look_up(request)
            return
        try:
            self._serve(api, request)
        except Refused as refused:
            self._refuse(api, request, refused)

    def _look_up(self, request: Request) -> None:
        try:
            self._check_key(request)
            self._send(200, dumps(listing.answer(request, self._mock.world)))
        except Refused as refused:
            self._send(refused.status, dumps(listing.refusal(request, refused)))

    def _check_key(self, request: Request) -> None:
        keys = self._mock.keys
        if not request.key or (keys is not None and request.key not in keys):
            raise Refused(
                401, "Incorrect API key provided. You can find your API key in your account."
            )

    def _serve(self, api: Api, request: Request) -> None:
        mock = self._mock
        self._check_key(request)
        try:
            scenario = mock.scenario(request, model_of(request))
        except ValueError as wrong:
            raise Refused(400, f"x-mock: {wrong}") from None
        if scenario.fault == "status":
            told = Refused(scenario.status, "The mock was told to refuse this.")
            told.retry_after = scenario.retry_after
            raise told
        call = api.read(request, scenario, mock.world)
        if scenario.recording:
            _check_recording(api, call, scenario.recording)
        entry = mock.bill.begin(api.name, call.model, stream=call.stream, key=request.key)
        if not api.is_free:
            entry.units.update(call.prompt.units)
        if scenario.recording:
            self._replay(api, call, entry, recording(scenario.recording))
            return
        plans = self._plans(api, call, entry)
        if call.stream:
            self._stream(api, call, api.frames(call, plans, entry), entry)
        else:
            self._whole(api, call, plans, entry)

    def _plans(self, api: Api, call: Call, entry: Entry) -> list[Plan]:
        if not api.makes_output:
            return []
        plans = [
            planned(
                call.scenario,
                limit=call.max_output,
                tools=call.tools,
                number=entry.number,
                index=it,
            )
            for it in range(call.answers)
        ]
        entry.reasoning = sum(plan.reasoning for plan in plans)
        return plans

    def _replay(self, api: Api, call: Call, entry: Entry, told: Recording) -> None:
        """A recorded answer, byte for byte, and the bill that came with it."""
        entry.units = dict(told.charge.units)
        entry.reasoning = told.charge.reasoning
        if call.stream:
            options = call.body.get("stream_options") or {}
            wants_usage = api.name != "openai.chat" or bool(options.get("include_usage"))
            self._stream(api, call, told.sent(with_usage=wants_usage), entry)
        else:
            replayed = replace(api, whole=lambda *_: told.response)
            self._whole(replayed, call, [], entry, told.charge.output)

    def _stream(self, api: Api, call: Call, frames: Frames, entry: Entry) -> None:
        kind = "application/json; charset=UTF-8" if call.variant == "array" else api.stream_type
        start = head(200, kind, api.headers, "transfer-encoding: chunked", gzip=call.scenario.gzip)
        self._sending = Sending(
            self,
            frames,
            entry=entry,
            bill=self._mock.bill,
            scenario=call.scenario,
            head=start,
            error=lambda: api.error_event(Refused(call.scenario.status, "The mock fails here.")),
        )
        self._sending.begin()

    def _whole(
        self, api: Api, call: Call, plans: list[Plan], entry: Entry, recorded: int | None = None
    ) -> None:
        scenario = call.scenario
        tokens = sum(plan.tokens for plan in plans) * call.billed_answers // max(1, call.answers)
        if recorded is not None:
            tokens = recorded
        if (
            scenario.first_ms or scenario.token_ms or scenario.fault or scenario.chunk
        ) and not api.is_free:
            self._sending = Waiting(
                self,
                lambda: api.whole(call, plans, entry),
                headers=api.headers,
                scenario=scenario,
                entry=entry,
                bill=self._mock.bill,
                tokens=tokens,
            )
            self._sending.begin()
            return
        body = dumps(api.whole(call, plans, entry))
        if tokens:
            entry.units["output"] = tokens
        self._mock.bill.end(entry, "done")
        self._send(200, body, api.headers, gzip=scenario.gzip)

    def _refuse(self, api: Api, request: Request, refused: Refused) -> None:
        entry = self._mock.bill.begin(
            api.name, model_of(request) or "", stream=False, key=request.key
        )
        entry.status = refused.status
        self._mock.bill.end(entry, "refused")
        headers = list(api.headers)
        if refused.retry_after is not None:
            headers.append(("retry-after", f"{refused.retry_after:g}"))
        self._send(refused.status, dumps(api.refusal(refused)), headers)

    def _send(
        self,
        status: int,
        body: bytes,
        headers: Sequence[tuple[str, str]] = (),
        *,
        gzip: bool = False,
    ) -> None:
        if gzip:
            body = packing.compress(body)
        start = head(status, "application/json", headers, f"content-length: {len(body)}", gzip=gzip)
        self.transport.write(start + body)


def _check_recording(api: Api, call: Call, name: str) -> None:
    """A test that plays what does not fit is told so, in words that it will see."""
    try:
        told = recording(name)
    except ValueError as wrong:
        raise Refused(400, f"mock: {wrong}") from None
    if told.api != api.name or call.stream is not bool(told.frames):
        form = "streams" if told.frames else "is whole"
        raise Refused(400, f"mock: {name} {form}, and is of {told.api}")
