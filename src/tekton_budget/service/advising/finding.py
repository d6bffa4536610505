"""Finding: what the ledger and the price book say about the last days, not yet in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.price import PriceBook
from tekton_budget.domain.recommend import Advice, price_tips
from tekton_budget.service.prices import Recommendations, Recommended, Wish
from tekton_budget.service.prices.recommending import LIMIT_MAX
from tekton_budget.service.reporting.analytics import Analytics, UsageAnalytics
from tekton_budget.service.reporting.overview import BudgetSummary, Overview
from tekton_budget.service.reporting.reports import NONE, ModelSums, SummaryQuery, Sums

SWAPS_MAX = 5  # of the costliest models, for which others are looked for


class Looked(NamedTuple):
    """Where is looked."""

    analytics: Analytics
    overview: Overview
    recommendations: Recommendations
    book: Callable[[], PriceBook]
    now_us: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Swap:
    """A model in use, its average call, and the cheaper models that may do that call.

    `found` is `None` where the book cannot price the call, and `why` says so.
    """

    used: ModelSums
    call: Mapping[str, int]  # tokens of the average call, rounded down
    found: Recommended | None
    why: str = ""

    @property
    def best(self) -> Advice | None:
        """Of those that lose least of what the model in use is known to do, the cheapest."""
        return min(self._items, key=_loss, default=None)

    @property
    def cheapest(self) -> Advice | None:
        """The cheapest of those that are known to fit what was used, whatever else is lost."""
        return next(iter(self._items), None)

    @property
    def _items(self) -> tuple[Advice, ...]:
        return () if self.found is None else self.found.items

    @property
    def saved_usd(self) -> Decimal:
        """What the calls would have cost less with the best, each as the average one."""
        best = self.best
        if best is None or best.saved_usd is None:
            return Decimal(0)
        return best.saved_usd * self.used.sums.requests

    @property
    def tips(self) -> list[str]:
        """What the price of the model in use allows."""
        if self.found is None or self.found.bill is None:
            return []
        return price_tips(self.found.bill.found.card)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found of some days."""

    usage: UsageAnalytics
    period: str
    limits: tuple[BudgetSummary, ...]  # of the period, as they stand now
    swaps: tuple[Swap, ...] = ()


def find(
    looked: Looked, caller: Caller, period: str, days: int, *, swaps: bool = False
) -> Findings:
    """The usage of the last days, a period's limits, and where asked for, cheaper models."""
    usage = looked.analytics.usage(caller, SummaryQuery(days=days))
    limits = tuple(
        one for one in looked.overview.summaries(caller, [period]) if one.policy_id is not None
    )
    found = tuple(_swaps(looked, usage)) if swaps else ()
    return Findings(usage, period.strip().lower(), limits, found)


def _swaps(looked: Looked, usage: UsageAnalytics) -> list[Swap]:
    models = [one for one in usage.summary.models if one.sums.cost_nano > 0][:SWAPS_MAX]
    found = [_swap(looked.recommendations, one) for one in models]
    return sorted(found, key=lambda swap: -swap.saved_usd)


def _swap(recommendations: Recommendations, used: ModelSums) -> Swap:
    call = _average(used.sums)
    if not call:
        return Swap(used, call, None, "its records do not tell the tokens of input and output")
    provider = None if used.provider == NONE else used.provider
    wish = Wish(model=used.model, provider=provider, usage=call, limit=LIMIT_MAX)
    try:
        return Swap(used, call, recommendations.recommend(wish))
    except BudgetError as error:  # no price is known of it, or of a kind of its tokens
        return Swap(used, call, None, error.detail)


def _loss(advice: Advice) -> tuple[object, ...]:
    return not advice.is_fit, len(advice.lost) + len(advice.unknown), advice.grains


def _average(sums: Sums) -> dict[str, int]:
    """The tokens of one request on average, rounded down; empty where they are not known."""
    if sums.requests <= 0 or sums.other_tokens:
        return {}
    named = {
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
    }
    return {name: each for name, total in named.items() if (each := total // sums.requests) > 0}
