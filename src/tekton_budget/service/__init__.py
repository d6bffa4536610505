"""What the product can do, one function a verb: the only thing doors may call."""

from dataclasses import dataclass

from tekton_budget.service.advising import Advising
from tekton_budget.service.advising.planning import Planning
from tekton_budget.service.advising.routing import Routing
from tekton_budget.service.alerts import Alerts
from tekton_budget.service.asking.ledger import LedgerVerbs
from tekton_budget.service.calls import Calls
from tekton_budget.service.following import Following
from tekton_budget.service.health import Health
from tekton_budget.service.importing import Exports, Imports
from tekton_budget.service.keys import KeyVerbs
from tekton_budget.service.limiting.attaching import Attaching
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.short_forms import ShortForms
from tekton_budget.service.prices import (
    Calculations,
    PriceLooks,
    PriceUpdates,
    PriceVerbs,
    Recommendations,
)
from tekton_budget.service.reporting.activity import ActivityViews
from tekton_budget.service.reporting.analytics import Analytics
from tekton_budget.service.reporting.catalogue import Catalogue
from tekton_budget.service.reporting.decisions import DecisionReports
from tekton_budget.service.reporting.lists import Lists
from tekton_budget.service.reporting.overview import Overview
from tekton_budget.service.reporting.records import Records
from tekton_budget.service.reporting.reports import Reports
from tekton_budget.service.reporting.standings import Standings
from tekton_budget.service.runs import RunVerbs, RunViews
from tekton_budget.service.verifying import Verifier


@dataclass(frozen=True, slots=True)
class Service:
    """All verbs, by what they are about."""

    ledger: LedgerVerbs
    policies: PolicyVerbs
    short: ShortForms
    prices: PriceVerbs
    price_updates: PriceUpdates
    book: PriceLooks
    costs: Calculations
    recommendations: Recommendations
    keys: KeyVerbs
    calls: Calls
    activity: ActivityViews
    advising: Advising
    analytics: Analytics
    attaching: Attaching
    alerts: Alerts
    catalogue: Catalogue
    decisions: DecisionReports
    following: Following
    lists: Lists
    overview: Overview
    records: Records
    reports: Reports
    routing: Routing
    runs: RunVerbs
    run_views: RunViews
    standings: Standings
    planning: Planning
    health: Health
    imports: Imports
    exports: Exports
    verifier: Verifier


__all__ = ["Service"]
