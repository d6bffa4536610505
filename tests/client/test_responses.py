"""Providers' own answers given to the library: SDK objects, JSON, streams, and what is no usage."""

import asyncio
import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

import tekton_budget

LABELS = {"provider": "openai", "model": "gpt-4o"}


@dataclass
class Object:
    """As an SDK of pydantic models has its answers."""

    fields: dict[str, Any]

    def model_dump(self) -> dict[str, Any]:
        return self.fields


class Modality(str, enum.Enum):  # noqa: UP042  # as the SDK of Google has them
    AUDIO = "AUDIO"
    TEXT = "TEXT"


def chat(given: int = 1000, made: int = 100) -> Object:
    return Object(
        {
            "id": "chatcmpl-1",
            "model": "gpt-4o",
            "choices": [{"message": {"content": "words " * 400_000}}],
            "usage": {"prompt_tokens": given, "completion_tokens": made},
        }
    )


def chunks(count: int) -> list[Object]:
    """A stream as long as they get: one chunk for each token."""
    text = [{"delta": {"content": "word"}, "index": 0, "finish_reason": None}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o"}
    found = [Object({**head, "choices": text, "usage": None}) for _ in range(count)]
    usage = {"prompt_tokens": 1000, "completion_tokens": count}
    return [*found, Object({**head, "choices": [], "usage": usage})]


@pytest.fixture(autouse=True)
def priced(request: pytest.FixtureRequest) -> None:
    if "budget" in request.fixturenames:
        budget = request.getfixturevalue("budget")
        budget.set_price("openai", "gpt-4o", input="2.5", output=10)
        budget.set_limit("50usd/day", name="purse")


def test_an_answer_of_an_sdk_settles_its_call(budget) -> None:
    with budget.allocate(cost="0.5", **LABELS) as hold:
        settled = hold.settle(chat())

    assert (settled.status, settled.cost, settled.cost_source) == (
        "settled",
        Decimal("0.0035"),
        "book",
    )
    assert (settled.usage_error, settled.book_cost) == (None, Decimal("0.0035"))
    assert settled.cost_note is None
    assert not hold.is_open
    record = budget.usage_records()["items"][0]
    assert (record["model"], record["request_id"]) == ("gpt-4o", "chatcmpl-1")
    guess = budget.record(model="nobodys", input_tokens=5)
    assert (guess.cost, guess.cost_note) == (None, "no price is known for nobodys")


def test_json_and_what_it_cannot_say(budget) -> None:
    with budget.allocate(cost="0.5", **LABELS) as hold:
        settled = hold.settle(
            {"usage": {"input_tokens": 9, "output_tokens": 1}, "object": "response"},
            api="openai.responses",
            context={"processing": "standard"},
            model_used="gpt-4o",
        )

    assert settled.cost == Decimal("0.0000325")


def test_a_long_stream_settles_its_call(budget) -> None:
    """Ten thousand chunks are more than a body may be long; what they tell together is short."""
    with budget.allocate(cost="0.5", **LABELS) as hold:
        settled = hold.settle(chunks(10_000))

    assert settled.usage_error is None
    assert settled.cost == Decimal("0.1025")


def test_enumerations_of_an_sdk_are_what_the_provider_sent(budget) -> None:
    budget.set_price("google", "gemini-2.5-flash", input="0.3", output="2.5")
    details = [
        Object({"modality": Modality.AUDIO, "token_count": 60}),
        Object({"modality": Modality.TEXT, "token_count": 40}),
    ]
    usage = {
        "prompt_token_count": 100,
        "candidates_token_count": 10,
        "prompt_tokens_details": details,
        "total_token_count": 110,
    }
    body = Object({"model_version": "gemini-2.5-flash", "usage_metadata": Object(usage)})
    with budget.allocate(cost="0.5", provider="google", model="gemini-2.5-flash") as hold:
        settled = hold.settle(body)

    assert settled.usage_error is None
    assert settled.cost_source == "estimated"  # sound has no rate here: the dearest stands in
    assert settled.cost == Decimal("0.000187")  # 40 × 0.3 + 60 × 2.5 + 10 × 2.5


@pytest.mark.parametrize("response", [None, {}, [], chunks(20)[:-1], Object({"usage": None})])
def test_what_cannot_be_read_charges_the_hold_and_says_why(budget, response) -> None:
    with budget.allocate(cost="0.5", **LABELS) as hold:
        settled = hold.settle(response)
        again = hold.settle(response)

    assert (settled.cost, settled.cost_source) == (Decimal("0.5"), "estimated")
    assert "No usage is not zero usage" in settled.usage_error
    assert again == settled
    late = hold.record(chat())
    assert late.late
    assert budget.usage_records()["items"][0]["cost"] == Decimal("0.0035")
    assert budget.policy("purse")["name"] == "purse"


def test_what_no_sdk_returns_is_told_before_it_is_sent_and_the_hold_stays(budget) -> None:
    with (
        pytest.raises(tekton_budget.BudgetError, match="is of type object"),
        budget.allocate(cost="0.5", **LABELS) as hold,
    ):
        hold.settle(object())
    assert budget.allocation(hold.allocation_id)["is_active"] is True


def test_settle_and_record_by_id_take_answers_too(budget) -> None:
    ids = [budget.allocate(cost="0.5", **LABELS).allocation_id for _ in range(3)]
    settled = budget.settle(ids[0], chat())
    recorded = budget.record(chat(), allocation_id=ids[1])
    final = budget.record({}, allocation_id=ids[2], final=True)
    alone = budget.record(chat(), **LABELS)

    assert [settled.cost, recorded.cost, alone.cost] == [Decimal("0.0035")] * 3
    assert (recorded.usage_error, alone.usage_error) == (None, None)
    assert final.cost == Decimal("0.5")
    assert "No usage is not zero usage" in final.usage_error


def test_a_record_that_cannot_be_read_is_refused(budget) -> None:
    with budget.allocate(cost="0.5", **LABELS) as hold:
        with pytest.raises(tekton_budget.BudgetError, match="settle the allocation with") as told:
            hold.record({})
        hold.release()

    assert told.value.code == "missing_usage"


@pytest.mark.parametrize("where", ["in process", "over HTTP"])
def test_the_same_is_awaited(where: str, request: pytest.FixtureRequest, tmp_path) -> None:
    url = request.getfixturevalue("served").url if where == "over HTTP" else None
    database_url = f"sqlite:///{tmp_path / 'async.db'}"

    async def spend() -> None:
        opened = (
            tekton_budget.open_async(url)
            if url
            else tekton_budget.open_async(database_url=database_url)
        )
        async with opened as budget:
            await budget.set_price("openai", "gpt-4o", input="2.5", output=10)
            async with budget.allocate(cost="0.5", **LABELS) as hold:
                read = await hold.settle(chat())
            async with budget.allocate(cost="0.5", **LABELS) as hold:
                unread = await hold.settle([])
            late = await hold.record(chunks(100))

        assert (read.cost, read.usage_error) == (Decimal("0.0035"), None)
        assert (unread.cost, unread.cost_source) == (Decimal("0.5"), "estimated")
        assert unread.usage_error is not None
        assert late.cost == Decimal("0.0035")

    asyncio.run(spend())
