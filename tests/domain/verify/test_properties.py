"""What holds for any quotes at any time."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tekton_budget.domain.verify import Accepted, Quote, Status, judge
from tekton_budget.domain.verify.consensus import are_near
from tekton_budget.domain.verify.guards import base_fault, base_of, parse_fault
from tekton_budget.domain.verify.sources import FAMILIES, family_of

SOURCES = [name for names in FAMILIES.values() for name in names[:2]] + ["someone"]
PROVIDERS = ("openai", "anthropic", "bedrock", "openrouter")
NUMBERS = ("0", "0.3", "3", "3.01", "3.02", "4", "15", "0.003", "300", "-1", "NaN", "0.0001")
PRICES = st.sampled_from([Decimal(number) for number in NUMBERS])
RATES = st.fixed_dictionaries(
    {"input": PRICES, "output": PRICES},
    optional={"cache_read": PRICES, "cache_write_5m": PRICES, "input@>200000": PRICES},
)


@st.composite
def quotes(draw: st.DrawFn) -> list[Quote]:
    """Quotes for one model, of which many agree and some are no prices."""
    provider = draw(st.sampled_from(PROVIDERS))
    model = draw(st.sampled_from(("m", "us.m", "m:free")))
    common = draw(RATES)
    rates = st.one_of(st.just(common), st.just(common), RATES)
    sources = draw(st.lists(st.sampled_from(SOURCES), max_size=7, unique=True))
    return [
        Quote(source, provider, model, draw(rates), mode=draw(st.sampled_from((None, "chat"))))
        for source in sources
    ]


PASTS = st.none() | st.builds(
    Accepted,
    st.fixed_dictionaries({"input": st.just(Decimal(3)), "output": st.just(Decimal(15))}),
    st.dictionaries(
        st.sampled_from(SOURCES), st.just({"input": Decimal(3), "output": Decimal(15)})
    ),
)
modest = settings(max_examples=60, deadline=None)


@modest
@given(st.data(), quotes(), PASTS)
def test_the_order_of_quotes_changes_nothing(
    data: st.DataObject, some: list[Quote], last: Accepted | None
) -> None:
    other = data.draw(st.permutations(some))

    assert judge(some, last=last) == judge(other, last=last)


@modest
@given(quotes(), st.sampled_from(SOURCES))
def test_one_more_that_agrees_never_makes_a_conflict(some: list[Quote], source: str) -> None:
    before = judge(some)
    if before.status is not Status.VERIFIED or source in {quote.source for quote in some}:
        return
    more = Quote(source, some[0].provider, some[0].model, before.rates)
    after = judge([*some, more])

    assert after.status is Status.VERIFIED
    assert are_near(base_of(after.rates), base_of(before.rates))


@modest
@given(quotes())
def test_a_usable_value_is_one_that_a_good_quote_says(some: list[Quote]) -> None:
    verdict = judge(some)
    if not verdict.usable:
        return
    mode = next((quote.mode for quote in some if quote.mode), None)
    good = [
        quote
        for quote in some
        if not parse_fault(quote.rates) and not base_fault(quote.rates, mode)
    ]

    assert base_of(verdict.rates) in [base_of(quote.rates) for quote in good]
    for dimension, rate in verdict.rates.items():
        assert rate in [quote.rates.get(dimension) for quote in good]


@modest
@given(quotes())
def test_what_is_verified_has_two_thirds_of_independent_votes(some: list[Quote]) -> None:
    verdict = judge(some)
    if verdict.status is not Status.VERIFIED:
        return
    value = base_of(verdict.rates)
    agreeing = {
        q.source for q in some if not parse_fault(q.rates) and are_near(base_of(q.rates), value)
    }
    aside = {one.source for one in verdict.set_aside if one.dimension is None}

    assert len({family_of(source) for source in agreeing - aside}) >= 2
    assert not agreeing & set(verdict.dissenting)
    if some[0].provider == "bedrock":
        assert {family_of(source) for source in agreeing} & {"litellm", "genai"}


@modest
@given(quotes(), PASTS)
def test_every_claim_is_in_exactly_one_group(some: list[Quote], last: Accepted | None) -> None:
    verdict = judge(some, last=last)
    grouped = [source for group in verdict.groups for source in group]

    assert len(grouped) == len(set(grouped))
    assert set(verdict.dissenting) <= set(grouped) <= {quote.source for quote in some}
    assert [len(group) for group in verdict.groups] == sorted(
        map(len, verdict.groups), reverse=True
    )


@modest
@given(quotes())
def test_with_a_past_there_is_always_a_price(some: list[Quote]) -> None:
    last = Accepted({"input": Decimal(3), "output": Decimal(15)})

    assert judge(some, last=last).usable
