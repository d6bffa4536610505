"""The book: as of any two moments; own prices before lists, later lists before earlier ones."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.price.cards import card

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.naming import Alias, Unknown
from tekton_budget.domain.naming.suggest import Suggester
from tekton_budget.domain.price import Contract, Found, ModelFacts, PriceBook, PriceList, facts_json
from tekton_budget.domain.price.price_list import FORMAT

DAY_US = 86_400_000_000


def price_list(*cards: dict, known_us: int = 0, **fields: object) -> PriceList:
    data = {"format": FORMAT, "version": f"v{known_us}", "made": "2026-01-01", "cards": cards}
    return PriceList({**data, **fields}, f"list{known_us}", known_us)


def listed(model: str, rate: str, **fields: object) -> dict:
    return {"provider": "p", "model": model, "rates": {"input": rate, "output": "9"}, **fields}


def rate_at(book: PriceBook, model: str = "m", *, valid: int = 0, known: int = 0) -> str | None:
    found = book.find("p", model, valid_us=valid, known_us=known)
    return None if isinstance(found, Unknown) else f"{found.card.rates.flat['input'].usd:f}"


def test_the_price_valid_at_a_moment_as_known_at_another() -> None:
    book = PriceBook([
        card(input="1"),
        card(input="9", known_us=150).valid_between(100, None),
        card(input="7").valid_between(200, 300),
    ])  # fmt: skip

    assert rate_at(book, valid=50) == "1"
    assert rate_at(book, valid=120, known=149) == "1"
    assert rate_at(book, valid=120, known=150) == "9"
    assert rate_at(book, valid=200, known=150) == "7"
    assert rate_at(book, valid=300, known=150) == "9"
    assert [one.rates.flat["input"].usd for one in book.history(("p", "m"))] == [1, 9, 7]


def test_of_two_cards_told_at_one_moment_the_later_made_counts() -> None:
    cards = [card(input=rate, price_id=f"id-{rate}") for rate in ("1", "2")]

    assert rate_at(PriceBook(cards)) == rate_at(PriceBook(reversed(cards))) == "2"


def test_what_is_set_by_hand_goes_before_lists_and_a_later_list_before_an_earlier() -> None:
    old = price_list(listed("m", "1"), listed("gone", "2"), known_us=10)
    new = price_list(listed("m", "3", effective_from="1970-01-02"), known_us=20)
    own = card(input="5", known_us=30).valid_between(2 * DAY_US, 3 * DAY_US)
    book = PriceBook([own], [old, new])

    assert len(book) == 2
    assert rate_at(book, known=9) is None  # no list yet
    assert rate_at(book, known=10) == rate_at(book, known=20) == "1"  # the new one begins later
    assert rate_at(book, valid=DAY_US, known=19) == "1"
    assert rate_at(book, valid=DAY_US, known=20) == "3"
    assert rate_at(book, valid=2 * DAY_US, known=29) == "3"
    assert rate_at(book, valid=2 * DAY_US, known=30) == "5"
    assert rate_at(book, valid=3 * DAY_US, known=30) == "3"
    assert rate_at(book, "gone", valid=3 * DAY_US, known=30) == "2"  # nothing is taken out


@given(
    st.permutations([(0, None, 0, "1"), (100, None, 0, "2"), (100, None, 5, "3"), (40, 60, 9, "4")])
)
def test_the_order_of_cards_and_lists_changes_nothing(order) -> None:
    cards = [card(input=rate, price_id=rate, known_us=known).valid_between(start, end)
             for start, end, known, rate in order]  # fmt: skip
    lists = [price_list(listed("l", rate), known_us=known) for _, _, known, rate in order if known]

    book = PriceBook(cards, lists)

    answers = [rate_at(book, valid=v, known=k) for v in (0, 40, 60, 100) for k in (0, 5, 9)]
    assert answers == ["1", "1", "1", "1", "1", "4", "1", "1", "1", "2", "3", "3"]
    assert [rate_at(book, "l", known=k) for k in (4, 5, 9)] == [None, "3", "4"]


def contract(factor: str, model: str | None = None, start: int = 0, **fields: object) -> Contract:
    return Contract(factor, "p", model, Decimal(factor), start, **fields)


def test_a_contract_is_on_listed_prices_from_when_to_when_and_known_since() -> None:
    contracts = [
        contract("0.85", start=100, known_since_us=120),
        contract("0.5", "m", start=200, valid_to_us=300),
        contract("0.9", start=400, known_since_us=120),
        Contract("q", "q", None, Decimal("0.1")),
    ]
    book = PriceBook([card("own", input="2")], [price_list(listed("m", "1"), listed("n", "1"))],
                     contracts)  # fmt: skip

    def factor(model: str, valid: int, known: int = 500) -> str:
        card_ = book.card_at(("p", model), valid_us=valid, known_us=known)
        assert card_ is book.card_at(("p", model), valid_us=valid, known_us=known)
        return str(card_.factor)

    assert [factor("m", v) for v in (99, 100, 199, 200, 299, 300, 400)] == [
        "1", "0.85", "0.85", "0.5", "0.5", "0.85", "0.9",
    ]  # fmt: skip
    assert factor("m", 100, known=119) == "1"
    assert factor("n", 200) == "0.85"
    assert factor("own", 200) == "0.85"  # on what was set by hand too
    found = book.card_named("p", "m", valid_us=100, known_us=500)
    assert found.card.charge((("input", 10**6),), at_us=0).usd == Decimal("0.85")
    assert book.charged_by(found.card.price_id, "p", "m", valid_us=100, known_us=500) == found.card
    assert book.charged_by("other", "p", "m", valid_us=100, known_us=500) is None
    assert book.charged_by(found.card.price_id, "p", "x", valid_us=100, known_us=500) is None


def test_cards_made_for_contracts_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tekton_budget.domain.price.book._VARIANTS_MAX", 2)
    lists = [price_list(*(listed(f"m{i}", "1") for i in range(9)))]
    book = PriceBook([], lists, [contract("0.85")])

    for i in range(9):
        assert book.card_at(("p", f"m{i}"), valid_us=0, known_us=0).factor == Decimal("0.85")
        assert len(book._variants) <= 2


def test_a_region_in_a_name_is_a_surcharge_where_the_card_has_one() -> None:
    name = "anthropic.claude-x-v1:0"
    cards = [card(name, "bedrock", input="3", regions={"*": "1.1"}),
             card("amazon.flat-v1:0", "bedrock", input="3")]  # fmt: skip
    book = PriceBook(cards)

    def usd(model: str) -> Decimal:
        found = book.card_named("bedrock", model, valid_us=0, known_us=0)
        return found.card.charge((("input", 10**6),), at_us=0).usd

    assert usd(f"us.{name}") == usd(f"eu.{name}") == Decimal("3.3")
    assert usd(name) == usd(f"global.{name}") == usd("us.amazon.flat-v1:0") == 3


def test_a_data_zone_that_a_card_does_not_know_has_no_price() -> None:
    book = PriceBook(
        [card("a", "azure", input="2"), card("b", "azure", input="2", regions={"eu": "1.1"})]
    )

    def found(name: str) -> Found | Unknown:
        return book.find(None, name, valid_us=0, known_us=0)

    assert isinstance(found("azure/a"), Found)
    assert isinstance(found("azure/global/a"), Found)
    assert found("azure/eu/b").card.standard(at_us=0).grains["input"] == 22 * 10**23
    for name in ("azure/eu/a", "azure/us/b"):
        refused = found(name)
        assert (refused.reason, refused.suggestions) == ("unknown model", (f"azure/{name[-1]}",))
        assert "set it under this name" in refused.hint


def test_names_are_those_of_the_lists_and_of_the_operator() -> None:
    alias = {"provider": "p", "name": "short", "model": "m", "from": "1970-01-02"}
    book = PriceBook(
        [], [price_list(listed("m", "1"), aliases=[alias])], (),
        [Alias(None, "my-deployment", "p", "m", from_us=50)],
    )  # fmt: skip

    assert rate_at(book, "short", valid=0) is None
    assert rate_at(book, "short", valid=DAY_US) == "1"
    assert book.find(None, "my-deployment", valid_us=49, known_us=0).reason == "unknown model"
    found = book.find(None, "my-deployment", valid_us=50, known_us=0)
    assert isinstance(found, Found)
    assert (found.resolution.provider, found.resolution.model) == ("p", "m")
    assert found.resolution.path


def test_a_ledger_does_not_look_for_names_that_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads them: a storm of unknown names cost 1.5 ms of the writer's time each."""
    looked: list[str] = []

    def nearest(_: object, name: str, preferred: object = ()) -> list[tuple[str, str]]:
        looked.append(name)
        return []

    monkeypatch.setattr(Suggester, "nearest", nearest)
    book = PriceBook([card("m", input="1")])

    for provider, name in (
        ("p", "mm"),
        (None, "mm"),
        ("q", "m"),
        ("p", "m\N{CYRILLIC SMALL LETTER O}"),
    ):
        assert book.card_named(provider, name, valid_us=0, known_us=0) is None
    assert looked == []
    assert isinstance(book.find("p", "mm", valid_us=0, known_us=0), Unknown)
    assert looked == ["mm"]


