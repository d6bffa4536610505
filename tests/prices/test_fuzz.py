"""Lists torn and changed at random: a reading or a refusal, never a crash, never a wild price."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.prices.test_readers import READERS

from tekton_budget.prices.listing import Reading, amount, plain

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**30) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def rows_of(document: Any, count: int) -> Any:
    """A document cut down to its first rows at every level."""
    if isinstance(document, dict):
        return {key: rows_of(document[key], count) for key in list(document)[:count]}
    return (
        [rows_of(one, count) for one in document[:count]]
        if isinstance(document, list)
        else document
    )


def changed(document: Any, dice: random.Random, junk: Any) -> Any:
    """The document with junk in place of one value somewhere."""
    if isinstance(document, dict) and document and dice.random() < 0.9:
        key = dice.choice(list(document))
        return document | {key: changed(document[key], dice, junk)}
    if isinstance(document, list) and document and dice.random() < 0.9:
        place = dice.randrange(len(document))
        return [*document[:place], changed(document[place], dice, junk), *document[place + 1 :]]
    return junk


@pytest.mark.parametrize("file", sorted(READERS))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6), junk=JUNK)
def test_a_changed_list_is_read_or_refused(shared: Path, file: str, seed: int, junk: Any) -> None:
    document = _rows(shared / file)
    text = json.dumps(changed(document, random.Random(seed), junk))
    if "NaN" in text or "Infinity" in text:
        return
    _check(READERS[file], text)


_KEPT: dict[Path, Any] = {}


def _rows(path: Path) -> Any:
    if path not in _KEPT:
        _KEPT[path] = rows_of(json.loads(path.read_text()), 12)
    return _KEPT[path]


def _check(read: Callable[[str | bytes], Reading], text: str) -> None:
    for one in read(text).listings:
        assert one.provider
        assert one.model
        for rate in one.rates.values():
            assert rate.is_finite()
            assert 0 <= rate < Decimal(10) ** 17


@given(st.decimals(min_value=0, max_value=10**6, places=20))
@settings(max_examples=50)
def test_a_price_is_written_without_an_exponent_and_read_back(value: Decimal) -> None:
    text = plain(value)
    assert "e" not in text.lower()
    assert not text.endswith(".")
    assert abs(Decimal(text) - value) <= Decimal("5E-13")
    assert amount(text) == Decimal(text)
