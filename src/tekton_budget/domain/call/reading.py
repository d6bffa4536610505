"""A request of any API, read into what it may use at most."""

from collections.abc import Mapping
from typing import Any

from . import anthropic_messages, openai_chat
from .api import Api
from .draft import Draft, wrong
from .need import Need
from .rows import Table

TABLES: dict[Api, Table] = {
    Api.OPENAI_CHAT: openai_chat.TABLE,
    Api.ANTHROPIC_MESSAGES: anthropic_messages.TABLE,
}


def read_request(
    api: Api,
    body: Mapping[str, Any],  # Any: JSON
    *,
    model: str | None = None,
    stream: bool | None = None,
    counts_only: bool = False,
    unmetered: bool = False,
) -> Need:
    """What the request may use at most.

    `model` and `stream` are what the path says, where it does. `counts_only` is for endpoints that
    only count tokens. With `unmetered` a field that no row knows is let pass, and named in the need.
    """
    draft = Draft(api, lets_pass=unmetered)
    if not isinstance(body, Mapping):
        raise wrong("body", "must be a JSON object")
    try:
        TABLES[api].read(draft, body)
    except RecursionError as error:
        raise wrong("body", "is nested too deep to be read") from error
    if model is not None:
        draft.model = model
    if stream is not None:
        draft.stream = stream
    if counts_only:
        draft.produces_output = False
    return draft.need()
