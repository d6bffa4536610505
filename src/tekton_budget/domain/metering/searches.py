"""Searches that a provider's model made of the web, counted as the provider bills them."""

import re
from collections.abc import Callable

from .fields import Place

_GENERATION = re.compile(r"gemini-(\d+)")
_ALWAYS = re.compile(r"search-(preview|api)")  # OpenAI's chats that search before they answer
_CITES = {"", "openai", "azure", "openrouter"}  # where a citation tells of one billed search
_TOOLS = (
    "server_tool_use.web_search_requests",
    "server_tool_use_details.web_search_requests",
    "connectors.web_search",  # Mistral
)
_DETAILS = "server_side_tool_usage_details"


def searches(flavour: str, seller: str, body: Place, usage: Place, model: str) -> int | None:
    """How many searches are billed; `None` where the response does not say."""
    read = _READERS.get(flavour, _of_tools)
    return read(seller, body, usage, model)


def _of_tools(_seller: str, _body: Place, usage: Place, _model: str) -> int | None:
    return usage.count(*_TOOLS)


def _of_chat(seller: str, body: Place, usage: Place, model: str) -> int | None:
    """A chat that searched cites; xAI's counts its sources."""
    told = _of_tools(seller, body, usage, model)
    if told is not None:
        return told
    if seller == "xai":
        found = _of_xai_tools(usage)
        return usage.count("num_sources_used") if found is None else found
    cited = any(
        note.text("type") == "url_citation"
        for choice in body.items("choices")
        for note in choice.items("message.annotations")
    )
    always = _ALWAYS.search(model.lower()) is not None
    return 1 if (cited or always) and seller in _CITES else None


def _of_responses(seller: str, body: Place, usage: Place, model: str) -> int | None:
    """A call is billed where it searched; opening a page or finding in it is not."""
    told = _of_xai_tools(usage)
    if told is None:
        told = _of_tools(seller, body, usage, model)
    if told is None and isinstance(body.value("output"), list | tuple):
        told = sum(
            item.text("type") == "web_search_call" and item.text("action.type") in {None, "search"}
            for item in body.items("output")
        )
    return told


def _of_xai_tools(usage: Place) -> int | None:
    details = usage.place(_DETAILS)
    if details is None:
        return None
    web, posts = details.count("web_search_calls"), details.count("x_search_calls")
    return None if web is None and posts is None else (web or 0) + (posts or 0)


def _of_gemini(_seller: str, body: Place, _usage: Place, model: str) -> int | None:
    """Gemini 3 and later bill each query, earlier ones a request that was grounded by any."""
    queries = sum(
        isinstance(query, str) and bool(query.strip())
        for candidate in body.items("candidates")
        for grounding in (candidate.place("groundingMetadata", "grounding_metadata"),)
        if grounding is not None
        for query in _listed(grounding)
    )
    if not queries:
        return None
    found = _GENERATION.search(model.lower())
    return 1 if found and int(found[1]) < 3 else queries


def _listed(grounding: Place) -> list[object]:
    for name in ("webSearchQueries", "web_search_queries"):
        found = grounding.value(name)
        if isinstance(found, list | tuple):
            return list(found)
    return []


_Reader = Callable[[str, Place, Place, str], int | None]
_READERS: dict[str, _Reader] = {
    "chat": _of_chat,
    "xai_chat": _of_chat,
    "responses": _of_responses,
    "generate": _of_gemini,
}
