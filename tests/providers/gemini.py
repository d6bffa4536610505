"""Gemini's generateContent, its stream in both forms, counting and embedding."""

import json
import re

from tests.providers.bill import Entry
from tests.providers.caching import Block, Prompt
from tests.providers.counting import PER_TOOL, Tokenizer
from tests.providers.fields import GEMINI
from tests.providers.scenario import Plan, Scenario
from tests.providers.wire import Api, Call, Frames, Json, Refused, Request, World, dumps, new_id

PATH = re.compile(r"/v1(?:beta|alpha)?/(?:models|tunedModels)/([^/:]+):(\w+)$")
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(it[:1].upper() + it[1:] for it in rest)


def _read(request: Request, scenario: Scenario, world: World) -> Call:
    found = PATH.search(request.path)
    assert found is not None
    model, verb = found.groups()
    body = {_camel(name): value for name, value in request.json().items()}
    for name in body:
        if name not in GEMINI:
            raise Refused(
                400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )
    if not body.get("contents"):
        raise Refused(400, "* GenerateContentRequest.contents: contents is not specified")
    config = {_camel(name): value for name, value in (body.get("generationConfig") or {}).items()}
    ceiling = world.limits.ceiling(model)
    limit = config.get("maxOutputTokens")
    if limit is not None and (not isinstance(limit, int) or not 1 <= limit <= ceiling):
        raise Refused(
            400,
            "Unable to submit request because it has a maxOutputTokens value of "
            f"{limit} but the supported range is from 1 (inclusive) to {ceiling + 1} (exclusive).",
        )
    answers = config.get("candidateCount") or 1
    if not 1 <= answers <= 8:
        raise Refused(400, f"candidate_count must be in the range [1, 8], got {answers}.")
    tokenizer = Tokenizer(scenario.bytes_per_token, "gemini")
    prompt = world.cache.automatic(model, _blocks(body, tokenizer), step=1)
    if prompt.tokens > world.limits.context:
        raise Refused(
            400,
            f"The input token count ({prompt.tokens}) exceeds the maximum number of tokens allowed ({world.limits.context}).",
        )
    call = Call(
        model,
        verb == "streamGenerateContent",
        body,
        prompt,
        scenario,
        limit or ceiling,
        answers,
        answers,
    )
    declared = [
        it
        for tool in body.get("tools") or ()
        for it in tool.get("functionDeclarations") or tool.get("function_declarations") or ()
    ]
    call.tools = tuple(it["name"] for it in declared)
    if call.stream and "alt=sse" not in request.query.split("&"):
        call.variant = "array"
    return call


def _blocks(body: Json, tokenizer: Tokenizer) -> list[Block]:
    tools = body.get("tools") or []
    head = sum(PER_TOOL + tokenizer.json(tool) for tool in tools) + tokenizer.read(
        body.get("systemInstruction")
    )
    schema = (body.get("generationConfig") or {}).get("responseSchema")
    head += tokenizer.json(schema) if schema else 0
    blocks = [Block([tools, body.get("systemInstruction"), schema], head)]
    return blocks + [Block(it, 1 + tokenizer.read(it)) for it in body["contents"]]


def _usage(call: Call, *, thoughts: int, output: int) -> Json:
    usage: Json = {"promptTokenCount": call.prompt.tokens}
    if output:
        usage["candidatesTokenCount"] = output
    usage["totalTokenCount"] = call.prompt.tokens + thoughts + output
    if call.prompt.cache_read:
        usage["cachedContentTokenCount"] = call.prompt.cache_read
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": call.prompt.tokens}]
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return usage


def _finish(plan: Plan) -> str:
    return "MAX_TOKENS" if plan.is_cut else "STOP"


def _parts(call: Call, plan: Plan) -> list[Json]:
    parts: list[Json] = []
    thinking = (call.body.get("generationConfig") or {}).get("thinkingConfig") or {}
    if plan.reasoning and thinking.get("includeThoughts"):
        parts.append({"text": "**Thinking**", "thought": True})
    if plan.pieces:
        parts.append({"text": plan.text})
    parts += [{"functionCall": {"name": it.name, "args": _args(it.arguments)}} for it in plan.calls]
    return parts


def _args(arguments: str) -> Json:
    try:
        return json.loads(arguments)
    except ValueError:  # cut by the maximum
        return {}


def _whole(call: Call, plans: list[Plan], entry: Entry) -> Json:
    candidates = []
    for index, plan in enumerate(plans):
        content: Json = {"role": "model"}
        parts = _parts(call, plan)
        if parts:
            content["parts"] = parts
        candidates.append({"content": content, "finishReason": _finish(plan), "index": index})
    answer: Json = {"candidates": candidates}
    thoughts = sum(plan.reasoning for plan in plans)
    output = sum(plan.tokens for plan in plans) - thoughts
    if call.scenario.usage != "none":
        answer["usageMetadata"] = _usage(call, thoughts=thoughts, output=output)
    return answer | {"modelVersion": call.model, "responseId": new_id("mock")}


