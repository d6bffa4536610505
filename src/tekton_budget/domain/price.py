"""Dated prices: what a model's tokens cost at a moment, as known at a moment, to the last digit."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.usage import KINDS, TokenCounts

ATTO_PER_NANO = 1_000_000_000
_RATE_SCALE = 12  # USD per million tokens → 10⁻¹⁸ USD per token
_RATE_MAX = Decimal(9_000_000)  # what a 64-bit column holds


@dataclass(frozen=True, slots=True)
class Price:
    """One model's rates in 10⁻¹⁸ USD per token (and per request), valid for a time, known since.

    A cache rate of `None` means that the seller's rate is not known; such tokens are then charged
    at the dearest rate of the price, so that nothing is ever free for want of a number.
    """

    price_id: str
    provider: str
    model: str
    input_atto: int
    output_atto: int
    cache_read_atto: int | None = None
    cache_write_atto: int | None = None
    request_atto: int = 0
    valid_from_us: int = 0
    valid_to_us: int | None = None
    known_since_us: int = 0
    source: str = "manual"

    @property
    def dearest_atto(self) -> int:
        """The highest rate a token can have."""
        return max(
            self.input_atto, self.output_atto, self.cache_read_atto or 0, self.cache_write_atto or 0
        )

    @property
    def is_complete(self) -> bool:
        """Whether every kind of token has a rate of its own."""
        return self.cache_read_atto is not None and self.cache_write_atto is not None

    def cost_atto(self, counts: TokenCounts, requests: int) -> int:
        """The exact cost of a usage in 10⁻¹⁸ USD."""
        dearest = self.dearest_atto if counts.needs_dearest else 0
        read, write = self.cache_read_atto, self.cache_write_atto
        return (
            counts.input * self.input_atto
            + counts.output * self.output_atto
            + counts.cache_read * (dearest if read is None else read)
            + counts.cache_write * (dearest if write is None else write)
            + counts.other * dearest
            + requests * self.request_atto
        )


def nano_half_even(cost_atto: int) -> int:
    """10⁻¹⁸ USD → 10⁻⁹ USD, rounded once, half to even: what the ledger posts."""
    whole, rest = divmod(cost_atto, ATTO_PER_NANO)
    twice = rest * 2
    if twice > ATTO_PER_NANO or (twice == ATTO_PER_NANO and whole & 1):
        whole += 1
    return whole


def nano_up(cost_atto: int) -> int:
    """10⁻¹⁸ USD → 10⁻⁹ USD, rounded up: what a hold takes."""
    return -(-cost_atto // ATTO_PER_NANO)


def atto_per_token(field: str, usd_per_million: Decimal) -> int:
    """USD per 1,000,000 tokens → 10⁻¹⁸ USD per token, exactly; refuses negative or finer rates."""
    if not usd_per_million.is_finite() or usd_per_million < 0 or usd_per_million > _RATE_MAX:
        raise invalid(field, "send USD per 1,000,000 tokens, 0 or more")
    scaled = usd_per_million.scaleb(_RATE_SCALE)
    if scaled != scaled.to_integral_value():
        raise invalid(field, f"send at most {_RATE_SCALE} decimals of USD per 1,000,000 tokens")
    return int(scaled)


def usd_per_million(atto: int) -> Decimal:
    """10⁻¹⁸ USD per token → USD per 1,000,000 tokens, without trailing zeros or exponent."""
    whole, rest = divmod(atto, 10**_RATE_SCALE)
    return Decimal(f"{whole}.{rest:0{_RATE_SCALE}d}".rstrip("0").rstrip("."))


class PriceBook:
    """All prices ever known, asked by (provider, model, moment valid, moment known)."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._by_model: dict[tuple[str, str], list[Price]] = {}
        self._providers_of: dict[str, list[str]] = {}
        for price in sorted(prices, key=lambda price: price.valid_from_us):
            key = (price.provider, price.model)
            if key not in self._by_model:
                self._providers_of.setdefault(price.model, []).append(price.provider)
            self._by_model.setdefault(key, []).append(price)
        self._changes_us = sorted(
            {
                moment_us
                for prices_ in self._by_model.values()
                for p in prices_
                for moment_us in (p.valid_from_us, p.valid_to_us, p.known_since_us)
                if moment_us is not None
            }
        )
        self._current: tuple[int, list[Price]] = (-1, [])

    def __len__(self) -> int:
        return len(self._by_model)

    def history(self, provider: str, model: str) -> list[Price]:
        """Every price of a model, by start of validity, then by when it was learnt."""
        return sorted(
            self._by_model.get((provider, model), []),
            key=lambda price: (price.valid_from_us, price.known_since_us),
        )

    def seller(self, provider: str | None, model: str) -> str | None:
        """The provider meant: the named one, else the only one that sells the model."""
        if provider is not None:
            return provider
        sellers = self._providers_of.get(model, [])
        return sellers[0] if len(sellers) == 1 else None

    def sellers(self, model: str) -> list[str]:
        """Every provider that sells a model of this name."""
        return list(self._providers_of.get(model, []))

    def price_at(
        self, provider: str | None, model: str, *, valid_us: int, known_us: int
    ) -> Price | None:
        """The price valid at one moment as known at another; the latest learnt wins."""
        seller = self.seller(provider, model)
        prices = self._by_model.get((seller, model)) if seller is not None else None
        if prices is None:
            return None
        last = bisect_right(prices, valid_us, key=lambda price: price.valid_from_us)
        known = [
            price
            for price in prices[:last]
            if price.known_since_us <= known_us
            and (price.valid_to_us is None or valid_us < price.valid_to_us)
        ]
        return max(known, key=lambda p: (p.valid_from_us, p.known_since_us)) if known else None

    def price_named(
        self, provider: str | None, model: str, *, valid_us: int, known_us: int
    ) -> Price | None:
        """The same, for a model that may be written `provider/model`."""
        if provider is None and "/" in model:
            named, _, rest = model.partition("/")
            found = self.price_at(named, rest, valid_us=valid_us, known_us=known_us)
            if found is not None:
                return found
        return self.price_at(provider, model, valid_us=valid_us, known_us=known_us)

    def dearest_of(self, provider: str | None, *, at_us: int) -> Price | None:
        """The price with the dearest token of a provider, or of all where none is named."""
        for price in self.current(at_us=at_us):
            if provider is None or price.provider == provider:
                return price
        return None

    def current(self, *, at_us: int) -> list[Price]:
        """One price for each model that has one at the moment, the dearest first.

        The last answer is kept until a price begins, ends or becomes known: a storm of denials asks
        for the same list again and again.
        """
        era = bisect_right(self._changes_us, at_us)
        known_era, known = self._current
        if era == known_era:
            return known
        found = (
            self.price_at(provider, model, valid_us=at_us, known_us=at_us)
            for provider, model in self._by_model
        )
        prices = sorted(
            (price for price in found if price is not None),
            key=lambda price: (-price.dearest_atto, price.provider, price.model),
        )
        self._current = (era, prices)
        return prices

    def suggestions(self, model: str) -> list[str]:
        """Up to three known names near this one, as `provider/model`."""
        near = sorted(
            self._by_model, key=lambda key: (-_shared_start(key[1], model), len(key[1]), key)
        )
        return [
            f"{provider}/{name}"
            for provider, name in near[:3]
            if _shared_start(name, model) >= _NEAR_LETTERS
        ]


_NEAR_LETTERS = 3


def _shared_start(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one.casefold(), other.casefold(), strict=False):
        if a != b:
            break
        count += 1
    return count


def rates_json(price: Price) -> Mapping[str, Decimal | None]:
    """The rates as people read them: USD per 1,000,000 tokens, and per request."""
    read, write = price.cache_read_atto, price.cache_write_atto
    return {
        "input": usd_per_million(price.input_atto),
        "output": usd_per_million(price.output_atto),
        "cache_read": None if read is None else usd_per_million(read),
        "cache_write": None if write is None else usd_per_million(write),
        "request": Decimal(price.request_atto).scaleb(-18).normalize() + 0,
    }


assert set(KINDS) == {"input", "output", "cache_read", "cache_write", "other"}
