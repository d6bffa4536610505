"""Verification: the whole store recounted from its journal, for admins."""

import threading

from fastapi import APIRouter, Request
from pydantic import ConfigDict

from tekton_budget.domain.caller import Role
from tekton_budget.domain.errors import Forbidden, Unavailable
from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.body import ExactRoute
from tekton_budget.frontends.api.schemas import View
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.verifying import Verification

router = APIRouter(route_class=ExactRoute, tags=["status"])


class FindingOut(View):
    """One column of one row: what it is, and what its source says it should be."""

    table: str
    id: str
    column: str
    found: int | str | None
    expected: int | str | None
    difference: int | None
    detail: str


class VerificationOut(View):
    """How much was recounted and what differed; without findings all of it agrees."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ok": True,
                    "findings": [],
                    "count": 0,
                    "entries": 5200,
                    "balances": 12,
                    "usage": 2600,
                    "rollups": 4000,
                    "allocations": 3,
                }
            ]
        }
    )

    ok: bool
    findings: list[FindingOut]
    count: int
    entries: int
    balances: int
    usage: int
    rollups: int
    allocations: int


@router.post("/verify", response_model=VerificationOut)
def verify(request: Request, asker: Asker, verbs: Verbs) -> Reply:
    """Recount balances, holds and rollups from their sources beside the writers, and compare.

    It reads everything once, in short pages; the answer comes when all was read. For admin keys
    that are not bound to labels; one at a time.
    """
    if asker.role is not Role.ADMIN or asker.labels:
        raise Forbidden(
            "Verification reads everybody's entries: use an admin key without labels.",
            code="role_needed",
        )
    under_way: threading.Lock = request.app.state.verifying
    if not under_way.acquire(blocking=False):
        raise Unavailable(
            "A verification is under way already; ask again when it is done.",
            code="verification_running",
            retry_after_seconds=10,
        )
    try:
        return Reply(_shown(verbs.verifier.verify()))
    finally:
        under_way.release()


def _shown(verification: Verification) -> dict[str, object]:
    return {
        "ok": verification.is_good,
        "findings": [
            {
                "table": one.table,
                "id": one.id,
                "column": one.column,
                "found": one.found,
                "expected": one.expected,
                "difference": one.difference,
                "detail": one.text(),
            }
            for one in verification.findings
        ],
        "count": verification.count,
        "entries": verification.entries,
        "balances": verification.balances,
        "usage": verification.usage,
        "rollups": verification.rollups,
        "allocations": verification.allocations,
    }
