"""Whatever is sent, it is read or refused, and never counted below its text."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.domain.call.bodies import AGENTS, LEAST, texts_in

from tekton_budget.domain.call import Api, Need, read_request
from tekton_budget.domain.call.reading import TABLES
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.further import SAID_OTHERWISE

_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.text(max_size=8) | st.sampled_from(
    ["text", "image_url", "input_audio", "function", "tool_result", "web_search", "user", "data:,"]
)
FIELDS = {name for table in TABLES.values() for name in table.rows}
FIELDS |= {
    "type",
    "role",
    "content",
    "parts",
    "text",
    "image_url",
    "url",
    "source",
    "data",
    "input",
}
FIELDS |= {
    "cache_control",
    "inlineData",
    "fileData",
    "functionCall",
    "tool",
    "definition",
    "output",
}
NAMES = st.sampled_from(sorted(FIELDS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def read_or_refused(api: Api, body: Any, passing: bool) -> Need | None:
    try:
        need = read_request(api, body, unmetered=passing, dropping=passing)
        assert len(need.boundaries) >= 0
        assert not {unit for unit, _ in need.units} & SAID_OTHERWISE.keys()
    except InvalidInput as refusal:
        assert refusal.fields
        return None
    return need


@_unhurried
@given(
    api=st.sampled_from(list(Api)),
    fields=st.dictionaries(NAMES, JSON, max_size=4),
    passing=st.booleans(),
)
def test_any_body_is_read_or_refused(api: Api, fields: dict[str, Any], passing: bool) -> None:
    read_or_refused(api, {**LEAST[api], **fields}, passing)


@_unhurried
@given(api=st.sampled_from(list(Api)), body=JSON)
def test_anything_is_read_or_refused(api: Api, body: Any) -> None:
    read_or_refused(api, body, False)


PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}),
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": st.text(), "else": st.text()},
    ),
)


@_unhurried
@given(
    api=st.sampled_from([Api.OPENAI_CHAT, Api.ANTHROPIC_MESSAGES]),
    content=st.text() | st.lists(PARTS, max_size=4),
    description=st.text(),
)
def test_no_text_is_counted_below_its_bytes(api: Api, content: Any, description: str) -> None:
    body = {
        **LEAST[api],
        "messages": [{"role": "user", "content": content}] * 2,
        "tools": [{"name": "f", "description": description}],
    }
    need = read_request(api, body)

    assert need.input_tokens >= 2 * texts_in(content) + texts_in(description)
    assert need.boundaries[1].tokens >= need.boundaries[0].tokens + texts_in(content)


@_unhurried
@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_any_part_is_read_or_refused(part: dict[str, Any]) -> None:
    for api, field in ((Api.OPENAI_CHAT, "messages"), (Api.ANTHROPIC_MESSAGES, "messages")):
        message = {"role": "user", "content": [part]}
        read_or_refused(api, {**LEAST[api], field: [message]}, True)
    read_or_refused(Api.OPENAI_RESPONSES, {**LEAST[Api.OPENAI_RESPONSES], "input": [part]}, True)
    read_or_refused(
        Api.GEMINI_GENERATE,
        {**LEAST[Api.GEMINI_GENERATE], "contents": [{"parts": [part]}]},
        True,
    )


@pytest.mark.parametrize("name", AGENTS)
def test_reading_leaves_the_body_alone(name: str) -> None:
    api, body = AGENTS[name]
    text = repr(body)
    need = read_request(api, body, model="m")

    assert need.boundaries
    assert repr(body) == text
