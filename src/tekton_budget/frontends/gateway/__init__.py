"""The gateway: a client of a provider talks to us instead, and is held to its budgets."""

from tekton_budget.domain.providers import providers_of
from tekton_budget.frontends.gateway.app import Gateway
from tekton_budget.frontends.gateway.callers import Callers
from tekton_budget.frontends.gateway.demo import Demo
from tekton_budget.frontends.gateway.routes import Routes
from tekton_budget.frontends.gateway.upstream import OverHttp, Upstream
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.frontends.http.watched import AccessLog, Meter
from tekton_budget.wiring import Running

__all__ = ["create_gateway"]


def create_gateway(
    running: Running,
    doorkeeper: Doorkeeper,
    *,
    upstream: Upstream | None = None,
    meter: Meter | None = None,
    access_log: AccessLog | None = None,
) -> Gateway:
    """The gateway over a running service."""
    settings, service = running.settings, running.service
    return Gateway(
        settings,
        Routes(providers_of(settings.upstreams)),
        Callers(doorkeeper, settings.upstream_keys, service.runs),
        service.calls,
        upstream or OverHttp(),
        Demo(),
        meter=meter,
        access_log=access_log,
    )
