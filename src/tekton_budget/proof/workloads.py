"""The workloads: budgets, and callers who press on them in the ways that break counters."""

import math
import random
from collections.abc import Callable, Iterable

from tekton_budget.proof.adapter import Unit
from tekton_budget.proof.caller import LEAST
from tekton_budget.proof.turns import (
    MILLISECOND_NS,
    SECOND_NS,
    Caller,
    Change,
    Ending,
    Intervention,
    Plan,
    Turn,
)

CENT = 10_000_000  # in 10⁻⁹ USD
DOLLAR = 100 * CENT
BURSTS = (10, 50, 200)
PROCESSES = (1, 2, 4)
COMPARED = ((10, 1), (50, 2), (200, 4))  # the bursts that foils run too

STREAM_BUDGET = 20_000
STREAM_TOKENS_MAX = 1_024
STREAM_TOKENS_MEDIAN = 150
STREAM_SIGMA = 0.8
STREAM_NS_PER_TOKEN = 200_000


def plans(seed: int, *, quick: bool) -> list[Plan]:
    """All workloads in the order in which they are run."""
    bursts = [
        burst(seed, callers, processes, quick=quick)
        for callers in BURSTS
        for processes in PROCESSES
        if not quick or (callers, processes) in COMPARED
    ]
    makers: list[Callable[..., Plan]] = [
        random_costs,
        streams,
        first_touch_of_groups,
        first_touch_of_a_window,
        changing_limits,
        kill,
        vanishing_clients,
    ]
    return [runaway(seed), *bursts, *(make(seed, quick=quick) for make in makers)]


def runaway(seed: int) -> Plan:
    """An agent in a loop: $0.18 a call, 100 tries, $1 to spend. Five calls are $0.90."""
    del seed  # nothing is left to chance
    price = 18 * CENT
    loop = tuple(Turn(f"runaway-{i}", price, price) for i in range(100))
    title = "Runaway loop, 100 × $0.18 on $1"
    return Plan("runaway", title, DOLLAR, ((loop,),), exactly=5)


def burst(seed: int, callers: int, processes: int, *, quick: bool) -> Plan:
    """Everybody asks at once, as fast as answers come, for twice what there is."""
    del seed  # all ask for the same at the same time: the race is the chance
    asks = 400 if quick else 1_200
    each = max(1, math.ceil(asks / (callers * processes)))
    scripts = tuple(
        tuple(
            tuple(Turn(f"burst-{p}-{c}-{i}", CENT, CENT) for i in range(each))
            for c in range(callers)
        )
        for p in range(processes)
    )
    granted = callers * processes * each // 2
    return Plan(
        f"burst-{callers}x{processes}",
        f"Burst, {callers} callers × {processes} process{'es' if processes > 1 else ''}",
        granted * CENT,
        scripts,
        exactly=granted,
        foils=(callers, processes) in COMPARED,
    )


