"""Planning by past calls: ranks that really occurred, and never a step more than what is left."""

from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.ledger import UsageRecord
from tekton_budget.domain.planning import StepUse, at_rank, past_calls, steps_within, use_at
from tekton_budget.domain.usage import Measurement, TokenCounts

AMOUNTS = st.one_of(st.none(), st.integers(-(10**6), 10**9))


def record(
    id_: str,
    allocation: str | None = None,
    counts: TokenCounts = TokenCounts(10, 5),  # noqa: B008  (frozen)
    cost_nano: int | None = 7,
) -> UsageRecord:
    return UsageRecord(
        record_id=id_,
        key_id="",
        allocation_id=allocation,
        allocation_key_id=None,
        at_us=0,
        placed_us=0,
        recorded_us=0,
        labels={},
        provider="p",
        model="m",
        counts=counts,
        reasoning_tokens=0,
        requests=1,
        cost_nano=cost_nano,
        book_cost_nano=cost_nano,
        cost_source=None,
        price_id=None,
        measurement=Measurement.MEASURED,
        late=False,
        provisional=False,
    )


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_a_rank_is_a_value_that_so_many_percent_do_not_pass(
    values: list[int], percent: int
) -> None:
    found = at_rank(values, percent)

    below = sum(value <= found for value in values)
    assert found in values
    assert below * 100 >= percent * len(values)
    assert all(
        sum(v <= smaller for v in values) * 100 < percent * len(values)
        for smaller in values
        if smaller < found
    )


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_as_many_steps_fit_as_all_units_have_room_for(
    tokens: int | None, cost: int | None, requests: int | None, use: int, use_nano: int
) -> None:
    left = Limits(tokens, cost, requests)
    steps = steps_within(left, StepUse(0, 0, use, use_nano))

    def fits(number: int) -> bool:
        needs = (number * use, number * use_nano, number)
        return all(
            rest is None or (rest >= 0 and need <= rest)
            for rest, need in zip(left, needs, strict=True)
        )

    if steps is None:
        assert fits(10**12)
    else:
        assert steps == 0 or fits(steps)
        assert not fits(steps + 1)


def test_without_a_price_nothing_fits_under_a_limit_on_cost_and_all_under_one_on_tokens() -> None:
    use = StepUse(1, 1, 2, None)

    assert steps_within(Limits(cost_nano=10**9), use) == 0
    assert steps_within(Limits(tokens=10), use) == 5
    assert steps_within(Limits(), use) is None


def test_what_belongs_to_one_allocation_is_one_call_and_what_was_taken_back_is_none() -> None:
    taken_back = record("r5", "a3", TokenCounts(-10, -5), -7)
    records = [
        record("r1", "a1"),
        record("r2"),
        record("r3", "a1", TokenCounts(1, 2, 3, 4), 5),
        record("r4", "a3"),
        taken_back,
        record("r6", "a4", TokenCounts(other=9), None),
    ]

    calls = past_calls(records, 10)

    assert [(c.input_tokens, c.output_tokens, c.tokens, c.cost_nano) for c in calls] == [
        (18, 7, 25, 12),
        (10, 5, 15, 7),
        (None, None, 9, None),
    ]
    assert past_calls(records, 1) == calls[:1]
    assert use_at(calls, 90) == StepUse(18, 7, 25, 12)
    assert use_at(calls[2:], 50).cost_nano is None
