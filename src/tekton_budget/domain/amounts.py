"""The three units every limit and balance is kept in: tokens, cost and requests."""

from typing import NamedTuple


class Amounts(NamedTuple):
    """How much, in each unit: tokens, 10⁻⁹ USD and calls. A tuple, for it is made in every step."""

    tokens: int = 0
    cost_nano: int = 0
    requests: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        """Unit by unit."""
        if other is NOTHING:
            return self
        a, b, c = self
        d, e, f = other
        return _made(Amounts, (a + d, b + e, c + f))

    def minus(self, other: "Amounts") -> "Amounts":
        """Unit by unit; may be negative."""
        a, b, c = self
        d, e, f = other
        return _made(Amounts, (a - d, b - e, c - f))

    def at_least_zero(self) -> "Amounts":
        """Negative units become 0."""
        return Amounts(max(0, self.tokens), max(0, self.cost_nano), max(0, self.requests))

    @property
    def any_negative(self) -> bool:
        """Whether any unit is below 0."""
        return self.tokens < 0 or self.cost_nano < 0 or self.requests < 0

    @staticmethod
    def smaller(one: "Amounts", other: "Amounts") -> "Amounts":
        """The smaller of each unit."""
        return _made(Amounts, map(min, one, other))

    @staticmethod
    def larger(one: "Amounts", other: "Amounts") -> "Amounts":
        """The larger of each unit."""
        return _made(Amounts, map(max, one, other))


_made = tuple.__new__  # half the time of `Amounts(…)`, which is made some twenty times a command
NOTHING = Amounts()


class Limits(NamedTuple):
    """Like `Amounts`, where `None` is no limit in that unit and 0 allows nothing."""

    tokens: int | None = None
    cost_nano: int | None = None
    requests: int | None = None

    def plus(self, other: Amounts) -> "Limits":
        """Raised by an amount; a unit without a limit stays without."""
        return Limits(
            *(
                None if limit is None else limit + more
                for limit, more in zip(self, other, strict=True)
            )
        )

    def minus(self, used: Amounts) -> "Limits":
        """What is left of each limited unit; negative where more was used."""
        return Limits(
            *(None if limit is None else limit - u for limit, u in zip(self, used, strict=True))
        )


UNLIMITED = Limits()

UNITS = ("tokens", "cost", "requests")
