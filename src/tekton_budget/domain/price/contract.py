"""Contracts: what an operator pays of the list price, by provider or model, from when to when."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Contract:
    """A factor on the prices of a provider, or of one of its models, for a time."""

    contract_id: str
    provider: str
    model: str | None  # None: all of the provider
    factor: Decimal  # 0.85 is 15 % off
    valid_from_us: int = 0
    valid_to_us: int | None = None
    known_since_us: int = 0

    def applies(self, model: str, *, valid_us: int, known_us: int) -> bool:
        """Whether it holds for a model at a moment, as known at another."""
        return (
            self.model in (None, model)
            and self.known_since_us <= known_us
            and self.valid_from_us <= valid_us
            and (self.valid_to_us is None or valid_us < self.valid_to_us)
        )


def factor_of(
    contracts: Iterable[Contract], model: str, *, valid_us: int, known_us: int
) -> Decimal:
    """The factor in force for one of a provider's models."""
    found = contract_of(contracts, model, valid_us=valid_us, known_us=known_us)
    return Decimal(1) if found is None else found.factor


def contract_of(
    contracts: Iterable[Contract], model: str, *, valid_us: int, known_us: int
) -> Contract | None:
    """The contract in force for one of a provider's models: its own first, then the latest made."""
    best: Contract | None = None
    for one in contracts:
        if one.applies(model, valid_us=valid_us, known_us=known_us) and (
            best is None or _rank(one) >= _rank(best)
        ):
            best = one
    return best


def _rank(contract: Contract) -> tuple[bool, int, int]:
    return contract.model is not None, contract.valid_from_us, contract.known_since_us
