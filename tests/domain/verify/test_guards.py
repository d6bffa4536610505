"""Guards: each bound with the last value that passes and the first that does not."""

from decimal import Decimal

import pytest
from tests.domain.verify.quoting import rates_of, says

from tekton_budget.domain.verify import Fault, SetAside, Status, judge
from tekton_budget.domain.verify.guards import is_free_name

PARSE = {
    "250/600": "",
    "250.01/600": "input 250.01 is above 250 USD per 1,000,000 tokens: another unit",
    "150/700": "",
    "150/700.01": "output 700.01 is above 700 USD per 1,000,000 tokens: another unit",
    "0.001/0.001": "",
    "0.0009/0.001": "input 0.0009 is below 0.001 USD per 1,000,000 tokens: another unit",
    "0.001/0.0009": "output 0.0009 is below 0.001 USD per 1,000,000 tokens: another unit",
    "0.001/0": "",
    "-1/-1": "input is negative: no price, or one that is decided by the call",
    "3/-0.01": "output is negative: no price, or one that is decided by the call",
    "3/15 cache_read=-1": "cache_read is negative: no price, or one that is decided by the call",
    "NaN/15": "input is not a number",
    "sNaN/15": "input is not a number",
    "3/Infinity": "output is not a number",
    "3/15 cache_read=1e13": "cache_read is not a number",
    "3/15 cache_read=1e-19": "cache_read is not a number",
    "3/15 cache_read=1e-18": "",
    "3/15 per_minute=1": "per_minute is not a unit of price",
    "3/15 input_second=0.0001": "",
    "-/- input_second=0.0001": "neither input nor output has a price",
    "3/15 input@>200000=6": "",
    "3/15 input@>200000=251": (
        "input@>200000 251 is above 250 USD per 1,000,000 tokens: another unit"
    ),
    "3/15 inputs@batch=2": "inputs@batch is not a unit of price",
    "0.13/-": "",
    "-/15": "",
}


@pytest.mark.parametrize(("rates", "reason"), PARSE.items())
def test_what_is_no_price_is_rejected(rates: str, reason: str) -> None:
    verdict = judge(says(f"litellm {rates}"))

    if reason:
        assert verdict.status is Status.REJECTED
        assert verdict.set_aside == (SetAside("litellm", Fault.REJECTED, reason),)
        assert not verdict.usable
    else:
        assert verdict.status is Status.SINGLE_SOURCE
        assert verdict.rates == rates_of(rates)


SHAPES = {  # (provider, model, mode, rates) → the dimension at fault; None: the whole quote; "": none
    ("openai", "m", "chat", "3/1.5"): "",
    ("openai", "m", "chat", "3/1.49"): None,
    ("openai", "m", "completion", "3/0"): None,
    ("openai", "m", "responses", "3/1"): None,
    ("openai", "m", None, "3/1.49"): None,
    ("openai", "m", None, "3/0"): "",  # an embedding, for all that is known
    ("openai", "m", None, "-/15"): "",
    ("openai", "m", "embedding", "3/1"): "",
    ("openai", "text-embedding-3", None, "3/1"): "",
    ("openai", "m", None, "3/15 cache_read=3"): "",
    ("openai", "m", None, "3/15 cache_read=3.01"): "cache_read",
    ("openai", "m", None, "-/15 cache_read=3.01"): "",
    ("openai", "m", None, "3/15 input@>200000=6 cache_read@>200000=5"): "",
    ("openai", "m", None, "3/15 input@>200000=6 cache_read@>200000=7"): "cache_read@>200000",
    ("openai", "m", None, "3/15 cache_read@batch=7"): "",  # no input to compare it with
    ("anthropic", "m", None, "3/15 cache_write_1h=6"): "",
    ("anthropic", "m", None, "3/15 cache_write_1h=6.06"): "",
    ("anthropic", "m", None, "3/15 cache_write_1h=6.07"): "cache_write_1h",
    ("anthropic", "m", None, "3/15 cache_write_1h=5.94"): "",
    ("anthropic", "m", None, "3/15 cache_write_1h=5.93"): "cache_write_1h",
    ("anthropic", "m", None, "3/15 cache_write_5m=3.6"): "",
    ("anthropic", "m", None, "3/15 cache_write_5m=3.59"): "cache_write_5m",
    ("anthropic", "m", None, "3/15 cache_write_5m=3.75"): "",
    ("anthropic", "m", None, "3/15 cache_write_5m=3.76"): "cache_write_5m",
    ("bedrock", "claude-haiku", None, "1/5 cache_write_1h=2.5"): "cache_write_1h",
    ("bedrock", "nova", None, "1/5 cache_write_1h=2.5"): "",
    ("openai", "gpt-5.6-luna", None, "1/5 cache_write_5m=1"): "",
    ("openai", "gpt-5.6-luna", None, "1/5 cache_write_5m=0.99"): "cache_write_5m",
    ("google", "gemini", None, "1/5 cache_write_5m=0.3"): "",  # storage, not a premium
    ("anthropic", "m", None, "3/15 cache_write_5m=0"): "",  # a zero is no vote, not a shape
}  # fmt: skip