def random_costs(seed: int, *, quick: bool) -> Plan:
    """Amounts to the last digit; many calls use less than they held, some nothing at all."""
    dice = random.Random(f"{seed} random")
    tries = 8 if quick else 30

    def turn(id_: str) -> Turn:
        amount = dice.randrange(CENT // 10, 40 * CENT)
        ending = Ending.RELEASE if dice.random() < 0.15 else Ending.SETTLE
        real = amount if dice.random() < 0.3 else dice.randrange(amount // 10, amount)
        return Turn(id_, amount, real, ending=ending, hold_ns=dice.randrange(3) * MILLISECOND_NS)

    scripts = _scripts(3, 20, tries, "random", turn)
    limit = sum(t.real for t in _turns(scripts) if t.ending is Ending.SETTLE) * 6 // 10
    return Plan("random", "Random costs, 20 callers × 3 processes", limit, scripts)


def streams(seed: int, *, quick: bool) -> Plan:
    """128 streams × 3 processes on 20,000 tokens; each may use 1,024 and most use far less."""
    dice = random.Random(f"{seed} streams")

    def turn(id_: str) -> Turn:
        drawn = round(dice.lognormvariate(math.log(STREAM_TOKENS_MEDIAN), STREAM_SIGMA))
        real = max(1, min(STREAM_TOKENS_MAX, drawn))
        return Turn(
            id_,
            STREAM_TOKENS_MAX,
            real,
            hold_ns=real * STREAM_NS_PER_TOKEN,
            patience_ns=(3 if quick else 4) * SECOND_NS,
            least=STREAM_TOKENS_MAX // 2,
            enough=STREAM_BUDGET - LEAST + 1,
        )

    scripts = _scripts(3, 128, 1, "stream", turn)
    title = "Streams, 128 × 3 processes on 20,000 tokens"
    return Plan("streams", title, STREAM_BUDGET, scripts, unit=Unit.TOKENS)


def first_touch_of_groups(seed: int, *, quick: bool) -> Plan:
    """Groups that nobody has seen; every caller of every process goes for each at one moment."""
    del seed  # all ask for the same at the same time: the race is the chance
    groups = tuple(f"user-{g}" for g in range(8 if quick else 20))
    scripts = tuple(
        tuple(
            tuple(
                Turn(f"touch-{p}-{c}-{g}", CENT, CENT, group, at_ns=g * 100 * MILLISECOND_NS)
                for g, group in enumerate(groups)
            )
            for c in range(10)
        )
        for p in range(4)
    )
    return Plan(
        "first-group",
        f"First touch of {len(groups)} groups, 10 callers × 4 processes",
        20 * CENT,
        scripts,
        per_group=True,
        groups=groups,
        exactly=20 * len(groups),
    )


def first_touch_of_a_window(seed: int, *, quick: bool) -> Plan:
    """An hour ends in the middle: all stop just before, and all ask again in its first instant."""
    del seed  # all ask for the same at the same time: the race is the chance
    turns_ns = (1 if quick else 2) * SECOND_NS
    after_ns = turns_ns + 30 * MILLISECOND_NS

    def caller(name: str) -> Caller:
        before = [Turn(f"{name}-{i}", CENT, CENT) for i in range(5)]
        after = [Turn(f"{name}-{i}", CENT, CENT, at_ns=after_ns) for i in range(5, 10)]
        return (*before, *after)

    scripts = tuple(tuple(caller(f"window-{p}-{c}") for c in range(10)) for p in range(4))
    return Plan(
        "first-window",
        "First touch of a window, 10 callers × 4 processes",
        100 * CENT,
        scripts,
        turn_ns=turns_ns,
        exactly=200,
        foils=False,
    )


def changing_limits(seed: int, *, quick: bool) -> Plan:
    """A person credits, lowers, raises and adds limits while 32 callers press on."""
    dice = random.Random(f"{seed} changes")
    pace_ns = (30 if quick else 60) * MILLISECOND_NS

    def turn(id_: str) -> Turn:
        amount = dice.randrange(CENT, 5 * CENT)
        real = amount if dice.random() < 0.5 else dice.randrange(amount // 2, amount)
        at_ns = int(id_.rsplit("-", 1)[1]) * pace_ns
        hold_ns = dice.randrange(20) * MILLISECOND_NS
        return Turn(id_, amount, real, at_ns=at_ns, hold_ns=hold_ns)

    scripts = _scripts(4, 8, 60, "change", turn)
    moments = [share * 60 * pace_ns // 100 for share in (25, 40, 55, 70, 85)]
    changes = (
        (Change.CREDIT, 4 * DOLLAR, 10 * DOLLAR),
        (Change.LIMIT, 3 * DOLLAR, 7 * DOLLAR),
        (Change.LIMIT, 12 * DOLLAR, 16 * DOLLAR),
        (Change.ADD, 18 * DOLLAR, 16 * DOLLAR),
        (Change.LIMIT, 30 * DOLLAR, 18 * DOLLAR),
    )
    interventions = tuple(
        Intervention(at_ns, *change) for at_ns, change in zip(moments, changes, strict=True)
    )
    return Plan(
        "changes",
        "Policies created, lowered, credited; 8 callers × 4 processes",
        6 * DOLLAR,
        scripts,
        interventions=interventions,
        foils=False,
    )


def kill(seed: int, *, quick: bool) -> Plan:
    """`kill -9` on all processes in the middle; callers come back and ask under the same ids."""
    dice = random.Random(f"{seed} kill")

    def turn(id_: str) -> Turn:
        amount = dice.randrange(CENT, 3 * CENT)
        real = amount if dice.random() < 0.5 else dice.randrange(amount // 2, amount)
        return Turn(id_, amount, real, hold_ns=dice.randrange(1, 10) * MILLISECOND_NS)

    scripts = _scripts(3, 10, 8 if quick else 24, "kill", turn)
    limit = sum(turn.real for turn in _turns(scripts)) * 7 // 10
    kills = 1 if quick else 2
    times = "once" if kills == 1 else "twice"
    title = f"kill -9 {times}, retried by id, 10 callers × 3 processes"
    return Plan("kill", title, limit, scripts, kills=kills)


def vanishing_clients(seed: int, *, quick: bool) -> Plan:
    """Clients take all there is and are never heard of again; later ones need the whole of it."""
    del seed  # all ask for the same
    each, callers = 14, 20  # more holds than one pass of expiry takes
    lifetime_seconds = 1 if quick else 2
    asks = each * callers * 2

    def vanishes(id_: str) -> Turn:
        return Turn(id_, CENT, CENT, ending=Ending.VANISH)

    gone = _scripts(2, callers, each, "vanish", vanishes)
    back_ns = 2 * lifetime_seconds * SECOND_NS
    whole = Turn("whole", asks * CENT, asks * CENT, ending=Ending.RELEASE, at_ns=back_ns)
    later_ns = back_ns + SECOND_NS // 2

    def comes_later(id_: str) -> Turn:
        return Turn(id_, CENT, CENT, at_ns=later_ns)

    later = _scripts(2, callers, each, "later", comes_later)
    return Plan(
        "vanish",
        f"Clients that vanish with {asks} holds, 20 callers × 2 processes",
        asks * CENT,
        (((whole,), *gone[0], *later[0]), (*gone[1], *later[1])),
        lifetime_seconds=lifetime_seconds,
    )


def _scripts(
    processes: int, callers: int, turns: int, name: str, turn: Callable[[str], Turn]
) -> tuple[tuple[Caller, ...], ...]:
    return tuple(
        tuple(tuple(turn(f"{name}-{p}-{c}-{i}") for i in range(turns)) for c in range(callers))
        for p in range(processes)
    )


def _turns(scripts: Iterable[Iterable[Caller]]) -> list[Turn]:
    return [turn for process in scripts for caller in process for turn in caller]
