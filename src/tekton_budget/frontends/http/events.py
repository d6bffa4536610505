"""Events as every door shows them: amounts as objects, money in USD, moments as RFC 3339."""

from collections.abc import Mapping

from tekton_budget.domain.amounts import Limits
from tekton_budget.frontends.http.wire import amounts, ppm, time_text, usd
from tekton_budget.service.following import Logged

_AMOUNTS = frozenset({"granted", "spent", "released", "used", "allowance", "amounts"})
_MOMENTS = {"expires_us": "expires_at", "opens_us": "opens_at", "closes_us": "resets_at"}
_MONEY = {"cost_nano": "cost", "charged_cost_nano": "charged_cost"}


def to_api_event(event: Logged) -> dict[str, object]:
    """One event at its position."""
    return {
        "position": event.position,
        "timestamp": time_text(event.at_us),
        "type": event.type,
        "subject_id": event.subject_id,
        "budget_id": event.budget_id or None,
        "payload": to_api_payload(event.payload),
    }


def to_api_payload(payload: Mapping[str, object]) -> dict[str, object]:
    """What was written, in the words of the API."""
    return dict(_shown(name, value) for name, value in payload.items())


def _shown(name: str, value: object) -> tuple[str, object]:
    if name in _AMOUNTS and isinstance(value, list):
        return name, amounts(Limits(*value))
    if name in _MOMENTS and isinstance(value, int | None):
        return _MOMENTS[name], time_text(value)
    if name in _MONEY and isinstance(value, int | None):
        return _MONEY[name], usd(value)
    if name == "threshold_ppm" and isinstance(value, int):
        return "threshold", ppm(value)
    return name, value