@pytest.mark.parametrize(("claim", "dimension"), SHAPES.items(), ids=str)
def test_a_shape_that_no_real_price_has_is_quarantined(
    claim: tuple[str, str, str | None, str], dimension: str | None
) -> None:
    provider, model, mode, rates = claim
    quotes = says(f"litellm {rates}", provider=provider, model=model, mode=mode)
    verdict = judge(quotes)

    if dimension == "":
        assert (verdict.status, verdict.set_aside) == (Status.SINGLE_SOURCE, ())
    else:
        ((fault, where),) = [(one.fault, one.dimension) for one in verdict.set_aside]
        assert (verdict.status, fault, where) == (Status.QUARANTINED, Fault.QUARANTINED, dimension)
        assert not verdict.usable


def test_the_reason_tells_by_how_much_a_shape_is_off() -> None:
    reasons = {
        "3/15 cache_write_1h=0.5": "the 1-hour cache write is 0.1667 × input, not 2 ×",
        "3/15 cache_write_5m=6": "the cache write is 2 × input, not 1.2 to 1.25 ×",
    }
    for rates, reason in reasons.items():
        verdict = judge(says(f"litellm {rates}", provider="anthropic"))

        assert verdict.reasons == (f"litellm alone: {reason}",)
    (one,) = judge(says("litellm 1/5 cache_write_5m=0.5", model="gpt-5.6")).set_aside

    assert one.reason == "the cache write is 0.5 × input, though its seller bills a premium"


def test_a_wrong_dimension_does_not_cost_the_vote_on_input_and_output() -> None:
    lines = ("litellm 0.25/1.25 cache_write_1h=6", "genai 0.25/1.25 cache_write_1h=0.5")
    verdict = judge(says(*lines, provider="anthropic"))

    assert verdict.status is Status.VERIFIED
    assert verdict.rates["cache_write_1h"] == Decimal("0.5")
    assert verdict.dissenting == ()


def test_an_unusual_cache_read_is_noted_only() -> None:
    noted = judge(says("litellm 10/50 cache_read=0.5", provider="anthropic"))
    usual = judge(says("litellm 10/50 cache_read=1", provider="anthropic"))
    other = judge(says("litellm 10/50 cache_read=0.5"))

    assert noted.status is Status.SINGLE_SOURCE
    assert noted.notes == ("litellm: cache read is 0.05 × input, not 0.1 ×",)
    assert usual.notes == other.notes == ()


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("openai/gpt-oss-20b:free", True),
        ("kimi-k2.5-free", True),
        ("Trinity (free)", True),
        ("freedom-7b", False),
        ("carefree-7b", False),
        ("m", False),
    ],
)
def test_a_name_may_say_free(name: str, free: bool) -> None:
    (by_model,) = says("litellm 0/0", model=name)
    (by_listing,) = says("litellm 0/0", listed_as=name)

    assert is_free_name(by_model) is is_free_name(by_listing) is free
