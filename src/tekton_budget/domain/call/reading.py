"""A request of any API, read into what it may use at most."""

from collections.abc import Callable
from typing import Any, NamedTuple

from .anthropic import messages
from .api import Api
from .draft import Draft, wrong
from .gemini import embed, generate
from .need import Need
from .openai import chat, responses, texts
from .rows import Table

Body = dict[str, Any]  # Any: JSON


class _Format(NamedTuple):
    """How the requests of one API are read: before the fields, the fields, after them."""

    begin: Callable[[Draft], None]
    table: Table
    finish: Callable[[Draft, Body], None]


def _nothing(_draft: Draft, _body: Body) -> None:
    """All is said field by field."""


_FORMATS = {
    Api.OPENAI_CHAT: _Format(chat.begin_chat, chat.TABLE, chat.finish_chat),
    Api.OPENAI_RESPONSES: _Format(
        responses.begin_responses,
        responses.TABLE,
        responses.finish_responses,
    ),
    Api.OPENAI_COMPLETIONS: _Format(
        texts.begin_completions,
        texts.COMPLETIONS,
        texts.finish_completions,
    ),
    Api.OPENAI_EMBEDDINGS: _Format(
        texts.begin_completions, texts.EMBEDDINGS, texts.finish_embeddings
    ),
    Api.ANTHROPIC_MESSAGES: _Format(messages.begin_messages, messages.TABLE, _nothing),
    Api.GEMINI_GENERATE: _Format(generate.begin_gemini, generate.GENERATE, generate.finish_gemini),
    Api.GEMINI_EMBED: _Format(generate.begin_gemini, embed.EMBED, embed.finish_embeddings),
}

TABLES: dict[Api, Table] = {api: form.table for api, form in _FORMATS.items()}


def read_request(
    api: Api,
    body: Body,
    *,
    model: str | None = None,
    stream: bool | None = None,
    counts_only: bool = False,
    unmetered: bool = False,
    dropping: bool = False,
) -> Need:
    """What the request may use at most.

    `model` and `stream` are what the path says, where it does. `counts_only` is for endpoints that
    count tokens and answer nothing. What has no bound is refused; if `unmetered`, it is let pass
    and named in the need; if `dropping`, hosted tools and unknown fields are left out of what is
    sent, and the rest is refused or let pass.
    """
    if not isinstance(body, dict):
        raise wrong("body", "must be a JSON object")
    named = body.get("model") if model is None else model
    if not isinstance(named, str) or not named:
        raise wrong("model", "name the model that is to answer")
    draft = Draft(api, named, lets_pass=unmetered, drops=dropping)
    form = _FORMATS[api]
    form.begin(draft)
    try:
        form.table.read(draft, body)
        form.finish(draft, body)
    except RecursionError as error:
        raise wrong("body", "is nested too deep to be read") from error
    if stream is not None:
        draft.stream = stream
    if counts_only:
        draft.produces_output = False
    return draft.need()
