"""Heads of HTTP answers."""

from collections.abc import Sequence

_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 413: "Payload Too Large", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 529: "Overloaded",
}  # fmt: skip


def head(
    status: int, kind: str, headers: Sequence[tuple[str, str]], length: str, *, gzip: bool = False
) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}", f"content-type: {kind}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if gzip:
        lines.append("content-encoding: gzip")
    lines.append(length)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
