"""Keys: made and shown once, listed, rotated, revoked. For admins only."""

from typing import Any

from pydantic import Field

from tekton_budget.domain.caller import MAX_PRIORITY_OF_KEYS, Role
from tekton_budget.domain.errors import BudgetError, invalid
from tekton_budget.domain.limit_text import limit_from_text
from tekton_budget.frontends.api.asking import Asker, Guard, IdempotencyKey, Pages, Verbs
from tekton_budget.frontends.api.bodies.spending import retry_of
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.paging import listed, page_of
from tekton_budget.frontends.api.schemas import Body, Labels, PageOut, TimeOut, Truth, View, Whole
from tekton_budget.frontends.http.wire import Reply, time_text
from tekton_budget.service.durations import SECONDS_MAX, seconds_from_text
from tekton_budget.service.keys import DAY_US, Key, NewKey

router = exact_router("/keys")


class KeyBody(Body):
    """A key to be made. Its labels are forced on its calls and bound what it can see."""

    name: str = Field(examples=["team-a"])
    role: Role = Role.CLIENT
    labels: Labels = Field(default_factory=dict)
    requires: list[str] = Field(default_factory=list, description="Labels that its calls must have")
    max_priority: Whole = MAX_PRIORITY_OF_KEYS
    ladder: list[str] = Field(
        default_factory=list,
        description="Models to go on with where the one asked for does not fit, in order",
    )
    takes_user: Truth = Field(
        False, description="Whether the body of a call through the gateway may say its label user"
    )
    expires_in_seconds: Whole | None = None
    expires: str | None = Field(None, description="The same as text", examples=["90d"])
    limit: str | None = Field(
        None, description="A limit for this key alone", examples=["50usd/month"]
    )


class RotateBody(Body):
    """A new secret for the same key."""

    overlap_seconds: Whole | None = Field(
        None, description="How long the old secret works on; a day if not given"
    )
    overlap: str | None = Field(None, description="The same as text", examples=["2h"])


class KeyOut(View):
    """A key, without its secret."""

    key_id: str
    name: str
    role: str
    prefix: str
    labels: dict[str, str]
    requires: list[str]
    max_priority: int
    ladder: list[str]
    takes_user: bool
    created_at: TimeOut
    expires_at: TimeOut
    revoked_at: TimeOut
    last_used_at: TimeOut


class NewKeyOut(KeyOut):
    """A key just made: its secret is shown this once."""

    key: str
    policy_id: str | None = None


@router.post("", status_code=201, response_model=NewKeyOut)
def create_key(
    body: KeyBody, asker: Asker, verbs: Verbs, guard: Guard, idempotency: IdempotencyKey = None
) -> Reply:
    """Make a key. The secret is in the answer, and nowhere else."""
    if body.limit is not None:
        limit_from_text(body.limit)  # refused before there is a key
    made = verbs.keys.create_key(
        asker,
        body.name,
        role=body.role,
        labels=body.labels,
        requires=tuple(body.requires),
        max_priority=body.max_priority,
        ladder=body.ladder,
        takes_user=body.takes_user,
        expires_in_us=_us("expires", body.expires_in_seconds, body.expires),
        retry=retry_of("keys", idempotency, body.given()),
    )
    guard.forget()
    shown = to_api_new_key(made)
    if body.limit is not None:
        fields = {"limit": body.limit, "scope": {"key": made.key.name}}
        try:
            shown["policy_id"] = verbs.short.set_limit(asker, fields).policy.policy_id
        except BudgetError:
            verbs.keys.revoke_key(asker, made.key.key_id)  # no key without the limit it was to have
            raise
    return Reply(shown, status_code=201)


@router.get("", response_model=PageOut[KeyOut])
def list_keys(asker: Asker, verbs: Verbs, pages: Pages) -> Reply:
    """Every key with its last use; no secrets."""
    found = sorted(verbs.keys.list_keys(asker), key=lambda key: key.key_id)
    return Reply(listed(page_of(found, pages, lambda key: key.key_id), to_api_key))


@router.post("/{key}/rotate", status_code=201, response_model=NewKeyOut)
def rotate_key(
    key: str,
    asker: Asker,
    verbs: Verbs,
    guard: Guard,
    body: RotateBody | None = None,
    idempotency: IdempotencyKey = None,
) -> Reply:
    """A new secret for the same name and rights; the old one works on for the overlap."""
    said = RotateBody(overlap_seconds=None, overlap=None) if body is None else body
    overlap_us = _us("overlap", said.overlap_seconds, said.overlap)
    made = verbs.keys.rotate_key(
        asker,
        key,
        overlap_us=DAY_US if overlap_us is None else overlap_us,
        retry=retry_of("keys.rotate", idempotency, {"key": key, **said.given()}),
    )
    guard.forget()
    return Reply(to_api_new_key(made), status_code=201)


@router.post("/{key}/revoke", response_model=KeyOut)
@router.delete("/{key}", response_model=KeyOut)
def revoke_key(key: str, asker: Asker, verbs: Verbs, guard: Guard) -> Reply:
    """No longer valid, from now on."""
    revoked = verbs.keys.revoke_key(asker, key)
    guard.forget()
    return Reply(to_api_key(revoked))


def to_api_key(key: Key) -> dict[str, Any]:  # Any: JSON
    """A key as it may be shown."""
    return {
        "key_id": key.key_id,
        "name": key.name,
        "role": key.role.value,
        "prefix": key.prefix,
        "labels": key.labels,
        "requires": key.requires,
        "max_priority": key.max_priority,
        "ladder": key.ladder,
        "takes_user": key.takes_user,
        "created_at": time_text(key.created_us),
        "expires_at": time_text(key.expires_us),
        "revoked_at": time_text(key.revoked_us),
        "last_used_at": time_text(key.last_used_us),
    }


def to_api_new_key(made: NewKey) -> dict[str, Any]:  # Any: JSON
    """A key with its secret."""
    return {"key": made.secret, **to_api_key(made.key)}


def _us(field: str, seconds: int | None, text: str | None) -> int | None:
    if text is not None:
        if seconds is not None:
            raise invalid(field, "send it as text or in seconds, not both")
        seconds = seconds_from_text(text, field)
    if seconds is not None and seconds > SECONDS_MAX:
        raise invalid(field, f"send at most {SECONDS_MAX} seconds")
    return None if seconds is None else seconds * 1_000_000
