"""The three units every limit and balance is kept in: tokens, cost and requests."""

from typing import NamedTuple, Self


class Amounts(NamedTuple):
    """How much, in each unit: tokens, 10⁻⁹ USD and calls. A tuple, for it is made in every step."""

    tokens: int = 0
    cost_nano: int = 0
    requests: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        """Unit by unit."""
        return Amounts(
            self.tokens + other.tokens,
            self.cost_nano + other.cost_nano,
            self.requests + other.requests,
        )

    def minus(self, other: "Amounts") -> "Amounts":
        """Unit by unit; may be negative."""
        return Amounts(
            self.tokens - other.tokens,
            self.cost_nano - other.cost_nano,
            self.requests - other.requests,
        )

    def at_least_zero(self) -> "Amounts":
        """Negative units become 0."""
        return Amounts(max(0, self.tokens), max(0, self.cost_nano), max(0, self.requests))

    @classmethod
    def smaller(cls, one: "Amounts", other: "Amounts") -> Self:
        """The smaller of each unit."""
        return cls(*(min(a, b) for a, b in zip(one, other, strict=True)))


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


UNLIMITED = Limits()

UNITS = ("tokens", "cost", "requests")