def test_a_name_that_is_known_may_have_no_price_then() -> None:
    book = PriceBook([card(input="1").valid_between(100, 200)])

    assert book.find("p", "m", valid_us=99, known_us=999).reason == "no price then"
    assert book.card_named("p", "m", valid_us=200, known_us=999) is None


def test_the_cards_in_force_are_kept_until_one_begins_ends_or_becomes_known() -> None:
    book = PriceBook(
        [card("cheap", output="5"), card("late", "q", output="50").valid_between(10, 20)],
        [price_list(listed("m", "1"), known_us=15)],
        [contract("0.5", "m", start=17)],
    )  # fmt: skip

    def names(at_us: int, provider: str | None = None) -> list[str]:
        return [one.model for one in book.current(at_us=at_us, provider=provider)]

    assert [names(t) for t in (0, 10, 15, 17, 20)] == [
        ["cheap"], ["late", "cheap"], ["late", "m", "cheap"], ["late", "cheap", "m"], ["cheap", "m"],
    ]  # fmt: skip
    assert names(15, "p") == ["m", "cheap"]
    assert names(3, "p") == ["cheap"]  # back again
    assert book.current(at_us=21) is book.current(at_us=22)
    assert book.dearest_of("q", at_us=10).model == "late"
    assert book.dearest_of("q", at_us=0) is None
    assert book.dearest_of(None, at_us=15).model == "late"
    google = PriceBook([card(provider="google", input="1"), card(provider="x-ai", input="1")])
    assert google.dearest_of("google-gla", at_us=0).provider == "google"
    assert google.dearest_of("x-ai", at_us=0).provider == "x-ai"  # a seller of one's own spelling
    assert [one.model for one in book.by_hand(at_us=15)] == ["late", "cheap"]
    assert book.by_hand(at_us=16) is book.by_hand(at_us=15)
    agreed = PriceBook([card("m", input="2")], [], [contract("0.5", start=17)])
    assert [agreed.by_hand(at_us=t)[0].factor for t in (16, 17)] == [1, Decimal("0.5")]
    assert PriceBook([card(fees={"image": "1"})]).dearest_of(None, at_us=0) is None


