"""Every field of the SDKs has its row, and what has no row is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.domain.call.bodies import AGENTS, LEAST, Body

from tekton_budget.domain.call import UNMETERED, Api, read_request
from tekton_budget.domain.call.gemini.generate import CONFIG
from tekton_budget.domain.call.reading import TABLES
from tekton_budget.domain.errors import InvalidInput

RECORDED = json.loads(
    (Path(__file__).parents[2] / "recordings" / "request_fields.json").read_text()
)


@pytest.mark.parametrize("api", list(Api))
def test_every_field_of_the_sdk_has_a_row(api: Api) -> None:
    assert [name for name in RECORDED[api]["fields"] if name not in TABLES[api].rows] == []


def test_every_field_of_the_generation_config_has_a_row_in_both_spellings() -> None:
    assert [name for name in RECORDED["gemini.generate"]["config"] if name not in CONFIG.rows] == []
    assert [name for name in CONFIG.rows if snake(name) not in CONFIG.rows] == []


def refused_at(api: Api, body: Body, **known: Any) -> str:
    with pytest.raises(InvalidInput) as refusal:
        read_request(api, body, **known)
    assert refusal.value.code == UNMETERED
    assert "BUDGET_GATEWAY_UNMETERED=pass" in refusal.value.detail
    return refusal.value.fields[0].field


@pytest.mark.parametrize("api", list(Api))
def test_a_field_in_no_row_is_refused_by_name(api: Api) -> None:
    assert refused_at(api, {**LEAST[api], "turbo": 1}) == "turbo"
    assert read_request(api, {**LEAST[api], "turbo": None}).unmetered == ()

    passed = read_request(api, {**LEAST[api], "turbo": "x" * 500}, unmetered=True)
    assert passed.unmetered == ("turbo",)
    assert passed.input_tokens >= read_request(api, LEAST[api]).input_tokens + 500


def planted(body: Body, *path: str | int, **fields: object) -> Body:
    """A copy with fields set at a place."""
    found: Body = json.loads(json.dumps(body))
    inner: Any = found
    for step in path:
        inner = inner[step]
    inner.update(fields)
    return found


CHAT, RESPONSES, CLAUDE, GEMINI = (
    Api.OPENAI_CHAT,
    Api.OPENAI_RESPONSES,
    Api.ANTHROPIC_MESSAGES,
    Api.GEMINI_GENERATE,
)


def said(api: Api, part: object) -> Body:
    """A request whose only message has this part."""
    if api is GEMINI:
        return {**LEAST[api], "contents": [{"role": "user", "parts": [part]}]}
    name = "input" if api is RESPONSES else "messages"
    return {**LEAST[api], name: [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("api", "body", "field"),
    [
        (CHAT, planted(LEAST[CHAT], "messages", 0, turbo=1), "messages.0.turbo"),
        (CHAT, said(CHAT, {"type": "film"}), "messages.0.content.0.type"),
        (CHAT, said(CHAT, {"type": ["text"]}), "messages.0.content.0.type"),
        (
            CHAT,
            said(CHAT, {"type": "image_url", "image_url": {"url": "https://a", "turbo": 1}}),
            "messages.0.content.0.image_url.turbo",
        ),
        (CHAT, said(CHAT, {"type": "image_url", "turbo": 1}), "messages.0.content.0.turbo"),
        (
            CHAT,
            {**LEAST[CHAT], "messages": [{"role": "assistant", "audio": {"id": "a"}}]},
            "messages.0.audio",
        ),
        (CHAT, said(CHAT, {"type": "audio", "audio": "a"}), "messages.0.content.0"),
        (CHAT, {**LEAST[CHAT], "tools": [{"type": "browser_search"}]}, "tools.0.type"),
        (CHAT, {**LEAST[CHAT], "service_tier": "warp"}, "service_tier"),
        (CHAT, {**LEAST[CHAT], "stream_options": {"turbo": 1}}, "stream_options.turbo"),
        (CHAT, {**LEAST[CHAT], "web_search_options": {"turbo": 1}}, "web_search_options.turbo"),
        (CHAT, {**LEAST[CHAT], "modalities": ["text", "scent"]}, "modalities.1"),
        (CHAT, {**LEAST[CHAT], "modalities": ["audio"]}, "modalities"),
        (CHAT, {**LEAST[CHAT], "prediction": {"content": "", "turbo": 1}}, "prediction.turbo"),
        (CHAT, {**LEAST[CHAT], "model": "openai/gpt-4o:online"}, "model"),
        (CHAT, {**LEAST[CHAT], "enable_thinking": True}, "enable_thinking"),
        (GEMINI, {**LEAST[GEMINI], "model": "gemini-3-pro-image"}, None),
        (CHAT, {**LEAST[CHAT], "plugins": [{"id": "web"}]}, "plugins"),
        (CHAT, {**LEAST[CHAT], "models": ["gpt-4o", "o1"]}, "models"),
        (CHAT, {**LEAST[CHAT], "search_parameters": {"mode": "auto"}}, "search_parameters"),
        (CHAT, {**LEAST[CHAT], "prompt_cache_options": {"prewarm": True}}, None),
        (RESPONSES, planted(AGENTS["Codex"][1], "input", 0, turbo=1), "input.0.turbo"),
        (RESPONSES, {**LEAST[RESPONSES], "input": [{"type": "film"}]}, "input.0.type"),
        (RESPONSES, {**LEAST[RESPONSES], "background": True}, "background"),
        (RESPONSES, {**LEAST[RESPONSES], "reasoning": {"mode": "pro"}}, "reasoning.mode"),
        (RESPONSES, {**LEAST[RESPONSES], "reasoning": {"turbo": 1}}, "reasoning.turbo"),
        (RESPONSES, {**LEAST[RESPONSES], "text": {"turbo": 1}}, "text.turbo"),
        (RESPONSES, {**LEAST[RESPONSES], "tools": [{"type": "mcp"}]}, "tools.0.type"),
        (RESPONSES, {**LEAST[RESPONSES], "tools": [{"type": "web_search"}]}, "tools.0.type"),
        (RESPONSES, {**LEAST[RESPONSES], "tools": [{"type": "tool_search"}]}, "tools.0.type"),
        (
            RESPONSES,
            {
                **LEAST[RESPONSES],
                "tools": [{"type": "shell", "environment": {"type": "container_auto"}}],
            },
            "tools.0.type",
        ),
        (
            RESPONSES,
            {
                **LEAST[RESPONSES],
                "input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}],
            },
            "input.0.tools.0.type",
        ),
        (CLAUDE, planted(LEAST[CLAUDE], "messages", 0, turbo=1), "messages.0.turbo"),
        (CLAUDE, said(CLAUDE, {"type": "film"}), "messages.0.content.0.type"),
        (CLAUDE, said(CLAUDE, {"type": "container_upload"}), "messages.0.content.0.type"),
        (
            CLAUDE,
            said(CLAUDE, {"type": "image", "source": {"type": "url", "turbo": 1}}),
            "messages.0.content.0.source.turbo",
        ),
        (
            CLAUDE,
            said(CLAUDE, {"type": "tool_result", "content": [{"type": "film"}]}),
            "messages.0.content.0.content.0.type",
        ),
        (
            CLAUDE,
            said(
                CLAUDE,
                {
                    "type": "tool_addition",
                    "tool": {"definition": {"type": "web_search_20250305", "name": "s"}},
                },
            ),
            "messages.0.content.0.tool.definition",
        ),
        (CLAUDE, {**LEAST[CLAUDE], "tools": [{"type": "code_execution_20250825"}]}, "tools.0.type"),
        (CLAUDE, {**LEAST[CLAUDE], "tools": [{"type": "web_search_20250305"}]}, "tools.0"),
        (
            CLAUDE,
            {**LEAST[CLAUDE], "tools": [{"type": "web_search_20260209", "max_uses": 2}]},
            "tools.0",
        ),
        (CLAUDE, {**LEAST[CLAUDE], "thinking": {"type": "warp"}}, "thinking.type"),
        (CLAUDE, {**LEAST[CLAUDE], "output_config": {"turbo": 1}}, "output_config.turbo"),
        (
            CLAUDE,
            {**LEAST[CLAUDE], "context_management": {"edits": [{"type": "compact_20260112"}]}},
            "context_management.edits.0.type",
        ),
        (CLAUDE, {**LEAST[CLAUDE], "mcp_servers": [{"url": "https://a"}]}, "mcp_servers"),
        (CLAUDE, {**LEAST[CLAUDE], "fallbacks": "default"}, "fallbacks"),
        (CLAUDE, {**LEAST[CLAUDE], "speed": "warp"}, "speed"),
        (CLAUDE, {**LEAST[CLAUDE], "service_tier": "warp"}, "service_tier"),
        (GEMINI, planted(LEAST[GEMINI], "contents", 0, turbo=1), "contents.0.turbo"),
        (GEMINI, said(GEMINI, {"film": 1}), "contents.0.parts.0.film"),
        (
            GEMINI,
            said(GEMINI, {"inlineData": {"mimeType": "image/png", "data": "", "turbo": 1}}),
            "contents.0.parts.0.inlineData.turbo",
        ),
        (GEMINI, {**LEAST[GEMINI], "tools": [{"codeExecution": {}}]}, "tools.0.codeExecution"),
        (GEMINI, {**LEAST[GEMINI], "generationConfig": {"turbo": 1}}, "generationConfig.turbo"),
        (
            GEMINI,
            {**LEAST[GEMINI], "generation_config": {"response_modalities": ["VIDEO"]}},
            "generation_config.response_modalities.0",
        ),
        (
            GEMINI,
            {**LEAST[GEMINI], "generationConfig": {"responseModalities": ["IMAGE"]}},
            "generationConfig.responseModalities",
        ),
        (GEMINI, {**LEAST[GEMINI], "serviceTier": "warp"}, "serviceTier"),
        (
            GEMINI,
            {**LEAST[GEMINI], "model": "gemini-3-pro", "tools": [{"google_search": {}}]},
            "tools.0.google_search",
        ),
        (
            Api.GEMINI_EMBED,
            {"model": "m", "requests": [{"content": "Hi", "turbo": 1}]},
            "requests.0.turbo",
        ),
    ],
)
def test_what_has_no_bound_is_refused_where_it_stands(
    api: Api, body: Body, field: str | None
) -> None:
    found = refused_at(api, body)

    assert field is None or found == field
    assert read_request(api, body, unmetered=True).unmetered


@pytest.mark.parametrize("name", AGENTS)
def test_what_agents_send_is_let_through(name: str) -> None:
    api, body = AGENTS[name]

    need = read_request(api, body, model=body.get("model", "gemini-2.5-pro"))

    assert not need.window
    assert not need.unmetered
    assert len(need.boundaries) == len(
        body.get("messages") or body.get("input") or body.get("contents")
    )


@pytest.mark.parametrize(
    ("api", "name"),
    [(api, name) for api, table in TABLES.items() for name in RECORDED[api]["fields"]],
)
def test_a_field_is_off_when_it_is_null(api: Api, name: str) -> None:
    if name in LEAST[api]:
        return

    assert read_request(api, {**LEAST[api], name: None}) == read_request(api, LEAST[api])


KNOWN_TOOLS = [
    ("openai.responses", {"type": kind}) for kind in RECORDED["openai.responses"]["tools"]
] + [
    ("anthropic.messages", {"type": kind, "name": "t"})
    for kind in RECORDED["anthropic.messages"]["tools"]
]


@pytest.mark.parametrize(("api", "tool"), KNOWN_TOOLS, ids=str)
def test_a_tool_of_the_sdk_is_bounded_or_refused(api: str, tool: Body) -> None:
    body = {**LEAST[Api(api)], "tools": [tool]}
    dropped = read_request(Api(api), body, dropping=True)

    try:
        need = read_request(Api(api), body)
    except InvalidInput as refusal:
        assert refusal.code == UNMETERED
        assert dropped.dropped == (("tools", 0),)
    else:
        assert need.input_tokens > read_request(Api(api), LEAST[Api(api)]).input_tokens
        assert dropped.dropped == ()


@pytest.mark.parametrize("kind", RECORDED["openai.responses"]["items"])
def test_an_item_of_the_sdk_is_known(kind: str) -> None:
    body = {**LEAST[RESPONSES], "input": [{"type": kind, "tools": [], "output": "x"}]}
    if kind == "message":
        body["input"] = [{"type": kind, "role": "user", "content": "Hi"}]
    elif kind == "computer_call_output":
        body["input"][0]["output"] = {"type": "computer_screenshot", "file_id": "f"}

    need = read_request(RESPONSES, body, unmetered=True)

    assert need.unmetered == ()
    assert need.rounds == (2 if kind == "compaction_trigger" else 1)


@pytest.mark.parametrize("kind", RECORDED["anthropic.messages"]["blocks"])
def test_a_block_of_the_sdk_is_known(kind: str) -> None:
    block = {"type": kind, "source": {"type": "url", "url": "https://a"}, "tool": {"name": "t"}}
    if kind in ("image", "document"):
        del block["tool"]

    need = read_request(CLAUDE, said(CLAUDE, block), unmetered=True)

    assert need.unmetered == (("messages.0.content.0.type",) if kind == "container_upload" else ())


PART_SAMPLES = {
    "inlineData": {"mimeType": "image/png", "data": ""},
    "fileData": {"mimeType": "image/png", "fileUri": "files/a"},
    "functionCall": {"name": "f"},
    "functionResponse": {"name": "f"},
    "text": "Hi",
}


@pytest.mark.parametrize("name", RECORDED["gemini.generate"]["parts"])
def test_a_part_of_the_sdk_is_known(name: str) -> None:
    part = {name: PART_SAMPLES.get(name, {"a": 1})}

    assert read_request(GEMINI, said(GEMINI, part)).unmetered == ()


def test_there_is_a_bound_in_words_for_every_row() -> None:
    for table in (*TABLES.values(), CONFIG):
        for name, row in table.rows.items():
            assert row.bound, name


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def test_the_page_names_every_field_that_is_refused() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "requests.md").read_text()
    rows = {name: row for table in (*TABLES.values(), CONFIG) for name, row in table.rows.items()}
    second_spellings = {snake(name) for name in rows if name != name.lower()}
    refused = {name for name, row in rows.items() if row.bound.startswith("refused")}

    assert "mcp_servers" in refused
    assert [name for name in refused - second_spellings if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"generationConfig": {}, "generation_config": {"maxOutputTokens": 9}},
        {"generationConfig": {"maxOutputTokens": 9_000, "max_output_tokens": 9}},
        {"generationConfig": {"candidateCount": 1, "candidate_count": 8}},
        {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "thinking_budget": 9}}},
        {"generateContentRequest": {"serviceTier": "flex", "service_tier": "priority"}},
    ],
)
def test_a_field_in_both_spellings_is_refused(fields: dict[str, Any]) -> None:
    """Of two maxima we cannot tell which the provider will read."""
    body = {**LEAST[Api.GEMINI_GENERATE], **fields}
    with pytest.raises(InvalidInput, match="send one of them"):
        read_request(Api.GEMINI_GENERATE, body)


@pytest.mark.parametrize(
    ("model", "fields", "hidden"),
    [
        ("google/gemini-2.5-pro", {}, True),
        ("google/gemini-2.0-flash", {}, False),
        ("anthropic/claude-sonnet-5", {}, True),
        ("anthropic/claude-sonnet-4.5", {}, False),
        ("anthropic/claude-sonnet-4.5", {"reasoning_effort": "high"}, True),
        ("anthropic/claude-sonnet-4.5", {"reasoning": {"max_tokens": 2_000}}, True),
        ("anthropic/claude-sonnet-5", {"reasoning_effort": "none"}, False),
        ("deepseek/deepseek-r1", {"reasoning_effort": "high"}, False),
    ],
)
def test_what_models_of_others_think_is_hidden_through_their_sellers_too(
    model: str, fields: Body, hidden: bool
) -> None:
    """A hold must not grow by what is seen where more is billed."""
    body = {**LEAST[Api.OPENAI_CHAT], "model": model, **fields}
    assert read_request(Api.OPENAI_CHAT, body).hidden_output is hidden
