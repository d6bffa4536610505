"""The judgement without a past: zero, consensus, regions, currency, single sources, conflict."""

from decimal import Decimal

import pytest
from tests.domain.verify.quoting import rates_of, says

from tekton_budget.domain.verify import Fault, Quote, Status, judge

VERIFIED, SINGLE, DISPUTED = Status.VERIFIED, Status.SINGLE_SOURCE, Status.DISPUTED
QUARANTINED, REJECTED = Status.QUARANTINED, Status.REJECTED

# lines of quotes → status, value, dissenting
TABLE: list[tuple[str, Status, str, str]] = [
    # two independent sources, two thirds
    ("litellm 3/15, genai 3/15", VERIFIED, "3/15", ""),
    ("litellm 3/15, genai 3/15, portkey 4/20", VERIFIED, "3/15", "portkey"),
    ("litellm 3/15, genai 3/15, portkey 4/20, modelsdev 5/20", DISPUTED, "", ""),
    ("litellm 3/15, genai 3/15, portkey 4/20, modelsdev 4/20", DISPUTED, "", ""),
    ("litellm 3/15, genai 3/15, portkey 3/15, modelsdev 4/20", VERIFIED, "3/15", "modelsdev"),
    ("litellm 3/15, genai 3/15, portkey 3/15, modelsdev 4/20, langfuse 5/20", DISPUTED, "", ""),
    ("litellm 3/15, genai 3/16", DISPUTED, "", ""),
    ("litellm 3/15, genai 4/15", DISPUTED, "", ""),
    # the tolerance is 0.5 % of the larger
    ("litellm 1/2, genai 0.995/2", VERIFIED, "0.995/2", ""),
    ("litellm 1/2, genai 0.99499/2", DISPUTED, "", ""),
    ("litellm 1/2, genai 1/1.99", VERIFIED, "1/1.99", ""),
    ("litellm 1/2, genai 1/1.98999", DISPUTED, "", ""),
    # the value is what most of the cluster say, not its middle
    ("genai 1/2, litellm 1.004/2, portkey 1.004/2", VERIFIED, "1.004/2", ""),
    ("genai 1/2, litellm 1.004/2, portkey 1.008/2", VERIFIED, "1.004/2", ""),  # near both others
    # one family has one vote, and its first member speaks
    ("litellm 3/15, tokencost 3/15", SINGLE, "3/15", ""),
    ("litellm 3/15, tokencost 5/25", SINGLE, "3/15", "tokencost"),
    ("tokencost 5/25, litellm 3/15, genai 3/15", VERIFIED, "3/15", "tokencost"),
    ("litellm 3/15, tokencost 3/15, genai 4/20", DISPUTED, "", ""),
    ("litellm 3/15, tokencost 5/25, portkey 5/25", DISPUTED, "", ""),
    ("litellm 3/15, genai 3/15, tokencost 5/25, agentops 5/25", VERIFIED, "3/15", "agentops tokencost"),
    ("litellm 3000/15, tokencost 3/15, genai 3/15", VERIFIED, "3/15", "litellm"),
    ("models.dev 3/15, tokenlens 3/15", SINGLE, "3/15", ""),
    ("genai-prices 3/15, genai 3/15", SINGLE, "3/15", ""),
    ("someone 3/15, another 3/15", VERIFIED, "3/15", ""),
    ("-- 3/15, ++ 3/15", VERIFIED, "3/15", ""),
    # a zero against a price is not a vote
    ("litellm 3/15, genai 3/15, modelsdev 0/0", VERIFIED, "3/15", "modelsdev"),
    ("litellm 3/15, genai 3/15, modelsdev 0/0, langfuse 0/0, portkey 0/0", VERIFIED, "3/15", "langfuse modelsdev portkey"),
    ("litellm 3/15, modelsdev 0/0", DISPUTED, "", ""),
    ("modelsdev 0/0", QUARANTINED, "", ""),
    ("modelsdev 0/-", QUARANTINED, "", ""),
    ("modelsdev 0/0, litellm 0/0", VERIFIED, "0/0", ""),
    ("modelsdev 0/0, tokenlens 0/0", QUARANTINED, "", ""),
    ("modelsdev 0/0, portkey 0/0", QUARANTINED, "", ""),  # its zeros say nothing
    ("modelsdev 0/0, litellm 0/0, portkey 0/0", VERIFIED, "0/0", ""),
    ("modelsdev 0/0, litellm 0/0, genai 300/900", QUARANTINED, "", ""),  # somebody disagrees
    ("litellm 0.1/0, genai 0.1/0", VERIFIED, "0.1/0", ""),  # an embedding
    ("litellm 0.1/0, genai 0.1/-", VERIFIED, "0.1/0", ""),
    ("litellm 0.1/-, genai 0.1/-", VERIFIED, "0.1/-", ""),
    # what the guards refuse does not count, but it may speak against a lone vote
    ("litellm 3/15, genai 3/15, portkey 3000/15000", VERIFIED, "3/15", "portkey"),
    ("litellm 3/15, genai 3/15, portkey 3/1", VERIFIED, "3/15", "portkey"),
    ("litellm 3/15, genai 4/20, portkey 3000/15000", DISPUTED, "", ""),
    ("litellm 3/15, portkey 3000/15000", DISPUTED, "", ""),
    ("litellm 3/15, portkey 3/1", DISPUTED, "", ""),
    ("litellm 3/15, openrouter -1/-1", SINGLE, "3/15", ""),  # claims nothing
    ("litellm 3/15, portkey NaN/15", SINGLE, "3/15", ""),
    ("litellm 3/15, portkey 3/15 per_minute=1", SINGLE, "3/15", ""),
    ("litellm 3000/15, portkey 3000/15", REJECTED, "", ""),
    ("litellm 3000/15, portkey 3/1", QUARANTINED, "", ""),
    # who is believed alone
    ("litellm 3/15", SINGLE, "3/15", ""),
    ("genai 3/15", SINGLE, "3/15", ""),
    ("langfuse 3/15", SINGLE, "3/15", ""),
    ("modelsdev 3/15", SINGLE, "3/15", ""),
    ("portkey 3/15", SINGLE, "", ""),
    ("llmprices 3/15", SINGLE, "", ""),
    ("someone 3/15", SINGLE, "", ""),
    ("openrouter 3/15", QUARANTINED, "", ""),  # of another seller it says nothing
    ("litellm 3/15, openrouter 4/20", SINGLE, "3/15", ""),
    ("", REJECTED, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "status", "value", "dissenting"), TABLE)
