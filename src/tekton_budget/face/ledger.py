"""The ledger's requests: an ask, its end, its extension, a usage."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.metering import slimmed
from tekton_budget.face.answers import (
    Grant,
    Recorded,
    Settled,
    read_grant,
    read_recorded,
    read_settled,
)
from tekton_budget.face.request import Request, given, new_id

Fields = Mapping[str, Any]  # Any: JSON with decimals

_AS_SAID = frozenset({"cost", "context"})
_AMOUNTS = frozenset(
    {"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"}
    | {"reasoning_tokens", "tokens", "cost"}
)


class Unsaid(Enum):
    """No response was handed over. `None` is one that was, and says nothing."""

    UNSAID = ...

    def __repr__(self) -> str:
        return self.name


UNSAID = Unsaid.UNSAID


def exact(
    value: Decimal | int | str | float | None,
    field: str = "cost",
    wanted: str = "USD as a Decimal, a whole number or text",
) -> Decimal | None:
    """A number as given, to the last digit; a float stands for the shortest text that is it."""
    if value is None:
        return None
    try:
        return Decimal(str(value))
    except ArithmeticError as error:
        raise invalid(field, f"send {wanted}") from error


def used_fields(response: object, **fields: Any) -> dict[str, Any]:
    """A usage as it is sent: what was said of it, money exact, responses without their texts.

    A call that gave `None` was made all the same: without amounts it is a response that tells none.
    """
    said = {
        name: value for name, value in fields.items() if value is not None and value is not False
    }
    if said.get("cost") is not None:
        said["cost"] = exact(said["cost"])
    if "timestamp" in said:
        said["timestamp"] = text_of(said["timestamp"])
    used = {name: value for name, value in said.items() if name in _AS_SAID or value != 0}
    if response is None and not used.keys() & _AMOUNTS:
        response = {}
    if response is not None and response is not UNSAID:
        used["response"] = slimmed(response)
    return used


def text_of(at: datetime | str | None) -> str | None:
    """A moment as it is sent; one without an offset is this machine's local time."""
    return at.astimezone().isoformat() if isinstance(at, datetime) else at


def ask(
    *,
    allocation_id: str | None,
    labels: Mapping[str, str],
    cost: Decimal | int | str | float | None,
    expires_at: datetime | str | None,
    wait_seconds: float,
    dry_run: bool,
    **fields: Any,
) -> Request[Grant]:
    """An ask; what is `None` is not said."""
    maps = ("units", "context")
    said = {
        name: dict(value) if name in maps and value is not None else value
        for name, value in fields.items()
    }
    body = given(
        allocation_id=allocation_id or new_id(),
        labels=dict(labels),
        cost=exact(cost),
        expires_at=text_of(expires_at),
        wait_seconds=wait_seconds or None,
        dry_run=dry_run or None,
        **said,
    )
    path = "/allocations"
    return Request("allocate", "POST", path, read_grant, body=body, wait_seconds=wait_seconds)


def settle(
    allocation_id: str,
    used: Fields,
    labels: Mapping[str, str] | None = None,
    record_id: str | None = None,
    then: Callable[[Settled], Settled] = lambda settled: settled,
    *,
    cascade: bool = False,
) -> Request[Settled]:
    """The end of an allocation; an empty usage ends it with what was recorded."""
    own_id = {"record_id": record_id or new_id()} if used else {}
    return Request(
        "settle",
        "POST",
        "/allocations/{allocation_id}/settle",
        lambda answer: then(read_settled(answer)),
        named={"allocation_id": allocation_id},
        body={**used, **given(labels=dict(labels or {}), cascade=cascade or None), **own_id},
    )


def release(
    allocation_id: str,
    then: Callable[[Settled], Settled] = lambda settled: settled,
    *,
    cascade: bool = False,
) -> Request[Settled]:
    """Give back what is held."""
    return Request(
        "release",
        "POST",
        "/allocations/{allocation_id}/release",
        lambda answer: then(read_settled(answer)),
        named={"allocation_id": allocation_id},
        body=given(cascade=cascade or None),
    )


def extend(
    allocation_id: str,
    lifetime_seconds: int | None,
    then: Callable[[Settled], Settled] = lambda settled: settled,
    **totals: Any,
) -> Request[Settled]:
    """Another expiry, or more to use, or both."""
    return Request(
        "extend",
        "POST",
        "/allocations/{allocation_id}/extend",
        lambda answer: then(read_settled(answer)),
        named={"allocation_id": allocation_id},
        body=given(lifetime_seconds=lifetime_seconds, **totals),
        id=new_id(),
    )


def record(
    used: Fields,
    *,
    labels: Mapping[str, str] | None = None,
    allocation_id: str | None = None,
    final: bool = False,
    record_id: str | None = None,
) -> Request[Recorded]:
    """A usage, of an allocation or of none."""
    return Request(
        "record",
        "POST",
        "/usage/record",
        read_recorded,
        body={
            **used,
            **given(labels=dict(labels or {}), allocation_id=allocation_id, final=final or None),
            "record_id": record_id or new_id(),
        },
    )
