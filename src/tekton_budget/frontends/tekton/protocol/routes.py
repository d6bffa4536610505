"""The routes of the protocol: messages, tools, and what there is of them."""

import re
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tekton_budget import component
from tekton_budget.domain.errors import BudgetError, NotFound
from tekton_budget.frontends.api.asking import Asker, Runs, Verbs
from tekton_budget.frontends.api.bodies.spending import ID_PATTERN
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.parts import parts_of, worst
from tekton_budget.frontends.api.schemas import View
from tekton_budget.frontends.http.wire import Reply, time_text
from tekton_budget.frontends.tekton.protocol.acts import DO, NOTHING, Told
from tekton_budget.frontends.tekton.protocol.given import Asked, known_only
from tekton_budget.frontends.tekton.protocol.table import (
    BY_MESSAGE,
    CAPABILITIES,
    TABLE,
    Act,
    Entry,
)
from tekton_budget.service.asking.commands import new_id
from tekton_budget.wiring import Running

ERROR = "budget.error"
SUCCESS, FAILED = "success", "error"
SHOWN_MAX = 200  # of what was sent, in an answer

Json = dict[str, Any]  # Any: JSON

router = APIRouter(route_class=ExactRoute, tags=["mcp"], strict_content_type=False)

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class MessageBody(BaseModel):
    """A message of another component. Names may be in camelCase; fields that are not known pass."""

    model_config = ConfigDict(extra="ignore")

    message_id: str | None = Field(
        None, max_length=200, description="The same again, with the same content, changes nothing"
    )
    sender: _Name = Field(description="The component that speaks", examples=["ergon"])
    message_type: _Name = Field(examples=["budget.allocate_tokens"])
    timestamp: Any = Field(None, description="Not used")
    payload: Json = Field(default_factory=dict)
    reply_to: Any = Field(None, description="Not used: the answer is the response")
    timeout: Any = Field(None, description="Not used")


class MessageOut(View):
    """The answer to a message."""

    message_id: str
    sender: str
    message_type: str
    timestamp: str
    payload: Json
    request_id: str
    status: str = Field(description="success or error")
    error: str | None


class ProcessBody(BaseModel):
    """A tool to be called, in any of the spellings that Tekton's components have for it."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    tool_name: _Name = Field(
        validation_alias=AliasChoices("tool_name", "tool", "name"), examples=["GetBudgetStatus"]
    )
    arguments: Json | None = Field(
        None, validation_alias=AliasChoices("arguments", "parameters", "params")
    )


class ExecuteBody(BaseModel):
    """The parameters of a tool; the context is not used."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    parameters: Json | None = Field(
        None, validation_alias=AliasChoices("parameters", "arguments", "params")
    )


class ProcessedOut(View):
    """What came of a tool. Over budget is a result too: its `success` is false."""

    status: str = Field(description="success, or error where the tool could not be called so")
    result: Json | None
    error: str | None


class ExecutedOut(View):
    """What came of a tool, in Hermes's form."""

    success: bool
    tool_id: str
    tool_name: str
    result: Json | None
    error: str | None


class ProtocolHealthOut(View):
    """Whether messages and tools are answered."""

    status: str
    message: str


class CapabilitiesOut(View):
    """Groups of tools."""

    capabilities: list[Json]
    count: int


class ToolOut(View):
    """A tool, with the JSON Schema of its parameters."""

    name: str
    description: str
    input_schema: Json
    tags: list[str]
    category: str


class ToolsOut(View):
    """All tools."""

    tools: list[ToolOut]
    count: int


@router.get("/health", response_model=ProtocolHealthOut)
async def protocol_health(request: Request, runs: Runs) -> Reply:
    """Whether messages and tools are answered."""
    status = (await _health(request, runs))["status"]
    said = "running" if status == "healthy" else status
    return Reply({"status": status, "message": f"MCP service is {said}"})


@router.get("/capabilities", response_model=CapabilitiesOut)
def capabilities() -> Reply:
    """Groups of tools."""
    return Reply(
        {"capabilities": [asdict(one) for one in CAPABILITIES], "count": len(CAPABILITIES)}
    )


@router.get("/tools", response_model=ToolsOut)
def tools() -> Reply:
    """Every tool that `process` calls."""
    return Reply({"tools": [_to_tool(entry) for entry in TABLE], "count": len(TABLE)})


@router.get("/tools/{name}", response_model=ToolOut)
def tool(name: str) -> Reply:
    """One tool."""
    return Reply(_to_tool(_entry_of(name)))


