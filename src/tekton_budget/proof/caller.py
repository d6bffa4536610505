"""A caller: takes its turns against an adapter and notes what it sent and heard."""

import random
import time

from tekton_budget.proof.adapter import Adapter, Clamping, Granted
from tekton_budget.proof.call_log import CallLog, Heard, Verb
from tekton_budget.proof.turns import SECOND_NS, Caller, Ending, Turn

RETRY_SECONDS = (0.03, 0.12)  # between two asks of a caller that was denied and waits
ASKS_BEFORE_LESS = 8  # after so many denials it makes do with half
ASKS_BEFORE_LOOKING = 3  # so often it looks whether anything is left at all
LEAST = 16


def play(adapter: Adapter, turns: Caller, log: CallLog, *, start_ns: int, stop_ns: int) -> None:
    """All turns, one after the other; none is begun after `stop_ns`."""
    for turn in turns:
        _wait_until(start_ns + turn.at_ns)
        if time.monotonic_ns() >= stop_ns:
            return
        granted = _asked(adapter, turn, log, stop_ns)
        if granted is None:
            continue
        real = min(turn.real, granted.amount)
        if turn.hold_ns:
            time.sleep(turn.hold_ns * real / max(1, turn.real) / SECOND_NS)
        _end(adapter, turn, log, real)


def _asked(adapter: Adapter, turn: Turn, log: CallLog, stop_ns: int) -> Granted | None:
    """Ask until it is granted or patience ends, making do with less as time goes by."""
    dice = random.Random(turn.id)
    until_ns = min(time.monotonic_ns() + turn.patience_ns, stop_ns)
    denials = 0
    while True:
        granted = _reserve(adapter, turn, log, denials)
        if granted is not None or time.monotonic_ns() >= until_ns:
            return granted
        denials += 1
        looks = turn.enough is not None and denials % ASKS_BEFORE_LOOKING == 0
        if looks and adapter.spent(turn.group) >= (turn.enough or 0):
            return None
        time.sleep(dice.uniform(*RETRY_SECONDS))


def _reserve(adapter: Adapter, turn: Turn, log: CallLog, denials: int) -> Granted | None:
    clamps = turn.least is not None and isinstance(adapter, Clamping)
    least = turn.amount
    if turn.least is not None and clamps:
        least = max(LEAST, turn.least >> (denials // ASKS_BEFORE_LESS))
    number = log.sent(Verb.RESERVE, turn.id, turn.group, turn.amount, least)
    try:
        if isinstance(adapter, Clamping) and clamps:
            granted = adapter.reserve_up_to(turn.amount, turn.id, turn.group, least)
        else:
            granted = adapter.reserve(turn.amount, turn.id, turn.group)
    except Exception as error:  # noqa: BLE001  (whatever a system raises is a finding, not our end)
        log.heard(number, Heard.FAILED, error=repr(error))
        return None
    if granted is None:
        log.heard(number, Heard.DENIED)
    else:
        log.heard(number, Heard.GRANTED, granted.amount)
    return granted


def _end(adapter: Adapter, turn: Turn, log: CallLog, real: int) -> None:
    if turn.ending is Ending.VANISH:
        return
    settles = turn.ending is Ending.SETTLE
    verb = Verb.SETTLE if settles else Verb.RELEASE
    number = log.sent(verb, turn.id, turn.group, real if settles else 0)
    try:
        if settles:
            adapter.settle(turn.id, real)
        else:
            adapter.release(turn.id)
    except Exception as error:  # noqa: BLE001  (whatever a system raises is a finding, not our end)
        log.heard(number, Heard.FAILED, error=repr(error))
    else:
        log.heard(number, Heard.DONE)


def _wait_until(moment_ns: int) -> None:
    wait_ns = moment_ns - time.monotonic_ns()
    if wait_ns > 0:
        time.sleep(wait_ns / SECOND_NS)
