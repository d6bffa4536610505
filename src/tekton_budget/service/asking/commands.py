"""Requests → commands: ids fixed, labels completed, amounts checked, content made comparable."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar, assert_never

import msgspec
import uuid_utils

from tekton_budget.domain.allocation import LIFETIME_DEFAULT_US, LIFETIME_MAX_US, OnExpiry
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Extend,
    Fit,
    Landing,
    Record,
    Release,
    Settle,
)
from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.domain.money import CALL_COST_NANO_MAX, NANO_PER_USD, nano_ceiling, nano_from_usd
from tekton_budget.domain.scope import LABEL_VALUE_MAX, checked_labels
from tekton_budget.domain.usage import (
    CostSource,
    Measurement,
    TokenCounts,
    Usage,
)
from tekton_budget.service.asking.asks import (
    AllocateRequest,
    Ask,
    ExtendRequest,
    LedgerRequest,
    RecordRequest,
    ReleaseRequest,
    SettleRequest,
    Used,
)
from tekton_budget.service.asking.further import further_stated
from tekton_budget.service.asking.readings import response_of, told_of

TOKENS_MAX = 10**15
CALL_TOKENS_MAX = 10**12  # of each kind
REQUESTS_MAX = 10**9
WAIT_SECONDS_MAX = 300
PRIORITY_MAX = 10
METADATA_MAX = 16_384
Choice = TypeVar("Choice", bound=StrEnum)
_OF_EXTENDING = ("lifetime_seconds", "max_output_tokens", "tokens", "cost", "fit", "min_grant")
_ID = re.compile(r"[A-Za-z0-9._:@-]{1,200}")
_metadata = msgspec.json.Encoder(decimal_format="number").encode
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string").encode


def new_id() -> str:
    """A UUIDv7: unique, and in the order of time."""
    return str(uuid_utils.uuid7())


def checked_id(id_: str | None, field: str) -> str:
    """The caller's id, or a new one."""
    if id_ is None:
        return new_id()
    if not _ID.fullmatch(id_):
        raise invalid(field, "send 1 to 200 of the characters A-Z a-z 0-9 . _ : @ -")
    return id_


def content_of(request: object) -> str:
    """Canonical JSON of a request, by which a retry is told from another request."""
    return _canonical(request).decode()


def command_of(caller: Caller, request: LedgerRequest) -> Command:
    """The command that a request stands for."""
    match request:
        case AllocateRequest(ask, id_):
            return allocate_command(caller, ask, id_)
        case SettleRequest():
            return settle_command(caller, request)
        case ReleaseRequest(allocation_id, cascade):
            id_ = checked_id(allocation_id, "allocation_id")
            return Release(new_id(), caller, "{}", id_, cascade=cascade)
        case ExtendRequest():
            return extend_command(caller, request)
        case RecordRequest():
            return record_command(caller, request)
        case _ as other:
            assert_never(other)


def allocate_command(
    caller: Caller,
    ask: Ask,
    id_: str | None,
    *,
    dry_run: bool = False,
    wait_seconds: float = 0,
) -> Allocate:
    """An ask, complete."""
    faults = _amount_faults(
        ("input_tokens", ask.input_tokens, 0, CALL_TOKENS_MAX),
        ("max_output_tokens", ask.max_output_tokens, 0, CALL_TOKENS_MAX),
        ("tokens", ask.tokens, 0, CALL_TOKENS_MAX),
        ("requests", ask.requests, 0, REQUESTS_MAX),
        ("priority", ask.priority, 0, PRIORITY_MAX),
        ("min_grant", ask.min_grant, 0, TOKENS_MAX),
    )
    if not 0 <= wait_seconds <= WAIT_SECONDS_MAX:
        faults.append(FieldFault("wait_seconds", f"send 0 to {WAIT_SECONDS_MAX}"))
    if ask.tokens is not None and ask.max_output_tokens is not None:
        text = "send either tokens, or input_tokens with max_output_tokens"
        faults.append(FieldFault("tokens", text))
    lifetime_us = _lifetime_us(ask, faults)
    _raise(faults)
    return Allocate(
        id=checked_id(id_, "allocation_id"),
        caller=caller,
        content=_content_of_ask(ask),
        labels=_labels_of(caller, ask),
        input_tokens=ask.input_tokens,
        max_output_tokens=ask.max_output_tokens,
        tokens=ask.tokens,
        cost_nano=None if ask.cost is None else _cost_nano(ask.cost, up=True),
        requests=ask.requests,
        priority=ask.priority,
        fit=choice("fit", Fit, ask.fit),
        min_grant=ask.min_grant,
        lifetime_us=lifetime_us,
        expires_us=ask.expires_us,
        on_expiry=choice("on_expiry", OnExpiry, ask.on_expiry),
        metadata=checked_metadata(ask.metadata),
        dry_run=dry_run,
        wait_us=int(wait_seconds * 1_000_000),
        further=further_stated(ask),
        quiet=ask.quiet,
        landing=choice("landing", Landing, ask.landing),
        headroom=ask.headroom,
        parent_id=None if ask.parent_id is None else checked_id(ask.parent_id, "parent_id"),
    )