def test_the_dearest_of_a_seller_by_any_of_its_names_and_of_no_other() -> None:
    book = PriceBook([card("m", "google", input="1"), card("n", "openai", input="5")])

    for provider, model in (("google", "m"), ("gemini", "m"), ("OpenAI", "n"), (None, "n")):
        dearest = book.dearest_of(provider, at_us=0)
        assert dearest is not None
        assert dearest.model == model
    assert [one.model for one in book.current(at_us=0, provider="gemini")] == ["m"]
    for number in range(10):  # as callers send them: nothing of it is kept
        assert book.dearest_of(f"nobody-{number}", at_us=0) is None
    assert len(book._eras) == 3


def test_facts_are_those_of_the_latest_list_that_has_some() -> None:
    old = {"provider": "p", "model": "m", "context_tokens": 8, "input": ["text"], "new_word": 1}
    lists = [price_list(models=[old]), price_list(known_us=9, models=[])]
    facts = PriceBook([], lists).facts(("p", "m"))

    assert facts == ModelFacts("p", "m", context_tokens=8, input=("text",))
    assert facts_json(facts) == {
        "provider": "p",
        "model": "m",
        "context_tokens": 8,
        "input": ["text"],
    }
    assert PriceBook([], lists).facts(("p", "other")) is None


def test_a_list_of_another_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="price-list/1"):
        PriceList({"format": "price-list/9"}, "x", 0)
    assert ("p", "m") in price_list(listed("m", "1"))
