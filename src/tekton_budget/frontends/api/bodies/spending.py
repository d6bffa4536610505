"""Bodies of the ledger's verbs, as callers send them → requests of the service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Final, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.frontends.api.problems import from_validation_errors
from tekton_budget.frontends.api.schemas import (
    Labels,
    LabelValue,
    Metadata,
    TierValue,
    Time,
    Truth,
    Usd,
    Whole,
)
from tekton_budget.service.asking.asks import (
    AllocateRequest,
    Ask,
    ExtendRequest,
    RecordRequest,
    ReleaseRequest,
    SettleRequest,
    Used,
)
from tekton_budget.service.asking.commands import content_of
from tekton_budget.service.asking.retries import Retry

# Labels that may stand beside the other fields of a body.
LABEL_FIELDS: Final = (
    "org",
    "team",
    "project",
    "user",
    "customer",
    "environment",
    "feature",
    "component",
    "context_id",
    "task_type",
    "session",
    "task",
    "run",
    "agent",
    "provider",
    "model",
    "tier",
)
ID_PATTERN = r"^[A-Za-z0-9._:@-]{1,200}$"
_Closed = ConfigDict(extra="forbid")
_Id = Annotated[str, Field(description="Your own id: A-Z a-z 0-9 . _ : @ -, at most 200")]


class _Labelled(TypedDict, total=False):
    labels: Annotated[Labels | None, Field(description="What is known of the call")]
    org: LabelValue
    team: LabelValue
    project: LabelValue
    user: LabelValue
    user_id: LabelValue
    customer: LabelValue
    environment: LabelValue
    feature: LabelValue
    component: LabelValue
    context_id: LabelValue
    task_type: LabelValue
    session: LabelValue
    task: LabelValue
    run: LabelValue
    agent: LabelValue
    provider: LabelValue
    model: LabelValue
    tier: TierValue
    budget_id: Annotated[
        LabelValue, Field(description="Id or name of a budget that also concerns it")
    ]


@with_config(_Closed)
class AskBody(_Labelled, total=False):
    """May this call be made? One amount is needed: tokens, cost, or a model with its tokens."""

    allocation_id: _Id | None
    input_tokens: Whole | None
    max_output_tokens: Whole | None
    tokens: Whole | None
    tokens_allocated: Annotated[Whole | None, Field(description="The original's name of tokens")]
    expected_tokens_used: Annotated[Whole | None, Field(description="Not used")]
    cost: Usd | None
    requests: Whole | None
    priority: Whole | None
    fit: Annotated[str | None, Field(description="all (default), or clamp: grant what fits")]
    min_grant: Whole | None
    landing: Annotated[
        str | None,
        Field(
            description="Whether it may use what policies keep for calls that are told to finish: "
            "no (default), may, or auto: where the rest does not do"
        ),
    ]
    lifetime_seconds: Whole | None
    expires_at: Annotated[Time | None, Field(description="At most 24 hours ahead; later is cut")]
    expiration_time: Annotated[Time | None, Field(description="The original's name of expires_at")]
    on_expiry: Annotated[str | None, Field(description="release (default) or charge")]
    metadata: Metadata | None
    units: Annotated[
        dict[str, Whole] | None,
        Field(description="Further bounds by unit: web_search, image, input_audio, cache_read, …"),
    ]
    context: Annotated[
        dict[str, Any] | None,
        Field(description="What the price hangs on: service_tier, processing, region, …"),
    ]
    cache_write: Annotated[
        str | None, Field(description="5m or 1h: the input may be written to a cache for so long")
    ]
    parent_id: Annotated[
        str | None, Field(description="Of the allocation that this one shall be a part of")
    ]
    dry_run: Truth | None
    wait_seconds: Annotated[Decimal | None, Field(description="0 to 300: wait until it fits")]


class _UsageFields(_Labelled, total=False):
    record_id: _Id | None
    input_tokens: Whole | None
    output_tokens: Whole | None
    cache_read_tokens: Whole | None
    cache_write_tokens: Whole | None
    tokens: Annotated[Whole | None, Field(description="A total whose kinds are not known")]
    reasoning_tokens: Whole | None
    cost: Annotated[Usd | None, Field(description="USD as you were charged it, if you know")]
    model_used: str | None
    provider_used: str | None
    timestamp: Time | None
    estimated: Truth | None
    operation_id: str | None
    request_id: str | None
    metadata: Metadata | None
    response: Annotated[
        dict[str, Any] | list[Any] | None,
        Field(description="The provider's own answer, or its stream's frames: usage is read of it"),
    ]
    api: Annotated[str | None, Field(description="Of which API, where the shape does not say it")]
    context: Annotated[
        dict[str, Any] | None,
        Field(description="What the answer cannot say: processing (batch), region, …"),
    ]


@with_config(_Closed)
class SettleBody(_UsageFields, total=False):
    """What the call really used; an empty body ends it with what was recorded."""

    cascade: Annotated[Truth | None, Field(description="End its active children with it")]


@with_config(_Closed)
class RecordBody(_UsageFields, total=False):
    """A usage, with an allocation or without one; `final` settles it."""

    allocation_id: _Id | None
    final: Truth | None


@with_config(_Closed)
class ExtendBody(TypedDict, total=False):
    """How much longer, from now; how much more, as new totals in the words of the ask."""

    lifetime_seconds: Whole | None
    max_output_tokens: Annotated[Whole | None, Field(description="New total, never less")]
    tokens: Annotated[Whole | None, Field(description="New total, never less")]
    cost: Usd | None
    fit: Annotated[str | None, Field(description="all (default), or clamp: grow by what fits")]
    min_grant: Annotated[Whole | None, Field(description="How much more a clamp must give")]
    id: _Id | None


@with_config(_Closed)
class ReleaseBody(TypedDict, total=False):
    """Nothing needs to be said."""

    reason: str | None
    cascade: Annotated[Truth | None, Field(description="Give back its active children with it")]


ASK: Final[TypeAdapter[AskBody]] = TypeAdapter(AskBody)
SETTLE: Final[TypeAdapter[SettleBody]] = TypeAdapter(SettleBody)
RECORD: Final[TypeAdapter[RecordBody]] = TypeAdapter(RecordBody)
EXTEND: Final[TypeAdapter[ExtendBody]] = TypeAdapter(ExtendBody)
RELEASE: Final[TypeAdapter[ReleaseBody]] = TypeAdapter(ReleaseBody)

USED_FIELDS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "tokens": "tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cost": "cost",
    "model_used": "model_used",
    "provider_used": "provider_used",
    "timestamp": "timestamp_us",
    "estimated": "estimated",
    "operation_id": "operation_id",
    "request_id": "request_id",
    "metadata": "metadata",
    "response": "response",
    "api": "api",
    "context": "context",
}
_AMOUNTS = {"input_tokens", "output_tokens", "tokens", "cost"}
ASK_FIELDS = {
    "input_tokens": "input_tokens",
    "max_output_tokens": "max_output_tokens",
    "tokens": "tokens",
    "tokens_allocated": "tokens",
    "cost": "cost",
    "requests": "requests",
    "priority": "priority",
    "fit": "fit",
    "min_grant": "min_grant",
    "landing": "landing",
    "lifetime_seconds": "lifetime_seconds",
    "expires_at": "expires_us",
    "expiration_time": "expires_us",
    "on_expiry": "on_expiry",
    "metadata": "metadata",
    "units": "units",
    "context": "context",
    "cache_write": "cache_write",
    "parent_id": "parent_id",
}
LABEL_OF = {**{name: name for name in LABEL_FIELDS}, "budget_id": "budget", "user_id": "user"}


@dataclass(slots=True)
class Asked:
    """An ask as it came over HTTP: with what is not part of its content."""

    ask: Ask
    id: str | None
    dry_run: bool = False
    wait_seconds: float = 0


def asked_of(value: object, key: str | None = None) -> Asked:
    """The body of `POST /allocations`."""
    body = checked(ASK, value)
    return Asked(
        Ask(labels=labels_of(body), **_renamed(body, ASK_FIELDS)),
        own_id(key, body.get("allocation_id"), "allocation_id"),
        dry_run=bool(body.get("dry_run")),
        wait_seconds=float(body.get("wait_seconds") or 0),
    )


def child_of(asked: Asked, parent_id: str) -> Asked:
    """The body of `POST /allocations/{id}/children`: an ask for a part of that one."""
    if asked.ask.parent_id not in (None, parent_id):
        raise invalid("parent_id", "differs from the allocation in the path; send one of them")
    return replace(asked, ask=replace(asked.ask, parent_id=parent_id))


def settle_of(value: object, allocation_id: str, key: str | None = None) -> SettleRequest:
    """The body of `POST /allocations/{id}/settle`."""
    body = checked(SETTLE, value)
    record_id = own_id(key, body.get("record_id"), "record_id")
    cascade = bool(body.get("cascade"))
    return SettleRequest(allocation_id, _used_of(body), labels_of(body), record_id, cascade)


def record_of(value: object, key: str | None = None) -> RecordRequest:
    """A usage inside a batch."""
    return record_request(checked(RECORD, value), key)


def record_request(body: Mapping[str, Any], key: str | None = None) -> RecordRequest:
    """The body of `POST /usage/record`, checked."""
    record_id = own_id(key, body.get("record_id"), "record_id")
    used = _used_of(body) or Used()
    final = bool(body.get("final"))
    return RecordRequest(used, labels_of(body), body.get("allocation_id"), final, record_id)


def extend_of(value: object, allocation_id: str, key: str | None = None) -> ExtendRequest:
    """The body of `POST /allocations/{id}/extend`."""
    body = checked(EXTEND, value)
    said = {name: value for name, value in body.items() if value is not None and name != "id"}
    return ExtendRequest(allocation_id, id=own_id(key, body.get("id"), "id"), **said)


def allocate_request(value: object, key: str | None = None) -> AllocateRequest:
    """An ask inside a batch, where it cannot wait or be dry."""
    asked = asked_of(value, key)
    if asked.dry_run or asked.wait_seconds:
        field = "dry_run" if asked.dry_run else "wait_seconds"
        raise invalid(field, "cannot be sent inside a batch")
    return AllocateRequest(asked.ask, asked.id)


def release_of(value: object, allocation_id: str) -> ReleaseRequest:
    """The body of `POST /allocations/{id}/release`."""
    body = checked(RELEASE, value)
    return ReleaseRequest(allocation_id, bool(body.get("cascade")))


def checked(adapter: TypeAdapter[Any], value: object) -> dict[str, Any]:  # Any: checked JSON
    """The body, every faulty field named."""
    try:
        return cast(dict[str, Any], adapter.validate_python(value))
    except ValidationError as error:
        raise from_validation_errors(error.errors(include_input=False)) from error


def own_id(key: str | None, own: str | None, field: str) -> str | None:
    """The id of what is made: `Idempotency-Key`, or the body's own; not two different ones."""
    if key is not None and own is not None and key != own:
        raise InvalidInput(
            f"Idempotency-Key and {field} differ: send one of them, or the same in both.",
            FieldFault(field, "differs from the header Idempotency-Key"),
            FieldFault("Idempotency-Key", f"differs from {field}"),
            code="two_ids",
        )
    return key if own is None else own


def retry_of(kind: str, id_: str | None, content: object) -> Retry | None:
    """What makes a request the same as an earlier one, where it has an id of its own."""
    return None if id_ is None else Retry(id_, kind, content_of(content))


def labels_of(body: Mapping[str, Any]) -> dict[str, object]:  # Any: checked JSON
    """The labels of a body, from `labels` and from fields of their own."""
    labels: dict[str, object] = dict(body.get("labels") or {})
    for name, value in body.items():
        label = LABEL_OF.get(name)
        if label is not None and value is not None:
            known = labels.setdefault(label, value)
            if known != value:
                raise invalid(name, f"differs from labels.{label}; send one of them")
    return labels


def _used_of(body: Mapping[str, Any]) -> Used | None:  # Any: checked JSON
    given = _renamed(body, USED_FIELDS)
    if body.get("response", 0) is None and not given.keys() & _AMOUNTS:
        given["response"] = {}  # an answer that never came tells no usage, which is not none
    return Used(**given) if given else None


def _renamed(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in body.items():
        own = names.get(name)
        if own is None or value is None:
            continue
        if found.setdefault(own, value) != value:
            raise invalid(name, "was sent twice under two names; send one of them")
    return found
