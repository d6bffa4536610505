"""Commands in words: of Tekton's chat, and of the original's command line."""

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import ConfigDict, Field

from tekton_budget.domain.spoken import TEXT_MAX
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.api.asking import IdempotencyKey
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.commanding import explain, obey
from tekton_budget.frontends.api.commanding.said import Said
from tekton_budget.frontends.api.schemas import Body, View
from tekton_budget.frontends.http.inner import Inner
from tekton_budget.frontends.http.wire import Reply

router = exact_router("/command")

_CREDENTIALS = (b"authorization", b"x-api-key")


class CommandIn(Body):
    """A line as somebody typed it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"command": "/budget daily"}]})

    command: str = Field(max_length=TEXT_MAX, description="As /budget daily, or set-limit daily 5")


class CommandOut(View):
    """What was done, or why not, in words; and as data, where there is more to it."""

    success: bool
    response: str
    data: Any  # Any: JSON of whatever the command is about


@router.post("", response_model=CommandOut)
async def command(request: Request, body: CommandIn, id_: IdempotencyKey = None) -> Reply:
    """Do what a line says, with the rights of whoever sends it.

    `GET /api/v1/command/help` lists what may be said. Always 200, except where nothing can be done
    now: `success` says whether it was done. A command that was refused has in `data` the status and
    code that its own route would have answered.
    """
    given = [(name, value) for name, value in request.scope["headers"] if name in _CREDENTIALS]
    return _told(await obey(AsyncBudget(Inner(request.app, given)), body.command, id_))


@router.get("/help", response_model=CommandOut)
def command_help(
    command: Annotated[str, Query(max_length=200, description="Which; without one, all")] = "",
) -> Reply:
    """The commands, or how one of them is used."""
    return _told(explain(command))


def _told(said: Said) -> Reply:
    return Reply({"success": said.success, "response": said.response, "data": said.data})
