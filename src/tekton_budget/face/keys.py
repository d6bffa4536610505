"""Keys."""

from collections.abc import Sequence

from tekton_budget.face.request import (
    Json,
    Labels,
    Request,
    deleted,
    given,
    items,
    new_id,
    same,
    verb,
)


class KeyVerbs:
    """Keys."""

    @verb
    def create_key(
        self,
        name: str,
        *,
        role: str = "client",
        labels: Labels | None = None,
        requires: Sequence[str] = (),
        max_priority: int | None = None,
        ladder: Sequence[str] = (),
        takes_user: bool = False,
        expires_in_seconds: int | None = None,
        limit: str | None = None,
    ) -> Request[Json]:
        """A key; its secret is in the answer, and nowhere else. `limit` is for this key alone."""
        body = given(
            name=name,
            role=role,
            labels=dict(labels or {}),
            requires=list(requires) or None,
            max_priority=max_priority,
            ladder=list(ladder) or None,
            takes_user=takes_user or None,
            expires_in_seconds=expires_in_seconds,
            limit=limit,
        )
        return Request("create_key", "POST", "/keys", same, body=body, id=new_id())

    @verb
    def rotate_key(self, key: str, *, overlap_seconds: int | None = None) -> Request[Json]:
        """A new secret; the old one works on for the overlap (default: a day)."""
        return Request(
            "rotate_key",
            "POST",
            "/keys/{key}/rotate",
            same,
            named={"key": key},
            body=given(overlap_seconds=overlap_seconds),
            id=new_id(),
        )

    @verb
    def revoke_key(self, key: str) -> Request[Json]:
        """No longer valid, from now on."""
        return deleted("revoke_key", "/keys/{key}", {"key": key})

    @verb
    def keys(self) -> Request[list[Json]]:
        """Every key with its last use, without secrets."""
        return Request("keys", "GET", "/keys", items)
