"""SDK objects are turned into plain ones, whichever word their SDK has for it."""

import enum
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from tests.domain.metering.test_cases import case, cases

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import as_mapping, read_response, read_stream, slimmed

__all__ = ["case"]  # a fixture

BODY = {"usage": {"prompt_tokens": 1}}


class Dumped:
    def model_dump(self) -> dict[str, Any]:
        return BODY


class Said:
    model_dump = "no way to call it"

    def to_dict(self) -> dict[str, Any]:
        return BODY


class Spoilt:
    def model_dump(self) -> str:
        return "not an object"

    def dict(self) -> dict[str, Any]:
        return BODY


class Named(NamedTuple):
    usage: dict[str, int]


@pytest.mark.parametrize(
    "response", [BODY, OrderedDict(BODY), Dumped(), Said(), Spoilt(), Named(BODY["usage"])]
)
def test_an_object_is_its_names_and_values(response: object) -> None:
    assert as_mapping(response) == BODY


@pytest.mark.parametrize("response", [None, "{}", 3, [BODY], Dumped, object()])
def test_what_is_no_object_is_refused(response: object) -> None:
    with pytest.raises(InvalidInput, match=type(response).__name__) as refused:
        as_mapping(response)

    assert refused.value.code == "invalid_usage"


# --- what goes over the network of a response ---


class Tier(enum.Enum):
    FLEX = "flex"


class Modality(str, enum.Enum):  # noqa: UP042  # as the SDK of Google has them
    AUDIO = "AUDIO"


class Inner:
    """An object that its SDK leaves in its dump."""

    def model_dump(self) -> dict[str, Any]:
        return {"cached_tokens": 4}


def test_what_a_model_wrote_is_left_out_and_what_it_used_is_not() -> None:
    text = "a long answer " * 50
    sent = {
        "id": "r1",
        "choices": [{"message": {"content": text, "audio": b"sound", "nul": "a\0b"}, "n": 1}],
        "usage": {"prompt_tokens": 5, "cost": 0.1, "details": Inner(), "none": None, "byok": False},
        "service_tier": Tier.FLEX,
        "modality": Modality.AUDIO,
        "made": datetime(2026, 1, 1, tzinfo=UTC),
        5: (1, Decimal("0.50")),
    }

    assert slimmed(sent) == {
        "id": "r1",
        "choices": [{"message": {"content": "", "audio": "", "nul": ""}, "n": 1}],
        "usage": {
            "prompt_tokens": 5,
            "cost": Decimal("0.1"),
            "details": {"cached_tokens": 4},
            "none": None,
            "byok": False,
        },
        "service_tier": "flex",
        "modality": "AUDIO",
        "made": "",
        "5": [1, Decimal("0.50")],
    }


def test_half_a_character_is_left_out_so_that_the_rest_can_be_sent() -> None:
    sent = {"a": "cut off \ud83d", "\ud83d": 1, "b": "🙂"}

    assert slimmed(sent) == {"a": "", "b": "🙂"}


def test_a_search_in_many_words_stays_a_search() -> None:
    grounding = {"webSearchQueries": ["short", "many words " * 30, ""]}
    sent = {
        "modelVersion": "gemini-3-pro",
        "candidates": [{"groundingMetadata": grounding}],
        "usageMetadata": {"promptTokenCount": 1},
    }
    (part,) = read_response(slimmed(sent)).parts

    assert part.units == (("input", 1), ("web_search", 2))
    assert "many words" not in str(slimmed(sent))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (0, 0),
        (Decimal("0E-40"), Decimal("0E-40")),
        (10**18, 10**18),
        (10**19, ""),
        (1e-40, ""),
        (float("inf"), ""),
        (Decimal("NaN"), ""),
        (1.5, Decimal("1.5")),
    ],
)
def test_numbers_of_no_size_that_a_bill_has_are_left_out(sent: object, kept: object) -> None:
    assert slimmed({"x": sent}) == {"x": kept}


@pytest.mark.parametrize("case", cases(), indirect=True)
def test_a_slim_response_is_read_as_the_whole_one_is(case: dict[str, Any]) -> None:
    def told(body: Any) -> object:
        known = {"api": case["api"], "provider": case["provider"], "model": case["model"]}
        try:
            return read_response(body, context=case.get("context"), **known)
        except InvalidInput as refusal:
            return refusal.code

    assert told(slimmed(case["response"])) == told(case["response"])
    assert slimmed(slimmed(case["response"])) == slimmed(case["response"])


OPENAI = [
    {"id": "c", "model": "gpt-5", "choices": [{"delta": {"content": "word"}}], "usage": None}
] * 9000 + [{"id": "c", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9000}}]
ANTHROPIC = [
    {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 3}}},
    *({"type": "content_block_delta", "delta": {"text": "word"}} for _ in range(9000)),
    {"type": "message_delta", "usage": {"output_tokens": 9000}},
]
DONE = {
    "type": "response.done",
    "response": {"usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}},
}


@pytest.mark.parametrize(
    "frames",
    [
        OPENAI,
        ANTHROPIC,
        tuple(ANTHROPIC),
        [*OPENAI, "[DONE]", None, 3, ["x"]],
        [DONE],
        # and what makes no response
        ANTHROPIC[:-1],
        [{"event": "message_start", "data": ANTHROPIC[0]}, "[DONE]"],
        [DONE, DONE],
        OPENAI[:-1],
        [],
    ],
)
def test_a_long_stream_is_sent_as_what_its_frames_tell_together(frames: Any) -> None:
    def told(body: Any) -> object:
        read = read_stream if isinstance(body, list | tuple) else read_response
        try:
            return read(body)
        except InvalidInput as refusal:
            return refusal.code, refusal.detail

    sent = slimmed(frames)

    assert told(sent) == told(frames)
    assert len(repr(sent)) < 1000
    assert slimmed(sent) == sent


def test_a_frame_that_is_no_object_nor_json_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is of type object"):
        slimmed([object()])
