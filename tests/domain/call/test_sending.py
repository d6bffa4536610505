"""What is sent upstream is the client's body with what was granted."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.call.bodies import AGENTS, CLAUDE_CODE, EPHEMERAL, LEAST, Body

from tekton_budget.domain.call import Api, note_tokens, read_request, sent_upstream

CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, CLAUDE, GEMINI, GEMINI_EMBED = Api


def sent(api: Api, body: Body, max_output: int | None = None, **known: Any) -> Body:
    """What goes upstream; checks that the client's body is left as it was."""
    before = copy.deepcopy(body)
    need = read_request(api, body)
    found = sent_upstream(need, body, max_output=max_output, **known)
    assert body == before
    return found


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 4_000}


@pytest.mark.parametrize(
    ("api", "fields", "most", "changed"),
    [
        (CHAT, {}, 20, {"max_completion_tokens": 20}),
        (CHAT, {"max_tokens": 50}, 20, {"max_tokens": 20}),
        (CHAT, {"max_completion_tokens": 50}, 20, {"max_completion_tokens": 20}),
        (
            CHAT,
            {"max_completion_tokens": 50, "max_tokens": 10},
            20,
            {"max_completion_tokens": 20},
        ),
        (RESPONSES, {}, 20, {"max_output_tokens": 20}),
        (COMPLETIONS, {}, 16, {"max_tokens": 16}),
        (CLAUDE, {"max_tokens": 50}, 20, {"max_tokens": 20}),
        (
            CLAUDE,
            THINKING,
            1_500,
            {"max_tokens": 1_500, "thinking": {"type": "enabled", "budget_tokens": 1_499}},
        ),
        (CLAUDE, THINKING, 3_000, {"max_tokens": 3_000}),
        (CLAUDE, THINKING, 1_024, {"max_tokens": 1_024, "thinking": {"type": "disabled"}}),
        (CLAUDE, {"thinking": {"type": "adaptive"}}, 20, {"max_tokens": 20}),
        (GEMINI, {}, 20, {"generationConfig": {"maxOutputTokens": 20}}),
        (
            GEMINI,
            {"generation_config": {"max_output_tokens": 50, "top_k": 1}},
            20,
            {"generation_config": {"max_output_tokens": 20, "top_k": 1}},
        ),
        (
            GEMINI,
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 8_192}}},
            1_000,
            {
                "generationConfig": {
                    "thinkingConfig": {"thinkingBudget": 1_000},
                    "maxOutputTokens": 1_000,
                }
            },
        ),
        (
            GEMINI,
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 8_192}}},
            100,
            {
                "generationConfig": {
                    "thinkingConfig": {"thinkingBudget": 512},
                    "maxOutputTokens": 100,
                }
            },
        ),
        (
            GEMINI,
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}},
            100,
            {
                "generationConfig": {
                    "thinkingConfig": {"thinkingBudget": -1},
                    "maxOutputTokens": 100,
                }
            },
        ),
    ],
)
def test_the_output_is_what_was_granted(api: Api, fields: Body, most: int, changed: Body) -> None:
    body = {**LEAST[api], **fields}

    assert sent(api, body, most) == {**body, **changed}


@pytest.mark.parametrize(
    ("api", "fields", "known"),
    [
        (CHAT, {}, {}),
        (CHAT, {"max_tokens": 50}, {"max_output": 50}),
        (CHAT, {"max_tokens": 50}, {"max_output": 90}),
        (CHAT, {}, {"usage": True}),  # no stream
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}, {"usage": True}),
        (CHAT, {}, {"model": "gpt-4o"}),
        (CLAUDE, {"stream": True}, {"usage": True}),
        (COMPLETIONS, {}, {"note": "Finish."}),
        (EMBEDDINGS, {}, {"max_output": 20}),
        (GEMINI, {"generationConfig": {"maxOutputTokens": 50}}, {"max_output": 50}),
        (GEMINI_EMBED, {}, {"max_output": 20, "note": "Finish."}),
    ],
)
def test_what_changes_nothing_is_the_same_object(api: Api, fields: Body, known: Body) -> None:
    body = {**LEAST[api], **fields}

    assert sent(api, body, **known) is body


def test_the_field_of_a_maximum_may_be_another() -> None:
    assert sent(CHAT, LEAST[CHAT], 20, output_field="max_tokens")["max_tokens"] == 20


@pytest.mark.parametrize(("said", "most"), [(50, 20), (10, 20)])
def test_a_provider_that_knows_one_name_is_told_by_that_name(said: int, most: int) -> None:
    """Those that pass the newer name over would answer at any length."""
    body = {**LEAST[CHAT], "max_completion_tokens": said}
    found = sent(CHAT, body, most, output_field="max_tokens")
    assert found["max_completion_tokens"] == found["max_tokens"] == min(said, most)


def test_a_maximum_by_its_own_name_is_enough() -> None:
    body = {**LEAST[CHAT], "max_tokens": 10}
    assert sent(CHAT, body, 20, output_field="max_tokens") is body


