"""Reading one field of a response: whole amounts and money, exact, or a refusal that names it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache
from numbers import Real

from tekton_budget.domain.errors import InvalidInput, invalid

INVALID = "invalid_usage"
MISSING = "missing_usage"
MOST = 10**12  # of anything in one call; more is a fault of whoever counted


def faulty(path: str, message: str) -> InvalidInput:
    """The refusal of usage that contradicts itself, or that no one can read."""
    return invalid(path, message, INVALID)


@dataclass(frozen=True, slots=True)
class Place:
    """An object in a response, and the dotted path to it. Names below it may be dotted too."""

    body: Mapping[str, object]
    path: str = ""

    def path_of(self, name: str) -> str:
        """The whole path of a name, as errors show it."""
        return f"{self.path}.{name}" if self.path else name

    def path_told(self, *names: str) -> str:
        """The whole path of the one of these names that tells, for errors."""
        told = (name for name in names if self.value(name))
        return self.path_of(next(told, names[0]))

    def value(self, name: str) -> object:
        """What stands at a name; `None` where nothing does, or nothing of use on the way to it."""
        if "." not in name:
            return self.body.get(name) if name else self.body
        found: object = self.body
        for step in _steps(name):
            if found is None:
                return None
            if type(found) is dict or isinstance(found, Mapping):  # a dict's test is the cheap one
                found = found.get(step)
            elif isinstance(found, list | tuple) and step.isdecimal() and int(step) < len(found):
                found = found[int(step)]
            else:
                return None
        return found

    def place(self, *names: str) -> "Place | None":
        """The first of these that is an object with anything in it."""
        for name in names:
            found = self.value(name)
            if found is None:
                continue
            if isinstance(found, Mapping) and any(value is not None for value in found.values()):
                return Place(found, self.path_of(name))
        return None

    def items(self, name: str) -> "Iterator[Place]":
        """The objects of a list; what is no object in it, or no list, is passed by."""
        found = self.value(name)
        if isinstance(found, list | tuple):
            for number, item in enumerate(found):
                if isinstance(item, Mapping):
                    yield Place(item, self.path_of(f"{name}[{number}]"))

    def text(self, *names: str) -> str | None:
        """The first of these that is a text with anything in it."""
        for name in names:
            found = self.value(name)
            if isinstance(found, str) and found.strip():
                return str(getattr(found, "value", found))  # an enumeration's text is its value
        return None

    def count(self, *names: str) -> int | None:
        """One amount that goes by several names, alone or together; a 0 beside it is no news."""
        found: int | None = None
        seen = ""
        for name in names:
            value = self.value(name)
            if value is None:
                continue
            if type(value) is int and 0 <= value <= MOST:  # as nearly all are
                amount: int | None = value
            else:
                amount = whole(value, self.path_of(name))
            if amount and found and amount != found:
                raise faulty(
                    self.path_of(name),
                    f"is {amount} and {self.path_of(seen)} is {found}, though both mean the same; "
                    "send the usage as the provider returned it",
                )
            if amount is not None and not found:
                found, seen = amount, name
        return found


@lru_cache(maxsize=1024)  # the names of our own tables: some hundreds
def _steps(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def number(value: object, path: str, *, most: int = MOST) -> Decimal:
    """A JSON number, exact: a binary one by its shortest text. Texts and booleans are none."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        shown = (
            "a text" if isinstance(value, str) else type(value).__name__
        )  # never the text itself
        raise faulty(path, f"must be a number, not {shown}; send it as the provider returned it")
    try:
        exact = Decimal(str(value))
    except (InvalidOperation, ValueError):
        raise faulty(path, "is not a number that can be read exactly") from None
    if not exact.is_finite():
        raise faulty(path, "must be finite")
    if exact < 0:
        raise faulty(path, "must not be negative; send it as the provider returned it")
    if exact > most:
        raise faulty(path, f"must be at most {most:,}; no call uses so much")
    return exact


def whole(value: object, path: str) -> int | None:
    """A whole amount, 0 or more; `None` where nothing is told."""
    if value is None:
        return None
    if type(value) is int and 0 <= value <= MOST:  # as nearly all are
        return value
    exact = number(value, path)
    if exact != exact.to_integral_value():
        raise faulty(path, "must be whole; tokens have no fractions")
    return int(exact)


def rounded_up(value: object, path: str) -> int | None:
    """An amount that may have fractions, such as seconds, up to the next whole one."""
    if value is None or value == {}:  # as some SDK of Mistral writes what is not set
        return None
    return int(number(value, path).to_integral_value(ROUND_CEILING))


def within(part: int, whole_amount: int, path: str, whole_path: str) -> None:
    """A part may be as large as its whole, and no larger."""
    if part > whole_amount:
        raise faulty(
            path,
            f"is {part}, more than the {whole_amount} of {whole_path} that it is a part of; "
            "send the usage as the provider returned it",
        )
