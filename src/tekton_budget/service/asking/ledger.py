"""The ledger's verbs: ask, settle, release, extend, record, credit; each queues one command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Answer, Credited, Denial, Ended, Grant, Kept, Recorded
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.command import (
    Allocate,
    AuditNote,
    Command,
    GiveCredit,
    KeepAlive,
    Record,
    Settle,
    Together,
)
from tekton_budget.domain.errors import BudgetError, Forbidden, invalid
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.foreign.store import IMPORTED_FROM
from tekton_budget.service.asking.asks import (
    Ask,
    ExtendRequest,
    LedgerRequest,
    RecordRequest,
    ReleaseRequest,
    SettleRequest,
    Used,
)
from tekton_budget.service.asking.commands import (
    allocate_command,
    checked_id,
    command_of,
    content_of,
    new_id,
)
from tekton_budget.service.limiting.named import policy_named
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.writer import Ticket, Writer

BATCH_MAX = 1000
KEPT_MAX = 500  # allocations that one command keeps alive


class LedgerVerbs:
    """What callers do with budgets. Every verb gives a ticket: `.result()` it, or `await` it."""

    def __init__(
        self,
        writer: Writer,
        policies: Callable[[], PolicySet],
    ) -> None:
        self._writer = writer
        self._policies = policies

    def allocate(
        self,
        caller: Caller,
        ask: Ask,
        *,
        allocation_id: str | None = None,
        dry_run: bool = False,
        wait_seconds: float = 0,
    ) -> "Ticket[Grant | Denial]":
        """May this call be made? Over budget is an answer; what cannot be judged is refused."""
        _may_spend(caller)
        command = allocate_command(
            caller,
            ask,
            allocation_id,
            dry_run=dry_run,
            wait_seconds=wait_seconds,
        )
        return cast("Ticket[Grant | Denial]", self._writer.submit(self._with_budget(command)))

    def settle(
        self,
        caller: Caller,
        allocation_id: str,
        used: Used | None = None,
        *,
        labels: Mapping[str, object] | None = None,
        record_id: str | None = None,
        cascade: bool = False,
    ) -> "Ticket[Ended]":
        """Close an allocation with what it really used; the rest of its hold is free again.

        One with active children is refused, unless `cascade` ends them with it.
        """
        request = SettleRequest(allocation_id, used, labels or {}, record_id, cascade)
        return cast("Ticket[Ended]", self._submit(caller, request))

    def release(
        self, caller: Caller, allocation_id: str, *, cascade: bool = False
    ) -> "Ticket[Ended]":
        """Close an allocation and give back all that it, and with `cascade` its children, hold."""
        return cast("Ticket[Ended]", self._submit(caller, ReleaseRequest(allocation_id, cascade)))

    def extend(  # noqa: PLR0913  (a word each of an ask)
        self,
        caller: Caller,
        allocation_id: str,
        lifetime_seconds: int | None = None,
        *,
        max_output_tokens: int | None = None,
        tokens: int | None = None,
        cost: Decimal | None = None,
        fit: str = "all",
        min_grant: int | None = None,
        id_: str | None = None,
        quiet: bool = False,
    ) -> "Ticket[Ended | Denial]":
        """Move an allocation's expiry to so long from now, or let it use more, up to new totals.

        These are in the words of its ask. Where there is no room it stays as it is, denied.
        """
        request = ExtendRequest(
            allocation_id,
            lifetime_seconds,
            id_,
            max_output_tokens,
            tokens,
            cost,
            fit,
            min_grant,
            quiet,
        )
        return cast("Ticket[Ended | Denial]", self._submit(caller, request))

    def keep_alive(
        self, allocations: Sequence[tuple[str, str]], lifetime_seconds: int
    ) -> "Ticket[Kept]":
        """Let many, by key and id, live for so long from now; those that ended are passed over.

        Ours, for calls in flight: no caller is asked for. The ticket is that of the last of them.
        """
        keys, lifetime_us = list(allocations), lifetime_seconds * 1_000_000
        for start in range(0, max(1, len(keys)), KEPT_MAX):
            part = tuple(keys[start : start + KEPT_MAX])
            command = KeepAlive(new_id(), LOCAL, allocations=part, lifetime_us=lifetime_us)
            ticket = self._writer.submit(command)
        return cast("Ticket[Kept]", ticket)

    def record(
        self,
        caller: Caller,
        used: Used,
        *,
        labels: dict[str, object] | None = None,
        allocation_id: str | None = None,
        final: bool = False,
        record_id: str | None = None,
    ) -> "Ticket[Recorded | Ended]":
        """Post a usage; `final` settles its allocation."""
        request = RecordRequest(used, labels or {}, allocation_id, final, record_id)
        return cast("Ticket[Recorded | Ended]", self._submit(caller, request))

    def give_credit(
        self,
        caller: Caller,
        policy: str,
        amounts: Amounts,
        *,
        group: str = "",
        reason: str = "",
        expires_us: int | None = None,
        credit_id: str | None = None,
    ) -> "Ticket[Credited]":
        """An amount on top for one group's current window."""
        if caller.role not in (Role.ADMIN, Role.OPERATOR):
            raise Forbidden("Credit is given by operator or admin keys.", code="role_needed")
        if min(amounts) < 0 or not any(amounts):
            raise invalid("amount", "send more than 0 of cost, tokens or requests")
        found = policy_named(self._policies(), caller, policy)
        content = content_of([found.policy_id, group, list(amounts), reason, expires_us])
        id_ = checked_id(credit_id, "credit_id")
        after = json_text({"group": group, "amounts": amounts, "reason": reason})
        note = AuditNote("credit", "policy", found.policy_id, "null", after)
        command = GiveCredit(
            id_, caller, content, found.policy_id, group, amounts, reason, expires_us, note
        )
        return cast("Ticket[Credited]", self._writer.submit(command))

    def batch(
        self, caller: Caller, requests: Sequence[LedgerRequest], *, atomic: bool = False
    ) -> "list[Ticket[Answer] | BudgetError]":
        """Up to 1,000 commands, each answered on its own; `atomic` makes them one."""
        if not 0 < len(requests) <= BATCH_MAX:
            raise invalid("commands", f"send 1 to {BATCH_MAX}")
        if not atomic:
            return [self._tried(caller, request) for request in requests]
        _may_spend(caller)
        commands = tuple(self._command(caller, request) for request in requests)
        together = Together(new_id(), caller, "", commands)
        return [self._writer.submit(together)]

    def _tried(self, caller: Caller, request: LedgerRequest) -> "Ticket[Answer] | BudgetError":
        try:
            return self._submit(caller, request)
        except BudgetError as refusal:
            return refusal

    def _submit(self, caller: Caller, request: LedgerRequest) -> Ticket[Answer]:
        _may_spend(caller)
        return self._writer.submit(self._command(caller, request))

    def _command(self, caller: Caller, request: LedgerRequest) -> Command:
        return self._with_budget(command_of(caller, request))

    def _with_budget(self, command: Command) -> Command:
        """`budget` names a budget by id or name; the label carries its id, wherever it is said."""
        if not isinstance(command, Allocate | Settle | Record):
            return command
        _told_by_imports_alone(command.caller, command.labels)
        named = command.labels.get("budget")
        if named is None:
            return command
        bound = command.caller.labels
        found = self._writer.cache.policies.budget_called(named, bound)
        if found is None:  # it may be new: the last batch did not see it
            found = self._policies().budget_called(named, bound)
        if found is None:
            return command  # the ledger refuses it, unless this is a retry of what was answered
        return replace(command, labels={**command.labels, "budget": found.budget_id})


def _told_by_imports_alone(caller: Caller, labels: Mapping[str, str]) -> None:
    """An import's budget leaves out what other stores told: no client may call its calls that."""
    said = labels.get(IMPORTED_FROM)
    if caller.role is Role.CLIENT and said != caller.labels.get(IMPORTED_FROM):
        raise invalid(
            f"labels.{IMPORTED_FROM}", "only imports say it: leave it out, or use an operator key"
        )


def _may_spend(caller: Caller) -> None:
    if caller.role is Role.VIEWER:
        raise Forbidden("A viewer key may only read; use a client key.", code="role_needed")
