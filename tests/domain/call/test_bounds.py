"""What a field of a request does to its bounds."""

import base64
import struct
from typing import Any

import pytest
from tests.domain.call.bodies import AGENTS, EPHEMERAL, LEAST, Body, texts_in

from tekton_budget.domain.call import INVALID, Api, Need, read_request
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.units import PriceContext

CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, CLAUDE, GEMINI, GEMINI_EMBED = Api


def need_of(api: Api, **fields: Any) -> Need:
    return read_request(api, {**LEAST[api], **fields})


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return base64.b64encode(head + b"\x08\x02\x00\x00\x00").decode()


@pytest.mark.parametrize("api", list(Api))
def test_text_counts_by_its_bytes(api: Api) -> None:
    plain = read_request(api, LEAST[api]).input_tokens

    assert 2 < plain < 250


@pytest.mark.parametrize("name", AGENTS)
def test_the_bound_is_never_below_the_bytes(name: str) -> None:
    api, body = AGENTS[name]
    need = read_request(api, body, model=body.get("model", "gemini-2.5-pro"))
    said = [body.get(field) for field in ("messages", "input", "contents", "system", "tools")]

    assert need.input_tokens >= texts_in(said) - 100  # types, roles and ids are no text
    assert need.boundaries[-1].tokens <= need.input_tokens


def test_text_outside_ascii_counts_by_its_bytes_in_utf_8() -> None:
    short, long = ({"role": "user", "content": text} for text in ("a", "字" * 1_000))

    added = (
        need_of(CHAT, messages=[long]).input_tokens - need_of(CHAT, messages=[short]).input_tokens
    )
    assert added == 2_999


def test_half_a_character_is_counted() -> None:
    assert need_of(CHAT, messages=[{"role": "user", "content": "\ud83d"}]).input_tokens > 3