def _frames(call: Call, plans: list[Plan], entry: Entry) -> Frames:
    number, first = new_id("mock"), True

    def frame(index: int, part: Json | None, usage: Json, finish: str | None = None) -> bytes:
        nonlocal first
        candidate: Json = {"content": {"parts": [part or {"text": ""}], "role": "model"}}
        if finish:
            candidate["finishReason"] = finish
        candidate["index"] = index
        data: Json = {"candidates": [candidate]}
        if call.scenario.usage != "none":
            data["usageMetadata"] = usage
        text = dumps(data | {"modelVersion": call.model, "responseId": number})
        lead, first = (b"[" if first else b",\r\n"), False
        return lead + text if call.variant == "array" else b"data: %b\r\n\r\n" % text

    thoughts, output = 0, 0
    thinking = (call.body.get("generationConfig") or {}).get("thinkingConfig") or {}
    for index, plan in enumerate(plans):
        for _ in range(plan.reasoning):
            thoughts += 1
            yield b"", 1
        if plan.reasoning and thinking.get("includeThoughts"):
            usage = _usage(call, thoughts=thoughts, output=output)
            yield frame(index, {"text": "**Thinking**", "thought": True}, usage), 0
        step = call.scenario.tokens_per_frame
        for at in range(0, len(plan.pieces), step):
            pieces = plan.pieces[at : at + step]
            output += len(pieces)
            usage = _usage(call, thoughts=thoughts, output=output)
            yield frame(index, {"text": "".join(pieces)}, usage), len(pieces)
        for it in plan.calls:
            output += len(it.pieces)
            part = {"functionCall": {"name": it.name, "args": _args(it.arguments)}}
            usage = _usage(call, thoughts=thoughts, output=output)
            yield frame(index, part, usage), len(it.pieces)
        output += plan.over
        yield (
            frame(index, None, _usage(call, thoughts=thoughts, output=output), _finish(plan)),
            plan.over,
        )
    if call.variant == "array":
        yield b"]\n", 0


def refusal(refused: Refused) -> Json:
    return {
        "error": {
            "code": refused.status,
            "message": refused.message,
            "status": refused.kind or _STATUS.get(refused.status, "UNKNOWN"),
        }
    }


def error_event(refused: Refused) -> bytes:
    return b"data: %b\r\n\r\n" % dumps(refusal(refused))


def _read_count(request: Request, scenario: Scenario, world: World) -> Call:
    found = PATH.search(request.path)
    assert found is not None
    body = request.json()
    inside = body.get("generateContentRequest") or body
    inside = {_camel(name): value for name, value in inside.items()}
    if not inside.get("contents"):
        raise Refused(400, "* CountTokensRequest.contents: contents is not specified")
    tokens = sum(it.tokens for it in _blocks(inside, Tokenizer(scenario.bytes_per_token, "gemini")))
    return Call(found[1], False, {"counted": tokens}, Prompt(0), scenario)


def _whole_count(call: Call, plans: list[Plan], entry: Entry) -> Json:
    tokens = call.body["counted"]
    return {
        "totalTokens": tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
    }


def _read_embedding(request: Request, scenario: Scenario, world: World) -> Call:
    found = PATH.search(request.path)
    assert found is not None
    body = request.json()
    batch = body.get("requests") if found[2] == "batchEmbedContents" else [body]
    if not batch or not all(it.get("content") for it in batch):
        raise Refused(400, "* EmbedContentRequest.content: contents is not specified")
    tokenizer = Tokenizer(scenario.bytes_per_token, "gemini")
    prompt = Prompt(sum(tokenizer.read(it["content"]) for it in batch))
    call = Call(found[1], False, {"batch": batch}, prompt, scenario)
    call.variant = found[2]
    return call


def _whole_embedding(call: Call, plans: list[Plan], entry: Entry) -> Json:
    size = call.body["batch"][0].get("outputDimensionality") or 8
    vector = {"values": [round(0.01 * (it % 7 - 3), 4) for it in range(size)]}
    if call.variant == "batchEmbedContents":
        answer: Json = {"embeddings": [vector for _ in call.body["batch"]]}
    else:
        answer = {"embedding": vector}
    if call.scenario.usage != "none":
        answer["usageMetadata"] = {"promptTokenCount": call.prompt.tokens}
    return answer


_HEADERS = (("server", "scaffolding on HTTPServer2"),)
GENERATE = Api("gemini.generate", _read, _whole, _frames, refusal, error_event, _HEADERS)
COUNT = Api(
    "gemini.count",
    _read_count,
    _whole_count,
    _frames,
    refusal,
    error_event,
    _HEADERS,
    is_free=True,
    makes_output=False,
)
EMBED = Api(
    "gemini.embed",
    _read_embedding,
    _whole_embedding,
    _frames,
    refusal,
    error_event,
    _HEADERS,
    makes_output=False,
)