def test_quotes_come_to_a_decision(lines: str, status: Status, value: str, dissenting: str) -> None:
    verdict = judge(says(*(line.strip() for line in lines.split(",") if line)))

    assert verdict.status is status
    assert verdict.rates == (rates_of(value) if value else {})
    assert verdict.usable is bool(value)
    assert verdict.dissenting == tuple(dissenting.split())


def test_a_price_not_believed_alone_is_suggested() -> None:
    verdict = judge(says("portkey 3/15"))

    assert verdict.reasons == ("only portkey quotes it, which is not believed alone",)
    assert verdict.suggested == rates_of("3/15")
    assert "portkey" in verdict.suggested_why


def test_the_groups_hold_every_claim_the_largest_first() -> None:
    lines = ("litellm 3/15", "genai 4/20", "portkey 3/15", "modelsdev 300/900", "x -1/-1", "y 0/0")
    verdict = judge(says(*lines))

    assert verdict.groups == (("litellm", "portkey"), ("genai",), ("modelsdev",), ("y",))


def test_the_parts_of_a_dispute_are_told() -> None:
    verdict = judge(says("litellm 3/15", "genai 4/20", "modelsdev 300/900"))

    assert verdict.reasons == (
        "at most 1 of 2 votes agree; 2 and two thirds are needed",
        "genai: 4/20",
        "litellm: 3/15",
        "modelsdev: 300/900",
    )
    assert verdict.enforce == rates_of("4/20")  # the highest plausible
    assert verdict.report == rates_of("4/20")  # the preferred source's


