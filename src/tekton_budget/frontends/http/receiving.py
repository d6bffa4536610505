"""A request's body, taken in whole and of bounded size."""

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from tekton_budget.frontends.http.refused import TooLarge


async def read_body(headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The whole body; refuses one that is announced or grows too large before reading it all."""
    announced = headers.get(b"content-length")
    if announced is not None and (not announced.isdigit() or int(announced) > most):
        raise _too_large(most)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {most >> 20} MiB: send less at once. Of a provider's response, "
        "what is no text or picture is enough: its id, its model and its usage.",
        code="body_too_large",
    )
