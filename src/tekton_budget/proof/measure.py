"""One run: a workload against an arm, from an empty budget to what the oracle says of it."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tekton_budget.proof.adapter import (
    Adapter,
    Arm,
    Budget,
    Changing,
    Connect,
    NotOffered,
    Verifying,
)
from tekton_budget.proof.call_log import Call, CallLog, Heard, Verb, read_calls
from tekton_budget.proof.crew import Crew, close
from tekton_budget.proof.oracle import (
    Findings,
    busy_seconds,
    findings_of,
    latencies_ms,
    quantile,
)
from tekton_budget.proof.turns import SECOND_NS, Caller, Change, Intervention, Plan

LINES_A_TURN = 3  # sent and heard, of an ask and of its end; of a denial, two
WINDOW_NS = 10_000_000  # clocks may differ by so much
SETTING_UP_SECONDS = (2, 10, 40)  # before a window turns at a fixed moment; longer if too slow


class TooSlow(Exception):
    """The machine was not ready when a window turned: the run says nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run came to. Amounts are in the budget's unit."""

    arm: str
    workload: str
    title: str
    callers: int
    processes: int
    unit: str
    allowance: int
    findings: Findings
    truncated: int  # calls that had to end with less than they wanted
    missing: int  # grants too few or too many, where their number is known beforehand
    differences: int | None  # `None`: it has no history to recount
    seconds: float
    decisions_per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def used_share(self) -> float:
        """How much of what could be used was used."""
        return self.findings.spent / self.allowance

    @property
    def over_share(self) -> float:
        """How far beyond the allowance it went."""
        return self.findings.over / self.allowance

    def faults(self) -> list[str]:
        """What an exact system must not show."""
        found = self.findings
        said = [
            (found.over, "granted over the allowance"),
            (found.lost, "answered but lost"),
            (found.doubled, "counted twice"),
            (found.lost_calls, "calls whose id was not known again"),
            (found.false_denials, "denied though it fitted"),
            (self.missing, "grants more or fewer than there must be"),
            (found.failed, "asks that failed"),
            (self.differences or 0, "journal differences"),
        ]
        faults = [f"{number:,} {what}" for number, what in said if number]
        return faults if found.asks else ["nothing was asked"]


def measured(
    name: str,
    arm: Arm,
    plan: Plan,
    crew: Crew,
    folder: Path,
    setting_up_seconds: int = SETTING_UP_SECONDS[0],
) -> Measured:
    """Run a workload; the folder is empty, and its name that of the budget.

    Raises `NotOffered` where the arm has nothing of the kind, and `TooSlow` where a window turned
    before all was set up.
    """
    started = time.monotonic()
    start_ns = (
        time.monotonic_ns() + setting_up_seconds * SECOND_NS if plan.turn_ns is not None else None
    )
    budget = Budget(
        folder.name,
        plan.limit,
        plan.unit,
        plan.per_group,
        plan.lifetime_seconds,
        None if start_ns is None or plan.turn_ns is None else start_ns + plan.turn_ns,
    )
    connect = arm(budget)
    here = connect()
    try:
        if plan.interventions and not isinstance(here, Changing):
            raise NotOffered("its limits cannot change while it runs")
        logs = _played(plan, connect, here, crew, folder, start_ns)
        return _judged(name, plan, budget, here, logs, time.monotonic() - started)
    finally:
        close(here)


def _played(
    plan: Plan, connect: Connect, here: Adapter, crew: Crew, folder: Path, start_ns: int | None
) -> list[Path]:
    """Let the callers play; where their calls are noted."""
    logs = [folder / f"calls-{p}.log" for p in range(len(plan.processes))]
    if plan.kills:
        return _played_with_kills(plan, connect, crew, folder)
    changes = folder / "changes.log"

    def change_limits(start: int) -> None:
        assert isinstance(here, Changing)
        log = CallLog(changes)
        for number, intervention in enumerate(plan.interventions):
            time.sleep(max(0, start + intervention.at_ns - time.monotonic_ns()) / SECOND_NS)
            sent = log.sent(Verb.ALLOW, f"change-{number}", "", intervention.allowance)
            _intervene(here, intervention, f"credit-{number}")
            log.heard(sent, Heard.DONE)
        log.close()

    crew.play(
        connect,
        plan.processes,
        logs,
        seconds_max=plan.seconds_max,
        start_ns=start_ns,
        meanwhile=change_limits if plan.interventions else None,
    )
    return [*logs, changes]


