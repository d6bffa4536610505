"""What is done with a run: begun or continued under its cap, kept alive, ended."""

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Conflict, Forbidden, invalid
from tekton_budget.domain.limit_text import limits_text
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.domain.policy import Policy
from tekton_budget.domain.run import (
    LAND_NOTE_MAX,
    RUN,
    RUNS_BUDGET,
    Cap,
    Counted,
    Landing,
    Run,
    run_name,
    run_policy_name,
    run_scope,
)
from tekton_budget.domain.scope import checked_labels
from tekton_budget.service.asking.commands import new_id
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.keys import hash_of
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.runs.passing import RunPass, RunPasses
from tekton_budget.service.runs.reserves import Reserves
from tekton_budget.service.runs.views import RunViews
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.runs import RunRows, put_run, run_named
from tekton_budget.storage.writer import Exclusively, Writer

LEASE_SECONDS = 4
LEASE_SECONDS_MAX = 24 * 3600
COMMAND_MAX = 500
_SECOND_US = 1_000_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A run as it is asked for. `token`: the caller's own, so that asking again changes nothing."""

    name: str | None = None
    outer: str | None = None
    labels: Mapping[str, object] = field(default_factory=dict)
    cap: Cap = field(default_factory=Cap)
    add: Cap = field(default_factory=Cap)
    landing: Landing = field(default_factory=Landing)
    command: Sequence[str] = ()
    lease_seconds: int = LEASE_SECONDS
    reserve: bool = False  # hold what is left of the cap in the limits around it
    token: str | None = None


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run that is under way, with the token by which its calls are known: shown this once."""

    run: Run
    token: str
    continued: bool


@dataclass(frozen=True, slots=True)
class RunState:
    """How a run stands while it is under way."""

    run: Run
    counted: Counted
    at_cap: bool


class RunVerbs:
    """Begin, let through, keep alive, end."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        policies: PolicyVerbs,
        ledger: LedgerVerbs,
        passes: RunPasses,
        views: RunViews,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._rows = RunRows(reader, writer)
        self._policies = policies
        self._ledger = ledger
        self._passes = passes
        self._views = views
        self._reserves = Reserves(ledger, views)

    # For each call ------------------------------------------------------------------------------

    def known(self, token: str) -> RunPass | None:
        """What `admit` would answer, where that needs no look at the store."""
        return self._passes.known(token)

    def admit(self, token: str) -> RunPass:
        """The run that a call belongs to; refuses where it, or one around it, has ended."""
        return self._passes.admit(token)

    def count(self, run_id: str, calls: int = 0, refused: int = 0, clamped: int = 0) -> None:
        """What became of calls: cheap, and written down by a pass."""
        self._passes.count(run_id, calls, refused, clamped)

    def flush(self) -> int:
        """Write down what was counted; of how many runs."""
        return self._passes.flush()

    # For each run -------------------------------------------------------------------------------

    def open_run(self, caller: Caller, asked: AskedRun) -> OpenedRun:
        """Begin a run, or continue the one of that name under the same cap."""
        _may_run(caller)
        token = _token(asked.token)
        self.flush()  # what was counted before it is continued is not of its next part
        outer = None if asked.outer is None else self._outer(caller, asked.outer)
        part = asked.name if asked.name is not None else _made_name(asked.command)
        name = run_name(part, None if outer is None else outer.name)
        before = self._rows.named(name)
        if before is not None:
            _own(caller, before)
            if self._is_again(before, hash_of(token)):
                return OpenedRun(before, token, before.started_us != before.created_us)
        run = self._run(caller, asked, name, outer, before)
        run = replace(run, policy_id=self._capped(caller, asked, run, before))
        self._give(caller, asked.add, run, hash_of(token))
        if asked.reserve:
            run = replace(run, reserve_id=self._reserves.hold(caller, run, outer))

        def put(alone: Exclusively) -> Run:
            now_us = alone.now_us
            there = run_named(alone.session, name)
            if there is not None and there.is_alive(now_us):
                raise _under_way(there)
            began = replace(run, started_us=now_us, alive_until_us=now_us + run.lease_us)
            began = replace(began, created_us=now_us) if there is None else _goes_on(began, there)
            put_run(alone.session, began, hash_of(token))
            return began

        try:
            begun = self._writer.exclusively(put).result()
        except Conflict:
            self._reserves.free(caller, run)
            raise
        self._passes.forget()
        return OpenedRun(begun, token, continued=before is not None)

    def beat(self, caller: Caller, run: str) -> RunState:
        """A sign of life, and how the run stands. Refuses where it, or one around it, ended."""
        found = self._of(caller, run)
        self._rows.beat(found.run_id, self._reader.now_us())
        self._reserves.keep(caller, found)
        beaten = self._rows.by_id(found.run_id)
        assert beaten is not None, "runs are never deleted"
        self._passes.alive(beaten)
        return RunState(beaten, self._passes.counted(beaten), self._views.at_cap(beaten))

    def end(self, caller: Caller, run: str, exit_code: int | None = None) -> Run:
        """Over: nothing more is let through, nor for the runs inside. The first end is kept."""
        found = self._of(caller, run)
        self.flush()
        self._rows.end(found.run_id, self._reader.now_us(), exit_code)
        self._reserves.free(caller, found)
        self._passes.forget()
        ended = self._rows.by_id(found.run_id)
        assert ended is not None, "runs are never deleted"
        return ended

    def _of(self, caller: Caller, name_or_id: str) -> Run:
        run = self._views.run_named(caller, name_or_id)
        _own(caller, run)
        return run

    def _outer(self, caller: Caller, name_or_id: str) -> Run:
        outer = self._of(caller, name_or_id)
        clash = [n for n, v in caller.labels.items() if outer.labels.get(n, v) != v]
        if clash:
            raise Forbidden(
                f'This key forces another {clash[0]} than the run "{outer.name}" has.',
                code="outside_scope",
            )
        return self._passes.alive(outer)

    def _run(
        self, caller: Caller, asked: AskedRun, name: str, outer: Run | None, before: Run | None
    ) -> Run:
        given = checked_labels(asked.labels)
        given.pop(RUN, None)
        around = {} if outer is None else outer.labels
        labels = {**given, **around, **caller.labels}
        if labels.get(RUN) is not None:
            raise Forbidden("This key forces the label run: it begins none.", code="outside_scope")
        caller.labelled({**labels, RUN: name})  # refuses now what every call would be refused for
        return Run(
            run_id=new_id() if before is None else before.run_id,
            name=name,
            policy_id=None,
            labels=labels,
            outer_id=None if outer is None else outer.run_id,
            key_id=caller.key_id,
            key_name=caller.name,
            command=shlex.join(asked.command)[:COMMAND_MAX],
            land_note=_note(asked.landing),
            reserve_id=None,
            lease_us=_lease_us(asked.lease_seconds),
            created_us=0,
            started_us=0,
            alive_until_us=0,
        )

    def _capped(self, caller: Caller, asked: AskedRun, run: Run, before: Run | None) -> str | None:
        """The policy of the cap: the one that is there, else a new one where a cap is given."""
        known = None if before is None else self._views.policy_of(before)
        if known is not None:
            _same_cap(run.name, known, asked.cap)
            return known.policy_id
        if asked.cap.is_none:
            return None
        self._runs_budget()
        fields: dict[str, object] = {
            "name": run_policy_name(run.name),
            "period": "total",
            "scope": {**caller.labels, **run_scope(run.name)},
            "metadata": {RUN: run.name},
        }
        if asked.cap.cost_nano is not None:
            fields["cost_limit"] = usd_from_nano(asked.cap.cost_nano)
        if asked.cap.tokens is not None:
            fields["token_limit"] = asked.cap.tokens
        if asked.landing.share_ppm:
            fields["landing"] = Decimal(asked.landing.share_ppm).scaleb(-6)
        made = self._policies.create_policy(_for_all(caller), fields, budget=RUNS_BUDGET)
        return made.policy.policy_id

    def _runs_budget(self) -> None:
        if RUNS_BUDGET in self._reader.policies().budgets:
            return
        taken = any(b.name == RUNS_BUDGET for b in self._reader.policies().budgets.values())
        with suppress(Conflict):  # another made it just now
            self._policies.create_budget(
                LOCAL,
                name=f"{RUNS_BUDGET} (tekton-budget run)" if taken else RUNS_BUDGET,
                description="Caps of runs: tekton-budget runs list",
                budget_id=RUNS_BUDGET,
            )

    def _give(self, caller: Caller, add: Cap, run: Run, token_hash: str) -> None:
        """More for a run that is continued, for as long as it is."""
        if add.is_none:
            return
        if run.policy_id is None:
            raise invalid("add", f'the run "{run.name}" has no cap to add to: give it one first')
        self._ledger.give_credit(
            _for_all(caller),
            run.policy_id,
            Amounts(add.tokens or 0, add.cost_nano or 0, 0),
            reason="tekton-budget run --add",
            credit_id=f"run-{token_hash[:32]}",
        ).result()

    def _is_again(self, run: Run, token_hash: str) -> bool:
        """Whether this very request was done; refuses what is under way before anything changes."""
        if not run.is_alive(self._reader.now_us()):
            return False
        if not self._is_token_of(run, token_hash):
            raise _under_way(run)
        return True

    def _is_token_of(self, run: Run, token_hash: str) -> bool:
        by_token = self._rows.by_token(token_hash)
        return by_token is not None and by_token.run_id == run.run_id


