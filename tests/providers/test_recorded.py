"""The mock replays what was recorded, byte for byte; what it makes up itself has the same shape."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.providers.clients import HTTP
from tests.providers.recorded import NAMES, Recording, documents_of, recording
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider, provider

from tekton_budget.domain.metering import read_response, read_stream

PATHS = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "openai.count": "/v1/responses/input_tokens",
    "anthropic.messages": "/v1/messages",
    "gemini.generate": "/v1beta/models/{model}:{verb}",
}
KEYS = {"authorization": "Bearer k", "anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockProvider]:
    with provider() as running:
        yield running


def asked(mock: MockProvider, told: Recording, scenario: dict[str, Any]) -> httpx.Response:
    verb = "streamGenerateContent?alt=sse" if told.frames else "generateContent"
    path = PATHS[told.api].format(model=told.model, verb=verb)
    headers = {**KEYS, "x-mock": json.dumps(scenario)}
    return HTTP.post(f"{mock.url}{path}", json=told.request, headers=headers)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_replayed_and_billed(mock: MockProvider, name: str) -> None:
    told = recording(name)
    answer = asked(mock, told, {"recording": name})
    assert answer.status_code == 200, answer.text
    if told.frames:
        assert answer.text == "".join(told.frames)
    elif told.api != "openai.count":
        assert answer.json() == told.response
    entry = mock.bill.entries[-1]
    if told.api != "openai.count":
        assert entry.units == {**told.charge.units, "output": told.charge.output}
        assert entry.reasoning == told.charge.reasoning


@pytest.mark.parametrize("name", [name for name in NAMES if "count" not in name])
def test_the_price_book_reads_of_it_what_was_charged(name: str) -> None:
    told = recording(name)
    if told.frames:
        metered = read_stream(documents_of(told.frames), api=told.api)
    else:
        metered = read_response(told.response, api=told.api)
    found: dict[str, int] = {}
    for unit, n in metered.parts[0].units:
        found["output" if unit == "reasoning" else unit] = found.get(unit, 0) + n
    expected = {**told.charge.units, "output": told.charge.output}
    assert len(metered.parts) == 1
    assert found == expected


def shape(value: Any) -> Any:  # Any: JSON
    """The names in it, and of what kind their values are."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def differs(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:  # Any: JSON
    """Where ours has a name that theirs has not, or another kind of value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key not in theirs:
                yield f"{path}.{key}"
            else:
                yield from differs(value, theirs[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if ours and theirs:
            yield from differs(ours[0], theirs[0], f"{path}[]")
    elif ours != theirs and "NoneType" not in {ours, theirs}:
        yield f"{path}: {ours} != {theirs}"


# What the API sends today and the recording, which is older, has not.
NEWER = (
    ".annotations", ".logprobs", ".service_tier", ".background", ".billing", ".max_tool_calls",
    ".prompt_cache_key", ".safety_identifier", ".top_logprobs", ".verbosity", ".summary",
    ".obfuscation", ".cachedContentTokenCount", ".thoughtsTokenCount", ".candidatesTokenCount",
    ".parts", ".text", ".thought", ".refusal",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("openai.chat/json-schema", {}),
        ("openai.chat/tool-call", {"tokens": 0, "tools": 1}),
        ("openai.responses/text", {}),
        ("openai.responses/tool-call", {"tokens": 0, "tools": 1}),
        ("anthropic.messages/thinking-tool", {"reasoning": 3, "tools": 1}),
        ("anthropic.messages/cache", {}),
        ("gemini.generate/max-tokens", {"reasoning": 9}),
    ],
)
def test_a_whole_answer_that_is_made_up_has_the_recorded_shape(
    mock: MockProvider, name: str, scenario: dict[str, Any]
) -> None:
    told = recording(name)
    answer = asked(mock, told, scenario)
    assert answer.status_code == 200, answer.text
    found = [
        it for it in differs(shape(answer.json()), shape(told.response)) if not it.endswith(NEWER)
    ]
    assert found == []


STREAMS = [name for name in NAMES if recording(name).frames]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_made_up_has_events_of_the_recorded_kinds(
    mock: MockProvider, name: str
) -> None:
    told = recording(name)
    scenario = {"tokens": 4, "reasoning": 3 if told.charge.reasoning else 0, "tools": 1}
    answer = asked(mock, told, scenario)
    frames = answer.text.replace("\r\n", "\n").split("\n\n")[:-1]
    recorded = [it.replace("\r\n", "\n").rstrip("\n") for it in told.frames]
    assert [_head(frames[0]), _head(frames[-1])] == [_head(recorded[0]), _head(recorded[-1])]
    kinds = {_head(it) for it in recorded} - {"event: response.custom_tool_call_input.delta", "event: response.custom_tool_call_input.done"}  # fmt: skip
    assert kinds <= {_head(it) for it in frames}
    documents = documents_of(tuple(frames))
    for document, theirs in ((documents[0], 0), (documents[-1], -1)):
        like = documents_of(told.frames)[theirs]
        found = [it for it in differs(shape(document), shape(like)) if not it.endswith(NEWER)]
        assert [it for it in found if ".tools[]" not in it and ".output[]" not in it] == []


def _head(frame: str) -> str:
    first = frame.partition("\n")[0]
    return first if first.startswith("event:") or first == "data: [DONE]" else "data"


def test_what_does_not_fit_is_refused(mock: MockProvider) -> None:
    told = recording("openai.chat/json-schema")
    for wrong in ("openai.chat/text-stream", "nothing"):
        answer = asked(mock, told, {"recording": wrong})
        assert answer.status_code == 400
        assert wrong in answer.json()["error"]["message"]
    with pytest.raises(ValueError, match="no fault"):
        Scenario(fault="earthquake")
