"""OpenAI's chat completions, as sent by OpenAI itself, by compatible providers and by Azure."""

import re
import time
from urllib.parse import parse_qs

from tests.providers.bill import Entry
from tests.providers.caching import Block
from tests.providers.counting import PER_MESSAGE, PER_REQUEST, PER_TOOL, Tokenizer
from tests.providers.fields import OPENAI_CHAT
from tests.providers.scenario import Plan, Scenario
from tests.providers.wire import (
    Api,
    Call,
    Frames,
    Json,
    Refused,
    Request,
    World,
    check_fields,
    dumps,
    new_id,
    whole_number,
)  # fmt: skip

_REASONS = re.compile(r"(?:o\d|gpt-5)")  # refuse `max_tokens`
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/chat/completions$")


def _read(request: Request, scenario: Scenario, world: World) -> Call:
    body = request.json()
    model = _model(request, body)
    check_fields(body, OPENAI_CHAT, world)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "Missing required parameter: 'messages'.", param="messages")
    ceiling = world.limits.ceiling(model)
    if body.get("max_tokens") is not None:
        if body.get("max_completion_tokens") is not None:
            raise Refused(
                400,
                "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            )
        if _REASONS.match(model):
            raise Refused(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                code="unsupported_parameter",
                param="max_tokens",
            )
    limit = whole_number(body, "max_completion_tokens", least=1, most=ceiling)
    if limit is None:
        limit = whole_number(body, "max_tokens", least=1, most=ceiling)
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Refused(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    prompt = world.cache.automatic(
        model, _blocks(body, Tokenizer(scenario.bytes_per_token, "openai"))
    )
    if prompt.tokens > world.limits.context:
        raise Refused(
            400,
            f"This model's maximum context length is {world.limits.context} tokens. However, your "
            f"messages resulted in {prompt.tokens} tokens.",
            code="context_length_exceeded",
            param="messages",
        )
    n = whole_number(body, "n", least=1) or 1
    tools = tuple(it["function"]["name"] for it in body.get("tools") or () if "function" in it)
    call = Call(
        model,
        bool(body.get("stream")),
        body,
        prompt,
        scenario,
        limit if limit is not None else ceiling,
        n,
        n,
        tools,
    )
    call.variant = "azure" if request.path.startswith("/openai/deployments/") else ""
    return call


def _model(request: Request, body: Json) -> str:
    deployment = _DEPLOYMENT.search(request.path)
    if deployment:
        if "api-version" not in parse_qs(request.query):
            raise Refused(404, "Resource not found", code="404")
        return deployment[1]
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused(400, "you must provide a model parameter", param="model")
    return str(body["model"])


def _blocks(body: Json, tokenizer: Tokenizer) -> list[Block]:
    tools = body.get("tools") or []
    head = PER_REQUEST + sum(PER_TOOL + tokenizer.json(tool) for tool in tools)
    schema = body.get("response_format")
    if isinstance(schema, dict) and schema.get("type") == "json_schema":
        head += tokenizer.json(schema)
    blocks = [Block([tools, schema], head)]
    blocks += [Block(it, PER_MESSAGE + tokenizer.read(it)) for it in body["messages"]]
    return blocks


def _head(call: Call, kind: str, number: str) -> Json:
    head: Json = {"id": number, "object": kind, "created": int(time.time()), "model": call.model}
    if call.variant != "azure":
        head["service_tier"] = "default"
    head["system_fingerprint"] = "fp_0000000000"
    return head


def usage_of(call: Call, plans: list[Plan]) -> Json | None:
    if call.scenario.usage == "none":
        return None
    output = sum(plan.tokens for plan in plans)
    return {
        "prompt_tokens": call.prompt.tokens,
        "completion_tokens": output,
        "total_tokens": call.prompt.tokens + output,
        "prompt_tokens_details": {"cached_tokens": call.prompt.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(plan.reasoning for plan in plans),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _finish(plan: Plan) -> str:
    return "length" if plan.is_cut else "tool_calls" if plan.calls else "stop"


def _whole(call: Call, plans: list[Plan], entry: Entry) -> Json:
    answer = _head(call, "chat.completion", new_id("chatcmpl-"))
    answer["choices"] = [
        {
            "index": index,
            "message": _message(plan),
            "logprobs": None,
            "finish_reason": _finish(plan),
        }
        for index, plan in enumerate(plans)
    ]
    usage = usage_of(call, plans)
    if usage is not None:
        answer["usage"] = usage
    return answer


def _message(plan: Plan) -> Json:
    message: Json = {
        "role": "assistant",
        "content": plan.text or None,
        "refusal": None,
        "annotations": [],
    }
    if plan.calls:
        message["tool_calls"] = [
            {
                "id": new_id("call_"),
                "type": "function",
                "function": {"name": it.name, "arguments": it.arguments},
            }
            for it in plan.calls
        ]
    return message


def _frames(call: Call, plans: list[Plan], entry: Entry) -> Frames:
    head = dumps(_head(call, "chat.completion.chunk", new_id("chatcmpl-")))[:-1]
    options = call.body.get("stream_options") or {}
    wants_usage = bool(options.get("include_usage")) and call.scenario.usage != "none"
    tail = b',"usage":null' if wants_usage else b""
    if options.get("include_obfuscation", True) and call.variant != "azure":
        tail += b',"obfuscation":"aB3dE"'
    tail += b"}\n\n"

    def chunk(index: int, delta: bytes, finish: bytes = b"null") -> bytes:
        return b'data: %b,"choices":[{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}]%b' % (
            head, index, delta, finish, tail,
        )  # fmt: skip

    if call.variant == "azure":
        yield (
            b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}\n\n',
            0,
        )
    for index in range(len(plans)):
        yield chunk(index, b'{"role":"assistant","content":"","refusal":null}'), 0
    for index, plan in enumerate(plans):
        for _ in range(plan.reasoning):
            yield b"", 1
        step = call.scenario.tokens_per_frame
        for at in range(0, len(plan.pieces), step):
            pieces = plan.pieces[at : at + step]
            yield chunk(index, b'{"content":%b}' % dumps("".join(pieces))), len(pieces)
        for number, it in enumerate(plan.calls):
            begun = {"index": number, "id": new_id("call_"), "type": "function"}
            begun["function"] = {"name": it.name, "arguments": ""}
            yield chunk(index, dumps({"tool_calls": [begun]})), 0
            for piece in it.pieces:
                part = {"index": number, "function": {"arguments": piece}}
                yield chunk(index, dumps({"tool_calls": [part]})), 1
    for index, plan in enumerate(plans):
        yield chunk(index, b"{}", b'"%b"' % _finish(plan).encode()), plan.over
    if wants_usage:
        obfuscation = b',"obfuscation":""' if b"obfuscation" in tail else b""
        yield (
            b'data: %b,"choices":[],"usage":%b%b}\n\n'
            % (head, dumps(usage_of(call, plans)), obfuscation),
            0,
        )
    yield b"data: [DONE]\n\n", 0


_KINDS = {401: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error"}


def refusal(refused: Refused) -> Json:
    return {
        "error": {
            "message": refused.message,
            "type": refused.kind or _KINDS.get(refused.status, "invalid_request_error"),
            "param": refused.param or None,
            "code": refused.code or ("invalid_api_key" if refused.status == 401 else None),
        }
    }


def error_event(refused: Refused) -> bytes:
    return b"data: %b\n\n" % dumps(refusal(refused))


CHAT = Api(
    "openai.chat",
    _read,
    _whole,
    _frames,
    refusal,
    error_event,
    headers=(("x-request-id", "req_mock"), ("openai-processing-ms", "12")),
)
