"""The oracle: from what callers sent and heard alone, what was granted that must not have been.

It knows nothing of the system but its answers, and answers take time: of each effect it only knows
that it lies between the moment a call was sent and the moment it was answered. So every number is a
bound that accuses nobody falsely. *Over* counts a grant from when it was answered until its end was
sent: so much was in force for certain. *Denied though it fitted* counts a grant from when it was
asked for until its end was answered: more cannot have been in force while the denial was made.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from tekton_budget.proof.call_log import Call, Heard, Verb
from tekton_budget.proof.turns import SECOND_NS

CLOCK_NS = SECOND_NS // 10  # how far the system's clock may stray from ours in one run


@dataclass(slots=True)
class Life:
    """One id: asked for, granted, ended."""

    id: str
    group: str
    asked_ns: int
    amount: int  # granted, or asked for where no answer came
    granted_ns: int | None = None
    end_sent_ns: int | None = None
    end_answered_ns: int | None = None
    real: int = 0
    settles: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A change of what may be used: from some moment between these two on."""

    sent_ns: int
    answered_ns: int
    allowance: int


@dataclass(slots=True)
class Findings:
    """What the oracle says of a run, in the budget's unit."""

    asks: int = 0
    granted: int = 0
    denied: int = 0
    failed: int = 0  # asks without a yes or a no
    over: int = 0
    false_denials: int = 0
    spent: int = 0  # settled and answered, in all groups
    lost: int = 0  # answered as settled, and not found
    doubled: int = 0  # found, though nobody settled it
    lost_calls: int = 0  # ids that were granted and then not known, or known otherwise
    cut_short: int = 0  # grants of less than was asked
    errors: set[str] = field(default_factory=set)


def findings_of(
    calls: Sequence[Call],
    *,
    limit: int,
    lifetime_seconds: int,
    spent: Callable[[str], int],
    turns_at_ns: int | None = None,
) -> Findings:
    """Judge a run by its calls; `spent` asks the system what it says was settled in a group."""
    found = Findings()
    steps = steps_of(calls, limit)
    lifetime_ns = lifetime_seconds * SECOND_NS
    for group, own in sorted(_by_group(calls, turns_at_ns).items()):
        lives = _lives(own, found)
        found.over += over(lives, steps, lifetime_ns)
        denials = [call for call in own if call.heard is Heard.DENIED]
        found.false_denials += len(false_denials(denials, lives, steps, lifetime_ns))
        settled = [life for life in lives if life.settles]
        certain = sum(life.real for life in settled if life.end_answered_ns is not None)
        possible = sum(life.real for life in settled)
        found.spent += certain
        if group[1] == 0 and turns_at_ns is not None:
            continue  # the window that was: the system answers for the one that is open
        known = spent(group[0])
        found.lost += max(0, certain - known)
        found.doubled += max(0, known - possible)
    return found


def steps_of(calls: Iterable[Call], limit: int) -> list[Step]:
    """The allowance at first, and each change of it."""
    steps = [Step(0, 0, limit)]
    steps += [
        Step(call.sent_ns, call.answered_ns, call.amount)
        for call in calls
        if call.verb is Verb.ALLOW and call.answered_ns is not None
    ]
    return steps


def over(lives: Iterable[Life], steps: Sequence[Step], lifetime_ns: int) -> int:
    """The most by which what was in force for certain stood above the allowance.

    What stands above a lowered allowance was granted before; so after a lowering nothing is said
    until something is granted that was asked for later.
    """
    moves: list[tuple[int, int, int]] = []
    for life in lives:
        if life.granted_ns is None:
            continue
        expires_ns = life.asked_ns + lifetime_ns - CLOCK_NS
        on_time = life.end_answered_ns is not None and life.end_answered_ns < expires_ns
        kept = min(life.real, life.amount) if life.settles and on_time else 0
        ends_ns = expires_ns if life.end_sent_ns is None else min(life.end_sent_ns, expires_ns)
        moves.append((life.granted_ns, life.amount, life.asked_ns))
        moves.append((max(ends_ns, life.granted_ns), kept - life.amount, 0))
    moves.sort(key=lambda move: move[:2])  # at one moment what is given back comes first
    lowered_ns = [b.answered_ns for a, b in pairwise(steps) if _is_lower(a, b)]
    used = worst = 0
    latest_ask_ns = 0
    for at_ns, amount, asked_ns in moves:
        used += amount
        latest_ask_ns = max(latest_ask_ns, asked_ns)
        lowerings = bisect_right(lowered_ns, at_ns)
        if lowerings and latest_ask_ns <= lowered_ns[lowerings - 1]:
            continue
        worst = max(worst, used - max(allowances(steps, at_ns, at_ns)))
    return worst


