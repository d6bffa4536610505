"""Anthropic's messages and their counting."""

import json

from tests.providers.bill import Entry
from tests.providers.caching import Block
from tests.providers.counting import CLAUDE_TOOLS, PER_MESSAGE, PER_REQUEST, PER_TOOL, Tokenizer
from tests.providers.fields import ANTHROPIC_COUNT, ANTHROPIC_MESSAGES
from tests.providers.scenario import Plan, Scenario
from tests.providers.wire import (
    Api,
    Call,
    Frames,
    Json,
    Refused,
    Request,
    World,
    dumps,
    new_id,
)  # fmt: skip

_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 500: "api_error",
    503: "api_error", 529: "overloaded_error",
}  # fmt: skip
SIGNATURE = "RXhhbXBsZSBzaWduYXR1cmUgb2YgdGhpbmtpbmcsIG5vdCBhIHJlYWwgb25lLg=="


def _read(request: Request, scenario: Scenario, world: World) -> Call:
    body = _body(request, ANTHROPIC_MESSAGES)
    model = body["model"]
    limit = body.get("max_tokens")
    ceiling = world.limits.ceiling(model)
    if limit is None:
        raise Refused(400, "max_tokens: Field required")
    if not isinstance(limit, int) or limit < 1:
        raise Refused(400, "max_tokens: Input should be greater than or equal to 1")
    if limit > ceiling:
        raise Refused(
            400,
            f"max_tokens: {limit} > {ceiling}, which is the maximum allowed number of output "
            f"tokens for {model}",
        )
    _thinking(body, limit)
    call = Call(
        model, bool(body.get("stream")), body, _prompt(body, scenario, world), scenario, limit
    )
    call.tools = tuple(it["name"] for it in body.get("tools") or () if "input_schema" in it)
    return call


def _body(request: Request, known: frozenset[str]) -> Json:
    if "anthropic-version" not in request.headers:
        raise Refused(400, "anthropic-version: header is required")
    body = request.json()
    for name in ("model", "messages"):
        if not body.get(name):
            raise Refused(400, f"{name}: Field required")
    for name in body:
        if name not in known:
            raise Refused(400, f"{name}: Extra inputs are not permitted")
    return body


