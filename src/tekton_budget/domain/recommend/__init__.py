"""Recommendations: cheaper models that can do the same job, and what would be lost with each."""

from tekton_budget.domain.recommend.needs import (
    FEATURES,
    MODALITIES,
    Fit,
    Needs,
    fit_of,
    lost_of,
    needs_of,
)
from tekton_budget.domain.recommend.needs_text import (
    WORDS,
    needs_from_json,
    needs_json,
    waived_in,
    words_of_needs,
)
from tekton_budget.domain.recommend.ranking import (
    ANY,
    Advice,
    Job,
    known_facts,
    recommend,
    sellers_in,
)
from tekton_budget.domain.recommend.tips import price_tips

__all__ = [
    "ANY",
    "FEATURES",
    "MODALITIES",
    "WORDS",
    "Advice",
    "Fit",
    "Job",
    "Needs",
    "fit_of",
    "known_facts",
    "lost_of",
    "needs_from_json",
    "needs_json",
    "needs_of",
    "price_tips",
    "recommend",
    "sellers_in",
    "waived_in",
    "words_of_needs",
]
