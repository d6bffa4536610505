"""The provider's own count of an input, where it counts for free."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from tekton_budget.domain.call import Api, Need
from tekton_budget.domain.providers import DEMO
from tekton_budget.frontends.gateway.chat_count import as_response
from tekton_budget.frontends.gateway.exchange import Exchange, Sender
from tekton_budget.frontends.gateway.upstream import UpstreamAway
from tekton_budget.service.calls.call import Count

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# All that shapes the input: what is left out here is not counted, and so is not held.
_ANTHROPIC = (
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "mcp_servers",
    "output_config",
    "output_format",
    "compaction",
)
_GEMINI = (
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
    "toolConfig",
    "tool_config",
    "generationConfig",
    "generation_config",
)
_RESPONSES = ("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning")


def counter(exchange: Exchange, need: Need, sender: Sender) -> Count | None:
    """How the provider is asked; `None` where it has no such endpoint, or the call no text."""
    provider = exchange.route.provider
    if provider is DEMO or need.api not in _ENDPOINTS:
        return None
    if need.api in (Api.OPENAI_RESPONSES, Api.OPENAI_CHAT) and provider.name != "openai":
        return None

    async def count() -> int | None:
        path, fields, told = _ENDPOINTS[need.api]
        body: dict[str, Any] = {  # Any: JSON
            name: exchange.body[name] for name in fields if name in exchange.body
        }
        if need.api is Api.OPENAI_CHAT:
            worded = as_response(exchange.body)
            if worded is None:
                return None
            body = worded
        if need.api is Api.GEMINI_GENERATE:
            path = exchange.route.path.rpartition(":")[0] + path
            body = {"generateContentRequest": {"model": f"models/{need.model}", **body}}
        request = exchange.upstream_request("POST", path, _encode(body))
        if need.stream:  # the stream's form of an answer is none of a count
            request = replace(request, url=request.url.replace("alt=sse", "alt=json"))
        try:
            answer = await sender(request)
            try:
                found = _decode(await answer.whole()) if answer.status == 200 else None
            finally:
                answer.close()
        except (UpstreamAway, msgspec.DecodeError):
            return None
        tokens = found.get(told) if isinstance(found, Mapping) else None
        return tokens if isinstance(tokens, int) and tokens >= 0 else None

    return count


_ENDPOINTS: dict[Api, tuple[str, tuple[str, ...], str]] = {
    Api.ANTHROPIC_MESSAGES: ("/v1/messages/count_tokens", _ANTHROPIC, "input_tokens"),
    Api.GEMINI_GENERATE: (":countTokens", _GEMINI, "totalTokens"),
    Api.OPENAI_CHAT: ("/responses/input_tokens", (), "input_tokens"),
    Api.OPENAI_RESPONSES: ("/responses/input_tokens", _RESPONSES, "input_tokens"),
}
