"""Choosing: which model of the book does so many calls a day for so much money."""

from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.price import TIERS
from tekton_budget.domain.recommend import Advice, words_of_needs
from tekton_budget.service.advising.telling import usd
from tekton_budget.service.prices import Recommendations, Wish
from tekton_budget.service.prices.recommending import LIMIT_MAX

ALTERNATIVES = 2
_GOOD_ANSWERS = ("accuracy", "accurate", "quality", "precision", "correctness", "best")


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """A task: tokens of one call, calls a day, USD a day, and what matters most, in words."""

    task: str
    input_tokens: int
    output_tokens: int
    calls_per_day: int
    usd_per_day: Decimal
    priorities: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that fit the money, the best first, and the cheapest one that does not."""

    question: ModelQuestion
    needs: tuple[str, ...]
    by_tier: bool
    fits: tuple[Advice, ...]
    cheapest: Advice | None

    def usd_per_day(self, advice: Advice) -> Decimal:
        """What the calls of a day cost."""
        return advice.usd * self.question.calls_per_day


def choose(recommendations: Recommendations, question: ModelQuestion) -> Choice:
    """By exact cost; where good answers matter most, the heaviest tier first.

    What the words of the question name as needed is needed: `vision`, `tools`, `reasoning`, …
    """
    needs = words_of_needs(question.priorities, question.task)
    wish = Wish(
        usage={"input_tokens": question.input_tokens, "output_tokens": question.output_tokens},
        needs=list(needs) or None,
        limit=LIMIT_MAX,
    )
    found = recommendations.recommend(wish).items
    by_tier = any(word in question.priorities.lower() for word in _GOOD_ANSWERS)
    within = [one for one in found if one.usd * question.calls_per_day <= question.usd_per_day]
    if by_tier:
        within.sort(key=lambda one: (not one.is_fit, -_weight(one.tier)))
    return Choice(question, needs, by_tier, tuple(within), next(iter(found), None))


def choice_text(choice: Choice) -> str:
    """The best one, one or two others, why, and what nobody knows."""
    question = choice.question
    lines = [
        f"{question.calls_per_day:,} calls a day of {question.input_tokens:,} tokens in and "
        f"{question.output_tokens:,} out, for at most {usd(question.usd_per_day)} a day:"
    ]
    if not choice.fits:
        lines.append(_none_text(choice))
    for place, advice in enumerate(choice.fits[: 1 + ALTERNATIVES]):
        unknown = f"; not known: {', '.join(advice.unknown)}" if advice.unknown else ""
        lines.append(
            f"- {'Best' if place == 0 else 'Or'}: {advice.card.model} ({advice.card.provider}), "
            f"{usd(advice.usd)} a call, {usd(choice.usd_per_day(advice))} a day{unknown}."
        )
    needs = f" Taken as needed: {', '.join(choice.needs)}." if choice.needs else ""
    order = "the heaviest tier first, then the cheapest" if choice.by_tier else "the cheapest first"
    lines.append(
        f"Looked at: prices and abilities in the price book, {order}; how good a model's answers "
        f"are it does not know.{needs} No language model was asked."
    )
    return "\n".join(lines)


def _none_text(choice: Choice) -> str:
    if choice.cheapest is None:
        return "- The price book has no model that is known to do this."
    dearer = usd(choice.usd_per_day(choice.cheapest))
    return (
        f"- No model fits: the cheapest, {choice.cheapest.card.model} "
        f"({choice.cheapest.card.provider}), costs {dearer} a day."
    )


def _weight(tier: str | None) -> int:
    return TIERS.index(tier) if tier in TIERS else -1
