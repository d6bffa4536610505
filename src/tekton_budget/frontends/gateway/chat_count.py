"""A chat request in the words of OpenAI's Responses API, whose input it counts for free."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]  # Any: JSON


def as_response(body: Json) -> dict[str, Any] | None:
    """The body to count; `None` where something of the chat has no place there."""
    items: list[dict[str, Any]] = []
    for message in body.get("messages") or ():
        found = list(_items(message))
        if None in found:
            return None
        items += [item for item in found if item is not None]
    counted: dict[str, Any] = {"model": body.get("model"), "input": items}
    tools = [_tool(tool) for tool in body.get("tools") or ()]
    if None in tools:
        return None
    return {**counted, "tools": tools} if tools else counted


def _items(message: Json) -> Iterator[dict[str, Any] | None]:
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        output = content if isinstance(content, str) else _joined(content)
        if output is None:
            yield None
            return
        id_ = message.get("tool_call_id", "")
        yield {"type": "function_call_output", "call_id": id_, "output": output}
        return
    if content:
        parts = [content] if isinstance(content, str) else content
        said = [_part(part, is_output=role == "assistant") for part in parts]
        yield None if None in said else {"role": role, "content": said}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield {
            "type": "function_call",
            "call_id": call.get("id", ""),
            "name": function.get("name", ""),
            "arguments": function.get("arguments", ""),
        }


def _part(part: Any, *, is_output: bool) -> dict[str, Any] | None:  # Any: JSON
    if isinstance(part, str):
        return {"type": "output_text" if is_output else "input_text", "text": part}
    kind = part.get("type")
    if kind == "text":
        return {"type": "output_text" if is_output else "input_text", "text": part.get("text", "")}
    if kind == "image_url" and not is_output:
        image = part.get("image_url") or {}
        url = image if isinstance(image, str) else image.get("url")
        detail = "auto" if isinstance(image, str) else image.get("detail", "auto")
        return {"type": "input_image", "image_url": url, "detail": detail}
    return None


def _joined(content: Any) -> str | None:  # Any: JSON
    if not isinstance(content, list) or any(part.get("type") != "text" for part in content):
        return None
    return "".join(part.get("text", "") for part in content)


def _tool(tool: Json) -> dict[str, Any] | None:
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, Mapping):
        return None
    kept = {
        name: function[name]
        for name in ("name", "description", "parameters", "strict")
        if name in function
    }
    return {"type": "function", **kept}
