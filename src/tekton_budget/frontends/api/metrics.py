"""Metrics for Prometheus: what this door and the writer count, and what the store says on asking.

With several workers each writes its counts to files in a shared directory, named in
`PROMETHEUS_MULTIPROC_DIR` before any of them starts, and whichever is asked adds up all of them.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tekton_budget.domain.money import NANO_PER_USD
from tekton_budget.service.health import Batch
from tekton_budget.service.reporting.balance_views import BalanceView
from tekton_budget.service.reporting.overview import Counts

if TYPE_CHECKING:
    from tekton_budget.delivery.hermes import HermesState

MEDIA_TYPE = CONTENT_TYPE_LATEST
DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
POLICIES_MAX = 300  # whose balances are shown: series are dear

_PREFIXES = ("/api/v1", "/api")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_COMMANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_Series = tuple[Counter, Histogram]


disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs is untyped


class Metrics:
    """What is counted as it happens."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "tekton_budget_http_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "tekton_budget_http_request_seconds",
            "How long requests took",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._decisions = Counter(
            "tekton_budget_decisions",
            "Asks answered, by decision: allow, warn, downgrade, deny, would_deny",
            ("decision",),
            registry=registry,
        )
        self._batch_commands = Histogram(
            "tekton_budget_batch_commands",
            "Commands in one transaction",
            buckets=_COMMANDS,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "tekton_budget_batch_seconds",
            "How long a transaction of the writer took",
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue = Gauge(
            "tekton_budget_queue_length",
            "Commands that wait for the writer",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._sockets = Gauge(
            "tekton_budget_websockets",
            "WebSockets that are connected",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._series: dict[tuple[str, str, int], _Series] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request, answered."""
        key = (method if method in _METHODS else "other", route, status)
        series = self._series.get(key)
        if series is None:
            self._series[key] = series = self._new_series(*key)
        series[0].inc()
        series[1].observe(seconds)

    def sockets(self, number: int) -> None:
        """How many are connected by now."""
        self._sockets.set(number)

    def batch(self, batch: Batch) -> None:
        """One batch of the writer, over."""
        self._batch_commands.observe(batch.commands)
        self._batch_seconds.observe(batch.seconds)
        self._queue.set(batch.waiting)
        for decision, number in batch.decisions.items():
            self._decisions.labels(decision).inc(number)

    def text(self, counts: Counts, waiting: int, hermes: "HermesState | None" = None) -> bytes:
        """Everything, as Prometheus reads it; `waiting` is how many commands wait here now.

        How we stand with Hermes is known to every worker, though one of them speaks to it.

        The last batch may have seen some wait that were no batch's: passes that run alone.
        """
        self._queue.set(waiting)
        counted = self._registry
        if DIRECTORY_VARIABLE in os.environ:
            counted = CollectorRegistry()
            counted.register(_Workers(Path(os.environ[DIRECTORY_VARIABLE])))
        stored = CollectorRegistry()
        stored.register(_Stored(counts))
        if hermes is not None:
            stored.register(_Hermes(hermes))
        return generate_latest(counted) + generate_latest(stored)

    def _new_series(self, method: str, route: str, status: int) -> _Series:
        name = route_name(route)
        return (
            self._requests.labels(method, name, str(status)),
            self._request_seconds.labels(method, name),
        )


def route_name(template: str) -> str:
    """A route's template without its prefix; whatever has no route is counted together."""
    for prefix in _PREFIXES:
        if template.startswith(f"{prefix}/"):
            return template[len(prefix) :]
    return template or "other"


class _Workers(Collector):
    """What all workers counted, but for files that a worker made and has not yet written to.

    Those are empty for a moment, or for good if the worker was killed then; reading one fails.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """All families, added up."""
        files = [str(file) for file in self._directory.glob("*.db") if _is_begun(file)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]  # theirs is untyped
        return merged


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # a gauge's, taken away when its worker ended
        return False


class _Hermes(Collector):
    """How we stand with Hermes, where there is one."""

    def __init__(self, state: "HermesState") -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """All families."""
        state = self._state
        yield GaugeMetricFamily(
            "tekton_budget_hermes_registered",
            "1 while Hermes knows this service, else 0",
            value=float(state.registered),
        )
        yield GaugeMetricFamily(
            "tekton_budget_hermes_tools", "Tools of ours that Hermes has", value=state.tools
        )
        for name, text, value in (
            ("registrations", "Registrations that Hermes took", state.registrations),
            ("heartbeats", "Heartbeats that Hermes took", state.heartbeats),
            (
                "errors",
                "Times that Hermes refused, did not answer or could not be read",
                state.errors,
            ),
        ):
            yield CounterMetricFamily(f"tekton_budget_hermes_{name}", text, value=value)


class _Stored(Collector):
    """What the store knows: the same from every process."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        """All families."""
        counts = self._counts
        yield GaugeMetricFamily(
            "tekton_budget_active_allocations",
            "Allocations that hold",
            value=counts.active_allocations,
        )
        yield GaugeMetricFamily(
            "tekton_budget_outbox_unnumbered",
            "Events that wait for their number",
            value=counts.unnumbered_events,
        )
        yield GaugeMetricFamily(
            "tekton_budget_policies", "Policies that count", value=len(counts.policies)
        )
        yield from self._balances()

    def _balances(self) -> Iterator[Metric]:
        """Of each policy its fullest group, so that a million groups are one series."""
        names = ["policy_id", "policy", "period", "enforcement"]
        groups = GaugeMetricFamily(
            "tekton_budget_policy_groups", "Groups of the current window", labels=names
        )
        used = GaugeMetricFamily(
            "tekton_budget_policy_used_ratio",
            "Spent and held of the allowance, in the unit that stands highest (fullest group)",
            labels=names,
        )
        amounts = {
            part: GaugeMetricFamily(
                f"tekton_budget_policy_{part}",
                f"The fullest group's {part}, in tokens, USD and requests",
                labels=[*names, "unit"],
            )
            for part in ("allowance", "spent", "held")
        }
        for policy in self._counts.policies[:POLICIES_MAX]:
            view = policy.fullest
            labels = [view.policy_id, view.name, view.period, view.enforcement.value]
            groups.add_metric(labels, policy.groups)
            if view.share_ppm is not None:
                used.add_metric(labels, view.share_ppm / 1_000_000)
            for part, unit, value in _numbers(view):
                amounts[part].add_metric([*labels, unit], value)
        yield from (groups, used, *amounts.values())


def _numbers(view: BalanceView) -> Iterator[tuple[str, str, float]]:
    for part, values in (
        ("allowance", view.allowance),
        ("spent", view.spent),
        ("held", view.held),
    ):
        tokens, cost_nano, requests = values
        if tokens is not None:
            yield part, "tokens", float(tokens)
        if cost_nano is not None:
            yield part, "usd", cost_nano / NANO_PER_USD
        if requests is not None:
            yield part, "requests", float(requests)