def _labels_of(caller: Caller, ask: Ask) -> dict[str, str]:
    """With the key's own; what the key requires may be the parent's, which the ledger knows."""
    labels = checked_labels(ask.labels)
    return caller.labelled(labels) if ask.parent_id is None else caller.forced(labels)


def _content_of_ask(ask: Ask) -> str:
    """What a retry must say again; as before where nothing is said that was not known before."""
    said = [name for name in _LATER if getattr(ask, name) != getattr(_PLAIN, name)]
    return content_of({name: getattr(ask, name) for name in (*_KNOWN_BEFORE, *said)})


_PLAIN = Ask()
_LATER = ("landing", "headroom")
_KNOWN_BEFORE = tuple(name for name in Ask.__dataclass_fields__ if name not in _LATER)


def settle_command(caller: Caller, request: SettleRequest) -> Settle:
    """The end of an allocation."""
    usage, told = _told(request.used)
    content = content_of({"used": told, "labels": dict(request.labels)})
    return Settle(
        id=new_id(),
        caller=caller,
        content=content,
        allocation_id=checked_id(request.allocation_id, "allocation_id"),
        usage=usage,
        labels=checked_labels(request.labels),
        record_id=checked_id(request.record_id, "record_id"),
        cascade=request.cascade,
    )


def extend_command(caller: Caller, request: ExtendRequest) -> Extend:
    """A new expiry, new totals, or both."""
    totals = (request.max_output_tokens, request.tokens, request.cost)
    if request.lifetime_seconds is None and all(total is None for total in totals):
        text = "send it, or a new total: max_output_tokens, tokens or cost"
        raise invalid("lifetime_seconds", text)
    faults = _amount_faults(
        ("max_output_tokens", request.max_output_tokens, 0, CALL_TOKENS_MAX),
        ("tokens", request.tokens, 0, CALL_TOKENS_MAX),
        ("min_grant", request.min_grant, 0, TOKENS_MAX),
    )
    _raise(faults)
    lifetime_seconds = request.lifetime_seconds
    return Extend(
        id=checked_id(request.id, "id"),
        caller=caller,
        content=content_of({name: getattr(request, name) for name in _OF_EXTENDING}),
        allocation_id=checked_id(request.allocation_id, "allocation_id"),
        lifetime_us=None if lifetime_seconds is None else lifetime_seconds * 1_000_000,
        max_output_tokens=request.max_output_tokens,
        tokens=request.tokens,
        cost_nano=None if request.cost is None else _cost_nano(request.cost, up=True),
        fit=choice("fit", Fit, request.fit),
        min_grant=request.min_grant,
        quiet=request.quiet,
    )


def record_command(caller: Caller, request: RecordRequest) -> Record | Settle:
    """A usage; a final one of an allocation settles it."""
    record_id = checked_id(request.id, "record_id")
    if request.final and request.allocation_id is not None:
        return settle_command(
            caller,
            SettleRequest(request.allocation_id, request.used, request.labels, record_id),
        )
    usage, told = _told(request.used)
    content = content_of(
        {
            "used": told,
            "labels": dict(request.labels),
            "allocation_id": request.allocation_id,
        }
    )
    allocation_id = request.allocation_id
    if allocation_id is not None:
        allocation_id = checked_id(allocation_id, "allocation_id")
    labels = checked_labels(request.labels)
    return Record(
        id=record_id,
        caller=caller,
        content=content,
        usage=usage or Usage(),
        labels=labels if allocation_id is not None else caller.labelled(labels),
        allocation_id=allocation_id,
    )


