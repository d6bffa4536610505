"""Retries: the same id with the same content gets the first answer, other content is refused."""

import json
from collections.abc import Mapping

from tekton_budget.domain.answer import Answer
from tekton_budget.domain.command import Command
from tekton_budget.domain.errors import BudgetError, Conflict, FieldFault
from tekton_budget.domain.ledger.state import Remembered, State, answer_slot


def differing_fields(first: str, second: str) -> list[str]:
    """The fields in which two canonical contents differ, dotted, in order."""
    found = _differences(_content(first), _content(second), "")
    return sorted(_as_sent(name.removeprefix("used.")) for name in found)


def reused(id_: str, first: str, second: str) -> Conflict:
    """The refusal of an id that was used for something else; it names what differs."""
    fields = differing_fields(first, second)
    named = ", ".join(fields) or "content"
    return Conflict(
        f"The id {id_!r} was already used with other content (differs in: {named}). "
        "Send a new id, or repeat the first request unchanged.",
        *(FieldFault(name, "differs from the first request under this id") for name in fields),
        code="id_reused",
    )


def remembered_answer(state: State, command: Command) -> Answer | BudgetError | None:
    """What this very command was answered before, if it was."""
    first = state.answers.get(answer_slot(command))
    if first is None:
        return None
    if first.content == command.content or not differing_fields(first.content, command.content):
        return first.answer
    return reused(command.id, first.content, command.content)


def remember(command: Command, answer: Answer) -> Remembered:
    """The answer of a command that changed something, for its retries."""
    return Remembered(answer_slot(command), command.content, answer)


def _as_sent(name: str) -> str:
    """Times are kept in microseconds, and asked for as texts."""
    return {"expires_us": "expires_at", "timestamp_us": "timestamp"}.get(name, name)


def _content(text: str) -> object:
    return json.loads(text or "{}", parse_float=str)  # every digit counts


def _differences(first: object, second: object, path: str) -> set[str]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        found: set[str] = set()
        for name in set(first) | set(second):
            below = f"{path}.{name}" if path else str(name)
            found |= _differences(first.get(name), second.get(name), below)
        return found
    same = first == second or (_is_unsaid(first) and _is_unsaid(second))
    return set() if same else {path or "content"}


def _is_unsaid(value: object) -> bool:
    """A field left out is one that says nothing: earlier versions did not know it."""
    return value is None or value is False or value in ([], {})
