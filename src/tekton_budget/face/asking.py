"""Ask, settle, release, extend, record: what programs do before and after each call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tekton_budget.face import ledger
from tekton_budget.face.answers import Grant, Recorded, Settled
from tekton_budget.face.hold import Amount, HoldVerb
from tekton_budget.face.request import Json, Labels, Request, given, got, labelled, new_id, verb


class LedgerVerbs:
    """Ask, settle, release, extend, record: what programs do before and after each call."""

    labels: Labels  # of every call made through this face, unless the call says otherwise

    @HoldVerb
    def allocate(
        self,
        *,
        model: str | None = None,
        provider: str | None = None,
        input_tokens: int | None = None,
        max_output_tokens: int | None = None,
        tokens: int | None = None,
        cost: Amount | None = None,
        requests: int | None = None,
        labels: Labels | None = None,
        fit: str | None = None,
        min_grant: int | None = None,
        landing: str | None = None,
        priority: int | None = None,
        lifetime_seconds: int | None = None,
        expires_at: datetime | str | None = None,
        on_expiry: str | None = None,
        wait_seconds: float = 0,
        dry_run: bool = False,
        budget_id: str | None = None,
        allocation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        units: Mapping[str, int] | None = None,
        context: Mapping[str, Any] | None = None,
        cache_write: str | None = None,
        parent_id: str | None = None,
    ) -> Request[Grant]:
        """May this call be made? A hold to settle in its `with` block, or `BudgetExceeded`.

        `units` are further bounds (`{"web_search": 5}`), `context` is what the price hangs on
        (`{"service_tier": "priority"}`); `cache_write="5m"` if the input may be written to a cache.
        With `parent_id` it is a part of that allocation, wherever that was made: see `Hold.child`.
        """
        said = {**(labels or {}), **given(model=model, provider=provider)}
        return ledger.ask(
            allocation_id=allocation_id,
            labels=said if parent_id is not None else {**self.labels, **said},
            parent_id=parent_id,
            input_tokens=input_tokens,
            max_output_tokens=max_output_tokens,
            tokens=tokens,
            cost=cost,
            requests=requests,
            fit=fit,
            min_grant=min_grant,
            landing=landing,
            priority=priority,
            lifetime_seconds=lifetime_seconds,
            expires_at=expires_at,
            on_expiry=on_expiry,
            wait_seconds=wait_seconds,
            dry_run=dry_run,
            budget_id=budget_id,
            metadata=metadata,
            units=units,
            context=context,
            cache_write=cache_write,
        )

    @verb
    def settle(
        self,
        allocation_id: str,
        response: object = ledger.UNSAID,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        tokens: int = 0,
        cost: Amount | None = None,
        model_used: str | None = None,
        provider_used: str | None = None,
        timestamp: datetime | str | None = None,
        estimated: bool = False,
        operation_id: str | None = None,
        request_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        labels: Labels | None = None,
        record_id: str | None = None,
        api: str | None = None,
        context: Mapping[str, Any] | None = None,
        cascade: bool = False,
    ) -> Request[Settled]:
        """Say what an allocation's call really used; the rest of its hold is free again.

        `response` is the provider's own answer, or the chunks of its stream: see `Hold.settle`.
        `cascade` ends its active children with it.
        """
        used = ledger.used_fields(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
            tokens=tokens,
            cost=cost,
            model_used=model_used,
            provider_used=provider_used,
            timestamp=timestamp,
            estimated=estimated,
            operation_id=operation_id,
            request_id=request_id,
            metadata=metadata,
            response=response,
            api=api,
            context=context,
        )
        return ledger.settle(allocation_id, used, labels, record_id, cascade=cascade)

    @verb
    def release(self, allocation_id: str, *, cascade: bool = False) -> Request[Settled]:
        """Give back all that an allocation, and with `cascade` its children, still hold."""
        return ledger.release(allocation_id, cascade=cascade)

    @verb
    def extend(
        self,
        allocation_id: str,
        lifetime_seconds: int | None = None,
        *,
        max_output_tokens: int | None = None,
        tokens: int | None = None,
        cost: Amount | None = None,
        fit: str | None = None,
        min_grant: int | None = None,
    ) -> Request[Settled]:
        """Move an allocation's expiry to so long from now, or let it use more (`Hold.extend`)."""
        return ledger.extend(
            allocation_id,
            lifetime_seconds,
            max_output_tokens=max_output_tokens,
            tokens=tokens,
            cost=ledger.exact(cost),
            fit=fit,
            min_grant=min_grant,
        )

    @verb
    def record(
        self,
        response: object = ledger.UNSAID,
        *,
        model: str | None = None,
        provider: str | None = None,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        tokens: int = 0,
        cost: Amount | None = None,
        timestamp: datetime | str | None = None,
        estimated: bool = False,
        operation_id: str | None = None,
        request_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        labels: Labels | None = None,
        allocation_id: str | None = None,
        final: bool = False,
        record_id: str | None = None,
        api: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Request[Recorded]:
        """Post a usage: a fact, never denied. `final` settles its allocation.

        `response` is the provider's own answer, of which everything is read.
        """
        used = ledger.used_fields(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
            tokens=tokens,
            cost=cost,
            timestamp=timestamp,
            estimated=estimated,
            operation_id=operation_id,
            request_id=request_id,
            metadata=metadata,
            response=response,
            api=api,
            context=context,
        )
        if allocation_id is None:
            together = {**self.labels, **(labels or {}), **given(model=model, provider=provider)}
        else:
            together = dict(labels or {})
            used |= given(model_used=model, provider_used=provider)
        return ledger.record(
            used,
            labels=together,
            allocation_id=allocation_id,
            final=final,
            record_id=record_id,
        )

    @verb
    def batch(
        self, commands: Sequence[Mapping[str, Any]], *, atomic: bool = False
    ) -> Request[list[Json]]:
        """Up to 1,000 commands at once, each answered on its own as `{"status", "body"}`.

        A command is `{"do": "allocate", "cost": …, "labels": {…}}`, with `do` one of allocate,
        settle, release, extend and record. `atomic`: the first that is denied undoes all.
        """
        own = [
            {**one, "labels": {**self.labels, **(one.get("labels") or {})}}
            if one.get("do") == "allocate" and self.labels
            else dict(one)
            for one in commands
        ]
        body = {"commands": own, "atomic": atomic}
        return Request("batch", "POST", "/batch", _results, body=body, id=new_id())

    @verb
    def allocation(self, allocation_id: str) -> Request[Json]:
        """One allocation as it stands."""
        named = {"allocation_id": allocation_id}
        return got("allocation", "/allocations/{allocation_id}", named)

    @verb
    def allocations(
        self,
        *,
        labels: Labels | None = None,
        is_active: bool | None = None,
        parent_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of allocations; `next` of one is `after` of the following."""
        query = labelled(labels, is_active=is_active, parent_id=parent_id, after=after, limit=limit)
        return got("allocations", "/allocations", query=query)


def _results(answer: Any) -> list[Json]:
    return list(answer["results"])