def test_enforcement_takes_the_dearest_and_reports_the_preferred() -> None:
    verdict = judge(says("genai 3/15", "modelsdev 4/20", "portkey 300/900"))

    assert (verdict.enforce, verdict.report) == (rates_of("4/20"), rates_of("3/15"))
    assert not verdict.suggested


def test_the_larger_group_is_suggested_unless_another_is_as_large() -> None:
    more = judge(says("a 3/15", "b 3.001/15", "c 4/20", "d 5/25"))
    equal = judge(says("a 3/15", "b 3/15", "c 4/20", "d 4/20"))

    assert more.suggested == rates_of("3/15")
    assert not equal.suggested


# --- regions and currency -----------------------------------------------------------------------


def test_at_clouds_one_that_keeps_regions_apart_must_agree() -> None:
    folded = ("modelsdev 5/25", "portkey 5/25", "langfuse 5/25")

    assert judge(says(*folded)).status is VERIFIED
    for cloud in ("bedrock", "azure", "vertex", "vertex_ai", "amazon-bedrock"):
        verdict = judge(says(*folded, provider=cloud))

        assert verdict.status is DISPUTED
        assert "one of genai and litellm among them" in verdict.reasons[0]
        for aware in ("litellm", "genai"):
            lines = (f"{aware} 5/25", "portkey 5/25")
            assert judge(says(*lines, provider=cloud)).status is VERIFIED


def test_the_cluster_that_may_decide_is_taken_though_another_has_a_better_value() -> None:
    # Around 5 there are three sources, around 5.02 four; only the latter has one that is needed.
    lines = ("modelsdev 5/25", "portkey 5/25", "langfuse 5/25", "litellm 5.02/25")
    verdict = judge(says(*lines, provider="bedrock"))

    assert verdict.status is VERIFIED


def listed(source: str, rates: str, listed_as: str, model: str, provider: str) -> Quote:
    return Quote(source, provider, model, rates_of(rates), listed_as)


@pytest.mark.parametrize(
    ("provider", "model", "listed_as", "comparable"),
    [
        ("bedrock", "us-anthropic-claude-x", "us.anthropic.claude-x-v1:0", True),
        ("bedrock", "us.anthropic.claude-x", "us.anthropic.claude-x-v1:0", True),
        ("bedrock", "us.anthropic.claude-x", "anthropic.claude-x-v1:0", False),
        ("bedrock", "us.anthropic.claude-x", "global.anthropic.claude-x-v1:0", False),
        ("bedrock", "us.anthropic.claude-x", "regional.anthropic.claude-x-v1:0", True),
        ("bedrock", "global.anthropic.claude-x", "regional.anthropic.claude-x-v1:0", False),
        ("bedrock", "anthropic.claude-x", "regional.anthropic.claude-x-v1:0", False),
        ("bedrock", "anthropic.claude-x", "us.anthropic.claude-x", False),
        ("bedrock", "anthropic.claude-x", "bedrock/us-east-1/anthropic.claude-x", False),
        ("bedrock", "us-east-1/anthropic.claude-x", "bedrock/us-east-1/anthropic.claude-x", True),
        ("bedrock", "us-gov-west-1-anthropic-x", "bedrock/us-gov-west-1/anthropic.x", True),
        ("bedrock", "us-gov.anthropic.x", "us.anthropic.x", False),
        ("bedrock", "us.anthropic.x", "amazon-bedrock/converse/us.anthropic.x", True),
        ("vertex", "us-x", "vertex_ai-language-models/us-x", True),
        ("azure", "gpt-4o", "azure/gpt-4o", True),
        ("azure", "gpt-4o", "azure/eu/gpt-4o", False),
        ("azure", "eu-gpt-4o", "azure/eu/gpt-4o", True),
        ("azure", "global/gpt-4o", "azure/global-standard/gpt-4o", True),
        ("anthropic", "us-claude-x", "us/claude-x", True),
        ("anthropic", "claude-x", "us/claude-x", False),
        ("somebody", "global-chat-7b", "global-chat-7b", True),  # a word, not a region
        ("openrouter", "meta/global-chat", "openrouter/meta/global-chat", True),
    ],
)
def test_regions_are_never_compared(
    provider: str, model: str, listed_as: str, comparable: bool
) -> None:
    other = listed("genai", "6/30", listed_as, model, provider)
    verdict = judge([*says("litellm 5/25", provider=provider, model=model), other])

    assert verdict.status is (DISPUTED if comparable else SINGLE)
    assert [one.fault for one in verdict.set_aside] == ([] if comparable else [Fault.APART])
    assert verdict.groups == ((("genai",), ("litellm",)) if comparable else (("litellm",),))


