"""The parts of a running service, and how each of them does: told without waiting for a lock."""

import time

from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.api.pulse import Pulse, Slow
from tekton_budget.frontends.http.wire import time_text
from tekton_budget.service.health import Health, Vitals
from tekton_budget.settings import Settings
from tekton_budget.wiring import Running

OUTBOX_LAG_SECONDS_MAX = 60
QUEUE_SHARE_MAX = 0.8
_DAY_SECONDS = 86_400
_NEEDED = ("database", "writer")  # without them nothing can be asked
_LESS_THAN_WELL = {"slow", "stale"}

Parts = dict[str, dict[str, object]]


class Vitality:
    """How the parts of one process do: asked by `/health`, `/status` and `/ready`."""

    def __init__(self, running: Running) -> None:
        self.health: Health = running.service.health
        self.pulse = Pulse(self.health)
        self.begun = time.monotonic()

    @property
    def uptime_seconds(self) -> float:
        """Since this process serves."""
        return round(time.monotonic() - self.begun, 3)


async def parts_of(running: Running, vitality: Vitality) -> Parts:
    """Each part with its `status`: `ok`; `slow` or `stale`; `down`; of Hermes `off` or `away`."""
    health = vitality.health
    length, most = health.queue
    parts: Parts = {
        "database": {"status": "ok", "kind": health.store_kind},
        "writer": {"status": "ok" if health.is_working else "down"},
        "queue": {
            "status": "ok" if length <= QUEUE_SHARE_MAX * most else "slow",
            "length": length,
            "max": most,
        },
        "hermes": hermes_part(running),
    }
    try:
        parts |= _stored(await vitality.pulse.taken(), running.settings)
    except Slow:
        parts["database"]["status"] = "slow"
    except BudgetError as refusal:
        parts["database"] |= {"status": "down", "cause": refusal.detail}
    return parts


def hermes_part(running: Running) -> dict[str, object]:
    """How we stand with Hermes: `off` where it is not asked, `away` while it does not know us."""
    if running.hermes is None:
        return {"status": "off"}
    state = running.hermes.state()
    return {
        "status": "ok" if state.registered else "away",
        "url": state.url,
        "layout": state.layout,
        "component_id": state.component_id,
        "since": time_text(state.since_us),
        "last_heartbeat": time_text(state.last_heartbeat_us),
        "next_try": time_text(state.next_try_us),
        "tools": state.tools,
        "error": state.last_error,
    }


def missing(parts: Parts) -> list[str]:
    """The parts that are not there, without which the service is not ready."""
    return [name for name in _NEEDED if parts[name]["status"] != "ok"]


def worst(parts: Parts, *, hermes_required: bool) -> str:
    """`healthy`, `degraded` or `unhealthy`: as the part that does worst.

    Without Hermes the service works alone, and is well, unless it is required.
    """
    said = {part["status"] for part in parts.values()}
    if "down" in said:
        return "unhealthy"
    is_lost = hermes_required and parts["hermes"]["status"] != "ok"
    return "degraded" if is_lost or said & _LESS_THAN_WELL else "healthy"


def _stored(vitals: Vitals, settings: Settings) -> Parts:
    lag_seconds, age_seconds = vitals.outbox_lag_seconds, vitals.price_age_seconds
    is_old = age_seconds is not None and age_seconds > settings.prices_stale_days * _DAY_SECONDS
    return {
        "prices": {
            "status": "stale" if is_old else "ok",
            "count": vitals.prices,
            "list": vitals.price_list,
            "age_seconds": age_seconds,
        },
        "outbox": {
            "status": "ok" if lag_seconds <= OUTBOX_LAG_SECONDS_MAX else "slow",
            "lag_seconds": lag_seconds,
        },
    }
