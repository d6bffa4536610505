"""Asks that state all that can be billed: units, context, writing to a cache."""

import pytest
from tests.domain.price.cards import card
from tests.domain.world import World, usd

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.command import Fit, LedgerSettings
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.further import further_of
from tekton_budget.domain.ledger.state import OVERRUN
from tekton_budget.domain.policy import Unpriced
from tekton_budget.domain.units import STANDARD, PriceContext
from tekton_budget.domain.usage import Response

CLAUDE = card("claude", "anthropic", input="3", output="15", cache_read="0.3",
              cache_write_5m="3.75", cache_write_1h="6", fees={"web_search": "0.01"},
              service_tiers={"batch": {"rates": {"input": "1.5", "output": "7.5"}}})  # fmt: skip
AUDIO = card("audio", "openai", input="2.5", output="10", input_audio="40")
IMAGES = card("images", "openai", fees={"image": "0.04"})
PLAIN = card("plain", "openai", input="1", output="2")
SONAR = card("sonar", "openai", input="1", output="1", fees={"web_search": "0.005"})
OURS = {"model": "claude", "provider": "anthropic"}
TALK = {"input_tokens": 1000, "max_output_tokens": 100}


def world(limit: str = "9usd/day", **fields: object) -> World:
    made = World()
    made.policy("purse", limit, **{"thresholds_ppm": (), **fields})
    made.set_prices([CLAUDE, AUDIO, IMAGES, PLAIN, SONAR])
    return made


def stated(units: dict | None = None, context=STANDARD, cache_write: str | None = None):
    return further_of(units or {}, context, cache_write)


def of(model: str) -> dict[str, str]:
    return {"model": model, "provider": "openai"}


def used(**usage: int) -> Response:
    return Response({"model": "claude", "type": "message", "usage": usage})


def test_nothing_stated_is_nothing() -> None:
    assert stated() is None
    assert stated({"image": 0}) is None


@pytest.mark.parametrize(
    ("labels", "further", "tokens", "cost"),
    [
        (OURS, None, 1100, "0.0045"),
        (OURS, stated({"web_search": 3000}), 1100, "30.0045"),
        (OURS, stated(cache_write="5m"), 1100, "0.00525"),
        (OURS, stated(cache_write="1h"), 1100, "0.0075"),
        (OURS, stated({"cache_read": 10_000}), 11_100, "0.0075"),
        (OURS, stated(context=PriceContext("batch")), 1100, "0.00225"),
        (of("audio"), stated({"input_audio": 100}), 1200, "0.0075"),
    ],
    ids=str,
)
def test_all_that_is_stated_is_held(labels, further, tokens: int, cost: str) -> None:
    answer = world("99usd/day").allocate("a", labels, **TALK, further=further)

    assert isinstance(answer, Grant)
    assert (answer.granted.tokens, answer.granted.cost_nano) == (tokens, usd(cost))
    assert answer.max_output_tokens == 100


def test_a_prompt_written_to_the_cache_settles_within_its_hold() -> None:
    """It used to be an overrun: writing costs a quarter more than reading at first hand."""
    purse = world()
    response = used(input_tokens=0, output_tokens=100, cache_creation_input_tokens=1000)
    held = purse.allocate("a", OURS, **TALK, further=stated(cache_write="5m"))
    ended = purse.settle("a", response=response)
    without = purse.allocate("b", OURS, **TALK)
    purse.settle("b", response=response)

    assert ended.cost_nano == held.granted.cost_nano == usd("0.00525")
    assert without.granted.cost_nano < usd("0.00525")
    overruns = [
        entry.object_id
        for _, entry in purse.journal
        for posting in entry.postings
        if posting.reason == OVERRUN
    ]
    assert overruns == ["b"]


def test_a_clamp_leaves_what_is_stated_and_shrinks_the_answer() -> None:
    purse = world("0.04usd/day")
    answer = purse.allocate("a", OURS, input_tokens=1000, max_output_tokens=10_000,
                            fit=Fit.CLAMP, further=stated({"web_search": 3}))  # fmt: skip
    beyond = purse.allocate("b", OURS, input_tokens=0, max_output_tokens=100,
                            fit=Fit.CLAMP, further=stated({"web_search": 5}))  # fmt: skip

    assert answer.max_output_tokens == 466  # 0.003 for input, 0.03 for searches, 0.00699 for these
    assert isinstance(beyond, Denial)
    assert beyond.largest_fit is None


@pytest.mark.parametrize(
    ("kinds", "further", "tokens"),
    [
        (("input", "output"), stated({"input_audio": 7, "web_search": 5}), 1107),
        (("output",), stated({"output_image": 7, "reasoning": 1}), 108),
        (("cache_read",), stated({"cache_read": 7}), 7),
        (("output", "cache_write"), stated({"cache_write_1h": 7}), 107),
        (("output", "cache_write"), stated(cache_write="5m"), 1100),
        (("output",), stated(cache_write="5m"), 100),
    ],
    ids=str,
)
def test_a_policy_counts_the_units_that_are_tokens_of_its_kinds(kinds, further, tokens) -> None:
    """Input that may be written to a cache is of either kind until it is used."""
    purse = world("9000tokens/day", tokens_counted=kinds)
    purse.allocate("a", of("none"), **TALK, further=further)

    assert purse.held("purse").tokens == tokens


