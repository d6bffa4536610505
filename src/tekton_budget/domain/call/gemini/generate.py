"""Gemini's generateContent and embedContent, in both spellings of their names."""

import re
from typing import Any

from ..draft import Draft
from ..image_rules import bare
from ..rows import (
    FREE,
    FREE_SHAPING,
    JSON,
    Row,
    Table,
    both_spellings,
    free,
    items,
    mapping,
    once,
    refused,
    text,
    whole,
)
from ..sizes import json_bytes
from .parts import content_tokens

_CONTENT = 8  # who speaks, and the marks around
_TEMPLATE = 32
_SYSTEM = 16
_TOOLS = 128
_TOOL = 16
_SCHEMA = 64
# One search a request, and a price for it; from Gemini 3 on each of any number has its price.
_SEARCHES_ONCE = re.compile(r"gemini-[12]\b")
_THINKS = re.compile(r"gemini-(?!1|2\.0)|gemma-4")
# What models of these names answer with, unasked.
_MAKES = {"-image": "output_image", "banana": "output_image", "-tts": "output_audio"}
_TIERS = {"flex": "flex", "priority": "priority"}


def begin_gemini(draft: Draft) -> None:
    """What hangs on the model alone."""
    draft.tail = _TEMPLATE
    draft.hidden_output = _THINKS.match(bare(draft.model)) is not None
    for name, unit in _MAKES.items():
        if name in draft.model:
            draft.units[unit] = 0  # until all fields are read


def finish_gemini(draft: Draft, body: dict[str, Any]) -> None:  # Any: JSON
    """What hangs on several fields: pictures and sounds are dearer than text."""
    once(body, "")
    for unit in ("output_image", "output_audio"):
        if unit in draft.units:
            if draft.max_output is None:
                draft.unknown(
                    "generationConfig.responseModalities",
                    "pictures and sounds have a bound with maxOutputTokens; send it",
                )
            draft.units[unit] = (draft.max_output or 0) * draft.answers


def _read_contents(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.messages = value if isinstance(value, list) else [value]
    tokens = 0
    for index, content in enumerate(draft.messages):
        tokens += _CONTENT + content_tokens(draft, content, f"{path}.{index}")
        draft.marks.append(tokens)


def _read_system(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.tokens += _SYSTEM + content_tokens(draft, value, path)


def _read_tools(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.wants.add("tools")
    draft.tokens += _TOOLS
    for index, tool in enumerate(items(value, path)):
        for name, inner in mapping(tool, f"{path}.{index}").items():
            if inner is not None:
                _read_tool(draft, name, inner, f"{path}.{index}.{name}", ("tools", index, name))


def _read_tool(
    draft: Draft,
    name: str,
    value: Any,  # Any: JSON
    path: str,
    drop: tuple[str | int, ...],
) -> None:
    plain = name.replace("_", "").lower()
    if plain == "functiondeclarations":
        draft.tokens += json_bytes(value) + _TOOL * len(items(value, path))
    elif plain == "computeruse":
        draft.window = True  # the provider's own functions, of a length that is not told
    elif plain.startswith("googlesearch") and _SEARCHES_ONCE.match(bare(draft.model)):
        draft.units["web_search"] = 1
        draft.window = True
        draft.rounds = 2
    else:
        draft.unknown(
            path,
            "runs at the provider, at a price or in rounds without a number; "
            "declare a function of yours",
            drop=drop,
        )


def _read_config(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    once(mapping(value, path), f"{path}.")
    CONFIG.read(draft, value, f"{path}.")


def _read_request(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    once(mapping(value, path), f"{path}.")
    GENERATE.read(draft, value, f"{path}.")


def _read_max_output(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.max_output = whole(value, path, 1)


def _read_candidates(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    draft.answers = whole(value, path, 1)


def _read_thinking(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    once(mapping(value, path), f"{path}.")
    budget = value.get("thinkingBudget", value.get("thinking_budget"))
    if budget == 0:
        draft.hidden_output = False
    else:
        draft.wants.add("reasoning")


def _read_schema(draft: Draft, value: Any, _path: str) -> None:  # Any: JSON
    draft.wants.add("structured_output")
    draft.tokens += _SCHEMA + json_bytes(value)


def _read_modalities(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    for index, modality in enumerate(items(value, path)):
        kind = text(modality, f"{path}.{index}").lower()
        if kind in ("image", "audio"):
            draft.wants.add(kind)
            draft.units[f"output_{kind}"] = 0  # until all fields are read
        elif kind not in ("text", "modality_unspecified"):
            draft.unknown(f"{path}.{index}", f"{modality!r} has no bound")


def _read_cached(draft: Draft, _value: Any, _path: str) -> None:  # Any: JSON
    """What was cached before is not in the request."""
    draft.window = True


def _read_service_tier(draft: Draft, value: Any, path: str) -> None:  # Any: JSON
    tier = text(value, path).lower().removeprefix("service_tier_")
    if tier in _TIERS:
        draft.priced_for(service_tier=_TIERS[tier])
    elif tier not in ("standard", "unspecified"):
        draft.unknown(path, f"{value!r} is no tier whose price is known")


_TOKENS_AGAIN = refused("it goes on with an answer that is not in the request")

CONFIG = Table(
    both_spellings(
        free(
            "temperature",
            "topP",
            "topK",
            "seed",
            "stopSequences",
            "presencePenalty",
            "frequencyPenalty",
            "responseLogprobs",
            "logprobs",
            "responseMimeType",
            "audioTimestamp",
            "enableEnhancedCivicAnswers",
            "enableAffectiveDialog",
            "imageConfig",
        )
        | {
            "candidateCount": Row(_read_candidates, "so many times the output"),
            "maxOutputTokens": Row(_read_max_output, "bounds the output, thoughts included"),
            "thinkingConfig": Row(_read_thinking, "counts as output, within the maximum", True),
            "responseSchema": Row(_read_schema, "bytes of the schema", shapes=True),
            "responseJsonSchema": Row(_read_schema, "bytes of the schema", shapes=True),
            "_responseJsonSchema": Row(_read_schema, "bytes of the schema", shapes=True),
            "responseFormat": Row(_read_schema, "bytes of the schema", shapes=True),
            "responseModalities": Row(_read_modalities, "pictures, sound: with the maximum"),
            "mediaResolution": FREE_SHAPING,
            "speechConfig": JSON,
            "audioTranscriptionConfig": JSON,
            "translationConfig": JSON,
            "routingConfig": refused("another model may answer; name one model"),
            "modelSelectionConfig": refused("another model may answer; name one model"),
            "modelConfig": refused("another model may answer; name one model"),
        }
    )
)

GENERATE: Table = Table(
    both_spellings(
        free("safetySettings", "labels", "store", "modelArmorConfig", "outputConfig")
        | {
            "model": FREE,
            "contents": Row(_read_contents, "text by its bytes, pictures by their size"),
            "systemInstruction": Row(_read_system, "its bytes", shapes=True),
            "tools": Row(_read_tools, "bytes of functions; hosted ones refused", shapes=True),
            "toolConfig": JSON,
            "generationConfig": Row(_read_config, "field by field", shapes=True),
            "cachedContent": Row(_read_cached, "the model's context window", shapes=True),
            "serviceTier": Row(_read_service_tier, "the tier's prices"),
            "continuationToken": _TOKENS_AGAIN,
            "generateContentRequest": Row(_read_request, "field by field, to be counted"),
        }
    )
)
