"""A stream's frames folded into the response they make, as far as the bill is concerned."""

from collections.abc import Iterable, Mapping, Sequence

from tekton_budget.domain.errors import InvalidInput, invalid

from .fields import MISSING, Place, faulty
from .metered import Metered
from .response import read_response

_Body = dict[str, object]

# Where a frame holds the whole response, by the type it names.
_WHOLE = {
    "response.completed": "response",
    "response.incomplete": "response",
    "response.failed": "response",
    "response.done": "response",
    "message_start": "message",
}
_KEPT = (
    "id",
    "model",
    "modelVersion",
    "model_version",
    "responseId",
    "response_id",
    "service_tier",
    "serviceTier",
    "usageMetadata",
    "usage_metadata",
    "amazon-bedrock-invocationMetrics",
    "prompt_eval_count",
    "eval_count",
    "prompt_token_count",
    "generation_token_count",
    "inputTextTokenCount",
    "trace",
)
_TURNS = frozenset({"message_start", "message_delta", "response.done"})  # of which a fault is told
_QUERIES = (
    "groundingMetadata.webSearchQueries",
    "groundingMetadata.web_search_queries",
    "grounding_metadata.web_search_queries",
    "grounding_metadata.webSearchQueries",
)
_CANDIDATES_MAX = 100
_USAGE = ("usage", "x_groq.usage", "choices.0.usage", "delta.usage", "metadata.usage")


def read_stream(
    frames: Iterable[object],
    *,
    api: str | None = None,
    provider: str | None = None,
    context: Mapping[str, object] | None = None,
    model: str | None = None,
) -> Metered:
    """What a whole stream says was used; `frames` are its decoded events or chunks, in order.

    All of them, or any that include the last. A stream that broke off before it told is refused
    (`missing_usage`); what is no object, such as `[DONE]`, is passed by.
    """
    body = folded(frames)
    return read_response(body, api=api, provider=provider, context=context, model=model)


def folded_or_telling(frames: Sequence[object]) -> _Body | list[object]:
    """The response that frames make; where they make none, those of them that say so."""
    try:
        return folded(frames)
    except InvalidInput:
        return [frame for frame in frames if _kind(frame) in _TURNS]


def folded(frames: Iterable[object]) -> _Body:
    """The response that frames make: of each thing told, the last that is no null."""
    body: _Body = {}
    answers = 0
    started = False  # a message of Anthropic, whose end tells the output
    for frame in frames:
        place = _place(frame)
        if place is None:
            continue
        kind = place.text("type", "event_type") or ""
        whole = place.place(_WHOLE.get(kind, "response" if kind == "stream-end" else "-"))
        if whole is not None:
            told = _told(whole.body)
            known = told.get("output") or body.get("output")  # some end without what they did
            body |= told if known is None else {**told, "output": known}
        answers += kind == "response.done"
        started = kind == "message_start" or (started and kind != "message_delta")
        _fold(body, place)
    if started:
        raise _broken_off()
    if answers > 1:
        raise faulty("frames", "hold several answers; read each response.done by itself")
    return body


def _place(frame: object) -> Place | None:
    if not isinstance(frame, Mapping):
        return None
    data = frame.get("data")  # beside its event, or alone as Mistral's SDK has it
    if isinstance(data, Mapping) and ("event" in frame or len(frame) == 1):
        return Place(data)
    return Place(frame)


def _kind(frame: object) -> str | None:
    place = _place(frame)
    return None if place is None else place.text("type", "event_type")


def _broken_off() -> InvalidInput:
    return invalid(
        "frames",
        "the stream broke off before message_delta, which tells the output; "
        "settle with your own count, or let the hold be charged",
        MISSING,
    )


def _fold(body: _Body, frame: Place) -> None:
    body |= {name: frame.body[name] for name in _KEPT if frame.body.get(name) is not None}
    for name in _USAGE:
        usage = frame.value(name)
        if isinstance(usage, Mapping):
            earlier = body.get("usage")
            body["usage"] = {**(earlier if isinstance(earlier, Mapping) else {}), **_told(usage)}
    metadata = frame.place("metadata")
    if metadata is not None:
        body |= {name: metadata.body[name] for name in _KEPT if metadata.body.get(name) is not None}
    for place, candidate in enumerate(frame.items("candidates")):
        if any(isinstance(candidate.value(name), list | tuple) for name in _QUERIES):
            told = candidate.value("index")  # a frame may be of one candidate among several
            number = told if isinstance(told, int) and 0 <= told < _CANDIDATES_MAX else place
            body["candidates"] = _put(body.get("candidates"), number, candidate.body)
    for choice in frame.items("choices"):
        notes = [note.body for note in choice.items("delta.annotations")]
        notes += [note.body for note in choice.items("message.annotations")]
        if notes:
            body["choices"] = [{"message": {"annotations": notes}}]
    if frame.place("item") and frame.value("type") == "response.output_item.done":
        known = body.get("output")
        body["output"] = [*(known if isinstance(known, list) else []), frame.value("item")]


def _put(known: object, number: int, candidate: Mapping[str, object]) -> list[object]:
    found = list(known) if isinstance(known, list) else []
    found += [{}] * (number + 1 - len(found))
    found[number] = candidate
    return found


def _told(body: Mapping[str, object]) -> _Body:
    return {name: value for name, value in body.items() if value is not None}