OUTPUT: list[tuple[Api, Body, dict[str, Any]]] = [
    (CHAT, {"max_tokens": 50}, {"max_output": 50}),
    (CHAT, {"max_completion_tokens": 50}, {"max_output": 50}),
    (CHAT, {"max_tokens": 60, "max_completion_tokens": 50}, {"max_output": 60}),
    (CHAT, {"max_tokens": 50.0}, {"max_output": 50}),
    (CHAT, {}, {"max_output": None, "answers": 1}),
    (CHAT, {"n": 3}, {"answers": 3}),
    (CHAT, {"best_of": 4, "n": 2}, {"answers": 4}),
    (CHAT, {"prediction": {"type": "content", "content": "12345"}}, {"units": (("reasoning", 5),)}),
    (
        CHAT,
        {"prediction": {"type": "content", "content": "12345"}, "n": 2},
        {"units": (("reasoning", 10),)},
    ),
    (
        CHAT,
        {"modalities": ["text", "audio"], "audio": {"voice": "a"}, "max_tokens": 50, "n": 2},
        {"units": (("output_audio", 100),), "wants": frozenset({"audio"})},
    ),
    (
        CHAT,
        {"web_search_options": {}, "n": 2},
        {
            "units": (("web_search", 2),),
            "window": True,
            "rounds": 1,
            "context": PriceContext(search_context_size="medium"),
        },
    ),
    (CHAT, {"model": "gpt-4o-search-preview"}, {"units": (("web_search", 1),), "window": True}),
    (
        CHAT,
        {"enable_thinking": True, "thinking_budget": 500, "n": 2},
        {"units": (("reasoning", 1_000),)},
    ),
    (CHAT, {"service_tier": "flex"}, {"context": PriceContext("flex")}),
    (CHAT, {"service_tier": "fast"}, {"context": PriceContext("priority")}),
    (CHAT, {"service_tier": "auto"}, {"context": PriceContext()}),
    (CHAT, {"user": "ann"}, {"user": "ann"}),
    (CHAT, {"user": "ann", "safety_identifier": "bob"}, {"user": "bob"}),
    (CHAT, {"safety_identifier": "bob", "user": "ann"}, {"user": "bob"}),
    (CHAT, {"stream": True}, {"stream": True, "asked_for_usage": False}),
    (CHAT, {"stream_options": {"turbo": None}}, {"asked_for_usage": False}),
    (CHAT, {"stream_options": {"include_usage": True}}, {"asked_for_usage": True}),
    (CHAT, {"tools": [{"function": {"name": "f"}}]}, {"wants": frozenset({"tools"})}),
    (CHAT, {"functions": [{"name": "f"}]}, {"wants": frozenset({"tools"})}),
    (CHAT, {"response_format": {"type": "text"}}, {"wants": frozenset()}),
    (
        CHAT,
        {"response_format": {"type": "json_object"}},
        {"wants": frozenset({"structured_output"})},
    ),
    (CHAT, {"reasoning_effort": "low"}, {"wants": frozenset({"reasoning"})}),
    (CHAT, {"model": "gpt-5"}, {"hidden_output": True, "cache_write": None}),
    (CHAT, {"model": "gpt-5", "reasoning_effort": "none"}, {"hidden_output": False}),
    (CHAT, {"model": "openai/gpt-5.6"}, {"cache_write": "5m"}),
    (CHAT, {"model": "gpt-6", "prompt_cache_options": {"mode": "explicit"}}, {"cache_write": None}),
    (CHAT, {"search_parameters": {"mode": "off"}}, {"units": ()}),
    (CHAT, {"models": [], "deferred": False}, {"units": ()}),
    (RESPONSES, {"max_output_tokens": 50}, {"max_output": 50, "min_output": 16}),
    (RESPONSES, {"previous_response_id": "r"}, {"window": True, "boundaries": ()}),
    (RESPONSES, {"conversation": "c"}, {"window": True}),
    (RESPONSES, {"prompt": {"id": "p"}}, {"window": True}),
    (RESPONSES, {"background": False}, {"window": False}),
    (RESPONSES, {"input": [{"id": "msg_1"}]}, {"window": True}),
    (RESPONSES, {"reasoning": {"effort": "none"}, "model": "gpt-5"}, {"hidden_output": False}),
    (RESPONSES, {"text": {"format": {"type": "text"}}}, {"wants": frozenset()}),
    (RESPONSES, {"text": {"format": {"type": "json_schema"}}}, {"min_output": 16}),
    (
        RESPONSES,
        {
            "tools": [{"type": "web_search", "search_context_size": "low"}],
            "max_tool_calls": 3,
        },
        {
            "units": (("web_search", 3),),
            "window": True,
            "rounds": 4,
            "context": PriceContext(search_context_size="low"),
        },
    ),
    (RESPONSES, {"tools": [{"type": "shell"}]}, {"window": False}),
    (RESPONSES, {"tools": [{"type": "tool_search", "execution": "client"}]}, {"window": False}),
    (COMPLETIONS, {}, {"max_output": 16, "answers": 1}),
    (COMPLETIONS, {"max_tokens": 50, "n": 2, "best_of": 5}, {"max_output": 50, "answers": 5}),
    (COMPLETIONS, {"prompt": ["a", "b", "c"], "n": 2}, {"answers": 6}),
    (COMPLETIONS, {"prompt": [1, 2, 3]}, {"answers": 1, "input_tokens": 7}),
    (COMPLETIONS, {"prompt": [[1, 2], [3]]}, {"answers": 2, "input_tokens": 11}),
    (COMPLETIONS, {"suffix": "end"}, {"input_tokens": 13}),
    (COMPLETIONS, {"stream_options": {"include_usage": True}}, {"asked_for_usage": True}),
    (EMBEDDINGS, {"input": ["a", "bc"]}, {"produces_output": False, "input_tokens": 11}),
    (EMBEDDINGS, {"model": "gpt-9-embedding"}, {"cache_write": None}),
    (CLAUDE, {"max_tokens": 0}, {"max_output": 0}),
    (
        CLAUDE,
        {"thinking": {"type": "enabled", "budget_tokens": 2_000}},
        {"min_output": 1_025, "hidden_output": True, "wants": frozenset({"reasoning"})},
    ),
    (CLAUDE, {"thinking": {"type": "adaptive"}}, {"min_output": 1, "hidden_output": True}),
    (CLAUDE, {"model": "claude-opus-5"}, {"hidden_output": True}),
    (
        CLAUDE,
        {"model": "claude-opus-5", "thinking": {"type": "disabled"}},
        {"hidden_output": False},
    ),
    (CLAUDE, {"metadata": {"user_id": "ann"}}, {"user": "ann"}),
    (CLAUDE, {"metadata": {"user_id": 7}}, {"user": None}),
    (
        CLAUDE,
        {"messages": [{"role": "system", "output_config": {"effort": "low"}, "clear_at": None}]},
        {"window": False},
    ),
    (CLAUDE, {"cache_control": EPHEMERAL}, {"cache_write": "5m"}),
    (
        CLAUDE,
        {
            "system": [{"type": "text", "text": "a", "cache_control": {"ttl": "1h"}}],
            "tools": [{"name": "f", "cache_control": EPHEMERAL}],
        },
        {"cache_write": "1h"},
    ),
    (CLAUDE, {"speed": "fast"}, {"context": PriceContext("fast")}),
    (CLAUDE, {"speed": "standard", "service_tier": "auto"}, {"context": PriceContext()}),
    (CLAUDE, {"inference_geo": "us"}, {"context": PriceContext(region="us")}),
    (CLAUDE, {"inference_geo": "global"}, {"context": PriceContext()}),
    (CLAUDE, {"thread": {"type": "create"}}, {"window": False}),
    (CLAUDE, {"thread": {"type": "continue"}}, {"window": True}),
    (
        CLAUDE,
        {
            "tools": [
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
                {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2},
            ]
        },
        {"units": (("web_search", 3),), "window": True, "rounds": 6},
    ),
    (
        CLAUDE,
        {
            "tools": [
                {"type": "web_search_20260318", "max_uses": 1, "allowed_callers": ["direct"]},
            ]
        },
        {"units": (("web_search", 1),), "rounds": 2},
    ),
    (CLAUDE, {"output_format": {"schema": {}}}, {"wants": frozenset({"structured_output"})}),
    (
        CLAUDE,
        {"output_config": {"format": {"schema": {}}, "task_budget": {"total": 1}}},
        {"wants": frozenset({"structured_output"})},
    ),
    (
        GEMINI,
        {"generationConfig": {"maxOutputTokens": 50, "candidateCount": 2}},
        {"max_output": 50, "answers": 2, "hidden_output": True},
    ),
    (
        GEMINI,
        {"generation_config": {"max_output_tokens": 50, "thinking_config": {"thinking_budget": 0}}},
        {"max_output": 50, "hidden_output": False},
    ),
    (
        GEMINI,
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}},
        {"wants": frozenset({"reasoning"})},
    ),
    (
        GEMINI,
        {"generationConfig": {"responseSchema": {}, "responseModalities": ["TEXT"]}},
        {"wants": frozenset({"structured_output"}), "units": ()},
    ),
    (
        GEMINI,
        {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "maxOutputTokens": 50}},
        {"units": (("output_image", 50),)},
    ),
    (
        GEMINI,
        {"model": "gemini-2.5-flash-image", "generationConfig": {"maxOutputTokens": 50}},
        {"units": (("output_image", 50),)},
    ),
    (GEMINI, {"cachedContent": "cachedContents/a"}, {"window": True}),
    (GEMINI, {"serviceTier": "flex"}, {"context": PriceContext("flex")}),
    (GEMINI, {"service_tier": "SERVICE_TIER_STANDARD"}, {"context": PriceContext()}),
    (
        GEMINI,
        {"tools": [{"googleSearch": {}, "functionDeclarations": None}]},
        {"units": (("web_search", 1),), "window": True, "rounds": 2},
    ),
    (GEMINI, {"tools": [{"computerUse": {}}]}, {"window": True, "rounds": 1}),
    (GEMINI, {"model": "gemini-2.0-flash"}, {"hidden_output": False}),
    (GEMINI, {"contents": "Hi"}, {"window": False}),
    (GEMINI, {"contents": {"parts": {"text": "Hi"}}}, {"window": False}),
    (GEMINI_EMBED, {"title": "A"}, {"produces_output": False, "hidden_output": False}),
    (GEMINI_EMBED, {"embedContentConfig": {"taskType": "A"}}, {"produces_output": False}),
    (
        GEMINI_EMBED,
        {"requests": [{"content": {"parts": [{"text": "a"}]}}] * 2},
        {"produces_output": False},
    ),
]


