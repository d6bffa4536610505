"""What people type: labels, scopes, amounts, lengths of time, months."""

import re
import shlex
from collections.abc import Sequence

from tekton_budget.domain.errors import invalid
from tekton_budget.face.environment import labels_from_text

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 365 * 86_400}
_LENGTH = re.compile(r"([0-9]+)\s*(s|m|min|h|d|w|y)[a-z]*")


def labels_of(words: Sequence[str], field: str = "label") -> dict[str, str]:
    """`LABEL=VALUE` words → labels. Commas part several, unless a value has one."""
    labels: dict[str, str] = {}
    for word in words:
        labels |= labels_from_text(word, field)
    return labels


def scope_of(words: Sequence[str]) -> dict[str, str | list[str]]:
    """`model=gpt-*,!gpt-4*` → a value, or the list of them."""
    scope: dict[str, str | list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        values = [value for value in text.split(",") if value]
        if not equals or not values:
            raise invalid("scope", f'"{word}" is no label: write LABEL=VALUE')
        scope[name] = values[0] if len(values) == 1 else values
    return scope


def scope_words(scope: dict[str, str | list[str]]) -> list[str]:
    """A scope as it is typed."""
    return [
        f"{name}={value if isinstance(value, str) else ','.join(value)}"
        for name, value in scope.items()
    ]


def parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words with `=` in them, and the others."""
    labels = [word for word in words if "=" in word]
    return labels, [word for word in words if "=" not in word]


def seconds_of(text: str, field: str) -> int:
    """`90d`, `12h`, `15m`, or plain seconds."""
    word = text.strip().lower()
    if word.isdigit():
        return int(word)
    found = _LENGTH.fullmatch(word)
    if found is None:
        raise invalid(field, f'"{text}" is no length of time: write it like 15m, 12h or 90d')
    return int(found[1]) * _SECONDS[found[2][0]]


def listed(words: Sequence[str] | None) -> list[str]:
    """What options name that may be repeated, or name several with commas."""
    return [one for word in words or [] for one in word.split(",")]


def command_line(words: Sequence[str]) -> str:
    """Words as they are pasted into a shell."""
    return " ".join(shlex.quote(word) for word in words)
