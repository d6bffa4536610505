"""Files of quotes: the recorded sets come out as expected, and what is no such file is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.domain.verify.listed import table

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.verify import Status, check_quotes
from tekton_budget.domain.verify.quote_cases import DECISIONS


def file_of(*cases: Any, **more: Any) -> dict[str, Any]:
    return {"format": "verify-cases/1", "cases": list(cases), **more}


def case_of(quotes: Any, expected: Any = None, **more: Any) -> dict[str, Any]:
    return {"provider": "openai", "model": "m", "quotes": quotes, "expected": expected, **more}


AGREED = {"litellm": {"input": "3", "output": "15"}, "genai": {"input": "3", "output": "15"}}


def test_all_recorded_sets_come_out_as_expected() -> None:
    rows = check_quotes(table("verify-cases"))

    assert len(rows) == 39
    assert [(row.provider, row.model, row.differs) for row in rows if row.differs] == []


def test_every_recorded_expectation_is_compared() -> None:
    spoilt = json.loads(json.dumps(table("verify-cases"), default=str))
    for case in spoilt["cases"]:
        for name, value in case["expected"].items():
            if name == "status":
                case["expected"][name] = "conflict" if value == "accepted" else "accepted"
            elif name in {"input", "output"}:
                case["expected"][name] = str(Decimal(value) + Decimal("0.000001"))
            elif name == "dissenting":
                case["expected"][name] = [*value, "nobody"]
            elif name == "agreeing_groups":
                case["expected"][name] = value[1:]
    for row, case in zip(check_quotes(spoilt), spoilt["cases"], strict=True):
        compared = set(case["expected"]) - {"right_answer"}

        assert {part.split()[0] for part in row.differs.split("; ")} == compared


@pytest.mark.parametrize(
    ("model", "suggested", "why"),
    [
        ("us-anthropic-claude-sonnet-4-5-20250929", "3.3/16.5", "keeps regions apart"),
        ("us-anthropic-claude-opus-4-8", "5.5/27.5", "keeps regions apart"),
        ("gryphe/mythomax-l2-13b", "0.06/0.06", "most sources"),
        ("minimaxai/minimax-m2-5", "0.3/1.2", "10^3 away, a slip of unit"),
        ("gpt-4o-mini", "", ""),  # at azure: two products under one name
        ("qwen-qwen3-coder-480b-a35b", "", ""),
    ],
)
def test_a_conflict_says_what_is_probably_right(model: str, suggested: str, why: str) -> None:
    row = next(
        row
        for row in check_quotes(table("verify-cases"))
        if row.model == model and row.decision == "conflict"
    )

    assert row.suggested == suggested
    assert why in row.suggested_why
    assert not row.value


def test_a_row_tells_decision_value_and_reasons() -> None:
    (row,) = check_quotes(file_of(case_of(AGREED)))

    assert (row.provider, row.model, row.decision, row.value) == ("openai", "m", "accepted", "3/15")
    assert row.reasons == ("2 of 2 independent sources agree within 0.5 %",)
    assert row.differs == ""


def test_a_row_says_all_that_differs() -> None:
    expected = {
        "status": "conflict",
        "input": "3.0",
        "output": "16",
        "dissenting": ["portkey"],
        "agreeing_groups": [["litellm"], ["genai"]],
    }
    (row,) = check_quotes(file_of(case_of(AGREED, expected)))

    assert row.differs == (
        "status is accepted, expected conflict; output is 15, expected 16; "
        "dissenting is [], expected [portkey]; "
        "agreeing_groups is [[genai, litellm]], expected [[genai], [litellm]]"
    )


def test_no_value_can_be_expected() -> None:
    expected = {"input": None, "status": "verified"}
    (row,) = check_quotes(file_of(case_of(AGREED, expected)))

    assert row.differs == "input is 3, expected none"


def test_the_value_of_a_single_source_is_told_though_it_is_not_believed_alone() -> None:
    quotes = {"portkey": {"input": "3", "output": "15"}}
    (row,) = check_quotes(file_of(case_of(quotes, {"status": "single_source", "input": "3"})))

    assert (row.decision, row.value, row.differs) == ("single_source", "3/15", "")
    assert not row.verdict.usable


def test_numbers_are_texts_integers_or_decimals() -> None:
    quotes = {
        "litellm": {"input": 3, "output": Decimal("15.0")},
        "genai": {"input": "3", "output": "1.5e1", "cache_read": None},
    }
    (row,) = check_quotes(file_of(case_of(quotes), unit="USD per 1,000,000 tokens"))

    assert (row.decision, row.value) == ("accepted", "3/15")


@pytest.mark.parametrize(
    "rates",
    [
        {"input": "three", "output": "15"},
        {"input": "-1", "output": "-1"},
        {"input": "NaN", "output": "15"},
        {"input": "sNaN", "output": "15"},
        {"input": "Infinity", "output": "15"},
        {"input": "1e999999999999999999999", "output": "15"},
        {"input": "1e999999", "output": "15"},
        {"input": True, "output": "15"},
        {"input": 0.5, "output": "15"},  # read through a binary float
        {"input": [], "output": {}},
        {"input": "", "output": "15"},
        {"input": "3", "output": "15", "per_minute": "0.006"},
        {"input": "3", "output": "15", "cache_read": "many"},
        {},
    ],
    ids=str,
)
def test_what_is_no_price_is_rejected_and_does_not_stop_the_rest(rates: Any) -> None:
    rejected, accepted = check_quotes(file_of(case_of({"litellm": rates}), case_of(AGREED)))

    assert (rejected.decision, accepted.decision) == ("rejected", "accepted")
    assert rejected.reasons[0].startswith("litellm: ")


def test_a_quote_may_tell_its_currency_mode_and_date() -> None:
    quotes = {
        "litellm": {"input": "3", "output": "15", "mode": "chat", "as_of": "2026-08-20"},
        "genai": {"input": "3", "output": "15", "currency": "EUR"},
    }
    (row,) = check_quotes(file_of(case_of(quotes, as_of="2026-08-21")))

    assert row.decision == "single_source"
    assert row.verdict.set_aside[0].source == "genai"


def test_a_cache_write_without_a_time_to_live_is_the_default() -> None:
    quotes = {name: {**rates, "cache_write": "3.75"} for name, rates in AGREED.items()}
    (row,) = check_quotes(file_of(case_of(quotes)))

    assert row.verdict.rates["cache_write_5m"] == Decimal("3.75")


def test_a_model_without_quotes_is_rejected() -> None:
    (row,) = check_quotes(file_of(case_of({})))

    assert (row.decision, row.value, row.reasons) == ("rejected", "", ("nobody quotes it",))


def test_an_embedding_may_have_no_output() -> None:
    quotes = {"litellm": {"input": "0.1"}, "genai": {"input": "0.1"}}
    (row,) = check_quotes(file_of(case_of(quotes)))

    assert row.value == "0.1/-"


GOOD = case_of(AGREED)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "file"),
        ("text", "file"),
        ({"cases": []}, "format"),
        ({"format": "verify-cases/2", "cases": []}, "format"),
        (file_of(unit="cents per token"), "unit"),
        ({"format": "verify-cases/1"}, "cases"),
        ({"format": "verify-cases/1", "cases": {}}, "cases"),
        (file_of(GOOD, "text"), "case 2"),
        (file_of({"model": "m", "quotes": {}}), "case 1.provider"),
        (file_of(GOOD, GOOD, {"provider": "p", "model": 4, "quotes": {}}), "case 3.model"),
        (file_of({"provider": "p", "model": " ", "quotes": {}}), "case 1.model"),
        (file_of({"provider": "p", "model": "m"}), "case 1, quotes"),
        (file_of(case_of([])), "case 1, quotes"),
        (file_of(case_of({f"s{n}": {"input": n} for n in range(101)})), "case 1, quotes"),
        (file_of(case_of({"genai": "3/15"})), "case 1, quotes.genai"),
        (file_of(case_of({"genai": {"listed_as": 1}})), "case 1, quotes.genai.listed_as"),
        (file_of(case_of({"genai": {"mode": []}})), "case 1, quotes.genai.mode"),
        (file_of(case_of({"genai": {"currency": None}})), "case 1, quotes.genai.currency"),
        (file_of(case_of({"genai": {"as_of": "May"}})), "case 1, quotes.genai.as_of"),
        (file_of(case_of({}, as_of=20260821)), "case 1.as_of"),
        (file_of(case_of({}, "accepted")), "case 1, expected"),
        (file_of(case_of({}, {"status": "fine"})), "case 1, expected.status"),
        (file_of(case_of({}, {"status": []})), "case 1, expected.status"),
        (file_of(case_of({}, {"input": "cheap"})), "case 1, expected.input"),
        (file_of(case_of({}, {"output": "1e99999"})), "case 1, expected.output"),
        (file_of(case_of({}, {"output": []})), "case 1, expected.output"),
        (file_of(case_of({}, {"dissenting": "genai"})), "case 1, expected.dissenting"),
        (file_of(case_of({}, {"dissenting": [1]})), "case 1, expected.dissenting"),
        (file_of(case_of({}, {"agreeing_groups": "a"})), "case 1, expected.agreeing_groups"),
        (file_of(case_of({}, {"agreeing_groups": ["a"]})), "case 1, expected.agreeing_groups"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_of_the_format_is_refused_with_its_place(document: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_quotes(document)

    assert refusal.value.code == "invalid_file"
    assert [fault.field for fault in refusal.value.fields] == [field]


def test_the_words_of_the_file_name_every_status_a_file_can_lead_to() -> None:
    assert set(Status) - set(DECISIONS) == {Status.PENDING_CHANGE, Status.STALE}