@pytest.mark.parametrize(("api", "fields", "bounds"), OUTPUT)
def test_a_field_has_its_bound(api: Api, fields: Body, bounds: dict[str, Any]) -> None:
    need = need_of(api, **fields)

    assert {name: getattr(need, name) for name in bounds} == bounds


WRONG: list[tuple[Api, Body]] = [
    (CHAT, {"model": ""}),
    (CHAT, {"model": 5}),
    (CHAT, {"messages": "Hi"}),
    (CHAT, {"messages": ["Hi"]}),
    (CHAT, {"messages": [{"role": 5}]}),
    (CHAT, {"messages": [{"role": "assistant", "tool_calls": "f"}]}),
    (CHAT, {"messages": [{"role": "user", "content": {"text": "Hi"}}]}),
    (CHAT, {"max_tokens": 0}),
    (CHAT, {"max_tokens": True}),
    (CHAT, {"max_tokens": "50"}),
    (CHAT, {"max_tokens": 1e400}),
    (CHAT, {"max_tokens": 2**31}),
    (CHAT, {"max_tokens": 1.5}),
    (CHAT, {"stream": "yes"}),
    (CHAT, {"service_tier": 5}),
    (CHAT, {"tools": {}}),
    (COMPLETIONS, {"prompt": [1, "a"]}),
    (EMBEDDINGS, {"input": {"image": "a"}}),
    (CLAUDE, {"thinking": {"type": "enabled", "budget_tokens": 500}}),
    (CLAUDE, {"messages": ["Hi"]}),
    (GEMINI, {"contents": 5}),
]


