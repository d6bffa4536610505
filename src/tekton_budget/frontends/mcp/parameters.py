"""Parameters of tools: what a model may say, as JSON Schema in few tokens, and checked in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from tekton_budget.domain.errors import FieldFault, InvalidInput

Json = dict[str, Any]  # Any: JSON

TEXT, WHOLE, MONEY, TRUTH = "text", "whole", "money", "truth"
LABELS, TEXTS = "labels", "texts"
_SCHEMAS: dict[str, Json] = {
    TEXT: {"type": "string"},
    WHOLE: {"type": "integer", "minimum": 0},
    MONEY: {"type": "number", "minimum": 0},
    TRUTH: {"type": "boolean"},
    LABELS: {"type": "object", "additionalProperties": {"type": "string"}},
    TEXTS: {"type": "array", "items": {"type": "string"}},
}
_WANTED = {
    TEXT: "text",
    WHOLE: "a whole number, 0 or more",
    MONEY: "USD, 0 or more: 0.25",
    TRUTH: "true or false",
    LABELS: 'an object of texts: {"task": "review"}',
    TEXTS: "a list of texts",
}
_DIGITS = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool. None is ever required."""

    name: str
    kind: str
    says: str = ""
    choices: tuple[str, ...] = ()

    def schema(self) -> Json:
        """JSON Schema, with nothing in it that a model does not need."""
        found = dict(_SCHEMAS[self.kind])
        if self.choices:
            found["enum"] = list(self.choices)
        if self.says:
            found["description"] = self.says
        return found


def schema_of(parameters: Sequence[Parameter]) -> Json:
    """Of all arguments of a tool."""
    found: Json = {"type": "object"}
    if parameters:
        found["properties"] = {one.name: one.schema() for one in parameters}
    found["additionalProperties"] = False
    return found


def checked(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> Json:
    """The arguments as the verbs take them; refuses all faulty ones together.

    What models get wrong without harm is put right: a number sent as text, one text for a list, a
    `null` or empty text for nothing.
    """
    known = {one.name: one for one in parameters}
    faults: list[FieldFault] = []
    found: Json = {}
    for name, value in given.items():
        if value is None or value == "":
            continue
        if name not in known:
            faults.append(FieldFault(name, _unknown(name, list(known))))
            continue
        try:
            found[name] = _READ[known[name].kind](value)
        except (ValueError, TypeError, InvalidOperation):
            faults.append(FieldFault(name, f"send {_WANTED[known[name].kind]}"))
            continue
        choices = known[name].choices
        if choices and found[name] not in choices:
            faults.append(FieldFault(name, f"send {' or '.join(choices)}"))
    if faults:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(f"{detail}. Nothing was done.", *faults)
    return found


def _unknown(name: str, known: list[str]) -> str:
    if not known:
        return "is no argument of this tool, which takes none"
    close = get_close_matches(name, known, 1)
    meant = f", was {close[0]} meant?" if close else ""
    return f"is no argument of this tool{meant} It takes {', '.join(known)}"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value < 10**15:
        raise TypeError
    return value


def _money(value: Any) -> Decimal:
    """A number in JSON came through a float on its way here: its shortest text is what was sent."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    found = Decimal(str(value).strip().lstrip("$"))
    if not found.is_finite() or found < 0:
        raise ValueError
    return found


def _truth(value: Any) -> bool:
    words = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in words:
        raise TypeError
    return words[value]


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError
    if not all(isinstance(inner, str | int) for inner in value.values()):
        raise TypeError
    return {str(name): str(inner) for name, inner in value.items()}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError
    return [one.strip() for one in value if one.strip()]


_READ = {
    TEXT: _text,
    WHOLE: _whole,
    MONEY: _money,
    TRUTH: _truth,
    LABELS: _labels,
    TEXTS: _texts,
}
