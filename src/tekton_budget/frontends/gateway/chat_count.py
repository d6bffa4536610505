"""A chat request in the words of OpenAI's Responses API, whose input it counts for free."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]  # Any: JSON
_MESSAGE = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_CALL = frozenset({"id", "type", "function", "index"})
_SCHEMA = frozenset({"name", "description", "schema", "strict"})
_PLAIN = frozenset({"", "text", "json_object"})  # forms of an answer that add no text of theirs


def as_response(body: Json) -> dict[str, Any] | None:
    """The body to count; `None` where something of the chat has no place there."""
    form = _form(body.get("response_format") or {})
    if form is None or body.get("functions") or body.get("prediction"):
        return None  # more than messages and tools stands in the prompt
    items: list[dict[str, Any]] = []
    for message in body.get("messages") or ():
        found = list(_items(message))
        if None in found:
            return None
        items += [item for item in found if item is not None]
    counted: dict[str, Any] = {"model": body.get("model"), "input": items, **form}
    tools = [_tool(tool) for tool in body.get("tools") or ()]
    if None in tools:
        return None
    return {**counted, "tools": tools} if tools else counted


def _form(form: Json) -> dict[str, Any] | None:  # Any: JSON
    """The field that has the schema of the answer; `None` where it cannot be said."""
    schema = form.get("json_schema")
    if form.get("type") != "json_schema":
        return {} if form.get("type", "") in _PLAIN else None
    if not isinstance(schema, Mapping) or not schema.keys() <= _SCHEMA:
        return None
    return {"text": {"format": {"type": "json_schema", **schema}}}


def _items(message: Json) -> Iterator[dict[str, Any] | None]:
    if any(value is not None and name not in _MESSAGE for name, value in message.items()):
        yield None  # a name, what was thought or refused, an older call of a function
        return
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
        function = call.get("function")
        if not isinstance(function, Mapping) or not call.keys() <= _CALL:
            yield None
            return
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
