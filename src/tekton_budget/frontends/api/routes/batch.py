"""Batches: up to 1,000 commands of the ledger in one request, each answered on its own."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field

from tekton_budget.domain.answer import Denial, Ended, Grant, Recorded, Several
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.command import Allocate, Command, Together
from tekton_budget.domain.errors import BudgetError, FieldFault, InvalidInput, invalid
from tekton_budget.frontends.api import problems
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Verbs
from tekton_budget.frontends.api.bodies import answers, spending
from tekton_budget.frontends.api.body import LargeRoute, exact_router
from tekton_budget.frontends.api.schemas import Body, Truth, View
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service import Service
from tekton_budget.service.asking.asks import LedgerRequest
from tekton_budget.service.asking.ledger import BATCH_MAX

router = exact_router("/batch", LargeRoute)

PATH = "/api/v1/batch"
Json = dict[str, Any]  # Any: JSON
Told = tuple[int, dict[str, object]]  # status and body, as the command's own route would answer


class BatchBody(Body):
    """Commands, in the order in which they are judged."""

    commands: list[Json] = Field(
        min_length=1,
        max_length=BATCH_MAX,
        examples=[[{"do": "allocate", "team": "a", "cost": 0.18}]],
        description="Each with do (allocate, settle, release, extend or record) beside the fields "
        "of its own route; settle, release and extend name an allocation_id",
    )
    atomic: Truth = Field(False, description="All of them or none")


class ResultOut(View):
    """What the command's own route would answer."""

    status: int
    body: Json


class BatchOut(View):
    """One result a command, in their order."""

    results: list[ResultOut]


@router.post("", response_model=BatchOut)
async def run_batch(
    body: BatchBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """Up to 1,000 commands. With `atomic` the first that is denied or refused undoes all.

    `Idempotency-Key` gives each command that has no id one made of it and of its position.
    """
    if body.atomic:
        return await _together(body.commands, asker, verbs, key)
    asked = [_asked(one, position, key) for position, one in enumerate(body.commands)]
    good = [one for one in asked if not isinstance(one, BudgetError)]
    queued = iter(verbs.ledger.batch(asker, good) if good else [])
    results: list[Told] = []
    tickets = [one if isinstance(one, BudgetError) else next(queued) for one in asked]
    for position, ticket in enumerate(tickets):
        place = f"{PATH}#{position}"
        if isinstance(ticket, BudgetError):
            results.append(_refused(ticket, place))
            continue
        try:
            answer = await ticket
        except BudgetError as refusal:
            results.append(_refused(refusal, place))
        except Exception as error:  # noqa: BLE001  (the others still have to be told)
            results.append(problems.of_fault(error, place)[:2])
        else:
            assert isinstance(ticket.work, Command)
            results.append(_told(answer, ticket.work, place))
    return _reply(results)


async def _together(
    commands: Sequence[Json], asker: Caller, verbs: Service, key: str | None
) -> Reply:
    requests: list[LedgerRequest] = []
    for position, one in enumerate(commands):
        asked = _asked(one, position, key)
        if isinstance(asked, BudgetError):
            raise _at(asked, position)
        requests.append(asked)
    ticket = verbs.ledger.batch(asker, requests, atomic=True)[0]
    if isinstance(ticket, BudgetError):
        raise ticket
    answer = await ticket
    if isinstance(answer, Denial):
        return problems.ProblemReply(problems.of_denial(answer, PATH))
    assert isinstance(answer, Several)
    assert isinstance(ticket.work, Together)
    return _reply(
        [
            _told(part, command, PATH)
            for part, command in zip(answer.answers, ticket.work.commands, strict=True)
        ]
    )


def _asked(one: Json, position: int, key: str | None) -> LedgerRequest | BudgetError:
    fields = {name: value for name, value in one.items() if name != "do"}
    try:
        own_key = None if key is None else f"{key}:{position}"
        read = _VERBS.get(str(one.get("do")))
        if read is None:
            raise invalid("do", f"send one of {', '.join(_VERBS)}")
        return read(fields, own_key)
    except BudgetError as refusal:
        return refusal


def _allocate(fields: Json, key: str | None) -> LedgerRequest:
    return spending.allocate_request(fields, fields.get("allocation_id") or key)


def _settle(fields: Json, key: str | None) -> LedgerRequest:
    id_ = _allocation_id(fields)
    return spending.settle_of(fields, id_, fields.get("record_id") or key)


def _release(fields: Json, key: str | None) -> LedgerRequest:
    del key  # the allocation's id is enough
    return spending.release_of(fields, _allocation_id(fields))


def _extend(fields: Json, key: str | None) -> LedgerRequest:
    id_ = _allocation_id(fields)
    return spending.extend_of(fields, id_, fields.get("id") or key)


def _record(fields: Json, key: str | None) -> LedgerRequest:
    return spending.record_of(fields, fields.get("record_id") or key)


_VERBS: dict[str, Callable[[Json, str | None], LedgerRequest]] = {
    "allocate": _allocate,
    "settle": _settle,
    "release": _release,
    "extend": _extend,
    "record": _record,
}


def _allocation_id(fields: Json) -> str:
    id_ = fields.pop("allocation_id", None)
    if not isinstance(id_, str):
        raise invalid("allocation_id", "name the allocation")
    return id_


def _told(answer: object, command: Command, place: str) -> Told:
    match answer:
        case BudgetError():
            return _refused(answer, place)
        case Denial():
            return problems.of_denial(answer, place)[:2]
        case Grant():
            assert isinstance(command, Allocate)
            return 201, answers.to_api_grant(answer, command)
        case Ended():
            return 200, answers.to_api_ended(answer)
        case Recorded():
            return 201, answers.to_api_recorded(answer)
    raise AssertionError(f"no words for {type(answer).__name__}")


def _refused(refusal: BudgetError, place: str) -> Told:
    return problems.of_refusal(refusal, place)[:2]


def _at(refusal: BudgetError, position: int) -> InvalidInput:
    faults = [FieldFault(f"commands.{position}.{f.field}", f.message) for f in refusal.fields]
    return InvalidInput(refusal.detail, *faults, code=refusal.code, index=position)


def _reply(results: Sequence[Told]) -> Reply:
    return Reply({"results": [{"status": status, "body": body} for status, body in results]})
