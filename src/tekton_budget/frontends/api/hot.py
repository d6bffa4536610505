"""The routes that every call passes, without a framework between them and the ledger."""

import re
from collections.abc import Sequence

from starlette.types import Receive

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api import problems, quick
from tekton_budget.frontends.api.bodies import answers, spending
from tekton_budget.frontends.api.body import BODY_MAX, sent_json
from tekton_budget.frontends.api.edge import Answered, HotRoute, told
from tekton_budget.frontends.http import wire
from tekton_budget.frontends.http.receiving import read_body
from tekton_budget.frontends.http.wire import in_snake_case
from tekton_budget.service.asking.ledger import LedgerVerbs

JSON = (b"content-type", b"application/json")
_IS_ID = re.compile(spending.ID_PATTERN).search


class HotRoutes:
    """`POST /allocations`, and `children` and `settle` of one."""

    def __init__(self, ledger: LedgerVerbs, prefixes: Sequence[str]) -> None:
        self._ledger = ledger
        self._asks = {f"{prefix}/allocations" for prefix in prefixes}
        self._starts = tuple(f"{prefix}/allocations/" for prefix in prefixes)

    def found(self, method: str, path: str) -> tuple[HotRoute, str, str] | None:
        """The handler of a request, its route's template, and the id in its path."""
        if method != "POST":
            return None
        if path in self._asks:
            return self.allocate, "/allocations", ""
        if path.startswith(self._starts):
            id_, _, last = path[path.index("/allocations/") + 13 :].partition("/")
            if last == "settle":
                return self.settle, "/allocations/{allocation_id}/settle", id_
            if last == "children":
                return self.allocate, "/allocations/{allocation_id}/children", id_
        return None

    async def allocate(
        self, caller: Caller, headers: dict[bytes, bytes], receive: Receive, id_: str, path: str
    ) -> Answered:
        """201 with what is held, or 402 with what to do; an id is the parent's."""
        body = sent_json(headers, await read_body(headers, receive, BODY_MAX))
        key = idempotency_key(headers)
        asked = quick.ask_of(body, key) or spending.asked_of(in_snake_case(body), key)
        if id_:
            asked = spending.child_of(asked, id_)
        ticket = self._ledger.allocate(
            caller,
            asked.ask,
            allocation_id=asked.id,
            dry_run=asked.dry_run,
            wait_seconds=asked.wait_seconds,
        )
        answer = await ticket
        if isinstance(answer, Denial):
            return told(problems.of_denial(answer, path))
        command = ticket.work
        assert isinstance(command, Allocate)
        shown = answers.to_api_grant(answer, command)
        return 201, wire.encode(shown), [JSON]

    async def settle(
        self, caller: Caller, headers: dict[bytes, bytes], receive: Receive, id_: str, _: str
    ) -> Answered:
        """200 with what was spent and what is free again."""
        body = sent_json(headers, await read_body(headers, receive, BODY_MAX))
        key = idempotency_key(headers)
        request = quick.settle_of(body, id_, key)
        if request is None:
            request = spending.settle_of(in_snake_case(body), id_, key)
        ended = await self._ledger.settle(
            caller,
            id_,
            request.used,
            labels=request.labels,
            record_id=request.record_id,
            cascade=request.cascade,
        )
        return 200, wire.encode(answers.to_api_ended(ended)), [JSON]


def idempotency_key(headers: dict[bytes, bytes]) -> str | None:
    """The caller's id of what it asks for."""
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    id_ = key.decode("latin-1").strip()
    if _IS_ID(id_) is None:
        raise invalid("Idempotency-Key", "send 1 to 200 of the characters A-Z a-z 0-9 . _ : @ -")
    return id_