@pytest.mark.parametrize(("api", "fields"), WRONG)
def test_what_no_provider_would_take_is_refused(api: Api, fields: Body) -> None:
    with pytest.raises(InvalidInput) as refusal:
        need_of(api, **fields)

    assert refusal.value.code == INVALID


def test_a_body_is_an_object() -> None:
    with pytest.raises(InvalidInput):
        read_request(CHAT, [])  # type: ignore[arg-type]  # as a client may send it


def test_a_body_may_be_nested_too_deep() -> None:
    deep: Any = "end"
    for _ in range(5_000):
        deep = {"type": "tool_result", "content": [deep]}

    with pytest.raises(InvalidInput, match="too deep"):
        need_of(CLAUDE, messages=[{"role": "user", "content": [deep]}])


def test_the_path_goes_before_the_body() -> None:
    need = read_request(GEMINI, LEAST[GEMINI], model="gemini-3-pro", stream=True, counts_only=True)

    assert (need.model, need.stream, need.produces_output) == ("gemini-3-pro", True, False)


def test_what_is_to_be_counted_is_read_as_it_would_be_sent() -> None:
    inner = {"generateContentRequest": LEAST[GEMINI]}

    assert read_request(GEMINI, inner, model="m").input_tokens > 2


def said(api: Api, part: Body, **fields: Any) -> Need:
    if api is GEMINI:
        return need_of(api, contents=[{"role": "user", "parts": [part]}], **fields)
    name = "input" if api is RESPONSES else "messages"
    return need_of(api, **{name: [{"role": "user", "content": [part]}]}, **fields)


