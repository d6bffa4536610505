"""Retries of what people change: under the same id the same request is done once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.ledger.retry import reused
from tekton_budget.storage import tables
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.statements import ANSWER_COLUMNS
from tekton_budget.storage.writer import Exclusively


@dataclass(frozen=True, slots=True)
class Retry:
    """The caller's own id of a request, what kind of request it is, and its content."""

    id: str
    kind: str
    content: str  # canonical JSON, as `commands.content_of` writes it

    @property
    def slot(self) -> str:
        """The id as remembered: ids are unique per key and kind."""
        return f"{self.kind}:{self.id}"


def done_before(
    alone: Exclusively, caller: Caller, retry: Retry | None
) -> dict[str, Any] | None:  # Any: JSON
    """What this very request made, if it was done; refuses the id for another content."""
    if retry is None:
        return None
    columns = "key_id, content, answer"
    for key_id, content, answer in alone.session.by_keys(
        tables.answers, columns, "id", [retry.slot]
    ):
        if key_id == caller.key_id:
            if content != retry.content:
                raise reused(retry.id, content, retry.content)
            return msgspec.json.decode(answer, type=dict[str, Any])
    return None


def note_done(
    alone: Exclusively, caller: Caller, retry: Retry | None, made: Mapping[str, object]
) -> None:
    """Remember what a request made, in the transaction that makes it."""
    if retry is None:
        return
    row = (caller.key_id, retry.slot, retry.content, json_text(made), alone.now_us)
    alone.session.write(alone.session.statements.insert(tables.answers, ANSWER_COLUMNS), [row])
