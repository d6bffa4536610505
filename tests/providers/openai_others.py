"""OpenAI's older completions, and its embeddings."""

import base64
import struct
import time

from tests.providers.bill import Entry
from tests.providers.caching import Prompt
from tests.providers.counting import Tokenizer
from tests.providers.fields import OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS
from tests.providers.openai_chat import error_event, refusal
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

DIMENSIONS = 8


def _texts(given: object, tokenizer: Tokenizer) -> list[int]:
    """Tokens of each text; a list of numbers is a text in tokens."""
    if isinstance(given, str):
        return [tokenizer.text(given)]
    if isinstance(given, list) and given:
        if all(isinstance(it, int) for it in given):
            return [len(given)]
        return [len(it) if isinstance(it, list) else tokenizer.text(it) for it in given]
    raise Refused(400, "Invalid type: expected a text or a list of texts.", param="input")


def _read_completion(request: Request, scenario: Scenario, world: World) -> Call:
    body = request.json()
    model = body.get("model")
    if not isinstance(model, str):
        raise Refused(400, "you must provide a model parameter", param="model")
    check_fields(body, OPENAI_COMPLETIONS, world)
    texts = _texts(body.get("prompt"), Tokenizer(scenario.bytes_per_token, "openai"))
    n = whole_number(body, "n", least=1) or 1
    best_of = whole_number(body, "best_of", least=1) or n
    if best_of < n:
        raise Refused(400, "best_of must be greater than or equal to n", param="best_of")
    limit = whole_number(body, "max_tokens", least=1, most=world.limits.ceiling(model))
    call = Call(model, bool(body.get("stream")), body, Prompt(sum(texts)), scenario)
    call.max_output = limit if limit is not None else 16  # the default of this API
    call.answers, call.billed_answers = n * len(texts), best_of * len(texts)
    return call


def _usage(call: Call, plans: list[Plan]) -> Json:
    output = sum(plan.tokens for plan in plans) * call.billed_answers // call.answers
    return {
        "prompt_tokens": call.prompt.tokens,
        "completion_tokens": output,
        "total_tokens": call.prompt.tokens + output,
    }


def _head(call: Call) -> Json:
    return {
        "id": new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": call.model,
    }


def _choice(index: int, text: str, finish: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _finish(plan: Plan) -> str:
    return "length" if plan.is_cut else "stop"


def _whole_completion(call: Call, plans: list[Plan], entry: Entry) -> Json:
    answer = _head(call)
    answer["choices"] = [_choice(at, it.text, _finish(it)) for at, it in enumerate(plans)]
    if call.scenario.usage != "none":
        answer["usage"] = _usage(call, plans)
    return answer


def _frames_completion(call: Call, plans: list[Plan], entry: Entry) -> Frames:
    head = _head(call)
    wants_usage = (call.body.get("stream_options") or {}).get("include_usage")
    none = {"usage": None} if wants_usage else {}
    for index, plan in enumerate(plans):
        for _ in range(plan.reasoning):
            yield b"", 1
        for piece in plan.pieces:
            choices = [_choice(index, piece, None)]
            yield b"data: %b\n\n" % dumps(head | {"choices": choices} | none), 1
        choices = [_choice(index, "", _finish(plan))]
        yield b"data: %b\n\n" % dumps(head | {"choices": choices} | none), plan.over
    if wants_usage and call.scenario.usage != "none":
        yield b"data: %b\n\n" % dumps(head | {"choices": [], "usage": _usage(call, plans)}), 0
    yield b"data: [DONE]\n\n", 0


def _read_embedding(request: Request, scenario: Scenario, world: World) -> Call:
    body = request.json()
    model = body.get("model")
    if not isinstance(model, str):
        raise Refused(400, "you must provide a model parameter", param="model")
    check_fields(body, OPENAI_EMBEDDINGS, world)
    texts = _texts(body.get("input"), Tokenizer(scenario.bytes_per_token, "openai"))
    body["texts"] = len(texts)
    return Call(model, False, body, Prompt(sum(texts)), scenario)


def _whole_embedding(call: Call, plans: list[Plan], entry: Entry) -> Json:
    size = call.body.get("dimensions") or DIMENSIONS
    vector = [round(0.01 * (it % 7 - 3), 4) for it in range(size)]
    value: object = vector
    if call.body.get("encoding_format") == "base64":
        value = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
    answer: Json = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": it, "embedding": value}
            for it in range(call.body["texts"])
        ],
        "model": call.model,
    }
    if call.scenario.usage != "none":
        tokens = call.prompt.tokens
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return answer


COMPLETIONS = Api(
    "openai.completions", _read_completion, _whole_completion, _frames_completion, refusal,
    error_event,
)  # fmt: skip
EMBEDDINGS = Api(
    "openai.embeddings", _read_embedding, _whole_embedding, _frames_completion, refusal,
    error_event, makes_output=False,
)  # fmt: skip