def added(api: Api, part: Body, **fields: Any) -> int:
    """The tokens of a part alone."""
    return said(api, part, **fields).input_tokens - said(api, TEXT[api], **fields).input_tokens


TEXT: dict[Api, Body] = {
    CHAT: {"type": "text", "text": ""},
    RESPONSES: {"type": "input_text", "text": ""},
    CLAUDE: {"type": "text", "text": ""},
    GEMINI: {"text": ""},
}


def at_url(url: str, **detail: str) -> Body:
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def inline(width: int, height: int, **detail: str) -> Body:
    return at_url(f"data:image/png;base64,{png(width, height)}", **detail)


@pytest.mark.parametrize(
    ("model", "part", "tokens"),
    [
        ("gpt-4o", inline(512, 512), 85 + 4 * 170),  # counted as scaled up to 768 pixels
        ("gpt-4o", inline(2048, 4096), 1_105),  # as the guide says
        ("gpt-4o", inline(4000, 4000, detail="low"), 85),
        ("gpt-4o", at_url("https://a/b.png"), 85 + 8 * 170),
        ("gpt-4o-mini", at_url("https://a/b.png"), 2833 + 8 * 5667),
        ("o1", at_url("https://a/b.png"), 75 + 8 * 150),
        ("gpt-4.1-mini", inline(1024, 1024), 1_661),  # 1,024 patches × 1.62, and a patch a side
        ("gpt-4.1-mini", inline(1800, 2400), 2_491),
        ("gpt-5", inline(512, 512), 70 + 4 * 140),
        ("gpt-5-codex", inline(1024, 1024), 1_661),
        ("gpt-5.5", inline(4032, 3024), 12_002),  # measured: 11,868 with a prompt
        ("gpt-6-astra", inline(4032, 3024), 14_366),  # measured: 14,364 with a prompt
        ("gpt-6-astra", inline(4032, 3024, detail="high"), 3_002),  # measured: 2,942
        ("openai/gpt-4o", inline(512, 512), 765),
        ("qwen/qwen3-vl", at_url("https://a/b.png"), 16_500),
        ("qwen/qwen3-vl", inline(64, 64), 6_500),
        ("pixtral-12b", inline(8000, 8000), 16_500),
    ],
)
def test_a_picture_counts_by_the_rule_of_its_model(model: str, part: Body, tokens: int) -> None:
    assert added(CHAT, part, model=model) == tokens


def test_a_picture_of_unknown_size_may_fill_the_window() -> None:
    assert said(CHAT, at_url("https://a/b.png"), model="gpt-6-astra").window
    assert not said(CHAT, at_url("https://a/b", detail="low"), model="gpt-6-astra").window


@pytest.mark.parametrize(
    ("model", "size", "measured"),
    [  # counted by the provider, the prompt of 65 and 77 tokens taken off
        ("claude-haiku-4-5", (256, 256), 100),
        ("claude-haiku-4-5", (1024, 1024), 1_369),
        ("claude-haiku-4-5", (1920, 1080), 1_560),
        ("claude-haiku-4-5-20251001", (4032, 3024), 1_596),
        ("claude-opus-5-5", (512, 512), 361),
        ("claude-opus-5-5", (1920, 1080), 2_691),
        ("claude-opus-5-5", (3840, 2160), 2_992),
        ("claude-opus-5-5", (4032, 3024), 3_928),
    ],
)
def test_a_picture_counts_what_claude_counted_or_more(
    model: str, size: tuple[int, int], measured: int
) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": png(*size)}
    counted = added(CLAUDE, {"type": "image", "source": source}, model=model)

    assert measured <= counted <= (1_640 if "4-5" in model else 4_800)