def _intervene(here: Changing, intervention: Intervention, id_: str) -> None:
    if intervention.change is Change.CREDIT:
        here.credit(intervention.amount, id_)
    elif intervention.change is Change.ADD:
        here.add_limit(intervention.amount)
    else:
        here.change_limit(intervention.amount)


def _played_with_kills(plan: Plan, connect: Connect, crew: Crew, folder: Path) -> list[Path]:
    """Kill all processes again and again; whoever was not done asks again under the same ids."""
    logs: list[Path] = []
    dice = random.Random(plan.title)
    for life in range(plan.kills + 1):
        rest = _unfinished(plan, logs)
        own = [folder / f"calls-{life}-{p}.log" for p in range(len(rest))]
        logs += own
        turns = sum(len(caller) for process in rest for caller in process)
        lives_left = plan.kills + 1 - life
        lines = int(turns * LINES_A_TURN / lives_left * dice.uniform(0.3, 0.8))

        def kill_in_the_middle(_start: int, own: Sequence[Path] = own, lines: int = lines) -> None:
            while _lines_of(own) < lines and not crew.is_idle():
                time.sleep(0.002)
            crew.kill()

        crew.play(
            connect,
            rest,
            own,
            seconds_max=plan.seconds_max,
            meanwhile=kill_in_the_middle if life < plan.kills else None,
        )
    return logs


def _lines_of(logs: Sequence[Path]) -> int:
    return sum(log.read_bytes().count(b"\n") for log in logs if log.exists())


def _unfinished(plan: Plan, logs: Sequence[Path]) -> tuple[tuple[Caller, ...], ...]:
    """The turns that are not over: never begun, never answered, or granted and not ended."""
    over = {
        call.id
        for call in read_calls(logs)
        if call.heard in (Heard.DENIED, Heard.DONE, Heard.FAILED)
    }
    return tuple(
        tuple(tuple(turn for turn in caller if turn.id not in over) for caller in process)
        for process in plan.processes
    )


def _judged(
    name: str, plan: Plan, budget: Budget, here: Adapter, logs: Sequence[Path], seconds: float
) -> Measured:
    calls = read_calls(logs)
    _check_window(plan, calls, budget.turns_at_ns)
    findings = findings_of(
        calls,
        limit=plan.limit,
        lifetime_seconds=plan.lifetime_seconds,
        spent=here.spent,
        turns_at_ns=budget.turns_at_ns,
    )
    waits = latencies_ms(calls)
    busy = busy_seconds(calls)
    return Measured(
        arm=name,
        workload=plan.name,
        title=plan.title,
        callers=plan.callers,
        processes=len(plan.processes),
        unit=plan.unit.value,
        allowance=plan.allowance,
        findings=findings,
        truncated=_truncated(plan, calls),
        missing=_missing(plan, calls, findings.granted),
        differences=here.differences() if isinstance(here, Verifying) else None,
        seconds=seconds,
        decisions_per_second=len(waits) / busy if busy else 0.0,
        p50_ms=quantile(waits, 0.5),
        p99_ms=quantile(waits, 0.99),
    )


def _missing(plan: Plan, calls: Sequence[Call], granted: int) -> int:
    """How far off the number of grants is, where it is known and everybody had a turn."""
    planned = sum(len(caller) for process in plan.processes for caller in process)
    asked = {call.id for call in calls if call.verb is Verb.RESERVE}
    if plan.exactly is None or len(asked) < planned:
        return 0
    return abs(plan.exactly - granted)


def _truncated(plan: Plan, calls: Sequence[Call]) -> int:
    wanted = {turn.id: turn.real for process in plan.processes for c in process for turn in c}
    settled = [call for call in calls if call.verb is Verb.SETTLE]
    return sum(call.amount < wanted[call.id] for call in settled)


def _check_window(plan: Plan, calls: Sequence[Call], turns_at_ns: int | None) -> None:
    """The oracle tells windows by the moment of sending: nothing may be under way as they turn."""
    if turns_at_ns is None:
        return
    before = {
        turn.id for process in plan.processes for c in process for turn in c if not turn.at_ns
    }
    for call in calls:
        answered_ns = call.answered_ns or call.sent_ns
        if call.id in before and answered_ns + WINDOW_NS > turns_at_ns:
            raise TooSlow("calls were still under way when the window turned")
