"""Whatever stands in a file of cases, it comes to rows or to a refusal, never to a crash."""

import copy
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.price import PriceBook, card_from_json
from tekton_budget.domain.verify import check_quotes
from tekton_budget.service.prices import run_cost_cases, run_name_cases

SHARED = Path(__file__).parents[4] / "shared" / "prices"
decode = msgspec.json.Decoder(float_hook=Decimal).decode
Json = Any  # Any: JSON
ODD = (
    *(None, True, 0, -1, 10**30, Decimal("0.5"), Decimal("1e400"), "", "x", "NaN", "2026-13-01"),
    *([], [1], {}, {"a": 1}, [[]], {"x": {}}),
)
BOOK = PriceBook(
    [
        card_from_json(
            {"provider": "openai", "model": "gpt-4o", "rates": {"input": "1"}}, price_id="1"
        )
    ]
)


def named(file: Json) -> list[Any]:
    return list(run_name_cases(file, BOOK))


def places(value: Json, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside."""
    if not isinstance(value, dict | list):
        return
    for step, one in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*place, step)
        yield from places(one, (*place, step))


@pytest.mark.parametrize(
    ("name", "run"),
    [("cost-cases", run_cost_cases), ("verify-cases", check_quotes), ("name-cases", named)],
)
def test_no_file_of_cases_is_a_crash(name: str, run: Callable[[Json], list[Any]]) -> None:
    whole = decode((SHARED / f"{name}.json").read_bytes())

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        case = data.draw(st.sampled_from(whole["cases"]))
        cards = {card: whole["rate_cards"][card] for card in [case.get("rate_card")] if card}
        file = copy.deepcopy({**whole, "cases": [case], **({"rate_cards": cards} if cards else {})})
        *way, last = data.draw(st.sampled_from(list(places(file))))
        inner = file
        for step in way:
            inner = inner[step]
        inner[last] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
        try:
            rows = run(file)
        except InvalidInput as refusal:
            assert refusal.detail
        else:
            assert len(rows) == len(file["cases"])

    tried()