def test_a_picture_elsewhere_counts_as_the_largest() -> None:
    source = {"type": "file", "file_id": "file_1"}

    assert added(CLAUDE, {"type": "image", "source": source}) == 1_640
    assert added(CLAUDE, {"type": "image", "source": source}, model="claude-opus-5") == 4_800


@pytest.mark.parametrize(
    ("part", "least", "most"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": png(300, 300)}}, 2_240, 2_310),
        ({"inline_data": {"mime_type": "image/png", "data": png(3840, 2160)}}, 3_870, 4_500),
        ({"fileData": {"mimeType": "image/png", "fileUri": "files/1"}}, 6_500, 6_500),
        ({"inlineData": {"mimeType": "text/plain", "data": "SGVsbG8="}}, 8, 8),
    ],
)
def test_gemini_counts_a_picture_by_tiles_or_resolution(part: Body, least: int, most: int) -> None:
    assert least <= added(GEMINI, part) <= most


@pytest.mark.parametrize(
    ("api", "part", "units", "window", "wants"),
    [
        (
            CHAT,
            {"type": "input_audio", "input_audio": {"format": "mp3", "data": "A" * 4_000}},
            (("input_audio", 160),),
            False,
            "audio",
        ),
        (
            CHAT,
            {"type": "input_audio", "input_audio": {"format": "flac", "data": "A" * 4_000}},
            (("input_audio", 6_040),),
            False,
            "audio",
        ),
        (CHAT, {"type": "file", "file": {"file_id": "f"}}, (), True, "pdf"),
        (RESPONSES, {"type": "input_file", "file_url": "https://a"}, (), True, "pdf"),
        (RESPONSES, {"type": "input_image", "image_url": "https://a"}, (), False, "image"),
        (RESPONSES, {"type": "input_image", "file_id": "f"}, (), False, "image"),
        (
            CLAUDE,
            {"type": "document", "source": {"type": "base64", "data": "AA"}},
            (),
            True,
            "pdf",
        ),
        (
            GEMINI,
            {"inlineData": {"mimeType": "audio/wav", "data": "A" * 4_000}},
            (("input_audio", 160),),
            False,
            "audio",
        ),
        (
            GEMINI,
            {"fileData": {"mimeType": "video/mp4", "fileUri": "f"}},
            (("input_audio", 350_000),),
            True,
            "video",
        ),
        (GEMINI, {"fileData": {"fileUri": "f"}}, (("input_audio", 1_100_000),), True, "audio"),
        (GEMINI, {"inlineData": {"mimeType": "application/pdf", "data": "A"}}, (), True, "pdf"),
        (GEMINI, {"inlineData": {"mimeType": "font/ttf", "data": "A"}}, (), True, None),
    ],
)
def test_media_count_by_what_is_known_of_them(
    api: Api, part: Body, units: tuple[tuple[str, int], ...], window: bool, wants: str | None
) -> None:
    need = said(api, part)

    assert (need.units, need.window) == (units, window)
    assert need.wants == ({wants} if wants else set())
    assert (need.boundaries == ()) is window


CLAUDE_BLOCKS: list[tuple[Body, int]] = [
    ({"type": "text", "text": "12345", "cache_control": EPHEMERAL}, 5),
    ({"type": "text", "text": "12345", "citations": [{"cited_text": "123"}]}, 8),
    ({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1, "b": 2}}, 16 + 32),
    ({"type": "tool_result", "tool_use_id": "t", "content": "12345"}, 5 + 32),
    ({"type": "tool_result", "tool_use_id": "t"}, 32),
    ({"type": "tool_result", "content": "12345"}, 5 + 32),
    ({"type": "document", "source": {"type": "text", "data": "12345"}}, 10 + 32),
    (
        {"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}},
        32,
    ),
    ({"type": "search_result", "source": "a", "title": "b", "content": []}, 32),
    ({"type": "redacted_thinking", "data": "A" * 100}, 100),
    ({"type": "web_fetch_tool_result", "content": {"url": "https://a"}}, 32),
]


