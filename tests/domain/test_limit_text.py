"""Limits and amounts as people write them are read exactly, or refused with the right form."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tekton_budget.domain.amounts import NOTHING, UNLIMITED, Amounts, Limits
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.limit_text import (
    LimitText,
    amount_from_text,
    limit_from_text,
    limits_text,
    short_amount,
    tokens_text,
)
from tekton_budget.domain.money import COST_NANO_MAX
from tekton_budget.domain.period import Period

USD = 1_000_000_000
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("text", "limits", "period"),
    [
        ("50usd/month", Limits(cost_nano=50 * USD), Period.MONTHLY),
        ("$5/day", Limits(cost_nano=5 * USD), Period.DAILY),
        ("5Mtokens/day", Limits(tokens=5_000_000), Period.DAILY),
        ("2000usd/month", Limits(cost_nano=2000 * USD), Period.MONTHLY),
        ("100requests/hour", Limits(requests=100), Period.HOURLY),
        ("100k tokens/week", Limits(tokens=100_000), Period.WEEKLY),
        ("10usd", Limits(cost_nano=10 * USD), Period.TOTAL),
        ("10usd/total", Limits(cost_nano=10 * USD), Period.TOTAL),
        ("5usd/session", Limits(cost_nano=5 * USD), Period.PER_SESSION),
        ("5usd/task", Limits(cost_nano=5 * USD), Period.PER_TASK),
        ("5usd/per_task", Limits(cost_nano=5 * USD), Period.PER_TASK),
        ("5usd/quarter", Limits(cost_nano=5 * USD), Period.QUARTERLY),
        ("5usd/year", Limits(cost_nano=5 * USD), Period.YEARLY),
        ("5usd/yearly", Limits(cost_nano=5 * USD), Period.YEARLY),
        ("50 usd monthly", Limits(cost_nano=50 * USD), Period.MONTHLY),
        ("50usd Daily", Limits(cost_nano=50 * USD), Period.DAILY),
        ("50 USD per Month", Limits(cost_nano=50 * USD), Period.MONTHLY),
        ("5usd per_session", Limits(cost_nano=5 * USD), Period.PER_SESSION),
        ("  $ 1,250.50  /  week ", Limits(cost_nano=1_250_500_000_000), Period.WEEKLY),
        ("$.5/day", Limits(cost_nano=USD // 2), Period.DAILY),
        ("0.000000001usd/day", Limits(cost_nano=1), Period.DAILY),
        ("$1.5k/month", Limits(cost_nano=1500 * USD), Period.MONTHLY),
        ("$5usd/day", Limits(cost_nano=5 * USD), Period.DAILY),
        ("5$/day", Limits(cost_nano=5 * USD), Period.DAILY),
        ("1kusd/day", Limits(cost_nano=1000 * USD), Period.DAILY),
        ("1 dollar/day", Limits(cost_nano=USD), Period.DAILY),
        ("1token", Limits(tokens=1), Period.TOTAL),
        ("1.5 M tokens", Limits(tokens=1_500_000), Period.TOTAL),
        ("0.001ktokens", Limits(tokens=1), Period.TOTAL),
        ("2Gtokens/month", Limits(tokens=2_000_000_000), Period.MONTHLY),
        ("1k calls/day", Limits(requests=1000), Period.DAILY),
        ("0usd/day", Limits(cost_nano=0), Period.DAILY),
        ("50usd+5Mtokens/month", Limits(5_000_000, 50 * USD), Period.MONTHLY),
        ("50usd + 5Mtokens", Limits(5_000_000, 50 * USD), Period.TOTAL),
        ("$5/day + 9requests/daily", Limits(None, 5 * USD, 9), Period.DAILY),
        ("1usd+2tokens+3requests/hour", Limits(2, USD, 3), Period.HOURLY),
        ("4000000000usd", Limits(cost_nano=COST_NANO_MAX), Period.TOTAL),
    ],
)
def test_a_limit_is_read_from_one_line(text: str, limits: Limits, period: Period) -> None:
    assert limit_from_text(text) == LimitText(limits, period, None)


@pytest.mark.parametrize(
    ("text", "length_us"),
    [
        ("20usd/24h", DAY_US),
        ("20usd/5h", 5 * HOUR_US),
        ("20usd/30m", 30 * MINUTE_US),
        ("20usd/7d", 7 * DAY_US),
        ("20usd/1day", DAY_US),
        ("20usd per 2 weeks", 14 * DAY_US),
        ("20usd/ 90 Seconds", 90_000_000),
        ("20usd/60s", MINUTE_US),
        ("20usd/minute", MINUTE_US),
        ("20usd/400d", 400 * DAY_US),
        ("20usd/1 hour", HOUR_US),
    ],
)
def test_a_length_makes_a_rolling_period(text: str, length_us: int) -> None:
    assert limit_from_text(text) == LimitText(Limits(cost_nano=20 * USD), Period.ROLLING, length_us)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; write it like"),
        ("   ", "is empty"),
        ("50", "did you mean 50usd, 50tokens or 50requests?"),
        ("50/month", "did you mean 50usd/month, 50tokens/month or 50requests/month?"),
        ("5M/day", "did you mean 5Musd/day, 5Mtokens/day or 5Mrequests/day?"),
        ("50eur/month", 'unknown unit "eur": use usd, tokens or requests'),
        ("50Mbananas", 'unknown unit "mbananas"'),
        ("50usd day", 'unknown unit "usd day"'),
        ("$5 tokens", 'unknown unit "tokens"'),
        ("50kk tokens", "unknown unit"),
        ("1e3usd", "unknown unit"),
        ("1,00usd", "unknown unit"),
        ("usd", "no amount that can be read; write it like"),
        ("-5usd/day", "no amount that can be read"),
        ("monthly", "no amount that can be read"),
        ("/month", "no amount that can be read"),
        ("$", "no amount that can be read"),
        ("٥usd", "no amount that can be read"),
        ("5usd+", "no amount that can be read"),
        ("5usd+3usd/day", "limits cost twice"),
        ("0.5tokens", "not a whole multiple of 1 token,"),
        ("0.0001krequests", "not a whole multiple of 1 request,"),
        ("0.0000000001usd", "not a whole multiple of $0.000000001,"),
        ("4000000001usd", "more than $4,000,000,000.00"),
        ("9" * 150 + "tokens", "more than 4,000,000,000,000,000,000 tokens"),
        ("5usd/", 'names a period "" that is not known; a period is hour, day'),
        ("5usd/fortnight", 'names a period "fortnight"'),
        ("5usd/1month", 'names a period "1month"'),
        ("5usd/rolling", 'names a period "rolling"'),
        ("5usd/day/month", 'names a period "day/month"'),
        ("5usd/59s", "rolling length outside of 1 minute to 400 days"),
        ("5usd/0h", "rolling length outside"),
        ("5usd/401d", "rolling length outside"),
        ("5usd/day+5tokens/month", "one period for all its amounts"),
        ("5usd/24h+5tokens/day", "one period for all its amounts"),
        ("5usd/day+5tokens", "one period for all its amounts"),
        ("5usd" + " " * 200, "longer than 200 characters"),
    ],
)
def test_a_limit_that_cannot_be_read_is_refused_with_the_right_form(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as error:
        limit_from_text(text)

    assert says in error.value.detail
    assert [fault.field for fault in error.value.fields] == ["limit"]
    assert len(error.value.detail) <= 400


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("20usd", Amounts(cost_nano=20 * USD)),
        ("$20", Amounts(cost_nano=20 * USD)),
        ("5Mtokens", Amounts(tokens=5_000_000)),
        ("10requests", Amounts(requests=10)),
        ("1usd+1ktokens", Amounts(1000, USD)),
        ("0usd", NOTHING),
    ],
)
def test_an_amount_is_read_from_one_line(text: str, amount: Amounts) -> None:
    assert amount_from_text(text) == amount


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("20", "did you mean 20usd, 20tokens or 20requests?"),
        ("20usd/day", "has a period, but an amount has none"),
        ("20usd monthly", "has a period, but an amount has none"),
        ("lots", 'write it like "20usd"'),
    ],
)
def test_an_amount_that_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as error:
        amount_from_text(text)

    assert says in error.value.detail
    assert [fault.field for fault in error.value.fields] == ["amount"]


@given(st.text(max_size=30) | st.text("$50.,kMusdtoken+/ day1h", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = limit_from_text(text)
    except InvalidInput:
        return

    assert read.limits != UNLIMITED
    assert all(limit is None or 0 <= limit <= COST_NANO_MAX for limit in read.limits)
    assert (read.length_us is not None) == (read.schedule_period is Period.ROLLING)


COUNTS = st.none() | st.integers(0, COST_NANO_MAX) | st.integers(0, 3000).map(lambda n: n * 10_000)


@given(st.builds(Limits, COUNTS, COUNTS, COUNTS))
@example(Limits(1, 1, 1))
@example(Limits(COST_NANO_MAX, COST_NANO_MAX, COST_NANO_MAX))
def test_what_is_written_is_read_back_exactly(limits: Limits) -> None:
    if limits == UNLIMITED:
        return
    written = limits_text(limits)

    assert limit_from_text(written).limits == limits
    assert limit_from_text(f"{written}/month").limits == limits
    assert amount_from_text(written) == Amounts(*(limit or 0 for limit in limits))


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (UNLIMITED, "unlimited"),
        (Limits(cost_nano=50 * USD), "$50.00"),
        (Limits(cost_nano=0), "$0.00"),
        (Limits(tokens=5_000_000), "5M tokens"),
        (Limits(tokens=20_000), "20k tokens"),
        (Limits(tokens=1_250_000), "1.25M tokens"),
        (Limits(tokens=1_234_567), "1,234,567 tokens"),
        (Limits(tokens=10_000_000_000), "10G tokens"),
        (Limits(tokens=2_000_000_000_000), "2,000G tokens"),
        (Limits(tokens=1000), "1k tokens"),
        (Limits(tokens=999), "999 tokens"),
        (Limits(tokens=1), "1 token"),
        (Limits(tokens=0), "0 tokens"),
        (Limits(requests=1), "1 request"),
        (Limits(1000, 50 * USD, 100), "$50.00 + 1k tokens + 100 requests"),
    ],
)
def test_limits_are_written_short_and_exact(limits: Limits, text: str) -> None:
    assert limits_text(limits) == text


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("cost", 400_000_000, "$0.40"),
        ("cost", -400_000_000, "-$0.40"),
        ("tokens", 20_000, "20,000 tokens"),
        ("tokens", 1, "1 token"),
        ("tokens", -5, "-5 tokens"),
        ("requests", 3, "3 requests"),
        ("requests", 1, "1 request"),
        ("requests", 0, "0 requests"),
    ],
)
def test_one_unit_is_written_in_words(unit: str, value: int, text: str) -> None:
    assert short_amount(unit, value) == text


def test_tokens_are_written_in_full() -> None:
    assert tokens_text(20_000) == "20,000 tokens"
    assert tokens_text(1) == "1 token"


def test_a_unit_that_does_not_exist_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="euros"):
        short_amount("euros", 1)
