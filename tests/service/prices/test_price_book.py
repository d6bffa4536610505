"""What operators tell the price book, and what a call is then charged: contracts, names, lists."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.domain.price.cards import card

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Forbidden, InvalidInput, NotFound
from tekton_budget.domain.price import Card, card_from_json
from tekton_budget.prices.embedded import embedded_head, embedded_text
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.prices.setting import read_cards
from tekton_budget.settings import load_settings
from tekton_budget.storage import tables
from tekton_budget.storage.rows import prices as stored
from tekton_budget.storage.rows.prices import _lists as lists_kept
from tekton_budget.storage.rows.prices import insert_cards, insert_list
from tekton_budget.storage.writer import Exclusively
from tekton_budget.wiring import Running, open_service

COST_CASES = Path(__file__).parents[4] / "shared" / "prices" / "cost-cases.json"
DAY_US = 86_400_000_000
MILLION = 10**6
CARD = {"provider": "openai", "model": "m", "rates": {"input": "2", "output": "8"}}


def price_list(version: str, *cards: dict[str, Any], **fields: object) -> str:
    head = {"format": "price-list/1", "version": version, "made": "2026-01-01"}
    return json.dumps({**head, "cards": cards, **fields})


def cost_of(running: Running, model: str = "openai/m", **used: Any) -> str | None:
    """What a million tokens of input cost now."""
    usage = Used(**(used or {"input_tokens": MILLION}))
    answer = running.service.ledger.record(LOCAL, usage, labels={"model": model}).result()
    return None if answer.cost_nano is None else f"{Decimal(answer.cost_nano).scaleb(-9):f}"


def taken(running: Running, version: str, *cards: dict[str, Any], **fields: object) -> bool:
    return running.service.prices.take_list(version, price_list(version, *cards, **fields))


def test_a_list_is_taken_once_and_an_older_one_never_after_it(running: Running, clock: Any) -> None:
    assert taken(running, "2", CARD)
    assert not taken(running, "2", CARD)
    assert not taken(running, "1", {**CARD, "rates": {"input": "9"}})
    assert Decimal(cost_of(running)) == 2
    clock.pass_seconds(1)
    assert taken(running, "3", {**CARD, "rates": {"input": "3", "output": "8"}})
    assert Decimal(cost_of(running)) == 3
    ages = running.service.book.ages()
    assert [(one.version, one.made, one.models) for one in ages] == [
        ("3", "2026-01-01", 1),
        ("2", "2026-01-01", 1),
    ]
    then = ages[1].known_since_us
    assert running.service.book.current("openai", "m", known_us=then).card.price_id.endswith(":0")
    with pytest.raises(NotFound):
        running.service.book.current("openai", "m", known_us=then - 1)


def test_lists_are_kept_by_a_process_within_bounds(quick: Running, clock: Any) -> None:
    for version in range(1, 12):
        clock.pass_seconds(1)
        assert taken(quick, f"{version:02}", {**CARD, "rates": {"input": str(version)}})
        assert len(lists_kept) <= 8
    assert Decimal(cost_of(quick)) == 11
    assert len(quick.service.book.ages()) == 11


def test_however_many_lists_there_are_a_change_reads_none_of_them_again(
    quick: Running, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in range(1, 12):
        clock.pass_seconds(1)
        assert taken(quick, f"{version:02}", CARD)
    assert len(quick.service.book.ages()) == 11
    read: list[str] = []
    monkeypatch.setattr(stored, "_read_list", lambda key, content: read.append(key[0]))

    quick.service.prices.set_price(LOCAL, "openai", "m", {"rates": {"input": "5"}})

    assert Decimal(cost_of(quick)) == 5
    assert len(quick.service.book.ages()) == 11
    assert read == []


def test_two_programs_that_begin_at_once_take_a_list_once(running: Running) -> None:
    verbs, text = running.service.prices, price_list("7", CARD)
    known = running.reader.rows
    running.reader.rows = lambda statement: []  # as both saw it before either wrote
    try:
        assert [verbs.take_list("7", text), verbs.take_list("7", text)] == [True, False]
    finally:
        running.reader.rows = known
    assert len(running.service.book.ages()) == 1


@pytest.mark.parametrize("content", [
    "{", "[]", '{"format": "price-list/2"}', price_list("9", {"provider": "p"}),
    price_list("9", aliases=[{}]), '{"format": "price-list/1", "version": "9", "made": "", "cards": 5}',
])  # fmt: skip
def test_a_list_that_cannot_be_read_takes_nothing_down(quick: Running, content: str) -> None:
    """As a later program writes it beside this one, or a broken disk."""
    assert taken(quick, "1", CARD)
    quick.writer.exclusively(
        lambda alone: insert_list(alone.session, "9", content, alone.now_us)
    ).result()

    assert Decimal(cost_of(quick)) == 2
    assert taken(quick, "3", {**CARD, "rates": {"input": "3"}})  # the best that it can read
    assert not taken(quick, "3", {**CARD, "rates": {"input": "3"}})
    assert Decimal(cost_of(quick)) == 3
    assert [one.version for one in quick.service.book.ages()] == ["3", "1"]


def test_a_card_that_cannot_be_read_prices_nothing(quick: Running) -> None:
    """No earlier list's price stands in for it, and its neighbours are priced."""
    other = {**CARD, "model": "other"}
    assert taken(quick, "1", CARD, other)
    with pytest.raises(InvalidInput, match=r"cards\[0\].*smell"):
        taken(quick, "2", {**CARD, "rates": {"smell": "3"}}, other)
    assert Decimal(cost_of(quick)) == 2
    later = price_list("2", {**CARD, "rates": {"smell": "3"}}, {**other, "rates": {"input": "4"}})

    def write(alone: Exclusively) -> None:
        insert_list(alone.session, "2", later, alone.now_us)
        insert_cards(alone.session, [replace(card("own", "p", input="1"), price_id="broken")])
        alone.session.execute('UPDATE prices SET pricing = \'{"rates": {"smell": "1"}}\'')
        row = ("t", "smell", "{}", 0)
        names = "term_id, kind, body, known_since_us"
        alone.session.write(alone.session.statements.insert(tables.price_terms, names), [row])

    quick.writer.exclusively(write).result()

    assert cost_of(quick) is None
    assert cost_of(quick, "p/own") is None
    assert Decimal(cost_of(quick, "openai/other")) == 4
    assert quick.service.book.current("p", "own").card.source == "unreadable"
    quick.service.prices.set_price(LOCAL, "openai", "m", {"rates": {"input": "5"}})
    assert Decimal(cost_of(quick)) == 5