def test_usage_is_asked_for_in_streams() -> None:
    body = {**LEAST[CHAT], "stream": True, "stream_options": {"include_obfuscation": False}}

    assert sent(CHAT, body, usage=True)["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }


def test_another_model_may_be_sent() -> None:
    assert sent(CHAT, LEAST[CHAT], model="gpt-4o-mini")["model"] == "gpt-4o-mini"


HI = {"role": "user", "content": "Hi"}
NOTE = {"type": "text", "text": "Finish."}


@pytest.mark.parametrize(
    ("api", "fields", "changed"),
    [
        (CHAT, {}, {"messages": [HI, {"role": "system", "content": "Finish."}]}),
        (
            CHAT,
            {"model": "qwen3"},
            {"messages": [{"role": "system", "content": "Finish."}, HI]},
        ),
        (
            CHAT,
            {"model": "qwen3", "messages": [{"role": "system", "content": "Be brief."}, HI]},
            {
                "messages": [
                    {"role": "system", "content": [{"type": "text", "text": "Be brief."}, NOTE]},
                    HI,
                ]
            },
        ),
        (RESPONSES, {}, {"input": [HI, {"role": "developer", "content": "Finish."}]}),
        (
            RESPONSES,
            {"input": [HI]},
            {"input": [HI, {"role": "developer", "content": "Finish."}]},
        ),
        (
            CLAUDE,
            {},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, NOTE]}]},
        ),
        (
            CLAUDE,
            {"messages": [HI, {"role": "assistant", "content": "{"}]},
            {"system": [NOTE]},
        ),
        (
            CLAUDE,
            {
                "system": [{"type": "text", "text": "a", "cache_control": EPHEMERAL}],
                "messages": [{"role": "assistant", "content": "{"}],
            },
            {"system": [{"type": "text", "text": "a", "cache_control": EPHEMERAL}, NOTE]},
        ),
        (GEMINI, {}, {"systemInstruction": {"parts": [{"text": "Finish."}]}}),
        (
            GEMINI,
            {"system_instruction": "Be brief."},
            {"system_instruction": {"parts": [{"text": "Be brief."}, {"text": "Finish."}]}},
        ),
        (
            GEMINI,
            {"systemInstruction": {"role": "user", "parts": {"text": "a"}}},
            {
                "systemInstruction": {
                    "role": "user",
                    "parts": [{"text": "a"}, {"text": "Finish."}],
                }
            },
        ),
    ],
)
def test_a_word_to_the_model_is_added(api: Api, fields: Body, changed: Body) -> None:
    body = {**LEAST[api], **fields}

    assert sent(api, body, note="Finish.") == {**body, **changed}


@pytest.mark.parametrize("name", AGENTS)
def test_a_note_adds_no_more_than_it_is_said_to(name: str) -> None:
    api, body = AGENTS[name]
    body = {"model": "gemini-2.5-pro", **body}
    before = read_request(api, body)
    noted = sent_upstream(before, body, max_output=None, note="Finish now: 字")

    grown = read_request(api, noted).input_tokens - before.input_tokens
    assert 0 < grown <= note_tokens("Finish now: 字")


def test_the_last_mark_for_the_cache_stays_before_a_note() -> None:
    last = sent(CLAUDE, CLAUDE_CODE, note="Finish.")["messages"][-1]

    assert last["content"][:-1] == CLAUDE_CODE["messages"][-1]["content"]
    assert last["content"][-1] == NOTE


def test_what_has_no_bound_may_be_left_out() -> None:
    function = {"type": "function", "name": "f"}
    body = {**LEAST[RESPONSES], "tools": [function, {"type": "web_search"}], "turbo": 1}
    need = read_request(RESPONSES, body, dropping=True)

    assert set(need.dropped) == {("turbo",), ("tools", 1)}
    assert sent_upstream(need, body, max_output=None) == {**LEAST[RESPONSES], "tools": [function]}
    assert need.units == ()
    assert not need.window

    unknown = {**LEAST[RESPONSES], "turbo": 1}
    need = read_request(RESPONSES, unknown, dropping=True)
    assert sent_upstream(need, unknown, max_output=None) == LEAST[RESPONSES]


def test_where_no_tool_is_left_there_is_no_choice() -> None:
    tools = [{"googleSearch": {}, "functionDeclarations": [{"name": "f"}]}, {"codeExecution": {}}]
    body = {**LEAST[GEMINI], "model": "gemini-3-pro", "tools": tools, "toolConfig": {}}
    need = read_request(GEMINI, body, dropping=True)
    kept = sent_upstream(need, body, max_output=None)

    assert kept["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert kept["toolConfig"] == {}

    body["tools"] = tools[1:]
    need = read_request(GEMINI, body, dropping=True)
    assert sent_upstream(need, body, max_output=None).keys() == LEAST[GEMINI].keys()


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(AGENTS)),
    most=st.integers(min_value=1, max_value=70_000),
    note=st.none() | st.text(min_size=1, max_size=20),
    usage=st.booleans(),
    model=st.none() | st.just("another"),
)
def test_no_more_output_is_asked_for_than_was_granted(
    name: str, most: int, note: str | None, usage: bool, model: str | None
) -> None:
    api, body = AGENTS[name]
    body = {"model": "gemini-2.5-pro", **body}
    before = copy.deepcopy(body)
    need = read_request(api, body)
    found = sent_upstream(need, body, max_output=most, note=note, usage=usage, model=model)
    again = read_request(api, found)

    assert body == before
    assert again.max_output is not None
    assert again.max_output <= most
    assert again.max_output == min(most, need.max_output or most)
    assert found["model"] == (model or body["model"])
    thinking = found.get("thinking") or {}
    assert thinking.get("budget_tokens", 0) < again.max_output
    assert again.answers == need.answers
