"""Commands about alerts: which there are, and that they were seen."""

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.spoken import INVALID
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.api.commanding.said import (
    Answering,
    Json,
    Said,
    Values,
    counted,
    lines,
    text_of,
)

_LISTED = 100


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
    seen = values.get("acknowledged")
    page = await budget.alerts(
        budget=text_of(values, "budget_id"),
        severity=text_of(values, "severity"),
        acknowledged=seen if isinstance(seen, bool) else None,
        limit=_LISTED,
    )
    told = [_row(one) for one in page["items"]]
    more = ["There are more."] if page.get("next") else []
    return Said(lines("Alerts:", told, *more) if told else "There are no such alerts.", page)


async def acknowledge(budget: AsyncBudget, values: Values) -> Said:
    """`alerts acknowledge`: that one was seen."""
    alert = await budget.acknowledge_alert(str(values["alert_id"]))
    return Said(f"Alert {alert['alert_id']} is acknowledged.", alert)


async def _clear(budget: AsyncBudget) -> Said:
    done = await budget.acknowledge_alerts()
    return Said(f"{counted(done['acknowledged'], 'alert')} acknowledged.", done)


def _row(one: Json) -> str:
    seen = ", acknowledged" if one["acknowledged"] else ""
    return f"{one['alert_id']} {one['severity']}{seen}: {one['message']}"


COMMANDS: dict[str, Answering] = {
    "alerts": chat,
    "alerts list": show,
    "alerts acknowledge": acknowledge,
}