def test_the_later_version_goes_first_whenever_it_came(quick: Running, clock: Any) -> None:
    assert taken(quick, "2026-08-21.9", CARD)
    clock.pass_seconds(1)
    assert taken(quick, "2026-08-21.10", {**CARD, "rates": {"input": "3"}})
    assert not taken(quick, "2026-08-21.9", {**CARD, "rates": {"input": "4"}})
    clock.pass_seconds(1)
    older = price_list("2026-08-20.1", {**CARD, "rates": {"input": "5"}})
    quick.writer.exclusively(
        lambda alone: insert_list(alone.session, "x", older, alone.now_us)
    ).result()
    assert Decimal(cost_of(quick)) == 3


def test_cards_that_are_known_are_not_read_again(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book of 5,000 held the writer's locks for half a second with each price that was set."""
    cards = [{**CARD, "model": f"m{number}"} for number in range(20)]
    quick.service.prices.load_cards(LOCAL, cards, "file")
    assert len(quick.reader.book()) == 20
    read: list[str] = []

    def watched(fields: dict[str, Any], **named: Any) -> Card:
        read.append(fields["model"])
        return card_from_json(fields, **named)

    monkeypatch.setattr(stored, "card_from_json", watched)
    quick.service.prices.set_price(LOCAL, "openai", "new", {"rates": {"input": "1"}})
    assert len(quick.reader.book()) == 21
    assert read == ["new", "new"]  # by the writer and by the readers


def test_a_fresh_installation_begins_with_the_included_list(store_url: str) -> None:
    for prices, models in (("none", 0), ("embedded", 500), ("none", 500), ("embedded", 500)):
        with open_service(load_settings(database_url=store_url, prices=prices)) as running:
            assert len(running.reader.book()) >= models
            assert bool(len(running.reader.book())) == bool(models)
            if models:
                (age,) = running.service.book.ages()
                assert (age.version, age.made) == (embedded_head().version, embedded_head().made)
                assert cost_of(running, "gpt-4o-2024-08-06") == "2.500000000"
                assert len(running.service.book.models(provider="openai")) > 20
    assert len(embedded_text()) < 500_000


def test_a_contract_is_charged_from_its_day_and_pinned_at_the_ask(
    running: Running, clock: Any
) -> None:
    taken(running, "1", CARD)
    verbs, ledger = running.service.prices, running.service.ledger
    ask = Ask(
        labels={"model": "m", "provider": "openai"}, input_tokens=MILLION, max_output_tokens=0
    )
    held = ledger.allocate(LOCAL, ask).result()
    clock.pass_seconds(1)
    verbs.agree_contract(LOCAL, "openai", None, Decimal("0.85"))
    assert Decimal(cost_of(running)) == Decimal("1.7")
    later = clock.now_us + DAY_US
    verbs.agree_contract(LOCAL, "openai", "m", Decimal("0.5"), valid_from_us=later)
    assert Decimal(cost_of(running)) == Decimal("1.7")
    settled = ledger.settle(LOCAL, held.allocation_id, Used(input_tokens=MILLION)).result()
    assert settled.cost_nano == 2 * 10**9  # as it was quoted
    clock.pass_seconds(86_400)
    assert Decimal(cost_of(running)) == 1
    verbs.set_price(LOCAL, "openai", "m", {"rates": {"input": "7", "output": "7"}})
    assert Decimal(cost_of(running)) == Decimal("3.5")  # on what is set by hand too


def test_a_name_of_ones_own_is_charged_as_what_it_stands_for(running: Running, clock: Any) -> None:
    taken(running, "1", CARD)
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
    assert cost_of(running, arn) is None
    clock.pass_seconds(1)
    running.service.prices.name_model(LOCAL, None, arn, ("openai", "m"))
    assert Decimal(cost_of(running, arn)) == 2
    found = running.service.book.current(None, arn)
    assert found.resolution.path[0] == f"map {arn}"
    before = clock.now_us - DAY_US
    running.service.prices.name_model(
        LOCAL, "azure", "my-gpt", ("openai", "m"), valid_from_us=before
    )
    assert running.service.book.current("azure", "my-gpt", at_us=before).card.model == "m"


def test_terms_are_checked_and_for_those_who_may(quick: Running) -> None:
    taken(quick, "1", CARD, {**CARD, "provider": "google"})
    verbs = quick.service.prices
    for refused in (
        lambda: verbs.agree_contract(LOCAL, "", None, Decimal(1)),
        lambda: verbs.agree_contract(
            LOCAL, "openai", None, Decimal(1), valid_from_us=5, valid_to_us=5
        ),
        *(
            (lambda factor=factor: verbs.agree_contract(LOCAL, "openai", None, Decimal(factor)))
            for factor in ("0", "-1", "NaN", "Infinity", "85", "0.1234567")
        ),
        lambda: verbs.agree_contract(LOCAL, "openai", None, Decimal(1), valid_to_us=5),
        lambda: verbs.name_model(LOCAL, None, " x", ("openai", "m")),
        lambda: verbs.name_model(LOCAL, None, "\N{CYRILLIC SMALL LETTER O}", ("openai", "m")),
        lambda: verbs.name_model(LOCAL, None, "x" * 257, ("openai", "m")),
        lambda: verbs.name_model(LOCAL, "a\n", "x", ("openai", "m")),
        lambda: verbs.set_tier(LOCAL, "", "m", None),
        lambda: verbs.set_tier(LOCAL, None, "", None),
        lambda: verbs.set_tier(LOCAL, None, "m", "middling"),
    ):
        with pytest.raises(InvalidInput):
            refused()
    for unknown in (
        lambda: verbs.agree_contract(LOCAL, "openai", "nothing-like-it", Decimal(1)),
        lambda: verbs.name_model(LOCAL, None, "x", ("openai", "nothing-like-it")),
    ):
        with pytest.raises(NotFound) as refusal:
            unknown()
        assert refusal.value.code == "price_not_found"
    assert verbs.agree_contract(LOCAL, "gemini", None, Decimal("0.5")).provider == "google"
    assert verbs.set_tier(LOCAL, "openai", "m", None).provider == "openai"
    assert verbs.name_model(LOCAL, "openai", "x", ("openai", "m")).provider == "openai"
    assert verbs.set_tier(LOCAL, None, "m", "local_midweight").tier == "local_midweight"
    client = Caller(role=Role.CLIENT)
    for forbidden in (
        lambda: verbs.load_cards(client, [CARD], "f"),
        lambda: verbs.agree_contract(client, "openai", None, Decimal(1)),
        lambda: verbs.name_model(client, None, "x", ("openai", "m")),
        lambda: verbs.set_tier(client, None, "m", None),
    ):
        with pytest.raises(Forbidden):
            forbidden()


def test_a_file_of_cards_is_loaded_whole_or_not_at_all(running: Running) -> None:
    verbs, book = running.service.prices, running.service.book
    recorded = json.loads(COST_CASES.read_text(), parse_float=Decimal)
    loaded = verbs.load_cards(LOCAL, recorded, "cost-cases.json")
    assert len(loaded) == len(recorded["rate_cards"]) == 53
    assert {one.source for one in loaded} == {"cost-cases.json"}
    assert book.current("anthropic", "claude-opus-4-5").card.rates.flat["output"].usd == 25
    with pytest.raises(InvalidInput) as refused:
        verbs.load_cards(LOCAL, [CARD, {**CARD, "rates": {"input": "-1"}}], "f")
    assert refused.value.fields[0].field == "cards[1].rates.input"
    with pytest.raises(NotFound):
        book.current("openai", "m")


@pytest.mark.parametrize("cards", [None, "x", [], {}, {"rate_cards": []}, [CARD] * 5_001])
def test_a_file_without_cards_or_with_too_many_is_refused(cards: object) -> None:
    with pytest.raises(InvalidInput, match="cards: send"):
        read_cards(cards, "f")


@pytest.mark.parametrize(
    "cards", [[CARD], {"cards": [CARD]}, {"rate_cards": {"a": CARD}}, {"a": CARD}]
)
def test_cards_may_stand_in_a_list_or_under_names(cards: object) -> None:
    assert [one.model for one in read_cards(cards, "f")] == ["m"]


CHEAP = {"provider": "openai", "model": "cheap", "rates": {"input": "1", "output": "2"}}
FACTS = {"mode": "chat", "context_tokens": 10**7, "output": ["text"]}


def test_a_denial_names_cheaper_models_of_the_seller_that_can_do_it(running: Running) -> None:
    models = (
        ("short", {"context_tokens": 5}),
        ("draws", {"output": ["image"]}),
        ("embeds", {"mode": "embedding"}),
        ("gone", {"retires": "2020-01-01"}),
    )
    cards = [CARD, CHEAP, *({**CHEAP, "model": name} for name, _ in models)]
    cards += [{**CHEAP, "provider": "anthropic", "model": "elsewhere"}]
    cards += [{**CHEAP, "model": "only-input", "rates": {"input": "1"}}]
    facts = [{"provider": "openai", "model": name, **FACTS, **more}
             for name, more in (("m", {}), ("cheap", {}), *models, ("only-input", {}))]  # fmt: skip
    taken(running, "1", *cards, models=facts)
    running.service.prices.set_price(
        LOCAL, "mine", "own", {"rates": {"input": "1.5", "output": "1.5"}}
    )
    running.service.policies.create_policy(LOCAL, {"limit": "5usd/day"})
    ask = Ask(
        labels={"model": "m", "provider": "openai"}, input_tokens=MILLION, max_output_tokens=MILLION
    )

    denial = running.service.ledger.allocate(LOCAL, ask).result()

    assert isinstance(denial, Denial)
    assert denial.alternatives == ("cheap", "own")


def test_what_is_quoted_is_what_is_charged_for_the_same_tokens(running: Running) -> None:
    tiers = [{"when": {"total_input_tokens_gt": 1000}, "rates": {"input": "4", "output": "16"}}]
    taken(running, "1", {**CARD, "tiers": tiers})
    running.service.policies.create_policy(LOCAL, {"limit": "100usd/day"})
    ledger = running.service.ledger
    for given, made in ((1000, 10), (1001, 10), (7, 123_457)):
        ask = Ask(labels={"model": "openai/m"}, input_tokens=given, max_output_tokens=made)
        grant = ledger.allocate(LOCAL, ask).result()
        assert isinstance(grant, Grant)
        used = Used(input_tokens=given, output_tokens=made)
        assert (
            ledger.settle(LOCAL, grant.allocation_id, used).result().cost_nano
            == grant.granted.cost_nano
        )
