"""How much of an ask is granted, when it had better wait, and when what is kept is opened to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.world import MINUTE_US, SECOND_US, World

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.answer import Denial, Grant, Waiting
from tekton_budget.domain.command import Fit, Landing
from tekton_budget.domain.decide import Judgement
from tekton_budget.domain.ledger.fitting import preferred
from tekton_budget.domain.period import Window
from tekton_budget.domain.policy import Enforcement, kept_part
from tekton_budget.domain.policy_set import Concern


def words(spent: int = 0, held: int = 0, limit: int = 1000, **fields: object) -> World:
    """A world of one limit of tokens that stands at something."""
    world = World()
    world.policy("words", f"{limit}tokens/day", thresholds_ppm=(), **fields)
    if spent:
        world.record("spent", other=spent)
    if held:
        world.allocate("held", tokens=held, landing=Landing.MAY)
    return world


def asked(world: World, tokens: int, *, wait: bool = True, **fields: object):
    fields = {"fit": Fit.CLAMP, "wait_us": SECOND_US if wait else 0, **fields}
    return world.allocate("ask", tokens=tokens, **fields)


def size(answer: object) -> int | None:
    return answer.granted.tokens if isinstance(answer, Grant) else None


@pytest.mark.parametrize(
    ("spent", "held", "whole", "now"),
    [
        (0, 900, 400, None),  # 100 now, 400 once the hold is back
        (0, 801, 400, None),
        (0, 800, 400, 200),  # half of it is there
        (0, 800, 401, None),
        (0, 400, 600, 600),  # it fits whole
        (700, 200, 1000, None),  # 100 now, 300 then
        (700, 150, 1000, 150),
        (700, 150, 200, 150),
        (900, 0, 1000, 100),  # no hold is in the way
        (0, 1000, 3, None),  # nothing now
    ],
)
def test_a_clamp_that_may_wait_takes_no_less_than_half(spent, held, whole, now) -> None:
    answer = asked(words(spent, held), whole)

    assert size(answer) == now
    assert isinstance(answer, Waiting) == (now is None)


def test_a_clamp_whose_time_is_up_takes_what_there_is() -> None:
    assert size(asked(words(0, 980), 400, wait=False)) == 20
    assert isinstance(asked(words(0, 1000), 400, wait=False), Denial)


def test_where_only_spending_is_in_the_way_a_clamp_does_not_wait() -> None:
    answer = asked(words(1000), 400)

    assert isinstance(answer, Denial)
    assert answer.blocked_on == "spent"
    assert isinstance(asked(words(1000), 400, fit=Fit.ALL), Waiting)  # for a window or a credit


def test_a_clamp_waits_for_the_least_that_is_of_use_to_it() -> None:
    assert isinstance(asked(words(800, 50), 1000, min_grant=160), Waiting)
    assert isinstance(asked(words(800, 50), 1000, min_grant=201), Denial)  # never until then
    assert size(asked(words(800, 50), 1000, min_grant=150)) == 150
    assert isinstance(asked(words(800, 50, min_grant=160), 1000), Waiting)


def test_what_cannot_be_shrunk_waits_while_holds_are_in_the_way() -> None:
    world = World()
    world.policy("calls", "1request/day", thresholds_ppm=())
    world.allocate("held", lifetime_us=MINUTE_US)
    ask = {"fit": Fit.CLAMP, "wait_us": SECOND_US}

    assert isinstance(world.allocate("ask", **ask), Waiting)
    world.settle("held")
    assert isinstance(world.allocate("other", **ask), Grant)
    assert isinstance(world.allocate("third", **ask), Waiting)
    world.settle("other", other=1)
    assert isinstance(world.allocate("third", **ask), Denial)


def test_a_hold_past_its_time_keeps_nobody_waiting() -> None:
    world = words()
    world.allocate("held", tokens=900, lifetime_us=MINUTE_US)
    assert isinstance(asked(world, 400), Waiting)
    world.now_us += MINUTE_US

    assert size(asked(world, 400)) == 400


@pytest.mark.parametrize("fit", [Fit.ALL, Fit.CLAMP])
def test_who_may_wait_waits_for_the_rest_before_what_is_kept_is_opened(fit) -> None:
    world = words(0, 850, landing_ppm=100_000)
    ask = {"fit": fit, "landing": Landing.AUTO}

    assert isinstance(asked(world, 120, **ask), Waiting)
    patient = asked(world, 120, wait=False, **ask)
    if fit is Fit.ALL:
        assert (size(patient), patient.landing) == (120, True)
    else:
        assert (size(patient), patient.landing) == (120, True)


@pytest.mark.parametrize("fit", [Fit.ALL, Fit.CLAMP])
def test_where_the_rest_is_spent_what_is_kept_is_opened_at_once(fit) -> None:
    opened = asked(words(890, landing_ppm=100_000), 100, fit=fit, landing=Landing.AUTO)
    held = asked(words(890, 61, landing_ppm=100_000), 100, fit=fit, landing=Landing.AUTO)

    assert (size(opened), opened.landing) == (100, True)
    assert isinstance(held, Waiting)


def test_the_first_way_that_gives_half_is_preferred() -> None:
    assert preferred([-1]) is None
    assert preferred([0]) == 0
    assert preferred([-1, 0]) == 1
    assert preferred([-1, -1]) is None
    assert preferred([50, 100]) == 0
    assert preferred([49, 100]) == 1


amounts = st.integers(0, 60)


@given(
    spent=amounts,
    held=amounts,
    whole=st.integers(1, 80),
    share=st.sampled_from([0, 100_000, 330_000, 900_000]),
    least=st.sampled_from([None, 0, 7, 30]),
    fit=st.sampled_from(Fit),
    landing=st.sampled_from(Landing),
    wait=st.booleans(),
)
def test_it_comes_out_as_a_count_by_hand_would_have_it(
    spent, held, whole, share, least, fit, landing, wait
) -> None:
    world = words(landing_ppm=share, limit=50)
    balance = world.balance("words")
    balance.spent, balance.held = Amounts(spent), Amounts(held)
    answer = asked(world, whole, wait=wait, fit=fit, landing=landing, min_grant=least)

    kept = 50 * share // 1_000_000
    tops = {Landing.NO: [50 - kept], Landing.MAY: [50], Landing.AUTO: [50 - kept, 50]}[landing]
    if landing is Landing.AUTO and not kept:
        tops = [50]
    now = [_room(top - spent - held, whole, least, fit) for top in tops]
    then = [_room(top - spent, whole, least, fit) for top in tops]
    target = _first_half(then)
    if now[0] == whole:
        expected: object = whole
    elif wait and (2 * now[target] < then[target] if max(then) > 0 else fit is Fit.ALL):
        expected = Waiting
    else:
        expected = now[_first_half(now)] or Denial

    assert (size(answer) or type(answer)) == expected
    if isinstance(answer, Grant):
        used = spent + held
        assert used + answer.granted.tokens <= (50 if landing is not Landing.NO else 50 - kept)
        landed = used >= 50 - kept or used + answer.granted.tokens > 50 - kept
        assert answer.landing == (kept > 0 and landed)
    if isinstance(answer, Denial):
        most = max(0, min(whole, tops[-1] - spent - held))
        assert (answer.largest_fit.tokens if answer.largest_fit else 0) == most
        left = answer.policies[0].remaining.tokens
        assert left == max(0, tops[-1] - spent - held)


def _room(free: int, whole: int, least: int | None, fit: Fit) -> int:
    """How much is granted of what is free; 0 is nothing."""
    if free >= whole:
        return whole
    if fit is Fit.ALL or free < max(1, least or 0):
        return 0
    return free


def _first_half(sizes: list[int]) -> int:
    return next(i for i, n in enumerate(sizes) if 2 * n >= max(sizes) and (n or not max(sizes)))


@given(*[st.one_of(st.none(), st.integers(0, 10**15))] * 3, st.integers(0, 999_999))
def test_what_is_kept_is_the_share_rounded_down(tokens, cost, requests, ppm) -> None:
    policy = World().made("p", "1usd/day", landing_ppm=ppm)
    part = kept_part(policy, Limits(tokens, cost, requests))

    for limit, kept in zip((tokens, cost, requests), part, strict=True):
        assert kept * 1_000_000 <= (limit or 0) * ppm < (kept + 1) * 1_000_000


def test_only_hard_limits_keep_a_part() -> None:
    for enforcement in Enforcement:
        policy = World().made("p", "10tokens/day", enforcement=enforcement, landing_ppm=100_000)
        view = Judgement(
            Concern(policy, "", Window(0, 1), "1:0:", group_missing=False),
            Amounts(1),
            Amounts(9),
            Amounts(0),
            policy.limits,
        )

        assert view.is_landing == (enforcement is Enforcement.HARD_LIMIT)


def growing(world: World, *, wait: bool = True):
    """An ask of 100 that may want 500 more."""
    return world.allocate(
        "ask",
        input_tokens=0,
        max_output_tokens=100,
        headroom=500,
        fit=Fit.CLAMP,
        min_grant=100,
        wait_us=SECOND_US if wait else 0,
    )


def test_headroom_must_be_free_and_is_not_held() -> None:
    world = words(held=400)
    answer = growing(world)

    assert size(answer) == 100
    assert size(world.allocate("more", tokens=500)) == 500


def test_headroom_is_waited_for_where_holds_are_in_its_way() -> None:
    assert isinstance(growing(words(held=401)), Waiting)
    late = growing(words(held=401), wait=False)
    poor = growing(words(spent=401))

    assert isinstance(late, Denial)
    assert late.blocked_on == "held"
    assert isinstance(poor, Denial)
    assert poor.blocked_on == "spent"