def test_a_regional_price_is_believed_alone_only_from_who_keeps_regions_apart() -> None:
    for source, usable in {"litellm": True, "genai": True, "modelsdev": False}.items():
        line, name = f"{source} 5/25", "us.anthropic.claude-opus-4-7"
        regional = judge(says(line, provider="bedrock", model=name))

        assert (regional.status, regional.usable) == (SINGLE, usable)
        assert judge(says(line, provider="bedrock", model="anthropic.claude-opus-4-7")).usable
        assert judge(says(line, provider="openai", model="us-m")).usable


@pytest.mark.parametrize(
    ("model", "lines", "suggested"),
    [
        ("us.claude", "litellm 5.5/27.5, portkey 5/25", "5.5/27.5"),
        ("us.claude", "litellm 5/25, portkey 5.5/27.5", ""),
        ("us.claude", "litellm 6/30, portkey 5/25", ""),
        ("us.claude", "modelsdev 5.5/27.5, portkey 5/25", ""),
        ("global.claude", "litellm 5.5/27.5, portkey 5/25", ""),
        ("claude", "litellm 5.5/27.5, portkey 5/25", ""),
    ],
)
def test_a_regional_surcharge_that_others_fold_is_suggested(
    model: str, lines: str, suggested: str
) -> None:
    verdict = judge(says(*lines.split(", "), provider="bedrock", model=model))

    assert verdict.status is DISPUTED
    assert verdict.suggested == (rates_of(suggested) if suggested else {})


def test_currencies_are_never_compared() -> None:
    euros = says("genai 3/15", currency="EUR")
    verdict = judge([*says("litellm 3/15"), *euros])

    assert (verdict.status, verdict.groups) == (SINGLE, (("litellm",),))
    assert verdict.set_aside[0].reason == "quoted in EUR, which is not compared with USD"
    assert judge(euros).status is QUARANTINED
    assert judge(says("genai 3/15", "litellm 3/15", currency="usd")).status is VERIFIED


# --- sellers' own lists -------------------------------------------------------------------------


def test_a_sellers_own_list_is_believed_alone_and_suggested_against_others() -> None:
    def at_openrouter(*lines: str) -> list[Quote]:
        return says(*lines, provider="openrouter")

    alone = judge(at_openrouter("openrouter 3/15"))
    against = judge(at_openrouter("openrouter 3/15", "litellm 4/20", "portkey 4/20"))
    equal = judge(at_openrouter("openrouter 3/15", "litellm 4/20"))

    assert (alone.status, alone.rates) == (SINGLE, rates_of("3/15"))
    assert (against.status, against.rates) == (VERIFIED, rates_of("4/20"))
    assert (equal.status, equal.suggested) == (DISPUTED, rates_of("3/15"))
    assert equal.report == rates_of("3/15")
    assert equal.suggested_why == "openrouter is the seller's own list"