def _may_run(caller: Caller) -> None:
    if caller.role is Role.VIEWER:
        raise Forbidden("A viewer key begins no runs; use a client key.", code="role_needed")


def _own(caller: Caller, run: Run) -> None:
    """Clients touch only what was begun by their own key."""
    if caller.role in (Role.ADMIN, Role.OPERATOR) and caller.sees(run.labels):
        return
    if caller.role is Role.CLIENT and caller.name == run.key_name:
        return
    raise Forbidden(
        f'The run "{run.name}" was begun by another key: choose another name.', code="not_own_run"
    )


def _for_all(caller: Caller) -> Caller:
    """The same, allowed to make the policy of its own run."""
    return replace(caller, role=Role.ADMIN, labels={}, requires=())


def _same_cap(name: str, policy: Policy, cap: Cap) -> None:
    limits = policy.limits
    if cap.is_none or (cap.cost_nano, cap.tokens) == (limits.cost_nano, limits.tokens):
        return
    given = limits_text(Limits(cap.tokens, cap.cost_nano, None))
    raise Conflict(
        f'The run "{name}" is capped at {limits_text(limits)} in all, not {given}. Continue it '
        f"without a cap, give it more (tekton-budget run --name {name} --add 1 -- COMMAND), or "
        "choose another name.",
        code="run_cap_differs",
    )


