"""Alerts as every door shows them."""

from tekton_budget.domain.amounts import Limits
from tekton_budget.frontends.http.wire import amounts, ppm, share, time_text
from tekton_budget.service.alerts import AlertView


def to_api_alert(view: AlertView) -> dict[str, object]:
    """One alert, its moments in the zone of its policy."""
    alert = view.alert
    facts, zone = alert.facts, view.timezone
    return {
        "alert_id": alert.alert_id,
        "budget_id": alert.budget_id,
        "policy_id": alert.policy_id,
        "policy_name": facts["name"],
        "group": alert.group,
        "severity": alert.severity.value,
        "type": alert.type.value,
        "title": view.title,
        "message": view.message,
        "details": {
            "unit": facts["unit"],
            "threshold": ppm(facts["threshold_ppm"]),
            "share": share(alert.used, alert.allowance),
            "used": amounts(Limits(*facts["used"])),
            "allowance": amounts(Limits(*facts["allowance"])),
            "enforcement": facts["enforcement"],
            "shadow": facts["shadow"],
            "balance_id": alert.balance_id,
        },
        "opens_at": time_text(alert.opens_us or None, zone),
        "resets_at": time_text(view.closes_us, zone),
        "timestamp": time_text(alert.at_us, zone),
        "acknowledged": alert.is_acknowledged,
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_at": time_text(alert.acknowledged_us, zone),
    }
