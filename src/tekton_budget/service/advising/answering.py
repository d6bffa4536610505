"""Answering: a question in words, looked up by the words that it has in it."""

import re
from collections.abc import Iterator

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.money import nano_from_usd, usd_text
from tekton_budget.domain.naming import Unknown
from tekton_budget.domain.period import Period
from tekton_budget.domain.price import Card
from tekton_budget.service.advising.finding import Looked, find
from tekton_budget.service.advising.telling import (
    limit_lines,
    looked_text,
    models_text,
    optimization_text,
    span_text,
    sums_text,
)
from tekton_budget.service.reporting.analytics import UsageAnalytics
from tekton_budget.service.reporting.intervals import DAYS_MAX
from tekton_budget.service.reporting.reports import NONE, SummaryQuery

DAYS_DEFAULT = 30
_WORDS = re.compile(r"[a-z0-9][a-z0-9._:/@+-]*")
_DAYS = re.compile(r"(\d{1,4})\s*(?:-\s*)?days?\b")
_PRICES = ("price", "prices", "pricing", "rate", "rates")
_SAVING = ("save", "saving", "savings", "cheap", "reduce", "lower", "optimi")
_LIMITS = ("limit", "budget", "left", "remain", "allowance", "balance", "polic")
_USAGE = ("spend", "spent", "cost", "usage", "use", "token", "much", "report", "analy", "who")
_HELP = (
    "I answer from the ledger and the price book, without a language model. Ask for example: how "
    "much did we spend this week; what is left of the daily limits; how can we save; what is the "
    "price of claude-sonnet-4-5. To choose a model: POST /api/v1/assistant/recommend-model."
)


def answer_to(looked: Looked, caller: Caller, message: str) -> str:
    """What the ledger and the book have to say to it; else what can be asked."""
    words = _WORDS.findall(message.lower())
    if _has(words, _PRICES) and (cards := list(_cards_named(looked, words))):
        return "\n".join(_price_text(card) for card in cards)
    if _has(words, _SAVING):
        return optimization_text(find(looked, caller, Period.DAILY, _days(message), swaps=True))
    if _has(words, _LIMITS) and not _has(words, ("spent", "spend", "spending")):
        return "\n".join(_limits(looked, caller, words))
    if _has(words, _USAGE):
        return "\n".join(_usage(looked, caller, message, words))
    return _HELP


def _limits(looked: Looked, caller: Caller, words: list[str]) -> Iterator[str]:
    named = _period(words)
    for period in (named,) if named else (Period.DAILY, Period.WEEKLY, Period.MONTHLY):
        found = looked.overview.summaries(caller, [period])
        yield from limit_lines([one for one in found if one.policy_id is not None], period)
    yield "Looked at: the balances of these limits. No language model was asked."


def _usage(looked: Looked, caller: Caller, message: str, words: list[str]) -> Iterator[str]:
    period = None if _DAYS.search(message.lower()) else _period(words)
    query = SummaryQuery(period=period) if period else SummaryQuery(days=_days(message))
    usage = looked.analytics.usage(caller, query)
    total = usage.summary.total
    yield f"{span_text(usage)}: {sums_text(total)}"
    yield from _of_those_named(usage, words)
    if usage.summary.models:
        yield f"Models: {models_text(usage.summary.models, total.cost_nano)}."
    yield looked_text(usage)


def _of_those_named(usage: UsageAnalytics, words: list[str]) -> Iterator[str]:
    """Components, models, providers and task types that the question names."""
    for name, group in usage.summary.groups.items():
        for value, sums in group.items():
            if value != NONE and value.lower() in words:
                yield f"Of it, {name.replace('_', ' ')} {value}: {sums_text(sums)}"


def _cards_named(looked: Looked, words: list[str]) -> Iterator[Card]:
    book, now_us = looked.book(), looked.now_us()
    for word in dict.fromkeys(words):
        if word in _PRICES or len(word) < 3:
            continue
        found = book.find(None, word, valid_us=now_us, known_us=now_us)
        if not isinstance(found, Unknown):
            yield found.card


def _price_text(card: Card) -> str:
    flat = card.rates.flat
    rates = [
        f"{usd_text(nano_from_usd(flat[unit].usd))} for {name}"
        for unit, name in (("input", "input"), ("output", "output"), ("cache_read", "cached input"))
        if unit in flat
    ]
    told = ", ".join(rates) or "no price by tokens"
    return f"{card.model} ({card.provider}): {told}, per 1,000,000 tokens (source: {card.source})."


def _period(words: list[str]) -> Period | None:
    for stem, period in (
        ("hour", Period.HOURLY),
        ("today", Period.DAILY),
        ("day", Period.DAILY),
        ("daily", Period.DAILY),
        ("week", Period.WEEKLY),
        ("month", Period.MONTHLY),
        ("year", Period.YEARLY),
    ):
        if any(word.startswith(stem) for word in words):
            return period
    return None


def _days(message: str) -> int:
    found = _DAYS.search(message.lower())
    return DAYS_DEFAULT if found is None else max(1, min(int(found[1]), DAYS_MAX))


def _has(words: list[str], stems: tuple[str, ...]) -> bool:
    return any(word.startswith(stems) for word in words)
