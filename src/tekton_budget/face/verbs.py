"""Every verb of the library, described once: `Budget` does them, `AsyncBudget` awaits them.

Answers of the ledger's verbs are typed; the others answer the wire's objects as dicts, with money
as `Decimal` and times as RFC 3339 text.
"""

from tekton_budget.face.advising import AdvisingVerbs
from tekton_budget.face.asking import LedgerVerbs
from tekton_budget.face.following import FollowingVerbs
from tekton_budget.face.keys import KeyVerbs
from tekton_budget.face.limiting import LimitVerbs
from tekton_budget.face.moving import MovingVerbs
from tekton_budget.face.planning import PlanningVerbs
from tekton_budget.face.pricing import PricingVerbs
from tekton_budget.face.reading import ReadingVerbs
from tekton_budget.face.recommending import RecommendingVerbs
from tekton_budget.face.request import Labels
from tekton_budget.face.routing import RoutingVerbs
from tekton_budget.face.running import RunVerbs


class Verbs(
    LedgerVerbs,
    LimitVerbs,
    ReadingVerbs,
    PlanningVerbs,
    FollowingVerbs,
    PricingVerbs,
    RecommendingVerbs,
    AdvisingVerbs,
    KeyVerbs,
    RunVerbs,
    MovingVerbs,
    RoutingVerbs,
):
    """All of them."""

    def __init__(self, labels: Labels | None = None) -> None:
        self.labels = dict(labels or {})
