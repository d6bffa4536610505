"""Needs as people write them: words (`tools, vision`), or an object with numbers too."""

import re
from collections.abc import Mapping, Sequence

from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.domain.recommend.needs import FEATURES, MODALITIES, Needs

_TOKENS_MAX = 10**12
_FEATURE_OF_WORD = {
    **{name: name for name in FEATURES},
    "function_calling": "tools",
    "json": "structured_output",
    "response_schema": "structured_output",
    "thinking": "reasoning",
    "cache": "prompt_cache",
    "caching": "prompt_cache",
}
_INPUT_OF_WORD = {**{name: name for name in MODALITIES}, "vision": "image"}
WORDS = (*FEATURES, "vision", *(name for name in MODALITIES if name != "text"))
_NUMBERS = {
    "context_tokens": "context_tokens",
    "context_size": "context_tokens",
    "max_output_tokens": "max_output_tokens",
}
_FIELDS = (*WORDS, *_NUMBERS, "input", "output", "mode")


def needs_from_json(value: object) -> Needs:
    """`["tools", "vision"]`, or `{"tools": true, "context_tokens": 9000, "output": ["audio"]}`."""
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if isinstance(value, Mapping):
        return _from_fields(value)
    if not isinstance(value, Sequence):
        raise invalid("needs", f"send a list of {', '.join(WORDS)}, or an object")
    needs = Needs()
    for word in value:
        needs = needs.and_also(_from_word(word))
    return needs


def waived_in(value: object) -> frozenset[str]:
    """Features that are said not to be needed, whatever the usage shows: `{"reasoning": false}`."""
    if not isinstance(value, Mapping):
        return frozenset()
    said = {name for name, one in value.items() if one is False}
    return frozenset(feature for word, feature in _FEATURE_OF_WORD.items() if word in said)


def words_of_needs(priorities: str, task: str = "") -> tuple[str, ...]:
    """The needs that people's own sentences name; of the task's, what it reads (`image`) alone."""
    said = dict.fromkeys(_words_in(priorities, (*_FEATURE_OF_WORD, *_INPUT_OF_WORD)))
    said |= dict.fromkeys(_words_in(task, tuple(_INPUT_OF_WORD)))
    return tuple(word for word in said if word != "text")


def _words_in(sentence: str, known: Sequence[str]) -> list[str]:
    words = re.findall(r"[a-z_]+", sentence.lower().replace("-", "_"))
    singular = (word if word in known else word.removesuffix("s") for word in words)
    return [word for word in singular if word in known]


def needs_json(needs: Needs) -> dict[str, object]:
    """What `needs_from_json` reads back as the same needs."""
    fields: dict[str, object] = {
        "mode": needs.mode,
        "context_tokens": needs.context_tokens,
        "max_output_tokens": needs.max_output_tokens,
        "input": sorted(needs.input),
        "output": sorted(needs.output),
        **{name: True for name in FEATURES if name in needs.features},
    }
    return {name: value for name, value in fields.items() if value}


def _from_fields(fields: Mapping[object, object]) -> Needs:
    needs = Needs()
    for name, value in fields.items():
        if value is None or value is False:
            continue
        if name == "mode":
            if not isinstance(value, str) or not value:
                raise invalid("needs.mode", "send text, such as chat or embedding")
            needs = needs.and_also(Needs(mode=value))
        elif name in ("input", "output"):
            modalities = _modalities(str(name), value)
            both = {"input": frozenset[str](), "output": frozenset[str](), str(name): modalities}
            needs = needs.and_also(Needs(input=both["input"], output=both["output"]))
        elif name in _NUMBERS:
            needs = needs.and_also(_from_number(str(name), value))
        elif value is not True:
            raise _unknown(f"needs.{name}", "send true or false")
        else:
            needs = needs.and_also(_from_word(name))
    return needs


def _from_number(name: str, value: object) -> Needs:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _TOKENS_MAX:
        raise invalid(f"needs.{name}", "send a number of tokens")
    if _NUMBERS[name] == "context_tokens":
        return Needs(context_tokens=value)
    return Needs(max_output_tokens=value)


def _from_word(word: object) -> Needs:
    name = word.strip().lower().replace("-", "_") if isinstance(word, str) else ""
    if name in _FEATURE_OF_WORD:
        return Needs(features=frozenset({_FEATURE_OF_WORD[name]}))
    if name in _INPUT_OF_WORD:
        return Needs(input=frozenset({_INPUT_OF_WORD[name]}))
    raise _unknown("needs", f"{word!r} is none of {', '.join(WORDS)}")


def _modalities(name: str, value: object) -> frozenset[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not all(one in MODALITIES for one in listed):
        raise invalid(f"needs.{name}", f"send a list of {', '.join(MODALITIES)}")
    return frozenset(listed)


def _unknown(field: str, text: str) -> InvalidInput:
    return invalid(field, f"{text}; an object takes {', '.join(dict.fromkeys(_FIELDS))}")
