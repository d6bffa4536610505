"""The denial: an answer that names what stands in the way, when it goes, and what fits meanwhile."""

from collections.abc import Sequence

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Denial, Fitting
from tekton_budget.domain.command import Allocate
from tekton_budget.domain.decide import Judgement, Verdict, passes
from tekton_budget.domain.estimate import Prices, asked_by, cost_of, counts_of, shrinkable
from tekton_budget.domain.ledger.standing import is_hidden, resets_at, standing_before
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.limit_text import short_amount
from tekton_budget.domain.money import NANO_PER_USD
from tekton_budget.domain.period import Period, duration_text, time_text
from tekton_budget.domain.price import Price, nano_up

_DETAIL_MAX = 400
_ALTERNATIVES_MAX = 3
_UNIT_NAMES = ("tokens", "cost", "requests")
_KILO = 1000


def denial_of(
    state: State,
    ask: Allocate,
    verdict: Verdict,
    judgements: Sequence[Judgement],
    prices: Prices,
    fitting_size: int,
) -> Denial:
    """Every passed policy, tightest first, and what would be granted instead."""
    denied = sorted(verdict.denied, key=_tightness)
    never = any(j.never_fits for j in denied)
    spent = any(j.blocked_by_spent for j in denied)
    fitting = _fitting(ask, prices, fitting_size)
    alternatives = _alternatives(state, ask, denied, prices)
    balances = state.balances
    resets = [resets_at(j.policy, balances[j.concern.balance_id], state.now_us) for j in denied]
    latest = None if None in resets else max(r for r in resets if r is not None)
    return Denial(
        allocation_id=ask.id,
        code="over_budget",
        detail=_detail(state, ask, denied, fitting, alternatives),
        policies=tuple(
            standing_before(j, balances[j.concern.balance_id], ask.caller, state.now_us)
            for j in denied
        ),
        largest_fit=fitting,
        alternatives=alternatives,
        blocked_on="spent" if spent else "held",
        retryable=not never and (not spent or latest is not None),
        never_fits=never,
        resets_us=latest,
        dry_run=ask.dry_run,
    )


def _tightness(judgement: Judgement) -> tuple[int, int]:
    """How many parts per million of the ask would still fit; the least first."""
    shares = [
        max(0, rest) * 1_000_000 // asked
        for rest, asked in zip(judgement.remaining, judgement.asked, strict=True)
        if rest is not None and asked > rest
    ]
    return min(shares, default=0), judgement.policy.no


def _fitting(ask: Allocate, prices: Prices, size: int) -> Fitting | None:
    if size < 1:
        return None
    counts = counts_of(ask, size)
    price = prices.own or prices.assumed or prices.dearest
    known = ask.cost_nano is not None or price is not None
    return Fitting(
        tokens=counts.total or None,
        cost_nano=cost_of(ask, counts, size, price) if known else None,
        max_output_tokens=counts.output if ask.max_output_tokens is not None else None,
    )


def _alternatives(
    state: State, ask: Allocate, denied: Sequence[Judgement], prices: Prices
) -> tuple[str, ...]:
    """Cheaper priced models by which the very same call would fit, the dearest of them first."""
    if prices.own is None or ask.cost_nano is not None:
        return ()
    found: list[str] = []
    counts = counts_of(ask, shrinkable(ask))
    cheaper = [
        (nano_up(price.cost_atto(counts, ask.requests)), price)
        for price in state.book.current(at_us=state.now_us)
        if price.dearest_atto < prices.own.dearest_atto
    ]
    own_provider = prices.own.provider
    cheaper.sort(key=lambda pair: (pair[1].provider != own_provider, -pair[0], pair[1].model))
    for cost_nano, price in cheaper:
        if not any(_refuses(state, ask, j, price, cost_nano, prices) for j in denied):
            found.append(price.model)
            if len(found) == _ALTERNATIVES_MAX:
                break
    return tuple(found)


def _refuses(
    state: State, ask: Allocate, judgement: Judgement, price: Price, cost: int, prices: Prices
) -> bool:
    labels = {**ask.labels, "model": price.model, "provider": price.provider}
    scope = judgement.policy.scope
    if not scope.matches(labels):
        return False
    asked = asked_by(ask, judgement.policy, prices, shrinkable(ask))
    other = Amounts(asked.tokens, cost, asked.requests)
    return passes(judgement.allowance, judgement.spent.plus(judgement.held), other)


