"""Advising: answers about spending, made of the ledger's sums and the price book alone."""

from collections.abc import Callable

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.price import PriceBook
from tekton_budget.service.advising.answering import answer_to
from tekton_budget.service.advising.choosing import Choice, ModelQuestion, choice_text, choose
from tekton_budget.service.advising.finding import Findings, Looked, Swap, find
from tekton_budget.service.advising.telling import analysis_text, optimization_text
from tekton_budget.service.prices import Recommendations
from tekton_budget.service.reporting.analytics import Analytics
from tekton_budget.service.reporting.overview import Overview

__all__ = ["Advising", "Choice", "Findings", "ModelQuestion", "Swap", "choice_text"]


class Advising:
    """Says what was found and where it looked; no language model is asked, nothing is guessed."""

    def __init__(
        self,
        analytics: Analytics,
        overview: Overview,
        recommendations: Recommendations,
        book: Callable[[], PriceBook],
        now_us: Callable[[], int],
    ) -> None:
        self._looked = Looked(analytics, overview, recommendations, book, now_us)

    def analyze(self, caller: Caller, period: str, days: int) -> tuple[str, Findings]:
        """What the last days were like: sums, shares, trend, peaks, and a period's limits."""
        found = find(self._looked, caller, period, days)
        return analysis_text(found), found

    def optimize(self, caller: Caller, period: str, days: int) -> tuple[str, Findings]:
        """What would have cost less: each costly model's average call by the book, elsewhere."""
        found = find(self._looked, caller, period, days, swaps=True)
        return optimization_text(found), found

    def recommend_model(self, question: ModelQuestion) -> tuple[str, Choice]:
        """Which model of the book does so many calls a day for so much money."""
        found = choose(self._looked.recommendations, question)
        return choice_text(found), found

    def answer(self, caller: Caller, message: str) -> str:
        """The answer to a question in words, as far as the ledger and the book have one."""
        return answer_to(self._looked, caller, message)
