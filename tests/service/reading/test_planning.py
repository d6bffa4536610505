"""Plans: how many more steps fit, by what past calls used, and what had to be assumed."""

from decimal import Decimal

import pytest
from tests.service.reading.conftest import TEAM_A, TEAM_B, World

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.service.advising.planning import ASSUMED, GIVEN, OTHERS, OWN, Plan, PlanQuery


def planned(world: World, caller: Caller = LOCAL, **query: object) -> Plan:
    query.setdefault("labels", {"team": "a"})
    return world.running.service.planning.plan(caller, PlanQuery(**query))


def call(world: World, usd: str, tokens: int = 100, model: str = "gpt-5", **labels: str) -> None:
    used = {"input_tokens": tokens - tokens // 10, "output_tokens": tokens // 10}
    labels = {"team": "a", "provider": "openai", "model": model, **labels}
    world.record(usd, used=used, **labels)
    world.pass_seconds(1)


def test_steps_fit_at_the_median_and_at_the_ninetieth_percentile(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"}, name="cap")
    for usd in ("0.1", "0.1", "0.1", "0.1", "0.1", "0.2", "0.2", "0.2", "0.5", "1"):
        call(world, usd)
    call(world, "9", team="b")

    plan = planned(world, steps=20)

    (one,) = plan.models
    assert (one.provider, one.model, one.basis, one.calls) == ("openai", "gpt-5", OWN, 10)
    assert plan.binds.remaining.cost_nano == 7_400_000_000
    assert (one.median.use.cost_nano, one.median.steps, one.median.fits) == (10**8, 74, True)
    assert (one.high.use.cost_nano, one.high.steps, one.high.fits) == (5 * 10**8, 14, False)
    assert one.median.bound_by == "cap"
    assert plan.assumed == ()


def test_the_last_ten_calls_tell_how_many_more_like_them_fit(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"})
    call(world, "2")
    for _ in range(10):
        call(world, "0.33")

    recent = planned(world).recent

    assert (recent.calls, recent.cost_nano, recent.tokens) == (10, 330_000_000, 100)
    assert recent.steps == 14  # of the 4.70 that are left


def test_another_model_is_priced_by_the_tokens_of_past_calls(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"})
    world.price("gpt-5-mini", usd="2")
    for _ in range(4):
        call(world, "0.5", tokens=1000)

    plan = planned(world, models=("openai/gpt-5-mini", "openai/gpt-5"))

    mini, own = plan.models
    assert (mini.basis, mini.median.use.cost_nano, mini.median.steps) == (OTHERS, 2_000_000, 4000)
    assert (own.basis, own.median.steps) == (OWN, 16)


def test_a_policy_on_the_model_alone_bounds_it(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"}, name="all")
    world.policy("1000tokens/day", scope={"model": "gpt-5"}, name="few tokens")
    world.price()

    plan = planned(world, models=("openai/gpt-5",), input_tokens=300, output_tokens=100)

    (one,) = plan.models
    assert (one.basis, one.median.steps, one.median.bound_by) == (GIVEN, 2, "few tokens")
    assert plan.binds.name == "all"


def test_without_past_calls_it_says_what_it_assumed(world: World) -> None:
    world.policy("1usd/day", scope={"team": "a"})
    world.price(usd="10")

    plan = planned(world, models=("gpt-5",))

    (one,) = plan.models
    assert (one.basis, one.calls) == (ASSUMED, 0)
    assert (one.median.use.input_tokens, one.median.use.output_tokens) == (4000, 1000)
    assert one.median.steps == 20
    assert plan.recent is None
    assert plan.assumed == (
        "4,000 input and 1,000 output tokens a call: no call of the last 30 days says its own (team=a)",
    )


def test_without_a_model_either_the_cheapest_known_stand_in(world: World) -> None:
    assert planned(world).models == ()
    assert "name one in models" in planned(world).assumed[1]
    world.price(usd="10")

    plan = planned(world)

    assert [one.model for one in plan.models] == ["gpt-5"]
    assert plan.models[0].median.steps is None
    assert plan.assumed[1].startswith("the cheapest models known")


def test_a_new_run_goes_by_the_calls_before_it(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"})
    for _ in range(3):
        call(world, "1", run="old")

    plan = planned(world, labels={"team": "a", "run": "new"})

    assert (plan.calls, dict(plan.calls_labels)) == (3, {"team": "a"})
    assert plan.models[0].median.steps == 7
    assert "as before this work began" in plan.assumed[0]


def test_a_model_without_a_price_fits_nowhere_that_cost_is_limited(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"})

    (one,) = planned(world, models=("nobody/knows",), steps=1).models

    assert (one.median.use.cost_nano, one.median.steps, one.median.fits) == (None, 0, False)
    assert "no price is known" in one.note


def test_what_is_kept_for_the_end_is_not_for_ordinary_steps(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"}, landing="20%")
    for _ in range(3):
        call(world, "1")

    assert planned(world).models[0].median.steps == 5


def test_limits_and_calls_of_another_team_do_not_show(world: World) -> None:
    world.policy("100usd/day", name="everybody")
    world.policy("10usd/day", scope={"team": "b"}, name="b's")
    call(world, "3", team="b")
    world.policy("10usd/day", scope={"team": "a"}, name="a's")

    own, theirs = planned(world, TEAM_A), planned(world, TEAM_A, labels={"team": "b"})

    assert own.calls == theirs.calls == 0
    assert own.binds.name == theirs.binds.name == "a's"
    assert "limits that others share and this key may not see are left out" in own.assumed
    assert planned(world, TEAM_B).calls == 1


def test_holds_are_not_left_for_others(world: World) -> None:
    world.policy("10usd/day", scope={"team": "a"})
    call(world, "1")
    call(world, "1")
    call(world, "1")
    world.hold("4", team="a")

    assert planned(world).models[0].median.steps == 3


def test_of_very_many_calls_only_so_many_are_looked_through(
    quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tekton_budget.storage.rows.usages.EXAMINED_MAX", 2)
    call(quick, "1", feature="rare")
    for _ in range(30):
        call(quick, "1")

    assert planned(quick, labels={"feature": "rare"}).calls == 0
    assert planned(quick).calls == 10


@pytest.mark.parametrize(
    "query",
    [
        {"steps": 0},
        {"models": ("",)},
        {"models": tuple("abcdefghijklmnopqrstu")},
        {"input_tokens": -1},
        {"output_tokens": 10**10},
    ],
)
def test_what_makes_no_sense_is_refused(quick: World, query: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        planned(quick, **query)


def test_the_mean_is_not_rounded_before_it_is_compared(quick: World) -> None:
    quick.policy("1usd/day", scope={"team": "a"})
    for usd in ("0.0000000005", "0.0000000015", "0.000000001"):
        quick.record(usd, team="a", model="m", provider="p")

    recent = planned(quick).recent

    left = 10**9 - 3
    total = sum(int(Decimal(usd).scaleb(9)) for usd in ("0", "0.000000002", "0.000000001"))
    assert (recent.cost_nano, recent.steps) == (1, left * 3 // total)
