"""Requests of one conversation know each other by the ends of their messages."""

import copy
from typing import Any

import pytest
from tests.domain.call.bodies import AGENTS, CLAUDE_CODE, EPHEMERAL, LEAST, Body

from tekton_budget.domain.call import Api, read_request

CLAUDE = Api.ANTHROPIC_MESSAGES
FIELD = {"messages": "messages", "input": "input", "contents": "contents"}


def ends(api: Api, body: Body) -> list[bytes]:
    need = read_request(api, body, model=body.get("model", "gemini-2.5-pro"))
    return [boundary.digest for boundary in need.boundaries]


@pytest.mark.parametrize("name", AGENTS)
def test_a_longer_conversation_begins_with_the_shorter(name: str) -> None:
    api, body = AGENTS[name]
    field = next(field for field in FIELD if field in body)
    shorter = {**body, field: body[field][:-1]}
    need = read_request(api, body, model=body.get("model", "gemini-2.5-pro"))

    assert ends(api, shorter) == ends(api, body)[:-1]
    assert len(set(ends(api, body))) == len(body[field])
    assert [boundary.tokens for boundary in need.boundaries] == sorted(
        boundary.tokens for boundary in need.boundaries
    )


def test_names_may_come_in_any_order() -> None:
    turned = {**dict(reversed(CLAUDE_CODE.items()))}
    turned["messages"] = [dict(reversed(one.items())) for one in CLAUDE_CODE["messages"]]

    assert ends(CLAUDE, turned) == ends(CLAUDE, CLAUDE_CODE)


def test_marks_for_the_cache_may_move() -> None:
    marked = copy.deepcopy(CLAUDE_CODE)
    marked["messages"][0]["content"][0]["cache_control"] = EPHEMERAL
    del marked["messages"][2]["content"][0]["cache_control"]
    bare = {**marked, "messages": [{"role": "user", "content": "Fix the test."}]}
    bare["messages"] += marked["messages"][1:]

    assert ends(CLAUDE, marked) == ends(CLAUDE, CLAUDE_CODE)
    assert ends(CLAUDE, bare) == ends(CLAUDE, CLAUDE_CODE)


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "Be long."},
        {"tools": CLAUDE_CODE["tools"][:1]},
        {"tool_choice": {"type": "any"}},
        {"thinking": {"type": "disabled"}},
        {"context_management": None},
        {"output_config": {"effort": "low"}},
    ],
)
def test_what_changes_the_count_makes_another_conversation(fields: Body) -> None:
    before, after = ends(CLAUDE, CLAUDE_CODE), ends(CLAUDE, {**CLAUDE_CODE, **fields})

    assert set(before) & set(after) == set()


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 40_000},
        {"temperature": 0},
        {"metadata": {}},
        {"stream": False},
        {"model": "x"},
    ],
)
def test_what_changes_no_count_does_not(fields: Body) -> None:
    assert ends(CLAUDE, {**CLAUDE_CODE, **fields}) == ends(CLAUDE, CLAUDE_CODE)


@pytest.mark.parametrize("at", range(3))
def test_another_word_changes_all_that_comes_after(at: int) -> None:
    other: Any = copy.deepcopy(CLAUDE_CODE)
    other["messages"][at]["content"][0]["text"] = "Else."
    before, after = ends(CLAUDE, CLAUDE_CODE), ends(CLAUDE, other)

    assert [one == two for one, two in zip(before, after, strict=True)] == [
        index < at for index in range(3)
    ]


def test_without_messages_there_are_no_ends() -> None:
    assert ends(Api.OPENAI_EMBEDDINGS, LEAST[Api.OPENAI_EMBEDDINGS]) == []
    assert len(ends(Api.OPENAI_RESPONSES, {"model": "m", "input": "Hi"})) == 1


def test_an_end_is_the_same_in_every_process() -> None:
    (end,) = ends(CLAUDE, LEAST[CLAUDE])

    assert end.hex() == "096bb675db8198298dd32a3ec8d4855c"


def test_what_is_nested_too_deep_to_be_compared_has_no_trail() -> None:
    deep: Any = {"cache_control": {}}
    for _ in range(600):
        deep = [deep]
    message = {"role": "assistant", "tool_calls": [deep]}
    need = read_request(Api.OPENAI_CHAT, {"model": "gpt-4o", "messages": [message]})
    assert need.boundaries == ()