@router.post("/message", response_model=MessageOut)
def message(body: MessageBody, asker: Asker, verbs: Verbs, runs: Runs) -> Reply:
    """A message of another component. Answered with 200 whatever comes of it: read `status`.

    Over budget is status `error` with the reason. Where the payload names no component, it is the
    sender.
    """
    entry = BY_MESSAGE.get(body.message_type)
    if entry is None:
        unknown = f"Unknown message type: {body.message_type[:SHOWN_MAX]}"
        kind, told = ERROR, Told({}, unknown)
    else:
        assert entry.answer is not None
        own_id = body.message_id if _is_id(body.message_id) else None
        zone = runs.settings.timezone
        kind = entry.answer
        told = _done(entry, Asked(asker, verbs, body.payload, zone, body.sender, own_id))
    return Reply(
        {
            "message_id": new_id(),
            "sender": component.NAME,
            "message_type": kind,
            "timestamp": time_text(verbs.health.now_us()),
            "payload": told.payload,
            "request_id": body.message_id or new_id(),
            "status": SUCCESS if told.error is None else FAILED,
            "error": told.error,
        }
    )


@router.post("/process", response_model=ProcessedOut)
async def process(body: ProcessBody, request: Request, asker: Asker, runs: Runs) -> Reply:
    """Call a tool by its name. Answered with 200 whatever comes of it: read `status`, and then
    `result.success`, which is false where it would be over budget.
    """
    try:
        told = await _called(_entry_of(body.tool_name), body.arguments, request, asker, runs)
    except NotFound as error:
        told = Told({}, error.detail, is_refused=True)
    return Reply(
        {
            "status": FAILED if told.is_refused else SUCCESS,
            "result": None if told.is_refused else told.payload,
            "error": told.error if told.is_refused else None,
        }
    )


@router.post("/tools/{name}/execute", response_model=ExecutedOut)
async def execute(
    name: str, body: ExecuteBody, request: Request, asker: Asker, runs: Runs
) -> Reply:
    """Call one tool: where Hermes is told that our tools are called."""
    entry = _entry_of(name)
    told = await _called(entry, body.parameters, request, asker, runs)
    return Reply(
        {
            "success": told.error is None,
            "tool_id": f"tool-{component.NAME}_{entry.act}",
            "tool_name": entry.act,
            "result": None if told.is_refused else told.payload,
            "error": told.error,
        }
    )


async def _called(
    entry: Entry, given: Json | None, request: Request, asker: Asker, runs: Runs
) -> Told:
    """A tool's answer; a parameter that it does not have is refused."""
    try:
        known_only(given or {}, entry.parameters)
    except BudgetError as error:
        return Told({}, error.detail, is_refused=True)
    if entry.act is Act.HEALTH:
        return Told(await _health(request, runs))
    if entry.act is Act.INFO:
        return Told(_info(request, runs))
    asked = Asked(asker, runs.service, given or {}, runs.settings.timezone)
    return await run_in_threadpool(_done, entry, asked)


def _done(entry: Entry, asked: Asked) -> Told:
    """What comes of an act; a refusal is an answer here, a fault of ours is told as one."""
    try:
        return DO[entry.act](asked)
    except BudgetError as error:
        refused = {"error": error.detail, "code": error.code}
        return Told({**NOTHING[entry.act](asked), **refused}, error.detail, is_refused=True)


def _entry_of(name: str) -> Entry:
    """A tool by its name, with or without the component's before it."""
    known = {entry.act.value: entry for entry in TABLE}
    found = known.get(name.removeprefix(f"{component.NAME}_"))
    if found is None:
        raise NotFound(
            f"Unsupported tool: {name[:SHOWN_MAX]}. Tools: {', '.join(known)}.",
            code="tool_not_found",
        )
    return found


async def _health(request: Request, runs: Running) -> Json:
    vitality = request.app.state.vitality
    parts = await parts_of(runs, vitality)
    return {
        "status": worst(parts, hermes_required=runs.settings.hermes_required),
        "component": component.NAME,
        "uptime_seconds": vitality.uptime_seconds,
        "details": {name: part["status"] for name, part in parts.items()},
    }


def _info(request: Request, runs: Running) -> Json:
    return {
        "name": component.NAME,
        "version": request.app.version,
        "description": component.DESCRIPTION,
        "capabilities": component.capabilities(mcp=runs.settings.mcp_enabled),
        "tools": [entry.act.value for entry in TABLE],
        "message_types": list(BY_MESSAGE),
    }


def _to_tool(entry: Entry) -> Json:
    return {
        "name": entry.act.value,
        "description": entry.description,
        "input_schema": entry.schema,
        "tags": entry.tags,
        "category": entry.capability,
    }


def _is_id(text: str | None) -> bool:
    return text is not None and re.match(ID_PATTERN, text) is not None
