"""Commands in words, done by the library's verbs and answered in words."""

from collections.abc import Mapping

from tekton_budget.domain.errors import BudgetError, Unavailable
from tekton_budget.domain.spoken import (
    CHAT,
    LINE,
    SIGN,
    Part,
    Spoken,
    Word,
    help_of,
    named,
    overview,
    read,
)
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.frontends.api.commanding import alerts, allocations, limits, models, usages
from tekton_budget.frontends.api.commanding.said import REQUEST_ID, Answering, Said
from tekton_budget.frontends.http.refused import status_of

_DONE_BY: Mapping[str, Answering] = {
    **limits.COMMANDS,
    **usages.COMMANDS,
    **models.COMMANDS,
    **allocations.COMMANDS,
    **alerts.COMMANDS,
}
_SAID = {
    "start": "The service is running: it answers you.",
    "refresh": "Every answer is of this moment; there is nothing to refresh.",
    "clear": "The page empties its chat by itself; nothing is kept of it here.",
}


async def obey(budget: AsyncBudget, text: str, id_: str | None = None) -> Said:
    """Do what a line says, with the rights of whoever asks; what is refused is told in words.

    What it makes has the id of the request, so that the same again makes it once. Raises
    `Unavailable` when it could not be done now.
    """
    try:
        return await _done(budget, read(text), id_)
    except Unavailable:
        raise
    except BudgetError as refusal:
        status = 402 if isinstance(refusal, BudgetExceeded) else status_of(refusal)
        data = {**refusal.extra, "status": status, "code": refusal.code, "detail": refusal.detail}
        return Said(refusal.detail, data, success=False)


def explain(command: str) -> Said:
    """How a command is used, or which there are."""
    if not command.strip():
        return Said(overview(), {"commands": [_described(one) for one in (*CHAT, *LINE)]})
    found = named(command)
    if not found:
        text = f'There is no command "{command.strip()[:60]}"; help lists them.'
        return Said(text, {"commands": []}, success=False)
    told = "\n\n".join(help_of(one) for one in found)
    return Said(told, {"commands": [_described(one) for one in found]})


async def _done(budget: AsyncBudget, spoken: Spoken, id_: str | None) -> Said:
    name = spoken.word.name
    if name == "help":
        return explain(str(spoken.values.get("command", "")))
    if name in _SAID:
        return Said(_SAID[name], {})
    of_chat = f"{SIGN}{name}" if spoken.word in CHAT else name
    values = spoken.values if id_ is None else {**spoken.values, REQUEST_ID: id_}
    return await (_DONE_BY.get(of_chat) or _DONE_BY[name])(budget, values)


def _described(word: Word) -> dict[str, object]:
    sign = SIGN if word in CHAT else ""
    return {
        "command": f"{sign}{word.name}",
        "description": word.about,
        "usage": word.usage(sign),
        "parameters": [_part(one) for one in word.parameters],
        "options": [_part(one) for one in word.options],
    }


def _part(part: Part) -> dict[str, object]:
    return {
        "name": part.name,
        "description": part.about,
        "optional": not part.needed,
        "choices": list(part.choices),
        "default": part.default,
    }
