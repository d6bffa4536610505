"""What to do next with Hermes: by table, and that no row of answers leads astray."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.delivery.hermes.answers import (
    Answer,
    Away,
    Expired,
    Listed,
    Offered,
    Registered,
    Strange,
    Taken,
)
from tekton_budget.delivery.hermes.machine import Act, Pace, Rules, Standing, next_act

PACE = Pace()
RULES = Rules("budget", "budget-8014", PACE)
HOUR = Registered("budget", "t1", 3600.0)
OLD = Standing(
    "budget",
    token="t0",
    since=0.0,
    is_proven=True,
    has_looked=True,
    renew_at=3000.0,
    look_at=60.0,
    beat_at=30.0,
    offer_at=600.0,
    tools=9,
)


def after(now: Standing, act: Act, answer: Answer, at: float = 100.0) -> Standing:
    return RULES.after(now, act, answer, at, roll=0.5)


@pytest.mark.parametrize(
    ("now", "at", "act", "when"),
    [
        (RULES.start(), 0.0, Act.LOOK, 0.0),
        (Standing("budget", has_looked=True), 5.0, Act.REGISTER, 5.0),
        (Standing("budget", wait_until=9.0), 5.0, None, 9.0),
        (OLD, 10.0, None, 30.0),
        (OLD, 30.0, Act.BEAT, 30.0),
        (OLD, 60.0, Act.LOOK, 60.0),  # both are due: the listing says more than a heartbeat
        (replace(OLD, look_at=9e9), 60.0, Act.BEAT, 60.0),
        (replace(OLD, look_at=9e9, beat_at=9e9), 700.0, Act.OFFER, 700.0),
        (OLD, 3000.0, Act.REGISTER, 3000.0),
        (replace(OLD, wait_until=3010.0), 3000.0, None, 3010.0),
    ],
)
def test_what_is_due(now: Standing, at: float, act: Act | None, when: float) -> None:
    assert next_act(now, at) == (act, when)


def test_a_registration_begins_heartbeats_and_offers_at_once_and_ends_before_the_token_does() -> (
    None
):
    now = after(Standing("budget", has_looked=True), Act.REGISTER, HOUR)

    assert (now.token, now.since, now.beat_at, now.offer_at) == ("t1", 100.0, 100.0, 100.0)
    assert now.renew_at == 100.0 + 3600 - PACE.renew_seconds
    assert now.look_at == 100.0 + PACE.look_seconds


def test_a_short_token_is_renewed_before_it_ends_and_not_all_the_time() -> None:
    short = Registered("budget", "t1", 40.0)
    now = after(Standing("budget", has_looked=True), Act.REGISTER, short)
    assert now.renew_at == 130.0
    tiny = Registered("budget", "t1", 0.001)
    assert after(Standing("budget", has_looked=True), Act.REGISTER, tiny).renew_at == 101.0


def test_a_renewal_keeps_its_beginning_and_does_not_offer_again() -> None:
    now = after(OLD, Act.REGISTER, HOUR)
    assert (now.token, now.since, now.offer_at, now.tools) == ("t1", 0.0, 600.0, 9)


def test_an_expired_token_is_replaced_at_once_if_it_was_good_before() -> None:
    now = after(OLD, Act.BEAT, Expired("401"))
    assert (now.token, next_act(now, 100.0)[0]) == (None, Act.LOOK)

    unproven = after(replace(OLD, is_proven=False), Act.BEAT, Expired("401"))
    assert next_act(unproven, 100.0)[0] is None


def test_whoever_is_no_longer_listed_registers_again_and_offers_its_tools_again() -> None:
    now = after(OLD, Act.LOOK, Listed(has_us=False))
    assert (now.token, now.tools, next_act(now, 100.0)[0]) == (None, 0, Act.REGISTER)

    again = after(now, Act.REGISTER, HOUR)
    assert again.offer_at == 100.0


def test_who_finds_another_under_its_id_takes_the_other_one() -> None:
    now = after(RULES.start(), Act.LOOK, Listed(has_us=False, is_occupied=True))
    assert now.component_id == "budget-8014"

    overwritten = after(OLD, Act.LOOK, Listed(has_us=False, is_occupied=True))
    assert (overwritten.component_id, overwritten.token) == ("budget-8014", None)

    both_listed = replace(OLD, component_id="budget-8014")
    assert after(both_listed, Act.LOOK, Listed(has_us=True, is_occupied=True)).token == "t0"


def test_after_hermes_was_away_the_listing_is_asked_first() -> None:
    gone = after(replace(OLD, look_at=1000.0), Act.BEAT, Away("refused"))
    assert not gone.is_registered
    assert gone.token == "t0"

    back = after(gone, Act.BEAT, Taken(), at=110.0)
    assert back.is_registered
    assert next_act(back, 110.0) == (Act.LOOK, 110.0)


def test_trouble_with_tools_holds_up_nothing_else() -> None:
    now = after(OLD, Act.OFFER, Strange("500"))
    assert (now.wait_until, now.token, now.offer_at) == (0.0, "t0", 100.75)
    assert after(now, Act.OFFER, Offered(9)).offers_failed == 0


def test_a_listing_nobody_can_read_does_not_keep_us_from_registering() -> None:
    now = after(RULES.start(), Act.LOOK, Strange("no components"))
    assert next_act(now, 100.0)[0] is Act.REGISTER
    assert after(OLD, Act.LOOK, Strange("no components")).token == "t0"


def test_waiting_doubles_up_to_a_bound() -> None:
    now, waits = RULES.start(), []
    for _ in range(40):
        now = after(now, Act.LOOK, Away("refused"))
        waits.append(now.wait_until - 100.0)
    assert waits[:5] == [0.75, 1.5, 3.0, 6.0, 12.0]
    assert waits[-1] == PACE.retry_seconds_max * 0.75


def test_without_tools_none_are_offered() -> None:
    bare = Rules("budget", "budget-8014", PACE, has_tools=False)
    now = bare.after(Standing("budget", has_looked=True), Act.REGISTER, HOUR, 0.0, 0.5)
    assert now.offer_at == float("inf")


# --- any answers in any order -----------------------------------------------------------------

Troubles = st.sampled_from(
    [Away("refused"), Away("no answer"), Strange("HTTP 500"), Strange("broken"), Expired("401")]
)


def good(act: Act, listed: bool, life: float, number: int) -> Answer:
    if act is Act.REGISTER:
        return Registered("budget", f"t{number}", life)
    if act is Act.LOOK:
        return Listed(has_us=listed)
    return Offered(9) if act is Act.OFFER else Taken()


class Walk:
    """The machine in simulated time, against answers of any kind."""

    def __init__(self) -> None:
        self.now, self.at, self.number = RULES.start(), 0.0, 0
        self.acts: list[tuple[float, Act]] = []
        self.token: str | None = None  # the last one received

    def step(
        self, trouble: Answer | None, roll: float, life: float, *, listed: bool = True
    ) -> None:
        act, when = next_act(self.now, self.at)
        if act is None:
            assert when > self.at
            self.at = when
            return
        self.acts.append((self.at, act))
        if act is Act.BEAT:
            assert self.now.token == self.token
        assert act not in (Act.BEAT, Act.OFFER) or self.now.token is not None
        self.number += 1
        has = listed and self.now.token is not None
        answer = trouble or good(act, has, life, self.number)
        if isinstance(answer, Expired) and act is not Act.BEAT:
            answer = Strange("401")
        if isinstance(answer, Registered):
            self.token = answer.token
        self.now = RULES.after(self.now, act, answer, self.at, roll)


Steps = st.lists(
    st.tuples(
        st.one_of(st.none(), Troubles),
        st.floats(0, 0.999),
        st.floats(0.001, 7200),
        st.booleans(),
    ),
    max_size=60,
)


@given(Steps)
def test_whatever_hermes_answers_it_is_asked_now_and_then_only(steps: list) -> None:
    walk = Walk()
    for trouble, roll, life, listed in steps:
        walk.step(trouble, roll, life, listed=listed)
        _, when = next_act(walk.now, walk.at)
        assert when - walk.at <= max(PACE.beat_seconds, PACE.retry_seconds_max) + 1e-6
    for index, (at, _) in enumerate(walk.acts):
        within = sum(1 for later, _ in walk.acts[index:] if later < at + 1.0)
        assert within <= 16  # a few steps belong together; then there is a pause


@given(Steps, st.floats(0, 0.999))
def test_once_hermes_answers_well_we_are_soon_registered_and_stay_healthy(
    steps: list, roll: float
) -> None:
    walk = Walk()
    for trouble, one_roll, life, listed in steps:
        walk.step(trouble, one_roll, life, listed=listed)
    begun = walk.at
    while walk.at < begun + 4000:
        walk.step(None, roll, 3600.0)
    beats = [at for at, act in walk.acts if act is Act.BEAT and at >= begun]

    assert walk.now.is_registered
    assert walk.now.tools == 9
    assert beats[0] - begun <= PACE.retry_seconds_max + PACE.beat_seconds
    assert max(b - a for a, b in pairwise(beats)) <= PACE.beat_seconds + 1e-6
    tokens = [at for at, act in walk.acts if act is Act.REGISTER and at >= begun + 100]
    assert len(tokens) <= 2  # one an hour, a little early
