"""A narrowed shape reads the same of an object as the whole shape does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import counting
from tekton_budget.domain.metering.apis import FLAVOURS
from tekton_budget.domain.metering.fields import Place
from tekton_budget.domain.metering.narrowing import _NARROWED, narrowed
from tekton_budget.domain.metering.shapes import OPENAI, Shape

SHAPES = list(dict.fromkeys(FLAVOURS.values()))
NAMES = sorted(
    {name for shape in SHAPES for field in _NARROWED for name in getattr(shape, field) if name}
)


def nested(names: dict[str, int | None]) -> dict[str, Any]:
    """Dotted names as objects in objects; one that is an amount already stays one."""
    found: dict[str, Any] = {}
    for name, amount in names.items():
        *path, last = name.split(".")
        place = found
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                break
        else:
            place.setdefault(last, amount)
    return found


def read(shape: Shape, usage: dict[str, Any]) -> object:
    try:
        return counting.counted(shape, Place(usage, "usage"))
    except InvalidInput as refusal:
        return refusal.detail


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SHAPES),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from([None, 0, 1, 7, 40]), max_size=9),
)
def test_a_narrowed_shape_reads_and_refuses_the_same(
    shape: Shape, names: dict[str, int | None]
) -> None:
    usage = nested(names)
    ours = read(shape, usage)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(counting, "narrowed", lambda whole, _: whole)
        assert ours == read(shape, usage)


def test_what_no_api_makes_is_read_by_the_whole_shape() -> None:
    many = {f"n{number}": 1 for number in range(65)}
    assert narrowed(OPENAI, many) is OPENAI
    assert narrowed(OPENAI, {"prompt_tokens_details": many}) is OPENAI
    assert narrowed(OPENAI, {"prompt_tokens": 1}).cached == OPENAI.cached[:1]