def _under_way(run: Run) -> Conflict:
    return Conflict(
        f'The run "{run.name}" is under way. Wait for it to end, or choose another --name.',
        code="run_under_way",
        run=run.name,
    )


def _goes_on(began: Run, before: Run) -> Run:
    """The same run: its counters go on."""
    return replace(
        began,
        run_id=before.run_id,
        created_us=before.created_us,
        calls=before.calls,
        refused=before.refused,
        clamped=before.clamped,
    )


def _token(given: str | None) -> str:
    if given is None:
        return secrets.token_urlsafe(32)
    if not _TOKEN.fullmatch(given):
        raise invalid("token", "send 32 to 128 random characters of A-Z a-z 0-9 _ -")
    return given


def _made_name(command: Sequence[str]) -> str:
    """The command's own name and a few letters that tell its runs apart."""
    word = command[0].rpartition("/")[2] if command else ""
    said = _NOT_OF_NAMES.sub("-", word).strip("._-")[:40] or RUN
    return f"{said}-{secrets.token_hex(3)}"


def _note(landing: Landing) -> str | None:
    note = landing.note
    if note is not None and not 0 < len(note) <= LAND_NOTE_MAX:
        raise invalid("land_note", f"send 1 to {LAND_NOTE_MAX} characters")
    return note if landing.share_ppm else None


def _lease_us(seconds: int) -> int:
    if not 1 <= seconds <= LEASE_SECONDS_MAX:
        raise invalid("lease_seconds", f"send 1 to {LEASE_SECONDS_MAX}")
    return seconds * _SECOND_US
