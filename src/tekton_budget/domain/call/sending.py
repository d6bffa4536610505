"""The body to send upstream: what was granted, in the API's own fields."""

from typing import Any

from .anthropic.messages import LEAST_THINKING
from .api import Api
from .need import DropPath, Need
from .notes import noted

Body = dict[str, Any]  # Any: JSON

_OUTPUT_FIELDS = {
    Api.OPENAI_CHAT: ("max_completion_tokens", "max_tokens"),
    Api.OPENAI_RESPONSES: ("max_output_tokens",),
    Api.OPENAI_COMPLETIONS: ("max_tokens",),
    Api.ANTHROPIC_MESSAGES: ("max_tokens",),
}
_CONFIG_NAMES = ("generationConfig", "generation_config")
_GEMINI_OUTPUT_NAMES = ("maxOutputTokens", "max_output_tokens")
_THINKING_NAMES = ("thinkingConfig", "thinking_config")
_BUDGET_NAMES = ("thinkingBudget", "thinking_budget")
_GEMINI_LEAST_THINKING = 512  # with less some models refuse; the output maximum holds anyway
_TELLS_USAGE_WHEN_ASKED = (Api.OPENAI_CHAT, Api.OPENAI_COMPLETIONS)


def sent_upstream(
    need: Need,
    body: Body,
    *,
    max_output: int | None,
    note: str | None = None,
    usage: bool = False,
    model: str | None = None,
    output_field: str | None = None,
) -> Body:
    """The body with the output maximum that was granted; the same object if nothing changes.

    `output_field` names the field of a maximum that the provider reads for certain: it is set
    beside the client's own, which some providers pass over in silence. `usage` asks for usage
    in the last frame of a stream; `note` is a word to the model about what is left.
    """
    changed: Body = {}
    sent = _without(body, need.dropped) if need.dropped else body
    if max_output is not None and need.produces_output:
        if need.api is Api.GEMINI_GENERATE:
            changed |= _gemini_config(sent, max_output)
        else:
            changed |= _maxima(need.api, sent, max_output, output_field)
        if need.api is Api.ANTHROPIC_MESSAGES:
            changed |= _thinking(sent, max_output)
    if usage and need.stream and not need.asked_for_usage and need.api in _TELLS_USAGE_WHEN_ASKED:
        changed["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
    if model is not None and sent.get("model") not in (model, None):
        changed["model"] = model
    if note is not None:
        changed |= noted(need, sent, note)
    return {**sent, **changed} if changed else sent


def _maxima(api: Api, body: Body, most: int, output_field: str | None) -> Body:
    """Every maximum that the client gave, none above what was granted."""
    names = _OUTPUT_FIELDS[api]
    given = [name for name in names if body.get(name) is not None]
    if not given:
        return {output_field or names[0]: most}
    changed = {name: most for name in given if body[name] > most}
    if output_field is not None and output_field not in given:
        changed[output_field] = min(most, *(body[name] for name in given))
    return changed


def _thinking(body: Body, most: int) -> Body:
    """Thinking must end before the answer: below its least it is turned off."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return {}
    if thinking["budget_tokens"] < most:
        return {}
    if most <= LEAST_THINKING:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {**thinking, "budget_tokens": most - 1}}


def _gemini_config(body: Body, most: int) -> Body:
    place = _name_in(body, _CONFIG_NAMES)
    config = body.get(place) or {}
    changed: Body = {}
    name = _name_in(config, _GEMINI_OUTPUT_NAMES)
    if config.get(name) is None or config[name] > most:
        changed[name] = most
    thinking_name = _name_in(config, _THINKING_NAMES)
    thinking = config.get(thinking_name) or {}
    budget_name = _name_in(thinking, _BUDGET_NAMES)
    least = max(most, _GEMINI_LEAST_THINKING)
    if isinstance(budget := thinking.get(budget_name), int) and budget > least:
        changed[thinking_name] = {**thinking, budget_name: least}
    return {place: {**config, **changed}} if changed else {}


def _name_in(body: Body, names: tuple[str, str]) -> str:
    """The spelling that the client used."""
    return names[1] if body.get(names[1]) is not None else names[0]


def _without(body: Body, dropped: tuple[DropPath, ...]) -> Body:
    """A copy without what is at these places; a tool that is left empty goes as well."""
    found = dict(body)
    for path in dropped:
        if len(path) == 1:
            found.pop(str(path[0]), None)
    gone = [path for path in dropped if len(path) > 1]
    if gone:
        found["tools"] = [
            left
            for index, tool in enumerate(body["tools"])
            if (left := _tool_without(tool, [path[2:] for path in gone if path[1] == index]))
        ]
        if not found["tools"]:
            for name in ("tools", "tool_choice", "toolConfig", "tool_config"):
                found.pop(name, None)
    return found


def _tool_without(tool: Body, names: list[tuple[str | int, ...]]) -> Body:
    if () in names:
        return {}
    gone = {name for path in names for name in path}
    return {name: value for name, value in tool.items() if name not in gone} if gone else tool