def _detail(
    state: State,
    ask: Allocate,
    denied: Sequence[Judgement],
    fitting: Fitting | None,
    alternatives: tuple[str, ...],
) -> str:
    """One paragraph that stands alone; what is least needed is left out where it grows too long."""
    tightest = denied[0]
    policy = tightest.policy
    unit = _passed_unit(tightest)
    name = _UNIT_NAMES[unit]
    asked = short_amount(name, tightest.asked[unit])
    title = (
        policy.name if not tightest.concern.group else f"{policy.name}: {tightest.concern.group}"
    )
    verb = "may cost" if name == "cost" else "may use"
    hidden = is_hidden(ask.caller, policy, tightest.concern.group)
    if hidden:
        first = f'Over budget: this call {verb} up to {asked}, more than "{title}" has left.'
    else:
        limit, left = tightest.allowance[unit] or 0, max(0, tightest.remaining[unit] or 0)
        spent, held = tightest.spent[unit], tightest.held[unit]
        used = f"{short_amount(name, spent)} spent"
        if held:
            calls = tightest.held.requests
            used += f", {short_amount(name, held)} held by {calls} call{'' if calls == 1 else 's'}"
        first = (
            f'Over budget: this call {verb} up to {asked}, but "{title}" has '
            f"{short_amount(name, left)} of {short_amount(name, limit)} left ({used})."
        )
    others = f"{len(denied) - 1} more limit{'s' if len(denied) > 2 else ''} also passed."
    optional = [
        others if len(denied) > 1 else "",
        _fits_text(ask, fitting, alternatives),
        "" if hidden else _more_text(ask, tightest, unit),
    ]
    needed = [first, _resets_text(state, tightest)]
    while len(" ".join(filter(None, needed + optional))) > _DETAIL_MAX and optional:
        optional.pop(0 if optional[0] else -1)
    return " ".join(filter(None, needed + optional))[:_DETAIL_MAX]


def _passed_unit(judgement: Judgement) -> int:
    for unit in (1, 0, 2):
        rest = judgement.remaining[unit]
        if rest is not None and judgement.asked[unit] > rest:
            return unit
    raise AssertionError("a denying policy is passed in some unit")


def _resets_text(state: State, judgement: Judgement) -> str:
    policy = judgement.policy
    at_us = resets_at(policy, state.balances[judgement.concern.balance_id], state.now_us)
    if policy.schedule.period is Period.ROLLING:
        return "" if at_us is None else f"Some comes back in {duration_text(at_us - state.now_us)}."
    if at_us is None:
        return "It never resets."
    moment = time_text(at_us, policy.schedule.zone)
    return f"It resets {moment} (in {duration_text(at_us - state.now_us)})."


def _fits_text(ask: Allocate, fitting: Fitting | None, alternatives: tuple[str, ...]) -> str:
    parts = []
    if fitting is not None:
        if fitting.max_output_tokens is not None:
            parts.append(f"up to {fitting.max_output_tokens:,} output tokens")
        elif fitting.cost_nano is not None and ask.cost_nano is not None:
            parts.append(f"up to {short_amount('cost', fitting.cost_nano)}")
        elif fitting.tokens is not None:
            parts.append(f"up to {short_amount('tokens', fitting.tokens)}")
    parts += alternatives[:1]
    return f"Fits now: {', or '.join(parts)}." if parts else ""


def _more_text(ask: Allocate, judgement: Judgement, unit: int) -> str:
    """The command by which someone who may can give more."""
    policy = judgement.policy
    if policy.per and judgement.concern.group:
        whom = " ".join(f"{name}={ask.labels[name]}" for name in policy.per if name in ask.labels)
    else:
        whom = policy.scope.text()
        if not whom or any(mark in whom for mark in "*?! ,"):
            whom = f'"{policy.name}"'
    missing = judgement.asked[unit] - max(0, judgement.remaining[unit] or 0)
    amount = ("{}tokens", "{}usd", "{}requests")[unit]
    whole = -(-missing // NANO_PER_USD) if unit == 1 else missing
    return f"More: tekton-budget credit {whom} {amount.format(_round_up(whole))}."


def _round_up(amount: int) -> int:
    """The next 1, 2 or 5 with zeros behind it."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= amount:
                return factor * step
        step *= 10