def _thinking(body: Json, limit: int) -> None:
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < 1024:
        raise Refused(
            400, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    if budget >= limit:
        raise Refused(
            400,
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
        )


def _prompt(body: Json, scenario: Scenario, world: World):
    blocks = _blocks(body, Tokenizer(scenario.bytes_per_token, "anthropic"))
    if body.get("cache_control"):  # of the whole request: the last block is marked
        blocks[-1].keep = body["cache_control"].get("ttl", "5m")
    if sum(1 for block in blocks if block.keep) > 4:
        raise Refused(400, "A maximum of 4 blocks with cache_control may be provided. Found 5.")
    prompt = world.cache.asked(body["model"], blocks)
    if prompt.tokens > world.limits.context:
        raise Refused(
            400, f"prompt is too long: {prompt.tokens} tokens > {world.limits.context} maximum"
        )
    return prompt


def _blocks(body: Json, tokenizer: Tokenizer) -> list[Block]:
    tools = body.get("tools") or []
    blocks = [Block(None, PER_REQUEST + (CLAUDE_TOOLS if tools else 0))]
    for tool in tools:
        bare = {key: value for key, value in tool.items() if key != "cache_control"}
        blocks.append(Block(bare, PER_TOOL + tokenizer.json(bare), _keep(tool)))
    system = body.get("system") or []
    parts = [{"type": "text", "text": system}] if isinstance(system, str) else system
    blocks += [Block(it.get("text"), PER_MESSAGE + tokenizer.read(it), _keep(it)) for it in parts]
    for message in body["messages"]:
        content = message.get("content") or []
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        extra = PER_MESSAGE
        for part in parts:
            bare = {key: value for key, value in part.items() if key != "cache_control"}
            block = Block([message.get("role"), bare], extra + tokenizer.read(bare), _keep(part))
            blocks.append(block)
            extra = 0
    return blocks


def _keep(part: Json) -> str | None:
    mark = part.get("cache_control")
    return mark.get("ttl", "5m") if isinstance(mark, dict) else None


def _usage(call: Call, output: int) -> Json:
    prompt = call.prompt
    return {
        "input_tokens": prompt.fresh,
        "cache_creation_input_tokens": prompt.cache_write_5m + prompt.cache_write_1h,
        "cache_read_input_tokens": prompt.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": prompt.cache_write_5m,
            "ephemeral_1h_input_tokens": prompt.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def _stop(plan: Plan) -> str:
    return "max_tokens" if plan.is_cut else "tool_use" if plan.calls else "end_turn"


def _thought(plan: Plan) -> str:
    return "".join(" thinking" for _ in range(plan.reasoning)).strip()


def _whole(call: Call, plans: list[Plan], entry: Entry) -> Json:
    plan = plans[0]
    content: list[Json] = []
    if plan.reasoning:
        content.append({"type": "thinking", "thinking": _thought(plan), "signature": SIGNATURE})
    if plan.pieces:
        content.append({"type": "text", "text": plan.text})
    content += [
        {
            "type": "tool_use",
            "id": new_id("toolu_"),
            "name": it.name,
            "input": _input(it.arguments),
        }
        for it in plan.calls
    ]
    answer: Json = {
        "model": call.model,
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": _stop(plan),
        "stop_sequence": None,
    }
    if call.scenario.usage != "none":
        answer["usage"] = _usage(call, plan.tokens)
    return answer


def _input(arguments: str) -> Json:
    try:
        return json.loads(arguments)
    except ValueError:  # cut by the maximum
        return {}


def _event(name: str, data: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), dumps({"type": name, **data}))


_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def _frames(call: Call, plans: list[Plan], entry: Entry) -> Frames:
    plan = plans[0]
    message = _whole(call, [Plan(0, (), [], is_cut=False)], entry)
    message |= {"content": [], "stop_reason": None}
    has_usage = call.scenario.usage != "none"
    if has_usage:
        message["usage"] = _usage(call, 1)
    yield _event("message_start", {"message": message}), 0
    since_ping = 0
    for index, (kind, begun, deltas) in enumerate(_content(call, plan)):
        yield _event("content_block_start", {"index": index, "content_block": begun}), 0
        if not index:
            yield _PING, 0
        head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":' % (
            index, *kind,
        )  # fmt: skip
        for text, tokens in deltas:
            yield b"%b%b}}\n\n" % (head, dumps(text)), tokens
            since_ping += tokens
            if call.scenario.ping_every and since_ping >= call.scenario.ping_every:
                since_ping = 0
                yield _PING, 0
        if kind[1] == b"thinking":
            delta = {"type": "signature_delta", "signature": SIGNATURE}
            yield _event("content_block_delta", {"index": index, "delta": delta}), 0
        yield _event("content_block_stop", {"index": index}), 0
    end: Json = {"delta": {"stop_reason": _stop(plan), "stop_sequence": None}}
    if has_usage:
        usage = _usage(call, plan.tokens)
        names = (
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
        )
        end["usage"] = {name: usage[name] for name in names}
    yield _event("message_delta", end), plan.over
    yield _event("message_stop", {}), 0


def _content(call: Call, plan: Plan):
    step = call.scenario.tokens_per_frame
    if plan.reasoning:
        begun: Json = {"type": "thinking", "thinking": "", "signature": ""}
        yield (
            (b"thinking_delta", b"thinking"),
            begun,
            ((" thinking", 1) for _ in range(plan.reasoning)),
        )
    if plan.pieces:
        pieces = (plan.pieces[at : at + step] for at in range(0, len(plan.pieces), step))
        texts = (("".join(it), len(it)) for it in pieces)
        yield (b"text_delta", b"text"), {"type": "text", "text": ""}, texts
    for it in plan.calls:
        begun = {"type": "tool_use", "id": new_id("toolu_"), "name": it.name, "input": {}}
        yield (b"input_json_delta", b"partial_json"), begun, ((piece, 1) for piece in it.pieces)


def refusal(refused: Refused) -> Json:
    kind = refused.kind or _KINDS.get(refused.status, "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": refused.message},
        "request_id": "req_mock",
    }


def error_event(refused: Refused) -> bytes:
    return b"event: error\ndata: %b\n\n" % dumps(refusal(refused))


def _read_count(request: Request, scenario: Scenario, world: World) -> Call:
    body = _body(request, ANTHROPIC_COUNT)
    tokenizer = Tokenizer(scenario.bytes_per_token, "anthropic")
    tokens = sum(block.tokens for block in _blocks(body, tokenizer))
    return Call(body["model"], False, {"counted": tokens}, world.cache.automatic("", ()), scenario)


def _whole_count(call: Call, plans: list[Plan], entry: Entry) -> Json:
    return {"input_tokens": call.body["counted"]}


_HEADERS = (("request-id", "req_mock"), ("anthropic-organization-id", "org_mock"))
MESSAGES = Api("anthropic.messages", _read, _whole, _frames, refusal, error_event, _HEADERS)
COUNT = Api(
    "anthropic.count",
    _read_count,
    _whole_count,
    _frames,
    refusal,
    error_event,
    _HEADERS,
    is_free=True,
    makes_output=False,
)
