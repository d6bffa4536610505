"""What is answered to a command, and how amounts are written in it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tekton_budget.domain.money import nano_from_usd, usd_text
from tekton_budget.domain.spoken import Value
from tekton_budget.face.budget import AsyncBudget

REQUEST_ID = "Idempotency-Key"  # among the values: no part of a command has such a name

Json = Mapping[str, Any]  # Any: decoded JSON
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Said:
    """Lines for people, and the same as data."""

    response: str
    data: Any  # Any: JSON
    success: bool = True


Answering = Callable[[AsyncBudget, Values], Awaitable[Said]]


def usd(value: Decimal | int | None) -> str:
    """Dollars with all their digits; what is not known is said to be."""
    return "cost unknown" if value is None else usd_text(nano_from_usd(Decimal(value)))


def counted(count: int, noun: str) -> str:
    """`1 record`, `1,100 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def tokens(count: int) -> str:
    """`1,100 tokens`."""
    return counted(count, "token")


def lines(*parts: str | Sequence[str]) -> str:
    """Lines, those of a list set in."""
    told: list[str] = []
    for part in parts:
        told += [part] if isinstance(part, str) else [f"  {one}" for one in part]
    return "\n".join(told)


def text_of(values: Values, name: str) -> str | None:
    """A value that is text, if it was said."""
    value = values.get(name)
    return value if isinstance(value, str) else None


def whole_of(values: Values, name: str) -> int | None:
    """A value that is a whole number, if it was said."""
    value = values.get(name)
    return value if isinstance(value, int) else None


def amount_of(values: Values, name: str) -> Decimal | None:
    """A value that is an amount, if it was said."""
    value = values.get(name)
    return value if isinstance(value, Decimal) else None


def said_labels(values: Values, *names: str) -> dict[str, str]:
    """Those of the values that are labels of calls."""
    return {name: value for name in names if (value := text_of(values, name)) is not None}
