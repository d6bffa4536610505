"""OpenAI's responses, with what they remember of each other, and the counting of their input."""

import time

from tests.providers.bill import Entry
from tests.providers.caching import Block, Prompt
from tests.providers.counting import PER_MESSAGE, PER_REQUEST, PER_TOOL, Tokenizer
from tests.providers.fields import OPENAI_RESPONSES
from tests.providers.openai_chat import refusal
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


def _read(request: Request, scenario: Scenario, world: World) -> Call:
    body = request.json()
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(400, "Missing required parameter: 'model'.", param="model")
    check_fields(body, OPENAI_RESPONSES, world)
    ceiling = world.limits.ceiling(model)
    limit = whole_number(body, "max_output_tokens", least=16, most=ceiling)
    before = body.get("previous_response_id")
    remembered = 0
    if before is not None:
        if before not in world.answered:
            raise Refused(
                400,
                f"Previous response with id '{before}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        remembered = world.answered[before]
    elif body.get("input") is None:
        raise Refused(400, "Missing required parameter: 'input'.", param="input")
    blocks = _blocks(body, Tokenizer(scenario.bytes_per_token, "openai"))
    if remembered:
        blocks.insert(0, Block(before, remembered))
    prompt = world.cache.automatic(model, blocks)
    if prompt.tokens > world.limits.context:
        raise Refused(
            400,
            "Your input exceeds the context window of this model. Please adjust your input and try "
            "again.",
            code="context_length_exceeded",
            param="input",
        )
    call = Call(model, bool(body.get("stream")), body, prompt, scenario, limit or ceiling)
    call.tools = tuple(it["name"] for it in body.get("tools") or () if it.get("type") == "function")
    call.world = world
    return call


def _blocks(body: Json, tokenizer: Tokenizer) -> list[Block]:
    tools = body.get("tools") or []
    head = PER_REQUEST + sum(PER_TOOL + tokenizer.json(tool) for tool in tools)
    head += tokenizer.text(body.get("instructions") or "")
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        head += tokenizer.json(form)
    blocks = [Block([tools, body.get("instructions"), form], head)]
    given = body.get("input") or []
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return blocks + [Block(it, PER_MESSAGE + tokenizer.read(it)) for it in items]


def _answer(call: Call, status: str, number: str) -> Json:
    body = call.body
    return {
        "id": number,
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": call.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _ended(call: Call, plan: Plan, number: str, items: list[Json]) -> Json:
    answer = _answer(call, "incomplete" if plan.is_cut else "completed", number)
    if plan.is_cut:
        answer["incomplete_details"] = {"reason": "max_output_tokens"}
    answer["output"] = items
    if call.scenario.usage != "none":
        prompt = call.prompt
        answer["usage"] = {
            "input_tokens": prompt.tokens,
            "input_tokens_details": {"cached_tokens": prompt.cache_read},
            "output_tokens": plan.tokens,
            "output_tokens_details": {"reasoning_tokens": plan.reasoning},
            "total_tokens": prompt.tokens + plan.tokens,
        }
    if call.world is not None and call.body.get("store", True):
        call.world.answered[number] = call.prompt.tokens + plan.tokens - plan.reasoning
    return answer


def _thought() -> Json:
    return {"id": new_id("rs_"), "type": "reasoning", "summary": []}


def _message(plan: Plan, number: str) -> Json:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": plan.text}
    status = "incomplete" if plan.is_cut else "completed"
    return {
        "id": number,
        "type": "message",
        "status": status,
        "content": [part],
        "role": "assistant",
    }


def _called(name: str, arguments: str, *, number: str, call_id: str, status: str) -> Json:
    return {
        "id": number,
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": call_id,
        "name": name,
    }


def _whole(call: Call, plans: list[Plan], entry: Entry) -> Json:
    plan = plans[0]
    items = [_thought()] if plan.reasoning else []
    if plan.pieces:
        items.append(_message(plan, new_id("msg_")))
    for it in plan.calls:
        ids = {"number": new_id("fc_"), "call_id": new_id("call_")}
        items.append(_called(it.name, it.arguments, status="completed", **ids))
    return _ended(call, plan, new_id("resp_"), items)


class _Events:
    """Events with their numbers."""

    def __init__(self) -> None:
        self._number = -1

    def next(self, name: str, **data: object) -> bytes:
        self._number += 1
        kind = f"response.{name}"
        body = {"type": kind, "sequence_number": self._number, **data}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps(body))


def _frames(call: Call, plans: list[Plan], entry: Entry) -> Frames:
    plan, events, number = plans[0], _Events(), new_id("resp_")
    begun = _answer(call, "in_progress", number)
    yield events.next("created", response=begun), 0
    yield events.next("in_progress", response=begun), 0
    items: list[Json] = []
    if plan.reasoning:
        item = _thought()
        yield events.next("output_item.added", output_index=0, item=item), 0
        for _ in range(plan.reasoning):
            yield b"", 1
        yield events.next("output_item.done", output_index=0, item=item), 0
        items.append(item)
    if plan.pieces:
        item = _message(plan, new_id("msg_"))
        yield from _text(events, plan, item, len(items), call.scenario.tokens_per_frame)
        items.append(item)
    for it in plan.calls:
        place = {"output_index": len(items), "item_id": new_id("fc_")}
        ids = {"number": str(place["item_id"]), "call_id": new_id("call_")}
        bare = _called(it.name, "", status="in_progress", **ids)
        yield events.next("output_item.added", output_index=len(items), item=bare), 0
        for piece in it.pieces:
            yield events.next("function_call_arguments.delta", **place, delta=piece), 1
        yield events.next("function_call_arguments.done", **place, arguments=it.arguments), 0
        item = _called(it.name, it.arguments, status="completed", **ids)
        yield events.next("output_item.done", output_index=len(items), item=item), 0
        items.append(item)
    name = "incomplete" if plan.is_cut else "completed"
    yield events.next(name, response=_ended(call, plan, number, items)), plan.over


def _text(events: _Events, plan: Plan, item: Json, index: int, step: int) -> Frames:
    place: Json = {"output_index": index, "item_id": item["id"], "content_index": 0}
    bare = item | {"status": "in_progress", "content": []}
    yield events.next("output_item.added", output_index=index, item=bare), 0
    part = item["content"][0]
    yield events.next("content_part.added", **place, part=part | {"text": ""}), 0
    for at in range(0, len(plan.pieces), step):
        pieces = plan.pieces[at : at + step]
        text = "".join(pieces)
        yield (
            events.next("output_text.delta", **place, delta=text, logprobs=[], obfuscation="aB3"),
            len(pieces),
        )
    yield events.next("output_text.done", **place, text=part["text"], logprobs=[]), 0
    yield events.next("content_part.done", **place, part=part), 0
    yield events.next("output_item.done", output_index=index, item=item), 0


def error_event(refused: Refused) -> bytes:
    body = {"type": "error", "code": refused.code, "message": refused.message, "param": None}
    return b"event: error\ndata: %b\n\n" % dumps(body | {"sequence_number": 99})


def _read_count(request: Request, scenario: Scenario, world: World) -> Call:
    body = request.json()
    tokens = sum(it.tokens for it in _blocks(body, Tokenizer(scenario.bytes_per_token, "openai")))
    tokens += world.answered.get(body.get("previous_response_id") or "", 0)
    return Call(body.get("model") or "", False, {"counted": tokens}, Prompt(0), scenario)


def _whole_count(call: Call, plans: list[Plan], entry: Entry) -> Json:
    return {"object": "response.input_tokens", "input_tokens": call.body["counted"]}


RESPONSES = Api("openai.responses", _read, _whole, _frames, refusal, error_event)
COUNT = Api(
    "openai.count", _read_count, _whole_count, _frames, refusal, error_event,
    is_free=True, makes_output=False,
)  # fmt: skip