@pytest.mark.parametrize(
    ("labels", "further", "field", "advice"),
    [
        (of("plain"), stated({"web_search": 1}), "units.web_search",
         "prices set openai/plain --fee web_search=USD"),
        (of("plain"), stated({"input_audio": 1}), "units.input_audio",
         "prices set openai/plain --rate input_audio=USD"),
        (of("plain"), stated(context=PriceContext("flex")), "context.service_tier",
         "prices load, for openai/plain"),
        (of("none"), stated({"image": 1}), "model", "No price is known for none"),
    ],
    ids=str,
)  # fmt: skip
def test_what_has_no_rate_is_refused_by_its_name(labels, further, field, advice) -> None:
    refused = world().allocate("a", labels, **TALK, further=further)

    assert isinstance(refused, InvalidInput)
    assert refused.code == "unknown_price"
    assert [fault.field for fault in refused.fields] == [field]
    assert advice in refused.detail


def test_without_a_limit_of_cost_or_with_a_stated_cost_nothing_needs_a_rate() -> None:
    searching = stated({"web_search": 1})
    counted = world("9000tokens/day").allocate("a", of("plain"), **TALK, further=searching)
    said = world().allocate("a", of("plain"), **TALK, further=searching, cost_nano=5)

    assert counted.granted.cost_nano == 0
    assert said.granted.cost_nano == 5


def test_where_the_unpriced_is_allowed_it_holds_what_can_be_priced() -> None:
    """A token as it would be charged, by the dearest rate; a fee that nobody knows makes it all unknown."""
    lax = world(unpriced=Unpriced.ALLOW)
    audio = lax.allocate("a", of("plain"), **TALK, further=stated({"input_audio": 1000}))
    search = lax.allocate("b", of("plain"), **TALK, further=stated({"web_search": 1}))

    assert (audio.granted.cost_nano, audio.provisional) == (usd("0.0032"), True)
    assert (search.granted.cost_nano, search.price, search.provisional) == (0, None, False)


def test_where_the_dearest_stands_in_it_does_for_fees_too() -> None:
    best = world(unpriced=Unpriced.HIGHEST)
    audio = best.allocate("a", of("plain"), **TALK, further=stated({"input_audio": 1000}))
    search = best.allocate("b", of("plain"), **TALK, further=stated({"web_search": 3}))
    new = best.allocate("c", of("new"), **TALK, further=stated({"input_audio": 10, "image": 2}))
    page = best.allocate("d", of("plain"), **TALK, further=stated({"page": 1}))
    nowhere = best.allocate("e", of("new"), **TALK, further=stated({"page": 1}))
    nobody = best.allocate(
        "f", {"model": "x", "provider": "nobody"}, **TALK, further=stated({"page": 1})
    )

    assert audio.granted.cost_nano == usd("0.0032")
    assert search.granted.cost_nano == usd("0.044") + usd("0.015")  # the dearest token: audio
    assert new.granted.cost_nano == usd("0.0444") + usd("0.08")
    assert search.provisional
    assert [fault.field for fault in page.fields] == ["units.page"]
    assert [fault.field for fault in nowhere.fields] == ["units.page"]
    assert [fault.field for fault in nobody.fields] == ["model"]


def test_units_alone_are_all_of_such_a_call() -> None:
    purse = world("1usd+50tokens/day")
    images = purse.allocate("a", of("images"), further=stated({"image": 4}))
    tokens = purse.allocate("b", of("images"), input_tokens=5, max_output_tokens=0,
                            further=stated({"image": 4}))  # fmt: skip
    plain = purse.allocate("g", of("images"), **TALK)
    audio = purse.allocate("c", of("audio"), further=stated({"input_audio": 40}))
    half = purse.allocate("d", of("images"), max_output_tokens=0, further=stated({"image": 4}))
    written = purse.allocate("e", OURS, further=stated(cache_write="5m"))
    dear = purse.allocate("f", of("images"), further=stated({"image": 40}), fit=Fit.CLAMP)

    assert images.granted == (0, usd("0.16"), 1)
    assert tokens.code == plain.code == "unknown_price"
    assert audio.granted == (40, usd("0.0016"), 1)
    assert half.code == written.code == "amount_needed"
    assert isinstance(dear, Denial)


@pytest.mark.parametrize(("assumed", "cost"), [("sonar", "0.0061"), ("plain", None)])
def test_a_model_that_is_assumed_needs_the_fees_too(assumed: str, cost: str | None) -> None:
    purse = world(assume_model=f"openai/{assumed}")
    purse.settings = LedgerSettings(assume_model="openai/plain")
    answer = purse.allocate("a", {}, **TALK, further=stated({"web_search": 1}))

    assert answer.code == "amount_needed" if cost is None else answer.granted[1] == usd(cost)
    assert purse.allocate("b", {}, **TALK, further=stated(cache_write="5m")).granted.cost_nano > 0


def test_an_alternative_has_rates_for_all_of_the_call() -> None:
    purse = world("0.02usd/day")
    purse.set_prices(
        [SONAR, PLAIN, card("big", "openai", input="9", output="9", fees={"web_search": "0.05"})]
    )
    searching = purse.allocate("a", of("big"), **TALK, further=stated({"web_search": 1}))
    talking = purse.allocate("b", of("big"), input_tokens=3000, max_output_tokens=0)

    assert searching.alternatives == ("sonar",)
    assert set(talking.alternatives) == {"sonar", "plain"}
