"""Headers, both ways: what is between us and one side goes no further, and no key of ours does."""

from collections.abc import Iterable

from tekton_budget.frontends.gateway.upstream import Headers

# Between two neighbours only (RFC 9110 §7.6.1), or about a body that we may write anew.
_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
    }
)
_NOT_UP = _HOP | {b"host", b"accept-encoding", b"expect", b"baggage", b"cookie", b"origin"}
_NOT_DOWN = _HOP | {b"content-encoding", b"set-cookie", b"server", b"date", b"alt-svc"}
_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_OURS = b"x-budget-"


def to_upstream(sent: Iterable[tuple[bytes, bytes]], credential: Headers | None) -> Headers:
    """The client's headers as they go on; with `credential` in the place of its own key."""
    kept = [
        (name, value)
        for name, value in sent
        if name not in _NOT_UP
        and not name.startswith(_OURS)
        and (credential is None or name not in _CREDENTIALS)
    ]
    kept.append((b"accept-encoding", b"identity"))
    return kept if credential is None else kept + credential


def to_client(received: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The provider's headers as they go back."""
    return [
        (name, value)
        for name, value in received
        if name not in _NOT_DOWN and not name.startswith(_OURS)
    ]


def without_key(query: bytes) -> bytes:
    """A query without the key that Google's clients may put there."""
    return b"&".join(part for part in query.split(b"&") if part and not part.startswith(b"key="))
