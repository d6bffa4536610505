"""What a price depends on besides amounts: the response decides, the caller where it is silent."""

from decimal import Decimal
from typing import Any

import pytest
from tests.domain.metering.reading import read

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import read_response
from tekton_budget.domain.units import PriceContext

CHAT: dict[str, Any] = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}
CLAUDE: dict[str, Any] = {"type": "message", "usage": {"input_tokens": 1, "output_tokens": 1}}


def claude(**usage: Any) -> dict[str, Any]:
    return {**CLAUDE, "usage": {**CLAUDE["usage"], **usage}}


def context_of(body: dict[str, Any], context: Any = None, **more: Any) -> PriceContext:
    (part,) = read_response(body, context=context, **more).parts
    return part.context


@pytest.mark.parametrize(
    ("body", "context", "tier"),
    [
        (CHAT, None, None),
        (CHAT, {}, None),
        ({**CHAT, "service_tier": "default"}, {}, None),
        ({**CHAT, "service_tier": "on_demand"}, {}, None),
        ({**CHAT, "service_tier": "auto"}, {"service_tier": "priority"}, None),
        ({**CHAT, "service_tier": "default"}, {"service_tier": "priority"}, None),
        ({**CHAT, "service_tier": "Flex"}, {}, "flex"),
        ({**CHAT, "service_tier": None}, {"service_tier": "Flex "}, "flex"),
        (CHAT, {"service_tier": "standard"}, None),
        (CHAT, {"requested_service_tier": "priority"}, None),
        (CHAT, {"processing": "batch"}, "batch"),
        (CHAT, {"processing": "standard"}, None),
        ({**CHAT, "service_tier": "default"}, {"processing": "batch"}, "batch"),
        ({**CHAT, "service_tier": "default"}, {"service_tier": "batch"}, "batch"),
        ({**CHAT, "serviceTier": {"type": "flex"}}, {}, "flex"),
        (claude(service_tier="batch"), {}, "batch"),
        (claude(service_tier="standard"), {"service_tier": "priority"}, None),
        (claude(service_tier="priority"), {}, "priority"),
        (claude(service_tier="standard", speed="fast"), {}, "fast"),
        (claude(service_tier="standard"), {"speed": "fast"}, "fast"),
        (claude(speed="standard"), {"speed": "fast"}, None),
        (claude(speed="fast"), {"processing": "batch"}, "batch"),
        ({"custom_id": "1", "result": {"type": "succeeded", "message": CLAUDE}}, {}, "batch"),
        (
            {"custom_id": "1", "response": {"body": {**CHAT, "service_tier": "default"}}},
            {},
            "batch",
        ),
        ({"key": "1", "response": {"usageMetadata": {"promptTokenCount": 1}}}, {}, "batch"),
        ({"request": {}, "response": CHAT}, {}, None),
        ({"usageMetadata": {"promptTokenCount": 1, "trafficType": "ON_DEMAND"}}, {}, None),
        ({"usageMetadata": {"promptTokenCount": 1, "trafficType": "ON_DEMAND_FLEX"}}, {}, "flex"),
    ],
)
def test_the_service_tier_is_the_one_that_served(
    body: dict[str, Any], context: Any, tier: str | None
) -> None:
    assert context_of(body, context).service_tier == tier


def test_a_tier_without_a_price_of_its_own_is_the_standard() -> None:
    assert context_of({**CHAT, "service_tier": "flex"}, provider="groq").service_tier is None
    assert context_of({**CHAT, "service_tier": "flex"}, provider="openai").service_tier == "flex"


def test_the_word_for_the_api_may_tell_a_batch() -> None:
    body = {"usageMetadata": {"promptTokenCount": 1}}

    assert context_of(body, api="google.batch").service_tier == "batch"
    assert (
        context_of(claude(service_tier="standard"), api="anthropic.batch").service_tier == "batch"
    )
    assert context_of(CHAT, api="mistral.batch").service_tier == "batch"