def _told(used: Used | None) -> tuple[Usage | None, object]:
    """A usage, and its content by which a retry is known."""
    if used is None:
        return None, None
    usage = usage_of(used)
    return usage, told_of(used, usage.response)


def usage_of(used: Used) -> Usage:
    """A usage as the ledger posts it."""
    counts = TokenCounts(
        used.input_tokens,
        used.output_tokens,
        used.cache_read_tokens,
        used.cache_write_tokens,
        used.tokens,
    )
    faults = _amount_faults(
        ("input_tokens", counts.input, 0, CALL_TOKENS_MAX),
        ("output_tokens", counts.output, 0, CALL_TOKENS_MAX),
        ("cache_read_tokens", counts.cache_read, 0, CALL_TOKENS_MAX),
        ("cache_write_tokens", counts.cache_write, 0, CALL_TOKENS_MAX),
        ("tokens", counts.other, 0, CALL_TOKENS_MAX),
        ("reasoning_tokens", used.reasoning_tokens, 0, CALL_TOKENS_MAX),
    )
    if used.reasoning_tokens > counts.output and not faults:
        text = "are part of output_tokens, so they cannot be more"
        faults.append(FieldFault("reasoning_tokens", text))
    if counts.other and counts.total > counts.other:
        text = "send either tokens or the kinds of tokens, not both"
        faults.append(FieldFault("tokens", text))
    for name in ("model_used", "provider_used", "operation_id", "request_id"):
        said: str | None = getattr(used, name)
        if said and not (len(said) <= LABEL_VALUE_MAX and said.isprintable()):
            text = f"send at most {LABEL_VALUE_MAX} printable characters"
            faults.append(FieldFault(name, text))
    _raise(faults)
    return Usage(
        counts=counts,
        reasoning_tokens=used.reasoning_tokens,
        cost_nano=None if used.cost is None else _cost_nano(used.cost, up=False),
        cost_source=CostSource.CALLER,
        provider_used=used.provider_used,
        model_used=used.model_used,
        timestamp_us=used.timestamp_us,
        measurement=Measurement.ESTIMATED if used.estimated else Measurement.MEASURED,
        operation_id=used.operation_id,
        request_id=used.request_id,
        metadata=checked_metadata(used.metadata),
        response=response_of(used),
    )


def checked_metadata(metadata: Mapping[str, object]) -> str:
    """Metadata as JSON text, of bounded size."""
    if not metadata:
        return "{}"
    packed = _metadata(metadata).decode()
    if len(packed) > METADATA_MAX:
        raise invalid("metadata", f"is longer than {METADATA_MAX} characters of JSON")
    return packed


def _cost_nano(cost: Decimal, *, up: bool) -> int:
    try:
        cost_nano = nano_ceiling(cost) if up else nano_from_usd(cost)
    except ValueError as error:
        raise invalid("cost", "send USD as a number") from error
    if not 0 <= cost_nano <= CALL_COST_NANO_MAX:
        raise invalid("cost", f"send USD, 0 to {CALL_COST_NANO_MAX // NANO_PER_USD:,}")
    return cost_nano


def _lifetime_us(ask: Ask, faults: list[FieldFault]) -> int:
    if ask.lifetime_seconds is None:
        return LIFETIME_DEFAULT_US
    lifetime_us = ask.lifetime_seconds * 1_000_000
    if not 0 < lifetime_us <= LIFETIME_MAX_US:
        faults.append(FieldFault("lifetime_seconds", "send 1 to 86400"))
    if ask.expires_us is not None:
        faults.append(FieldFault("expires_at", "send it or lifetime_seconds, not both"))
    return lifetime_us


def _amount_faults(*amounts: tuple[str, int | None, int, int]) -> list[FieldFault]:
    return [
        FieldFault(field, f"send {least} to {most}")
        for field, value, least, most in amounts
        if value is not None and not least <= value <= most
    ]


def choice(field: str, kind: type[Choice], value: str) -> Choice:
    """The member of a closed set that is named, or a refusal that names them all."""
    try:
        return kind(value)
    except ValueError as error:
        raise invalid(field, f"send one of {', '.join(kind)}") from error


def _raise(faults: list[FieldFault]) -> None:
    if faults:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(detail, *faults)
