"""Rhetor's words, numbers and times, and ours."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.scope import checked_labels
from tekton_budget.foreign.store import Kind

logger = logging.getLogger(__name__)

BUDGET = Kind.RHETOR.value  # the budget that its limits are policies of
ALL_PROVIDERS = "all"
FREE_MODELS = (("ollama", "llama3"), ("simulated", "simulated-standard"))
PROVIDERS = ("anthropic", "openai", "ollama", "simulated")  # that Rhetor calls

_FIRST_YEAR, _LAST_YEAR = 1971, 8998

Amount = Decimal | float | int | str


class BudgetPolicy(str, Enum):  # noqa: UP042  (Rhetor's own: str() of a StrEnum differs)
    """What passing a limit does."""

    IGNORE = "ignore"
    WARN = "warn"
    ENFORCE = "enforce"


class BudgetPeriod(str, Enum):  # noqa: UP042  (as above)
    """How often a limit starts anew."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def exact(amount: Amount) -> Decimal:
    """USD as given, with the digits that Python shows; refuses what is no amount."""
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal | str):
        raise TypeError(f"an amount of USD is a number, not {amount!r}")
    try:
        usd = Decimal(repr(amount) if isinstance(amount, float) else amount)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite():
        raise ValueError(f"{amount!r} is no amount of USD")
    return usd


def whole(tokens: Any) -> Any:  # Any: what is no number is refused by the ledger
    """A count of tokens, which some callers have as a float or as text."""
    if isinstance(tokens, str) and tokens.isdecimal():
        return int(tokens)
    return int(tokens) if isinstance(tokens, float) and tokens.is_integer() else tokens


def shown(usd: Decimal | int | None) -> float | None:
    """As Rhetor's callers read it. Unknown stays unknown."""
    return None if usd is None else float(usd)


def plain(value: Any) -> Any:  # Any: JSON with decimals → JSON as Python has it
    """Metadata as it was given: numbers that the wire keeps exact are floats again."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def labels_of(**words: object) -> dict[str, str]:
    """Those of Rhetor's words that can be labels; others are logged, and kept beside a usage."""
    labels: dict[str, str] = {}
    for name, word in words.items():
        try:
            labels |= checked_labels({name: word})
        except InvalidInput:
            logger.debug("%s cannot be a label: %r", name, word)
    return labels


class LocalClock:
    """Rhetor's times are those of its host's clock, without a zone."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._info = ZoneInfo(zone)

    def shown(self, moment: str) -> str:
        """RFC 3339 → what that clock shows; a fraction only where there is one, as in Rhetor."""
        at = datetime.fromisoformat(moment).astimezone(self._info)
        return at.replace(tzinfo=None, fold=0).isoformat()

    def moment(self, at: datetime) -> datetime:
        """What that clock shows → when; within the years that a ledger may have."""
        if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
            at = at.replace(year=min(max(at.year, _FIRST_YEAR), _LAST_YEAR), month=1, day=2)
        return at if at.tzinfo is not None else at.replace(tzinfo=self._info)
