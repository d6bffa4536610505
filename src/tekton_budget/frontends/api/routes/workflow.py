"""Tekton's workflows: its components ask each other whether there is work, in one form."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tekton_budget import component
from tekton_budget.domain.errors import FieldFault
from tekton_budget.frontends.api.body import AsSentRoute
from tekton_budget.frontends.api.schemas import View
from tekton_budget.frontends.http.refused import Malformed
from tekton_budget.frontends.http.wire import Reply

_FIELDS = ("purpose", "dest", "payload")
_TOLD_MAX = 200  # of what was sent, in the answer
_OURS = (component.NAME, component.OTHER_NAME)

router = APIRouter(route_class=AsSentRoute, tags=["health"])


class WorkflowIn(BaseModel):
    """A message of a workflow. All three fields are needed; without one, the answer is 400."""

    model_config = ConfigDict(extra="allow")

    purpose: Any = Field(None, description="`check_work`")
    dest: Any = Field(None, description="The component that it is for: budget (or penia)")
    payload: Any = Field(None, description='`{"component": "budget", "action": "look_for_work"}`')


class WorkflowOut(View):
    """What becomes of the message: `success`, `error` or `not_implemented`."""

    status: str
    component: str
    purpose: str | None = None
    work_available: bool | None = None
    work_count: int | None = None
    work_items: list[dict[str, Any]] | None = None  # Any: JSON
    message: str


@router.post("/workflow", response_model=WorkflowOut)
def workflow(message: WorkflowIn) -> Reply:
    """A message of one of Tekton's workflows. None has work for a budget, and that is the answer.

    Limits, allocations and usage are asked for by their own routes.
    """
    missing = [name for name in _FIELDS if name not in message.model_fields_set]
    if missing:
        raise _malformed(f"Missing required fields: {missing}", *missing)
    if not isinstance(message.payload, dict):
        raise _malformed("payload: send a JSON object", "payload")
    if message.dest not in _OURS:
        told = f"Message dest '{_short(message.dest)}' does not match component '{component.NAME}'"
        return Reply({"status": "error", "component": component.NAME, "message": told})
    purpose = _short(message.purpose)
    if purpose != "check_work" or message.payload.get("action") != "look_for_work":
        return Reply(
            {
                "status": "not_implemented",
                "component": component.NAME,
                "purpose": purpose,
                "message": f"Purpose '{purpose}' is nothing that {component.NAME} does; what it "
                "does: /api/v1/discovery",
            }
        )
    return Reply(
        {
            "status": "success",
            "component": component.NAME,
            "purpose": purpose,
            "work_available": False,
            "work_count": 0,
            "work_items": [],
            "message": f"Checked for work on {component.NAME}",
        }
    )


def _short(value: object) -> str:
    return str(value)[:_TOLD_MAX]


def _malformed(detail: str, *fields: str) -> Malformed:
    """400 as the original component answers, its `error` beside our own members."""
    faults = tuple(FieldFault(name, "is needed") for name in fields)
    return Malformed(detail, code="workflow_malformed", fields=faults, extra={"error": detail})
