"""What a call may use at most, in the units of each policy, before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.policy import Policy, Unpriced
from tekton_budget.domain.price import Card, nano_up
from tekton_budget.domain.usage import NO_TOKENS, TokenCounts


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices an ask is sized with: of its own model, and what stands in where there is none."""

    at_us: int  # by which the time of day is told
    own: Card | None = None
    assumed: Card | None = None  # of the installation's `assume_model`
    dearest: Card | None = None  # the dearest known rate of the provider
    assumed_by_policy: tuple[tuple[int, Card], ...] = ()

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
    """Whether the ask bounds its tokens."""
    return ask.tokens is not None or (
        ask.input_tokens is not None and ask.max_output_tokens is not None
    )


def states_cost(ask: Allocate, price: Card | None) -> bool:
    """Whether the ask bounds its cost, given the price that would size it."""
    return ask.cost_nano is not None or (price is not None and states_tokens(ask))


def counts_of(ask: Allocate, size: int | None) -> TokenCounts:
    """The tokens of an ask shrunk to `size`, by kind as far as they are known."""
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
    return nano_up(price.grains_of_counts(counts, ask.requests, at_us=at_us))


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
            sized = counts if price is not prices.dearest else TokenCounts(other=total)
            cost_nano = cost_of(ask, sized, size, price, prices.at_us)
            known.append((price, cost_nano))
        kinds = policy.tokens_counted
        found.append(Amounts(counts.counted(kinds) if kinds else total, cost_nano, ask.requests))
    return found


def _shrunk_cost(ask: Allocate, counts: TokenCounts, size: int | None) -> int:
    whole = ask.cost_nano or 0
    if size is None:
        return whole
    if ask.max_output_tokens is None and ask.tokens is None:
        return size
    full = counts_of(ask, None).total
    return -(-whole * counts.total // full) if full else whole
