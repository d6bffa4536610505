"""Many callers at once, each over a connection of its own, and what they were told."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import aiohttp

Json = dict[str, Any]  # Any: JSON
HELLO = [{"role": "user", "content": "hello"}]
PATHS = {
    "openai": "/gateway/openai/v1/chat/completions",
    "anthropic": "/gateway/anthropic/v1/messages",
    "gemini": "/gateway/gemini/v1beta/models/gemini-2.5-flash:generateContent",
    "responses": "/gateway/openai/v1/responses",
}
_MAXIMA = {
    "openai": "max_completion_tokens",
    "anthropic": "max_tokens",
    "responses": "max_output_tokens",
}


@dataclass(slots=True)
class Told:
    """One caller's answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def code(self) -> str:
        """Our own word for a refusal."""
        error = self.json["error"]
        details = error["details"]
        return str(details[0]["reason"].lower() if isinstance(details, list) else details["code"])


def asked(api: str = "openai", *, most: int | None = None, stream: bool = False) -> Json:
    """The body of a small call."""
    if api == "gemini":
        body: Json = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
        return body if most is None else {**body, "generationConfig": {"maxOutputTokens": most}}
    model = "claude-sonnet-5" if api == "anthropic" else "gpt-4o"
    body = {"model": model, "input" if api == "responses" else "messages": HELLO}
    if most is not None:
        body[_MAXIMA[api]] = most
    return {**body, "stream": True} if stream else body


def path_of(api: str, *, stream: bool = False) -> str:
    """Where it is sent."""
    path = PATHS[api]
    if api == "gemini" and stream:
        return path.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
    return path


def crowd(
    urls: list[str], count: int, body: Json, *, path: str = PATHS["openai"], **headers: str
) -> list[Told]:
    """`count` callers that begin together, spread over the servers."""

    async def one(session: aiohttp.ClientSession, url: str, data: bytes) -> Told:
        async with session.post(url + path, data=data) as answer:
            return Told(answer.status, dict(answer.headers), await answer.read())

    async def all_of_them() -> list[Told]:
        sent = {"content-type": "application/json", "authorization": "Bearer sk-theirs"}
        sent["anthropic-version"] = "2023-06-01"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=sent) as session:
            data = json.dumps(body).encode()
            each = (one(session, urls[it % len(urls)], data) for it in range(count))
            return list(await asyncio.gather(*each))

    return asyncio.run(all_of_them())


def statuses(told: list[Told]) -> dict[int, int]:
    """How many had which."""
    return dict(Counter(one.status for one in told))
