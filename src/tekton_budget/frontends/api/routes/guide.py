"""The documentation for people to read, made of the OpenAPI document."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from tekton_budget.frontends.api.guide import POLICY, guide

router = APIRouter(include_in_schema=False)


@router.get("/redoc")
@router.get("/docs")
def read_guide(request: Request) -> HTMLResponse:
    """Every route on one page, which needs no network and runs no script."""
    page = getattr(request.app.state, "guide", None)
    if page is None:
        page = request.app.state.guide = guide(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})