@pytest.mark.parametrize(
    ("body", "context", "region"),
    [
        (CHAT, {"region": "EU"}, "eu"),
        (CHAT, {"region": "global"}, None),
        (CHAT, {"region": " "}, None),
        (claude(inference_geo="us"), {}, "us"),
        (claude(inference_geo="us"), {"region": "eu"}, "us"),
        (claude(inference_geo="global"), {"region": "us"}, None),
        (claude(inference_geo="not_available"), {"region": "us"}, "us"),
        (claude(inference_geo="not_available"), {}, None),
    ],
)
def test_the_region_is_where_it_was_served(
    body: dict[str, Any], context: Any, region: str | None
) -> None:
    assert context_of(body, context).region == region


@pytest.mark.parametrize(
    ("body", "context", "size"),
    [
        (
            {"usage": {**CHAT["usage"], "search_context_size": "high"}},
            {"search_context_size": "low"},
            "high",
        ),
        (CHAT, {"search_context_size": "Low"}, "low"),
        (CHAT, {"web_search_options": {"search_context_size": "medium"}}, "medium"),
        (CHAT, {"web_search_options": {}}, None),
        (
            {
                **CHAT,
                "tools": [
                    {"type": "function"},
                    {"type": "web_search_preview", "search_context_size": "high"},
                ],
            },
            {},
            "high",
        ),
    ],
)
def test_the_size_of_a_search_is_the_one_in_force(
    body: dict[str, Any], context: Any, size: str | None
) -> None:
    assert context_of(body, context).search_context_size == size


@pytest.mark.parametrize(
    ("api", "body", "context", "units"),
    [
        ("openai.speech", {}, {"characters": 500}, {"input_character": 500}),
        ("openai.transcriptions", {"text": "…"}, {"seconds": Decimal("8.2")}, {"input_second": 9}),
        ("openai.videos", {"id": "video_1"}, {"seconds": 8}, {"output_second": 8}),
        ("openai.images", {}, {"images": 2}, {"image": 2}),
        ("mistral.ocr", {}, {"pages": 2}, {"page": 2}),
        ("mistral.ocr", {"usage_info": {"pages_processed": 3}}, {"pages": 2}, {"page": 3}),
        ("openai.images", {"data": [{"url": "a"}]}, {"images": 2}, {"image": 1}),
        ("openai.chat", CHAT, {"web_searches": 2}, {"input": 1, "output": 1, "web_search": 2}),
        (
            "anthropic.messages",
            CLAUDE,
            {"web_searches": 2},
            {"input": 1, "output": 1, "web_search": 2},
        ),
        (
            "anthropic.messages",
            claude(server_tool_use={"web_search_requests": 0}),
            {"web_searches": 2},
            {"input": 1, "output": 1},
        ),
        (
            "google.generate",
            {"usageMetadata": {"promptTokenCount": 1}},
            {"pages": 3},
            {"input": 1, "page": 3},
        ),
    ],
)
def test_a_count_that_the_response_cannot_say_is_taken_from_the_caller(
    api: str, body: dict[str, Any], context: dict[str, Any], units: dict[str, int]
) -> None:
    assert read(body, api, context=context) == units


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"batch": True}, "context.batch"),
        ({"zeal": 1, "processing": "batch"}, "context.zeal"),
        ({"processing": "overnight"}, "context.processing"),
        ({"processing": True}, "context.processing"),
        ({"speed": "warp"}, "context.speed"),
        ({"service_tier": 3}, "context.service_tier"),
        ({"region": ["us"]}, "context.region"),
        ([("region", "us")], "context"),
    ],
)
def test_a_context_that_is_not_understood_is_refused(context: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_response(CHAT, context=context)

    assert refused.value.code == "invalid_context"
    assert [fault.field for fault in refused.value.fields] == [field]
    assert field.removeprefix("context.") in refused.value.detail


def test_a_count_of_a_context_is_a_whole_amount() -> None:
    for amount in (-1, True, "3", 10**12 + 1, 1.5):
        with pytest.raises(InvalidInput, match=r"context\.images"):
            read_response(CHAT, context={"images": amount})


@pytest.mark.parametrize(
    "body",
    [
        {**CHAT, "service_tier": 5},
        {**CHAT, "service_tier": ["flex"]},
        claude(inference_geo=1),
        claude(speed=True),
    ],
)
def test_what_decides_a_price_is_a_text(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="must be a text") as refused:
        read_response(body)

    assert refused.value.code == "invalid_usage"