def test_prices_with_a_margin_of_their_own_never_count() -> None:
    lines = ("helicone 3/15", "litellm 3/15")

    assert judge(says(*lines, provider="openrouter")).status is SINGLE
    assert judge(says(*lines)).status is VERIFIED


def test_a_free_name_makes_zero_a_price() -> None:
    def free(*lines: str) -> Status:
        return judge(says(*lines, provider="openrouter", model="m:free")).status

    assert free("openrouter 0/0") is SINGLE
    assert free("openrouter 0/0", "litellm 0/0") is VERIFIED
    assert free("openrouter 0/0", "litellm 0/0", "genai 3/15") is VERIFIED
    assert free("openrouter 0/0", "litellm 3/15") is DISPUTED


# --- single sources -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("siblings", "status"),
    [
        ([], SINGLE),
        (["1/5"], SINGLE),
        (["9/45"], SINGLE),
        (["9.01/45"], QUARANTINED),
        (["0.99/15"], QUARANTINED),
        (["0/0"], QUARANTINED),
        (["100/500", "3/14"], SINGLE),
        (["100/500", "0.1/0.5"], QUARANTINED),
    ],
)
def test_a_single_price_is_within_three_times_a_sibling(
    siblings: list[str], status: Status
) -> None:
    known = {str(n): rates_of(rates) for n, rates in enumerate(siblings)}

    assert judge(says("litellm 3/15"), siblings=known).status is status


def test_a_token_price_for_what_is_sold_otherwise_needs_a_second_source() -> None:
    for mode in ("image_generation", "audio_transcription", "rerank", "ocr"):
        lines = ("litellm 5/10", "genai 5/10")

        assert judge(says(*lines[:1], mode=mode)).status is QUARANTINED
        assert judge(says(*lines, mode=mode)).status is VERIFIED
    assert judge(says("litellm 5/0", mode="embedding")).status is SINGLE


# --- slips of unit ------------------------------------------------------------------------------

SLIPS = [
    ("3/15", "300/600", "", DISPUTED, ""),
    ("0.3/1.2", "30/120", "", DISPUTED, ""),
    ("0.3/1.2", "30/120", "0.4/1.6", SINGLE, "0.3/1.2"),
    ("0.3/1.2", "30/120", "25/100", SINGLE, "30/120"),
    ("0.3/1.2", "300/1200", "0.4/1.6", SINGLE, "0.3/1.2"),
    ("0.3/1.2", "29.85/120", "0.4/1.6", SINGLE, "0.3/1.2"),
    ("0.3/1.2", "29.84/120", "0.4/1.6", DISPUTED, ""),
    ("0.3/1.2", "3/12", "0.4/1.6", DISPUTED, ""),  # ten times is no slip of unit
    ("0.3/1.2", "30/1200", "0.4/1.6", DISPUTED, ""),
    ("0.3/1.2", "30/120", "0.03/0.12", QUARANTINED, ""),  # a slip, but the other is not within 3 ×
    ("0.3/1.2", "30/120", "0.02/0.08", DISPUTED, ""),  # neither is near
    ("0.3/1.2", "30/120", "0/0", DISPUTED, ""),
    ("0.3/0", "30/0", "0.3/0", SINGLE, "0.3/0"),
    ("0.3/0", "30/120", "0.3/0", DISPUTED, ""),
]


@pytest.mark.parametrize(("low", "high", "sibling", "status", "value"), SLIPS)
def test_the_one_farther_from_its_family_slipped(
    low: str, high: str, sibling: str, status: Status, value: str
) -> None:
    siblings = {"m-2": rates_of(sibling)} if sibling else None
    verdict = judge(says(f"litellm {low}", f"genai {high}"), siblings=siblings)

    assert verdict.status is status
    assert verdict.rates == (rates_of(value) if value else {})
    if value:
        assert "is near what is known of the model" in verdict.set_aside[-1].reason


