"""Commands about alerts: which there are, and that they were seen."""

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.spoken import INVALID
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.face.request import Request, given, got, same
from tekton_budget.frontends.api.commanding.said import (
    Answering,
    Json,
    Said,
    Values,
    lines,
    text_of,
)

_LISTED = 100
_CLEARED_MAX = 1_000


async def chat(budget: AsyncBudget, values: Values) -> Said:
    """`/alerts [list|clear|acknowledge ID]`."""
    action, id_ = text_of(values, "action") or "list", text_of(values, "alert_id")
    if action == "acknowledge":
        if id_ is None:
            raise invalid("alert_id", "which? Write: /alerts acknowledge ID", code=INVALID)
        return await acknowledge(budget, values)
    if action == "clear":
        return await _clear(budget)
    return await show(budget, {"acknowledged": False})


async def show(budget: AsyncBudget, values: Values) -> Said:
    """`alerts list`: newest first."""
    page = await _page(
        budget,
        acknowledged=values.get("acknowledged"),
        budget_id=values.get("budget_id"),
        severity=values.get("severity"),
    )
    told = [_row(one) for one in page["items"]]
    return Said(lines("Alerts:", told) if told else "There are no such alerts.", page)


async def acknowledge(budget: AsyncBudget, values: Values) -> Said:
    """`alerts acknowledge`: that one was seen."""
    alert = await _acknowledged(budget, str(values["alert_id"]))
    return Said(f"Alert {alert['alert_id']} is acknowledged.", alert)


async def _clear(budget: AsyncBudget) -> Said:
    """All of those that are there when it begins, up to a number."""
    done: list[str] = []
    while len(done) < _CLEARED_MAX:
        page = await _page(budget, acknowledged=False)
        if not page["items"]:
            break
        done += [
            (await _acknowledged(budget, one["alert_id"]))["alert_id"] for one in page["items"]
        ]
    return Said(f"{len(done):,} alerts are acknowledged.", {"acknowledged": done})


async def _page(budget: AsyncBudget, **filters: object) -> Json:
    query = given(limit=_LISTED, **filters)
    return await budget.send(got("alerts", "/alerts", query=query))


async def _acknowledged(budget: AsyncBudget, id_: str) -> Json:
    path = "/alerts/{alert_id}/acknowledge"
    asked = Request("acknowledge_alert", "POST", path, same, named={"alert_id": id_})
    answer: Json = await budget.send(asked)
    return answer


def _row(one: Json) -> str:
    seen = ", acknowledged" if one["acknowledged"] else ""
    return f"{one['alert_id']} {one['severity']}{seen}: {one['message']}"


COMMANDS: dict[str, Answering] = {
    "alerts": chat,
    "alerts list": show,
    "alerts acknowledge": acknowledge,
}