@pytest.mark.parametrize(("block", "least"), CLAUDE_BLOCKS)
def test_a_block_counts_at_least_its_text(block: Body, least: int) -> None:
    assert added(CLAUDE, block) >= least


def test_a_fetched_document_may_fill_the_window() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "A"}
    block = {"type": "web_fetch_tool_result", "content": {"content": {"source": source}}}

    assert said(CLAUDE, block).window


def test_a_tool_that_is_named_stands_there_again() -> None:
    tool = {"name": "f", "description": "d" * 1_000}
    named = {"type": "tool_result", "content": [{"type": "tool_reference", "tool_name": "f"}]}
    offered = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}
    defined = {"type": "tool_addition", "tool": {"definition": tool}}

    assert added(CLAUDE, named, tools=[tool]) > 1_000
    assert added(CLAUDE, offered, tools=[tool]) > 1_000
    assert added(CLAUDE, defined) > 1_000
    assert added(CLAUDE, named) < 100
    assert added(CLAUDE, {"type": "tool_removal", "tool": {"type": "mcp_toolset"}}) < 100


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": "a", "reasoning_content": {"a": "b"}},
        {"role": "assistant", "content": ["a", {"type": "text", "text": "b", "id": "1"}]},
        {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": EPHEMERAL}]},
    ],
)
def test_a_message_counts_at_least_its_text(message: Body) -> None:
    need = need_of(CHAT, messages=[message])

    assert need.boundaries[0].tokens >= texts_in(message)
    assert need.cache_write == ("5m" if "cache_control" in str(message) else None)


def test_marks_for_the_cache_are_seen_where_other_sellers_take_them() -> None:
    message = {"role": "user", "content": "Hi", "cache_control": {"ttl": "1h"}}
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": EPHEMERAL}

    assert need_of(CHAT, messages=[message]).cache_write == "1h"
    assert need_of(CHAT, tools=[tool]).cache_write == "5m"


def test_what_sellers_add_before_the_messages_is_counted() -> None:
    plain = need_of(CHAT).input_tokens

    assert need_of(CHAT, safe_prompt=True).input_tokens == plain + 256
    assert need_of(CHAT, prompt_mode="reasoning").input_tokens == plain + 1_024
    assert need_of(CHAT, model="grok-4").input_tokens > plain + 680
    assert need_of(CLAUDE, compaction={"type": "summarize"}).input_tokens > 4_096
    assert need_of(CLAUDE, tool_choice={"type": "tool", "name": "f"}).input_tokens > 0


def test_pictures_stand_in_answers_of_tools_too() -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{png(512, 512)}"}
    outputs = [
        {"type": "function_call_output", "call_id": "1", "output": [picture]},
        {"type": "custom_tool_call_output", "call_id": "1"},
        {"type": "image_generation_call", "id": "1", "result": png(512, 512)},
    ]
    function = {"functionResponse": {"name": "f", "parts": [{"text": "12345"}]}}

    assert need_of(RESPONSES, input=outputs).input_tokens > 2 * 765
    assert added(GEMINI, function) >= 5


def test_each_argument_of_a_call_has_its_frame() -> None:
    few = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1, 2, 3, 4]}}
    many = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1, "b": 2, "c": 3}}
    longer = len('{"a":1,"b":2,"c":3}') - len('{"a":[1,2,3,4]}')
    function = [{"functionCall": {"name": "f", "args": one["input"]}} for one in (few, many)]

    assert added(CLAUDE, many) - added(CLAUDE, few) == longer + 2 * 8
    assert added(GEMINI, function[1]) - added(GEMINI, function[0]) == longer + 2 * 8