def test_a_slip_is_named_though_a_majority_decides() -> None:
    verdict = judge(says("litellm 0.3/1.2", "genai 0.3/1.2", "portkey 0.003/0.012"))

    assert verdict.reasons[1] == "portkey says 0.003/0.012 (10^2 away: a slip of unit)"


# --- further dimensions -------------------------------------------------------------------------

# lines → the rate of cache_read, its status
CACHE = [
    ("litellm 3/15 cache_read=0.3, genai 3/15 cache_read=0.3", "0.3", VERIFIED),
    ("litellm 3/15 cache_read=0.3, genai 3/15", "0.3", SINGLE),
    ("litellm 3/15, genai 3/15, portkey 3/15 cache_read=0.3", None, SINGLE),
    ("litellm 3/15 cache_read=0.3, tokencost 3/15 cache_read=0.4, genai 3/15", "0.3", SINGLE),
    ("litellm 3/15 cache_read=0.3, genai 3/15 cache_read=0.6", None, DISPUTED),
    ("litellm 3/15 cache_read=0.3, genai 3/15 cache_read=0.3, portkey 3/15 cache_read=0.6", "0.3", VERIFIED),
    ("litellm 3/15 cache_read=0.3, genai 3/15 cache_read=0.3, portkey 4/20 cache_read=0.6", "0.3", VERIFIED),
    # by another set than input and output, but never by strangers alone
    ("litellm 3/15, genai 3/15 cache_read=0.6, portkey 4/20 cache_read=0.6", "0.6", VERIFIED),
    ("a 3/15, b 3/15, c 3/15, d 3/15, e 4/20 cache_read=0.6, f 4/20 cache_read=0.6", None, DISPUTED),
    ("a 3/15, b 3/15, litellm 4/20 cache_read=0.6", None, SINGLE),
    # zero
    ("litellm 3/15 cache_read=0.3, genai 3/15 cache_read=0", "0.3", SINGLE),
    ("litellm 3/15 cache_read=0, genai 3/15", None, SINGLE),
    ("litellm 3/15 cache_read=0, genai 3/15 cache_read=0", "0", VERIFIED),
    # rounded to cents
    ("litellm 3/15 cache_read=0.025, genai 3/15 cache_read=0.025, portkey 3/15 cache_read=0.03, langfuse 3/15 cache_read=0.03", "0.025", VERIFIED),
    ("litellm 3/15 cache_read=0.025, genai 3/15 cache_read=0.03", "0.025", SINGLE),
    ("litellm 3/15 cache_read=0.025, genai 3/15 cache_read=0.02", None, DISPUTED),
    ("litellm 3/15 cache_read=0.025, genai 3/15 cache_read=0.031", None, DISPUTED),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "rate", "status"), CACHE)
def test_each_dimension_is_decided_by_itself(lines: str, rate: str | None, status: Status) -> None:
    verdict = judge(says(*lines.split(", ")))

    assert verdict.status is VERIFIED
    assert verdict.rates.get("cache_read") == (None if rate is None else Decimal(rate))
    assert verdict.dimensions == {"cache_read": status}


def test_at_clouds_a_dimension_too_needs_one_that_keeps_regions_apart() -> None:
    lines = ("litellm 3/15", "modelsdev 3/15 cache_read=0.3", "portkey 3/15 cache_read=0.3")

    assert "cache_read" in judge(says(*lines)).rates
    assert "cache_read" not in judge(says(*lines, provider="azure")).rates


def test_a_price_under_a_condition_is_a_dimension() -> None:
    lines = ("litellm 3/15 input@>200000=6", "genai 3/15 input@>200000=6 output@batch=7.5")
    verdict = judge(says(*lines))

    assert verdict.rates == rates_of("3/15 input@>200000=6 output@batch=7.5")
    assert verdict.dimensions == {"input@>200000": VERIFIED, "output@batch": SINGLE}


def test_the_dimensions_of_a_single_source_are_single() -> None:
    verdict = judge(says("litellm 3/15 cache_read=0.3"))

    assert verdict.dimensions == {"cache_read": SINGLE}