def false_denials(
    denials: Iterable[Call], lives: Iterable[Life], steps: Sequence[Step], lifetime_ns: int
) -> list[Call]:
    """The denials that cannot have been right, whatever happened between sending and answer."""
    starts: list[tuple[int, int]] = []
    ends: list[tuple[int, int]] = []
    for life in lives:
        full = max(life.amount, life.real)
        starts.append((life.asked_ns, full))
        if life.end_answered_ns is not None:
            ends.append((life.end_answered_ns, full - life.real))
        elif life.granted_ns is not None and life.end_sent_ns is None:
            ends.append((life.granted_ns + lifetime_ns + CLOCK_NS, full))
    begun, freed = _Sums(starts), _Sums(ends)
    false = []
    for denial in denials:
        assert denial.answered_ns is not None
        most = begun.up_to(denial.answered_ns) - freed.up_to(denial.sent_ns)
        if most + denial.least <= min(allowances(steps, denial.sent_ns, denial.answered_ns)):
            false.append(denial)
    return false


def allowances(steps: Sequence[Step], from_ns: int, to_ns: int) -> list[int]:
    """The allowances that may have been in force at some moment between these two."""
    last = bisect_right([step.answered_ns for step in steps], from_ns) - 1
    coming = [step for step in steps[last + 1 :] if step.sent_ns <= to_ns]
    return [steps[last].allowance, *(step.allowance for step in coming)]


def _is_lower(before: Step, after: Step) -> bool:
    return after.allowance < before.allowance


class _Sums:
    """Running sums over moments."""

    def __init__(self, moves: list[tuple[int, int]]) -> None:
        moves.sort()
        self._moments = [at_ns for at_ns, _ in moves]
        self._sums = [0, *accumulate(amount for _, amount in moves)]

    def up_to(self, at_ns: int) -> int:
        return self._sums[bisect_right(self._moments, at_ns)]


def _by_group(calls: Iterable[Call], turns_at_ns: int | None) -> dict[tuple[str, int], list[Call]]:
    """Calls of each group, and of each window where windows turn.

    Nobody calls while a window turns, so the moment of sending tells the window of an id.
    """
    moments = [] if turns_at_ns is None else [turns_at_ns]
    window_of: dict[str, int] = {}
    groups: dict[tuple[str, int], list[Call]] = {}
    for call in calls:
        if call.verb is not Verb.ALLOW:
            window = window_of.setdefault(call.id, bisect_left(moments, call.sent_ns))
            groups.setdefault((call.group, window), []).append(call)
    return groups


def _lives(calls: Iterable[Call], found: Findings) -> list[Life]:
    """What became of each id; what is odd about the answers is noted."""
    lives: dict[str, Life] = {}
    for call in calls:
        if call.error:
            found.errors.add(call.error)
        if call.verb is Verb.RESERVE:
            _ask(lives, call, found)
        else:
            _end(lives[call.id], call, found)
    found.granted += sum(life.granted_ns is not None for life in lives.values())
    return list(lives.values())


def _ask(lives: dict[str, Life], call: Call, found: Findings) -> None:
    known = lives.get(call.id)
    found.asks += call.answered_ns is not None
    found.failed += call.heard is Heard.FAILED
    if call.heard is Heard.DENIED:
        found.denied += 1
        if known is not None and known.granted_ns is not None:
            found.lost_calls += 1
        return
    if known is None:
        known = lives[call.id] = Life(call.id, call.group, call.sent_ns, call.amount)
    if call.heard is not Heard.GRANTED:
        return
    if known.granted_ns is None:
        known.granted_ns, known.amount = call.answered_ns, call.granted
        found.cut_short += call.granted < call.amount
    elif known.amount != call.granted:
        found.lost_calls += 1


def _end(life: Life, call: Call, found: Findings) -> None:
    life.settles = call.verb is Verb.SETTLE
    life.real = call.amount
    life.end_sent_ns = min(life.end_sent_ns or call.sent_ns, call.sent_ns)
    if call.heard is Heard.DONE and life.end_answered_ns is None:
        life.end_answered_ns = call.answered_ns
    found.lost_calls += call.heard is Heard.FAILED


def busy_seconds(calls: Iterable[Call]) -> float:
    """For how long at least one call was under way."""
    busy_ns = until_ns = 0
    for call in calls:
        if call.answered_ns is None or call.verb is Verb.ALLOW:
            continue
        busy_ns += max(0, call.answered_ns - max(call.sent_ns, until_ns))
        until_ns = max(until_ns, call.answered_ns)
    return busy_ns / SECOND_NS


def latencies_ms(calls: Iterable[Call]) -> list[float]:
    """How long each decision took, shortest first."""
    return sorted(
        (call.answered_ns - call.sent_ns) / 1e6
        for call in calls
        if call.verb is Verb.RESERVE and call.answered_ns is not None
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of sorted values lies."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
