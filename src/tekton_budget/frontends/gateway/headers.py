"""Headers, both ways: what is between us and one side goes no further, and no key of ours does."""

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

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
_OTHER_METHODS = {b"x-http-method-override", b"x-http-method", b"x-method-override"}
_NOT_UP = _HOP | _OTHER_METHODS
_NOT_UP |= {b"host", b"accept-encoding", b"expect", b"baggage", b"cookie", b"origin"}
_NOT_DOWN = _HOP | {b"content-encoding", b"set-cookie", b"server", b"date", b"alt-svc"}
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_OURS = b"x-budget-"


def to_upstream(
    sent: Iterable[tuple[bytes, bytes]],
    credential: Headers | None,
    ours: frozenset[bytes] = frozenset(),
) -> Headers:
    """The client's headers as they go on; with `credential` in the place of its own keys.

    `ours`: Budget keys among those.
    """
    kept = [
        (name, value)
        for name, value in sent
        if name not in _NOT_UP
        and not name.startswith(_OURS)
        and (
            name not in CREDENTIALS
            or (credential is None and (not ours or secret_of(name, value) not in ours))
        )
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


def secret_of(name: bytes, value: bytes) -> bytes:
    """The key in a header that may hold one; empty where it holds something else."""
    if name != b"authorization":
        return value.strip()
    scheme, _, secret = value.partition(b" ")
    return secret.strip() if scheme.lower() == b"bearer" else b""


def keys_in(query: bytes) -> list[bytes]:
    """The keys in a query, where Google's clients may put one."""
    return [_value_of(part) for part in query.split(b"&") if _is_key(part)] if query else []


def without_keys(query: bytes, only: frozenset[bytes] | None = None) -> bytes:
    """A query without the keys in it, or without those of `only`."""
    return b"&".join(
        part
        for part in query.split(b"&")
        if part and not (_is_key(part) and (only is None or _value_of(part) in only))
    )


def _is_key(part: bytes) -> bool:
    return unquote_to_bytes(part.partition(b"=")[0]) == b"key"


def _value_of(part: bytes) -> bytes:
    return unquote_to_bytes(part.partition(b"=")[2])
