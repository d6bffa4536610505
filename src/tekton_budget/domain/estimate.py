"""What a call may use at most, in the units of each policy, before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.further import Further
from tekton_budget.domain.policy import Policy, Unpriced
from tekton_budget.domain.price import Card, Lack, most_of, most_of_counts, nano_up
from tekton_budget.domain.usage import NO_TOKENS, TokenCounts


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices an ask is sized with: of its own model, and what stands in where there is none."""

    at_us: int  # by which the time of day is told
    own: Card | None = None
    assumed: Card | None = None  # of the installation's `assume_model`
    dearest: Card | None = None  # the dearest known rate of the provider
    assumed_by_policy: tuple[tuple[int, Card], ...] = ()
    lack: Lack | None = None  # what is stated and has no rate, so that something stands in
    fees: int = 0  # beside the dearest rate, of what is no token: in 10⁻³⁰ USD

    @property
    def is_partial(self) -> bool:
        """Whether another rate stands in for one that is not known."""
        return self.dearest is not None or self.lack is not None

    def price_for(self, policy: Policy) -> Card | None:
        """The price a policy sizes the ask with; `None` where it must do without."""
        if self.own is not None:
            return self.own
        for policy_no, price in self.assumed_by_policy:
            if policy_no == policy.no:
                return price
        if self.assumed is not None:
            return self.assumed
        return self.dearest if policy.unpriced is Unpriced.HIGHEST else None


def assert_sound(ask: Allocate) -> None:
    """The door refuses negative and contradictory amounts; none may come this far."""
    stated = (ask.input_tokens, ask.max_output_tokens, ask.tokens, ask.cost_nano, ask.min_grant)
    assert all(amount is None or amount >= 0 for amount in stated), "amounts are not negative"
    assert ask.requests >= 0, "requests are not negative"
    assert ask.tokens is None or ask.max_output_tokens is None, "tokens are stated in one way"


def shrinkable(ask: Allocate) -> int | None:
    """The size of what a clamp may shrink: output tokens, else tokens, else 10⁻⁹ USD."""
    if ask.max_output_tokens is not None:
        return ask.max_output_tokens
    return ask.tokens if ask.tokens is not None else ask.cost_nano


def states_tokens(ask: Allocate) -> bool:
    """Whether the ask bounds its tokens; units alone are all that such a call uses."""
    if ask.tokens is not None:
        return True
    if ask.input_tokens is None and ask.max_output_tokens is None:
        return ask.further is not None and bool(ask.further.units)
    return ask.input_tokens is not None and ask.max_output_tokens is not None


def states_cost(ask: Allocate, price: Card | None) -> bool:
    """Whether the ask bounds its cost, given the price that would size it."""
    return ask.cost_nano is not None or (price is not None and states_tokens(ask))


def counts_of(ask: Allocate, size: int | None) -> TokenCounts:
    """The tokens of an ask shrunk to `size`, by kind as far as they are known."""
    own = _own_counts(ask, size)
    return own if ask.further is None else own.plus(ask.further.counts)


def _own_counts(ask: Allocate, size: int | None) -> TokenCounts:
    """Without those that are stated as units."""
    if ask.max_output_tokens is not None:
        output = ask.max_output_tokens if size is None else size
        return TokenCounts(input=ask.input_tokens or 0, output=output)
    if ask.tokens is not None:
        return TokenCounts(other=ask.tokens if size is None else size)
    return TokenCounts(input=ask.input_tokens or 0) if ask.input_tokens else NO_TOKENS


def cost_of(
    ask: Allocate, counts: TokenCounts, size: int | None, price: Card | None, at_us: int
) -> int:
    """The most an ask shrunk to `size` may cost, rounded up; 0 where no price is known."""
    if ask.cost_nano is not None:
        return _shrunk_cost(ask, counts, size)
    if price is None:
        return 0
    return nano_up(most_grains(ask, counts, size, price, at_us))


def most_grains(
    ask: Allocate, counts: TokenCounts, size: int | None, price: Card, at_us: int
) -> int:
    """The most an ask shrunk to `size` may cost by a card, in 10⁻³⁰ USD."""
    if ask.further is None:
        return most_of_counts(price, counts, ask.requests, at_us=at_us)
    own = _own_counts(ask, size)
    return most_of(price, own, ask.further, ask.requests, at_us=at_us)


def cost_by(
    ask: Allocate, counts: TokenCounts, size: int | None, price: Card | None, prices: Prices
) -> int:
    """The same by any of the prices of an ask: where the dearest stands in, for all its tokens."""
    if price is None or price is not prices.dearest or ask.cost_nano is not None:
        return cost_of(ask, counts, size, price, prices.at_us)
    tokens = TokenCounts(other=counts.total)
    grains = most_of_counts(price, tokens, ask.requests, at_us=prices.at_us)
    return nano_up(grains + prices.fees)


def asked_by(ask: Allocate, policy: Policy, prices: Prices, size: int | None) -> Amounts:
    """What an ask shrunk to `size` takes of one policy."""
    return asked_by_each(ask, (policy,), prices, size)[0]


def asked_by_each(
    ask: Allocate, policies: Sequence[Policy], prices: Prices, size: int | None
) -> list[Amounts]:
    """What an ask shrunk to `size` takes of each policy, in their order."""
    counts = counts_of(ask, size)
    total = counts.total
    known: list[tuple[Card | None, int]] = []
    found: list[Amounts] = []
    for policy in policies:
        price = prices.price_for(policy)
        for known_price, known_cost in known:
            if known_price is price:
                cost_nano = known_cost
                break
        else:
            cost_nano = cost_by(ask, counts, size, price, prices)
            known.append((price, cost_nano))
        kinds = policy.tokens_counted
        tokens = counted_at_most(counts, kinds, ask.further) if kinds else total
        found.append(Amounts(tokens, cost_nano, ask.requests))
    return found


def counted_at_most(counts: TokenCounts, kinds: tuple[str, ...], further: Further | None) -> int:
    """What a policy counts of them: input that may be written to a cache may be either kind."""
    if further is not None and further.cache_write is not None and "cache_write" in kinds:
        kinds = (*kinds, "input")
    return counts.counted(kinds)


def _shrunk_cost(ask: Allocate, counts: TokenCounts, size: int | None) -> int:
    whole = ask.cost_nano or 0
    if size is None:
        return whole
    if ask.max_output_tokens is None and ask.tokens is None:
        return size
    full = counts_of(ask, None).total
    return -(-whole * counts.total // full) if full else whole
