"""The denial: one paragraph that stands alone, and what it says to a machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.world import HOUR_US, World, usd

from tekton_budget.domain import estimate
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import Caller, Role
from tekton_budget.domain.command import Fit
from tekton_budget.domain.ledger.denial import DETAIL_MAX
from tekton_budget.domain.price import Card

CLIENT = Caller("k", "ci", Role.CLIENT, {"team": "a"})


def denied(world: World, id_: str = "x", labels: dict | None = None, **fields: object) -> Denial:
    answer = world.allocate(id_, labels, **fields)
    assert isinstance(answer, Denial)
    assert len(answer.detail) <= DETAIL_MAX
    return answer


def team_a(**fields: object) -> World:
    """As in DESIGN: $48.70 of $50.00 spent, $1.20 held by 3 calls, six days before the month ends."""
    world = World("2026-11-24T23:00Z")
    world.policy(
        "team=a monthly", "50usd/month", scope={"team": "a"}, zone="Europe/Berlin", **fields
    )
    world.record("r", {"team": "a"}, cost="48.70")
    for number in range(3):
        world.allocate(f"a{number}", {"team": "a"}, cost_nano=usd("0.40"))
    return world


def test_the_paragraph_is_that_of_the_design() -> None:
    world = team_a()
    world.price("p/gpt-5", input=100, output=100)
    world.price("p/gpt-5-mini", input=10, output=10)
    labels = {"team": "a", "model": "gpt-5"}

    assert denied(world, labels=labels, tokens=4000).detail == (
        'Over budget: this call may cost up to $0.40, but "team=a monthly" has $0.10 of $50.00 '
        "left ($48.70 spent, $1.20 held by 3 calls). It resets 2026-12-01 00:00 Europe/Berlin "
        "(in 6 days). Fits now: up to 1,000 tokens, or gpt-5-mini. "
        "More: tekton-budget credit team=a 10usd."
    )
    assert (
        "Fits now: up to $0.10. More"
        in denied(world, labels={"team": "a"}, cost_nano=usd("0.40")).detail
    )


def test_what_is_kept_for_the_end_is_named_and_the_hint_counts_it_in() -> None:
    world = team_a(landing_ppm=500_000)
    first = denied(world, labels={"team": "a"}, cost_nano=usd("20"))

    assert first.detail.startswith(
        'Over budget: this call may cost up to $20.00, but "team=a monthly" has $0.00 of $50.00 '
        "left ($48.70 spent, $25.00 kept for the end)."
    )
    assert "credit team=a 100usd." in first.detail  # half of which is kept too
    world.credit("team=a monthly", "100usd")
    assert isinstance(world.allocate("y", {"team": "a"}, cost_nano=usd("20")), Grant)


@given(
    spent=st.integers(0, 3000),
    limit=st.integers(1, 2000),
    cost=st.integers(1, 2000),
    ppm=st.integers(1, 990_000),
)
def test_the_credit_that_is_named_is_enough_for_the_call(spent, limit, cost, ppm) -> None:
    world = World()
    world.policy("purse", f"{limit}usd/day", landing_ppm=ppm, thresholds_ppm=())
    if spent:
        world.record("r", cost=str(spent))
    answer = world.allocate("x", cost_nano=usd(str(cost)))
    if isinstance(answer, Denial):
        amount = answer.detail.partition("credit purse ")[2].split(".")[0]
        world.credit("purse", amount)
        again = world.allocate("x", cost_nano=usd(str(cost)))

        assert isinstance(again, Grant)


def test_a_client_is_told_only_what_is_its_own() -> None:
    world = team_a()
    world.policy("everyone", "49.95usd/month", scope={})
    own = denied(world, labels={"team": "a"}, cost_nano=usd("0.40"), caller=CLIENT)
    theirs = denied(world, labels={"team": "a"}, cost_nano=usd("0.06"), caller=CLIENT)

    assert [(p.name, p.hidden) for p in own.policies] == [
        ("everyone", True),
        ("team=a monthly", False),
    ]
    assert theirs.detail == (
        'Over budget: this call may cost up to $0.06, more than "everyone" has left. '
        "It resets 2026-12-01 00:00 UTC (in 6 days). Fits now: up to $0.05."
    )
    assert theirs.policies[0].allowance == (None, None, None)
    assert theirs.policies[0].spent == theirs.policies[0].held == (0, 0, 0)


@given(
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=200),
    st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=256),
    st.integers(0, 10**16),
    st.integers(1, 10**15),
    st.integers(1, 4),
)
def test_the_paragraph_never_grows_too_long(name, user, spent, asked, more) -> None:
    world = World()
    world.price("p/model-one", input=100, output=100)
    world.price("p/model-two", input=1, output=1)
    world.policy(name, "2usd/month", per=("user",), zone="America/Argentina/ComodRivadavia")
    for number in range(more):
        world.policy(f"{number}{name}"[:200], "2usd/month")
    world.record("r", {"user": user}, cost=str(spent // 10**9))
    answer = world.allocate("x", {"user": user}, cost_nano=asked + 2 * 10**9)

    assert isinstance(answer, Denial)
    assert 0 < len(answer.detail) <= DETAIL_MAX
    assert answer.detail.endswith(".")


def test_the_least_needed_is_left_out_first() -> None:
    world = World()
    user, name = "u" * 250, "n" * 200
    world.policy(name, "2usd/month", per=("user",), zone="America/Argentina/ComodRivadavia")
    world.policy("other", "2usd/month")
    detail = denied(world, labels={"user": user}, cost_nano=usd("3.123456789")).detail

    assert detail.startswith("Over budget: this call may cost up to $3.123456789")
    assert "…" in detail
    assert "Fits now: up to $2.00." in detail
    assert "More:" not in detail
    assert "would be passed" not in detail


def test_others_that_would_be_passed_are_counted() -> None:
    world = World()
    for name in ("one", "two", "three"):
        world.policy(name, "1usd/day")
    more = denied(world, cost_nano=usd("2"))

    assert "2 more limits would be passed." in more.detail
    world.change("three", enabled=False)
    assert "1 more limit would be passed." in denied(world, cost_nano=usd("2")).detail


@pytest.mark.parametrize(
    ("limit", "fields", "labels", "asked", "text"),
    [
        ("5requests/day", {}, {}, {"requests": 6}, "this call may use up to 6 requests"),
        ("100tokens/day", {}, {}, {"tokens": 200}, "has 100 tokens of 100 tokens left"),
        ("100tokens/day", {}, {}, {"tokens": 200}, "No reset helps: the call alone is more"),
        ("1usd", {"scope": {"team": "a"}}, {"team": "a"}, {"cost_nano": usd("0.5")}, "It never resets."),
        ("1usd/day", {"per": ("user",)}, {"user": "al x"}, {"cost_nano": usd("0.5")}, "credit 'user=al x' 1usd"),
        ("1usd/day", {"scope": {"model": "gpt-*"}}, {"model": "gpt-1"}, {"cost_nano": usd("0.5")}, "credit 'the one' 1usd"),
        ("1usd/day", {}, {}, {"cost_nano": usd("0.5")}, "credit 'the one' 1usd"),
        ("1usd/day", {"scope": {"team": ["a", "b"]}}, {"team": "a"}, {"cost_nano": usd("0.5")}, "credit 'the one' 1usd"),
        ("1usd/session", {}, {"session": "s"}, {"cost_nano": usd("0.5")}, "credit session=s 1usd"),
    ],
)  # fmt: skip
def test_the_paragraph_says_what_helps(limit, fields, labels, asked, text) -> None:
    world = World()
    world.policy("the one", limit, **fields)
    if "cost_nano" in asked:
        world.record("r", labels, cost="0.7")

    assert text in denied(world, labels=labels, **asked).detail


def test_a_rolling_limit_says_when_some_comes_back() -> None:
    world = World()
    world.policy("pace", "1usd/1h")
    world.record("r", cost="0.5")
    assert "Some comes back in 1 hour." in denied(world, cost_nano=usd("0.6")).detail

    held = World()
    held.policy("pace", "1usd/1h")
    held.record("old", cost="0.1")
    held.now_us += 2 * HOUR_US
    held.allocate("a", cost_nano=usd("0.5"))
    answer = denied(held, cost_nano=usd("0.6"))
    assert "comes back" not in answer.detail
    assert (answer.blocked_on, answer.retryable, answer.resets_us) == ("held", True, None)


def test_holds_whose_calls_have_told_of_usage_count_no_calls() -> None:
    world = World()
    world.policy("p", "1usd/day")
    world.allocate("a", cost_nano=usd("0.9"))
    world.record("r", of="a", cost="0.1")

    assert "($0.10 spent, $0.80 held)" in denied(world, cost_nano=usd("0.2")).detail


def test_an_alternative_with_a_limit_of_its_own_is_not_named() -> None:
    world = World()
    world.policy("big", "0.001usd/day", scope={"model": "big"})
    world.policy("mini", "9usd/day", scope={"model": "mini"})
    world.price("p/big", input=10, output=10)
    world.price("p/mini", input=9, output=9)
    world.price("p/nano", input=8, output=8)

    assert denied(world, labels={"model": "big"}, tokens=1000).alternatives == ("nano",)


def test_an_alternative_keeps_the_seller_as_the_caller_spells_it() -> None:
    world = World()
    world.policy("little", "0.001usd/day", scope={"provider": "gemini"})
    world.price("google/big", input=10, output=10)
    world.price("google/mini", input=9, output=9)

    labels = {"model": "big", "provider": "gemini"}
    assert denied(world, labels=labels, tokens=1000).alternatives == ()


def test_of_a_large_book_only_so_many_prices_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.policy("little", "0.0005usd/day")
    for number in range(1500):
        world.price(f"p/m{number:04}", input=2000 - number, output=2000 - number)
    computed: list[str] = []
    most_of_counts = estimate.most_of_counts

    def watched(card: Card, *args: object, **named: object) -> int:
        computed.append(card.model)
        return most_of_counts(card, *args, **named)

    monkeypatch.setattr(estimate, "most_of_counts", watched)
    answer = denied(world, labels={"model": "m0600", "provider": "p"}, input_tokens=0,
                    max_output_tokens=1)  # fmt: skip

    assert answer.alternatives == ()
    assert set(computed) == {f"m{number:04}" for number in range(600, 1100)}


def test_no_alternative_helps_where_tokens_are_limited() -> None:
    world = World()
    world.policy("words", "10tokens/day")
    world.price("p/big", input=10, output=10)
    world.price("p/mini", input=9, output=9)

    assert denied(world, labels={"model": "big"}, tokens=11).alternatives == ()


def test_denials_are_counted_for_each_policy_that_denied() -> None:
    world = World()
    world.policy("one", "1usd/day", per=("user",))
    world.policy("two", "1usd/day")
    world.policy("three", "9usd/day")
    answer = denied(world, labels={"user": "u"}, cost_nano=usd("2"))

    assert [(c.policy_id, c.group, c.decision) for c in world.counted] == [
        ("one", "u", "deny"),
        ("two", "", "deny"),
    ]
    assert world.counted[0].sample["detail"] == answer.detail
    assert world.journal == []


def test_clamps_shadows_and_calls_without_a_policy_are_counted_too() -> None:
    world = World()
    world.policy("one", "1usd/day", scope={"team": "a"})
    world.allocate("free", {})
    world.allocate("clamped", {"team": "a"}, cost_nano=usd("2"), fit=Fit.CLAMP)
    world.change("one", shadow=True)
    world.allocate("shadowed", {"team": "a"}, cost_nano=usd("2"))

    assert [(c.policy_id, c.decision) for c in world.counted] == [
        ("", "unbudgeted"),
        ("one", "clamp"),
        ("one", "would_deny"),
    ]


def test_a_clamp_is_denied_by_the_least_that_it_would_have_taken() -> None:
    world = World()
    world.price("p/gpt", input=1, output=10)
    world.policy("purse", "0.01usd/day")
    world.record("r", cost="0.0099")
    answer = world.allocate(
        "x",
        {"model": "gpt"},
        input_tokens=10,
        max_output_tokens=100_000,
        fit=Fit.CLAMP,
        min_grant=16,
    )

    assert isinstance(answer, Denial)
    assert answer.policies[0].asked == (26, usd("0.00017"), 1)
    assert answer.detail.startswith("Over budget: this call needs at least $0.00017, but")
    assert not answer.never_fits
    assert answer.retryable
    assert answer.largest_fit is not None
    assert answer.largest_fit.max_output_tokens == 9
