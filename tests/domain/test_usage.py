"""Usage: tokens by kind, what a policy counts of them, and what may not come this far."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.usage import KINDS, NO_TOKENS, TokenCounts, Usage

counts = st.builds(TokenCounts, *[st.integers(0, 10**6)] * 5)


@given(counts, st.sets(st.sampled_from(KINDS), min_size=1))
def test_a_policy_counts_the_kinds_it_names_and_what_has_no_kind(used, kinds) -> None:
    named = [n for kind, n in zip(KINDS, used, strict=True) if kind in {*kinds, "other"}]

    assert used.counted(tuple(kinds)) == sum(named)
    assert used.counted(()) == used.total == sum(used)


@given(counts, counts)
def test_counts_are_added_and_taken_away_kind_by_kind(one, other) -> None:
    assert one.plus(other).minus(other) == one
    assert one.plus(NO_TOKENS) == one


@pytest.mark.parametrize(
    "usage",
    [
        Usage(TokenCounts(input=-1)),
        Usage(cost_nano=-1),
        Usage(TokenCounts(output=1), reasoning_tokens=2),
        Usage(TokenCounts(output=1), reasoning_tokens=-1),
    ],
    ids=["negative tokens", "negative cost", "more reasoning than tokens", "negative reasoning"],
)
def test_what_the_door_refuses_may_not_come_this_far(usage: Usage) -> None:
    with pytest.raises(AssertionError):
        usage.assert_sound()


def test_a_sound_usage_passes() -> None:
    Usage(TokenCounts(output=2), reasoning_tokens=2, cost_nano=0).assert_sound()
