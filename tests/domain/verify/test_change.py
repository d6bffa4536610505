"""The judgement with a past: small and large changes, lone movers, what stands meanwhile."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.domain.verify.quoting import accepted, rates_of, says

from tekton_budget.domain.verify import Quote, Status, judge

VERIFIED, SINGLE, DISPUTED = Status.VERIFIED, Status.SINGLE_SOURCE, Status.DISPUTED
PENDING, STALE = Status.PENDING_CHANGE, Status.STALE
NOON = datetime(2026, 8, 21, 12, tzinfo=UTC)


def agreed(value: str, families: int) -> list[Quote]:
    return says(*(f"{name} {value}" for name in ("litellm", "genai", "portkey")[:families]))


@pytest.mark.parametrize(
    ("last", "new", "families", "applied", "awaited"),
    [
        ("3/15", "3/15", 2, True, ""),
        ("3/15", "9/45", 2, True, ""),
        ("3/15", "1/5", 2, True, ""),
        ("3/15", "9.01/15", 2, False, "a third source or a second poll"),
        ("3/15", "3/4.99", 2, False, "a third source or a second poll"),
        ("3/15", "9.01/15", 3, True, ""),
        ("3/15", "30/150", 3, True, ""),
        ("3/15", "30.1/150", 3, False, "a person"),
        ("3/15", "0.3/1.5", 3, True, ""),
        ("3/15", "0.29/1.5", 3, False, "a person"),
        ("3/15", "3/0", 3, False, "a person: a change from or to zero"),
        ("0/0", "3/15", 3, False, "a person: a change from or to zero"),
        ("0/0", "0/0", 3, True, ""),
    ],
)
def test_a_change_is_applied_by_its_size(
    last: str, new: str, families: int, applied: bool, awaited: str
) -> None:
    verdict = judge(agreed(new, families), last=accepted(last))

    assert verdict.status is (VERIFIED if applied else PENDING)
    assert verdict.rates == rates_of(new if applied else last)
    if not applied:
        assert f"waits for {awaited}" in verdict.reasons[0]
        assert verdict.suggested == rates_of(new)


@pytest.mark.parametrize(
    ("proposed", "hours", "status"),
    [
        ("12/60", 24, VERIFIED),
        ("12/60", 23.99, PENDING),
        ("12.06/60", 24, VERIFIED),
        ("12.07/60", 24, PENDING),
        ("9/45", 48, PENDING),
    ],
)
def test_two_polls_a_day_apart_are_as_good_as_a_third_source(
    proposed: str, hours: float, status: Status
) -> None:
    last = accepted("3/15", proposed=rates_of(proposed), proposed_at=NOON)
    later = NOON + timedelta(hours=hours)

    assert judge(agreed("12/60", 2), last=last, at=later).status is status
    assert judge(agreed("12/60", 2), last=last).status is PENDING  # it is not told when
    assert judge(says("litellm 12/60"), last=last, at=later).status is (
        SINGLE if status is VERIFIED else PENDING
    )


SHARED = ("litellm 3/15", "genai 3/15", "portkey 3/15")


def test_one_that_moved_alone_waits_while_the_others_still_agree() -> None:
    verdict = judge(
        says("litellm 2/10 cache_read=0.2", "genai 3/15 cache_read=0.3", "portkey 3/15"),
        last=accepted("3/15", *SHARED),
    )

    assert (verdict.status, verdict.rates) == (PENDING, rates_of("3/15"))
    assert verdict.suggested == rates_of("2/10 cache_read=0.2")
    assert verdict.suggested_why == "litellm moved alone"
    assert verdict.dissenting == ("litellm",)
    assert verdict.dimensions == {"cache_read": DISPUTED}


def test_one_that_moved_alone_waits_though_too_few_are_left_to_agree() -> None:
    verdict = judge(says("litellm 2/10", "genai 3/15"), last=accepted("3/15", *SHARED))

    assert (verdict.status, verdict.rates) == (PENDING, rates_of("3/15"))
    assert verdict.suggested == rates_of("2/10")


def test_a_family_that_moved_together_moved_alone() -> None:
    last = accepted("3/15", *SHARED, "tokencost 3/15")
    verdict = judge(says("litellm 2/10", "tokencost 2/10", "genai 3/15", "portkey 3/15"), last=last)

    assert verdict.status is PENDING
    assert verdict.suggested == rates_of("2/10")


def test_a_dissenter_that_always_dissented_did_not_move() -> None:
    last = accepted("3/15", "litellm 3/15", "genai 3/15", "portkey 5/20")

    assert judge(says("litellm 3/15", "genai 3/15", "portkey 5/20"), last=last).status is VERIFIED
    assert (
        judge(says("litellm 3/15", "genai 3/15", "modelsdev 5/2.5"), last=last).status is VERIFIED
    )


def test_a_second_that_follows_decides_against_those_that_stand_still() -> None:
    last = accepted("3/15", *SHARED, "modelsdev 3/15", "langfuse 4/20")
    moved = ("litellm 2/10", "genai 2/10")

    followed = judge(says(*moved, "portkey 3/15", "modelsdev 3/15", "langfuse 4/20"), last=last)
    assert (followed.status, followed.rates) == (VERIFIED, rates_of("2/10"))
    assert followed.dissenting == ("langfuse", "modelsdev", "portkey")

    for spoiler in ("langfuse 5/20", "someone 3/15"):  # moved elsewhere; new
        verdict = judge(says(*moved, "portkey 3/15", "modelsdev 3/15", spoiler), last=last)

        assert (verdict.status, verdict.rates) == (DISPUTED, rates_of("3/15"))


def test_a_new_source_is_none_that_follows() -> None:
    lines = ("litellm 2/10", "someone 2/10", "genai 3/15", "portkey 3/15")

    assert judge(says(*lines), last=accepted("3/15", *SHARED)).status is PENDING


def test_one_that_moved_to_what_all_now_say_did_not_move_alone() -> None:
    verdict = judge(says("litellm 2/10", "someone 2/10"), last=accepted("3/15", *SHARED))

    assert (verdict.status, verdict.rates) == (VERIFIED, rates_of("2/10"))


def test_a_large_change_that_two_followed_still_waits() -> None:
    last = accepted("3/15", *SHARED, "modelsdev 3/15")
    lines = ("litellm 15/75", "genai 15/75", "portkey 3/15", "modelsdev 3/15")

    assert judge(says(*lines), last=last).status is PENDING


def test_at_clouds_those_that_follow_need_one_that_keeps_regions_apart() -> None:
    last = accepted("3/15", *SHARED, "modelsdev 3/15")
    lines = ("litellm 3/15", "genai 3/15", "portkey 2/10", "modelsdev 2/10")

    assert judge(says(*lines), last=last).status is VERIFIED
    assert judge(says(*lines, provider="azure"), last=last).status is DISPUTED


def test_in_a_dispute_the_last_price_stands() -> None:
    last = accepted("3/15 cache_read=0.3", "litellm 3/15", "genai 3/15")
    verdict = judge(says("litellm 2/10", "genai 4/20", "portkey 3/15"), last=last)

    assert verdict.status is DISPUTED
    assert verdict.rates == last.rates
    assert verdict.dissenting == ("genai", "litellm")
    assert not verdict.enforce
    assert not verdict.report


# --- single sources -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said", "status", "value"),
    [
        ("litellm 3/15", ["litellm 3/15"], SINGLE, "3/15"),
        ("litellm 2/10", ["litellm 3/15"], SINGLE, "2/10"),  # it shared the price with nobody
        ("litellm 2/10", ["litellm 3/15", "tokencost 3/15"], SINGLE, "2/10"),
        ("litellm 2/10", ["litellm 3/15", "genai 3/15"], PENDING, "3/15"),
        ("litellm 2/10", ["litellm 3/15", "genai 4/20"], SINGLE, "2/10"),
        ("litellm 2/10", [], SINGLE, "2/10"),
        ("litellm 10/50", ["litellm 3/15"], PENDING, "3/15"),
        ("portkey 3/15", [], SINGLE, "3/15"),  # not believed alone, but it says what stands
        ("portkey 2/10", [], PENDING, "3/15"),
        ("modelsdev 3/1", [], Status.QUARANTINED, "3/15"),
        ("modelsdev 3/15 cache_read=4", [], Status.QUARANTINED, "3/15"),
        ("modelsdev 300/900", [], Status.REJECTED, "3/15"),
    ],
)
def test_a_single_source_may_move_what_it_alone_said(
    line: str, said: list[str], status: Status, value: str
) -> None:
    verdict = judge(says(line), last=accepted("3/15", *said))

    assert verdict.status is status
    assert verdict.rates == rates_of(value)


def test_a_past_is_enough_to_tell_a_slip_of_unit() -> None:
    verdict = judge(says("litellm 3/15", "genai 0.003/0.015"), last=accepted("3/15"))

    assert (verdict.status, verdict.rates) == (SINGLE, rates_of("3/15"))
    assert verdict.dissenting == ("genai",)
    assert verdict.reasons[1].startswith("genai says 0.003/0.015 (10^3 away from litellm")


def test_what_nobody_quotes_any_more_keeps_its_price() -> None:
    for quotes in ([], says("genai 3/15", currency="EUR"), says("genai NaN/15")[:0]):
        verdict = judge(quotes, last=accepted("3/15"))

        assert (verdict.status, verdict.rates) == (STALE, rates_of("3/15"))
        assert verdict.reasons[-1] == "nobody quotes it any more"


# --- further dimensions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "rate", "status"),
    [
        ("litellm 3/15, genai 3/15", "0.3", None),  # nobody says it any more
        ("litellm 3/15 cache_read=0.5, genai 3/15 cache_read=0.6", "0.3", DISPUTED),
        ("litellm 3/15 cache_read=0.9, genai 3/15 cache_read=0.9", "0.9", VERIFIED),
        ("litellm 3/15 cache_read=1, genai 3/15 cache_read=1", "0.3", PENDING),
        ("litellm 3/15 cache_read=1, genai 3/15 cache_read=1, portkey 3/15 cache_read=1", "1", VERIFIED),
        ("litellm 3/15 cache_read=1, genai 3/15", "0.3", PENDING),
        ("litellm 2/10, genai 2/10", None, None),  # a new price: the old rate is not carried over
        ("litellm 2/10 cache_read=1, genai 2/10 cache_read=1", "1", VERIFIED),
    ],
)  # fmt: skip
def test_a_dimension_stands_while_input_and_output_do(
    lines: str, rate: str | None, status: Status | None
) -> None:
    verdict = judge(says(*lines.split(", ")), last=accepted("3/15 cache_read=0.3"))

    assert verdict.status is VERIFIED
    assert verdict.rates.get("cache_read") == (None if rate is None else Decimal(rate))
    assert verdict.dimensions.get("cache_read") is status
    assert (verdict.suggested == {"cache_read": Decimal(1)}) is (status is PENDING)
    assert bool(verdict.suggested_why) is (status is PENDING)


def test_a_dimension_too_is_applied_when_two_polls_show_it() -> None:
    last = accepted("3/15 cache_read=0.3", proposed={"cache_read": Decimal(1)}, proposed_at=NOON)
    quotes = says("litellm 3/15 cache_read=1", "genai 3/15 cache_read=1")
    verdict = judge(quotes, last=last, at=NOON + timedelta(days=1))

    assert verdict.rates["cache_read"] == 1
