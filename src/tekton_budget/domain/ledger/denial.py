"""The denial: what stands in the way of a call, when it goes, and what fits meanwhile."""

import shlex
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Denial, Fitting
from tekton_budget.domain.command import Allocate, Fit
from tekton_budget.domain.decide import Judgement, Verdict, passes
from tekton_budget.domain.estimate import (
    Prices,
    asked_by,
    cost_by,
    counts_of,
    most_grains,
    shrinkable,
)
from tekton_budget.domain.ledger.children import parent_advice, parent_standing
from tekton_budget.domain.ledger.labelling import TIER, with_tier
from tekton_budget.domain.ledger.standing import is_hidden, resets_at, standing_before
from tekton_budget.domain.ledger.state import State
from tekton_budget.domain.limit_text import short_amount
from tekton_budget.domain.money import NANO_PER_USD
from tekton_budget.domain.period import duration_text, time_text
from tekton_budget.domain.policy import PPM, Enforcement
from tekton_budget.domain.policy_set import group_label_names
from tekton_budget.domain.price import (
    Card,
    ModelFacts,
    PriceBook,
    dearest_token,
    lack_of,
    nano_up,
)
from tekton_budget.domain.scope import SHARED_GROUP, group_labels

DETAIL_MAX = 400
ALTERNATIVES_MAX = 3
_PRICES_TRIED_MAX = 100  # a storm of denials must not walk a book of thousands each time,
_WALKED_MAX = 500  # nor compute what the call would cost by each
_TITLE_MAX = 100
_UNIT_NAMES = ("tokens", "cost", "requests")
_CREDIT_SHARE = 5  # a fifth of the limit, if the call needs no more


def denial_of(
    state: State,
    ask: Allocate,
    verdict: Verdict,
    prices: Prices,
    fitting_size: int,
    *,
    alternatives: bool = True,
) -> Denial:
    """Every passed policy, tightest first, and what would be granted instead.

    A call that is under way has no `alternatives`: its model is chosen.
    """
    denied = _parent_once(tightest_first(verdict.denied))
    never = any(judgement.never_fits for judgement in denied)
    spent = any(judgement.blocked_by_spent for judgement in denied)
    fitting = _fitting(ask, prices, fitting_size)
    others = alternatives_to(state, ask, denied, prices) if alternatives else ()
    latest = _latest_reset(state, denied)
    return Denial(
        allocation_id=ask.id,
        code="over_budget",
        detail=_detail(state, ask, denied, fitting, others),
        policies=tuple(
            standing_before(
                judgement,
                state.balances[judgement.concern.balance_id],
                ask.caller,
                state.now_us,
                state.policies.asks_of(judgement.policy),
            )
            if judgement.concern.parent is None
            else parent_standing(judgement)
            for judgement in denied
        ),
        largest_fit=fitting,
        alternatives=others,
        blocked_on="spent" if spent else "held",
        retryable=not never and (not spent or latest is not None),
        never_fits=never,
        resets_us=latest,
        dry_run=ask.dry_run,
    )


def tightest_first(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Passed policies by how little of the ask would still fit."""
    return sorted(judgements, key=_tightness)


def _parent_once(denied: Sequence[Judgement]) -> list[Judgement]:
    """Of a parent's holds, the one with the least room speaks for it."""
    parts = [judgement for judgement in denied if judgement.concern.parent is not None]
    return [one for one in denied if one.concern.parent is None or one is parts[0]]


def alternatives_to(
    state: State, ask: Allocate, passed: Sequence[Judgement], prices: Prices
) -> tuple[str, ...]:
    """Cheaper priced models by which the very same call would fit, dearest first."""
    own = prices.own
    if own is None or ask.cost_nano is not None:
        return ()
    tried = islice(_cheaper(state, ask, own), _PRICES_TRIED_MAX)
    fitting = (
        card.model
        for grains, card in tried
        if _fits(state, ask, passed, prices, _labels_at(state, ask, card, own), grains)
    )
    return tuple(islice(fitting, ALTERNATIVES_MAX))


def _cheaper(state: State, ask: Allocate, own: Card) -> Iterator[tuple[int, Card]]:
    """Cards that cost less for this call, dearest first: the seller's own, then those set by hand.

    Whoever calls one seller has no account with all the others that a price list knows.
    """
    book, now_us, size = state.book, state.now_us, shrinkable(ask)
    counts = counts_of(ask, size)
    whole = most_grains(ask, counts, size, own, now_us)
    seen = {own.price_id}
    for in_force in (
        book.current(at_us=now_us, provider=own.provider),
        book.by_hand(at_us=now_us),
    ):
        cards = [card for card in _below(in_force, own, now_us) if card.price_id not in seen]
        seen.update(card.price_id for card in cards)
        costs = (
            (most_grains(ask, counts, size, card, now_us), card)
            for card in cards
            if _prices_all(card, ask, now_us)
        )
        cheaper = sorted(
            ((grains, card) for grains, card in costs if grains < whole),
            key=lambda one: (-one[0], one[1].model),
        )
        yield from (one for one in cheaper if _can_do(book, one[1], own, counts.total, now_us))


def _prices_all(card: Card, ask: Allocate, at_us: int) -> bool:
    """Whether a card has rates for text, and for what else the call uses."""
    if not card.standard(at_us=at_us).prices_text:
        return False
    return ask.further is None or lack_of(card, ask.further, at_us=at_us) is None


def _below(cards: Sequence[Card], own: Card, at_us: int) -> Sequence[Card]:
    """Cards, the dearest first; of many, those that follow the call's own."""
    if len(cards) <= _WALKED_MAX:
        return cards
    start = bisect_left(cards, -dearest_token(own, at_us), key=lambda c: -dearest_token(c, at_us))
    return cards[start : start + _WALKED_MAX]


def _can_do(book: PriceBook, card: Card, own: Card, tokens: int, at_us: int) -> bool:
    """Whether a model is still served and does such work at such a length, as far as is known."""
    facts, wanted = book.facts((card.provider, card.model)), book.facts((own.provider, own.model))
    if facts is not None and facts.is_retired(at_us):
        return False
    if facts is None or wanted is None:
        return True
    if facts.context_tokens is not None and facts.context_tokens < tokens:
        return False
    return _kind_of_work(facts) == _kind_of_work(wanted)


def _kind_of_work(facts: ModelFacts) -> tuple[str | None, tuple[str, ...]]:
    return facts.mode, facts.output


def _tightness(judgement: Judgement) -> tuple[int, int]:
    """How many parts per million of the ask would still fit; the least first."""
    shares = [
        max(0, rest) * PPM // asked
        for rest, asked in zip(judgement.remaining, judgement.asked, strict=True)
        if rest is not None and asked > max(0, rest)
    ]
    return min(shares, default=PPM), judgement.policy.no


def _latest_reset(state: State, denied: Sequence[Judgement]) -> int | None:
    """When all of them have turned; `None` if one never does."""
    resets = [
        None
        if one.concern.parent is not None
        else resets_at(one.policy, state.balances[one.concern.balance_id], state.now_us)
        for one in denied
        if one.concern.parent is None or one.blocked_by_spent  # what a parent lent comes back
    ]
    known = [moment for moment in resets if moment is not None]
    return max(known, default=None) if len(known) == len(resets) else None


def _fitting(ask: Allocate, prices: Prices, size: int) -> Fitting | None:
    if size < 1:
        return None
    counts = counts_of(ask, size)
    price = prices.own or prices.assumed or prices.dearest
    known = ask.cost_nano is not None or price is not None
    return Fitting(
        tokens=counts.total or None,
        cost_nano=cost_by(ask, counts, size, price, prices) if known else None,
        max_output_tokens=size if ask.max_output_tokens is not None else None,
    )


def _fits(
    state: State,
    ask: Allocate,
    passed: Sequence[Judgement],
    prices: Prices,
    labels: Mapping[str, str],
    grains: int,
) -> bool:
    """Whether the call would fit under other labels, at another cost."""
    known = {policy.no for policy in state.policies.concerning(ask.labels, state.now_us)}
    concerned = state.policies.concerning(labels, state.now_us)
    if any(p.no not in known and p.enforcement is Enforcement.HARD_LIMIT for p in concerned):
        return False  # a limit of its own, whose balance was not looked at
    still = {policy.no for policy in concerned}
    cost_nano = nano_up(grains)
    return not any(_refuses(ask, j, cost_nano, prices) for j in passed if j.policy.no in still)


def _labels_at(state: State, ask: Allocate, card: Card, own: Card) -> Mapping[str, str]:
    """The labels of the call made of another model, whose tier may be another too.

    Its seller stays as the caller spells it.
    """
    elsewhere = {} if card.provider == own.provider else {"provider": card.provider}
    labels = {**ask.labels, "model": card.model, **elsewhere}
    model, said = ask.labels.get("model"), labels.get(TIER)
    if said is None or model is None or TIER in ask.caller.labels:
        return labels
    if said == state.book.tier_of(ask.labels.get("provider"), model, state.now_us):
        del labels[TIER]
    return with_tier(labels, state.book, state.now_us)


def _refuses(ask: Allocate, judgement: Judgement, cost_nano: int, prices: Prices) -> bool:
    asked = asked_by(ask, judgement.policy, prices, shrinkable(ask))
    other = Amounts(asked.tokens, cost_nano, asked.requests)
    return passes(judgement.open, judgement.spent.plus(judgement.held), other)


def _detail(
    state: State,
    ask: Allocate,
    denied: Sequence[Judgement],
    fitting: Fitting | None,
    alternatives: tuple[str, ...],
) -> str:
    """One paragraph that stands alone; what is least needed is left out where it gets too long."""
    tightest = denied[0]
    unit = _passed_unit(tightest)
    scope = state.policies.scope_of(tightest.policy)
    is_part = tightest.concern.parent is not None
    hidden = not is_part and is_hidden(ask.caller, tightest.policy, tightest.concern.group, scope)
    more = len(denied) - 1
    others = f"{more} more limit{'' if more == 1 else 's'} would be passed." if more else ""
    sentences = [  # the most needed first
        _first_sentence(tightest, unit, hidden=hidden, clamps=ask.fit is Fit.CLAMP),
        parent_advice(tightest, unit) if is_part else _resets_text(state, tightest),
        _fits_text(ask, fitting, alternatives),
        "" if hidden or is_part else _more_text(state, ask, tightest, unit),
        others,
    ]
    text = " ".join(filter(None, sentences))
    while len(text) > DETAIL_MAX:
        sentences.pop()
        text = " ".join(filter(None, sentences))
    return text


def _first_sentence(judgement: Judgement, unit: int, *, hidden: bool, clamps: bool) -> str:
    name = _UNIT_NAMES[unit]
    asked = short_amount(name, judgement.asked[unit])
    verb = "cost" if name == "cost" else "use"
    may = f"needs at least {asked}" if clamps else f"may {verb} up to {asked}"
    title = _shortened(_title(judgement), _TITLE_MAX)
    if hidden:
        return f'Over budget: this call {may}, more than "{title}" has left.'
    left = max(0, judgement.remaining[unit] or 0)
    used = f"{short_amount(name, judgement.spent[unit])} spent"
    if judgement.held[unit]:
        used += f", {short_amount(name, judgement.held[unit])} held{_by_calls(judgement)}"
    if judgement.kept[unit]:
        used += f", {short_amount(name, judgement.kept[unit])} kept for the end"
    return (
        f'Over budget: this call {may}, but "{title}" has '
        f"{short_amount(name, left)} of {short_amount(name, judgement.allowance[unit] or 0)} "
        f"left ({used})."
    )


def _by_calls(judgement: Judgement) -> str:
    """By how many calls, as far as these have not yet told of any usage."""
    calls = judgement.held.requests
    return f" by {calls:,} call{'' if calls == 1 else 's'}" if calls else ""


def _title(judgement: Judgement) -> str:
    name, group = judgement.policy.name, judgement.concern.group
    if judgement.concern.parent is not None:
        return name
    return f"{name}: {group}" if group != SHARED_GROUP else name


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _passed_unit(judgement: Judgement) -> int:
    """Cost before tokens before requests, where several are passed."""
    asked, remaining = judgement.asked, judgement.remaining
    passed = [
        unit for unit, rest in enumerate(remaining) if rest is not None and asked[unit] > rest
    ]
    assert passed, "a denying policy is passed in some unit"
    return 1 if 1 in passed else passed[0]


def _resets_text(state: State, judgement: Judgement) -> str:
    policy, now_us = judgement.policy, state.now_us
    if judgement.never_fits:
        return "No reset helps: the call alone is more than the whole limit."
    at_us = resets_at(policy, state.balances[judgement.concern.balance_id], now_us)
    if policy.is_rolling:
        return "" if at_us is None else f"Some comes back in {duration_text(at_us - now_us)}."
    if at_us is None:
        return "It never resets."
    moment = time_text(at_us, policy.schedule.zone)
    return f"It resets {moment} (in {duration_text(at_us - now_us)})."


def _fits_text(ask: Allocate, fitting: Fitting | None, alternatives: tuple[str, ...]) -> str:
    parts = []
    if fitting is not None:
        if fitting.max_output_tokens is not None:
            parts.append(f"up to {fitting.max_output_tokens:,} output tokens")
        elif ask.tokens is None:
            parts.append(f"up to {short_amount('cost', fitting.cost_nano or 0)}")
        else:
            parts.append(f"up to {short_amount('tokens', fitting.tokens or 0)}")
    parts += alternatives[:1]
    return f"Fits now: {', or '.join(parts)}." if parts else ""


def _more_text(state: State, ask: Allocate, judgement: Judgement, unit: int) -> str:
    """The command by which someone who may can give more."""
    missing = judgement.asked[unit] - (judgement.remaining[unit] or 0)
    if judgement.kept is not NOTHING:  # of which a part is kept too
        missing = -(-(missing + 1) * PPM // (PPM - judgement.policy.landing_ppm))
    wanted = max(missing, (judgement.allowance[unit] or 0) // _CREDIT_SHARE)
    whole = -(-wanted // NANO_PER_USD) if unit == 1 else wanted
    amount = f"{_round_up(whole)}{('tokens', 'usd', 'requests')[unit]}"
    return f"More: tekton-budget credit {_whom(state, ask, judgement, unit)} {amount}."


def _whom(state: State, ask: Allocate, judgement: Judgement, unit: int) -> str:
    """The policy and group as the command line takes them: by labels alone, where these say all.

    Else by the policy's name, before the labels of the group.
    """
    policy, group = judgement.policy, judgement.concern.group
    asked = state.policies.asks_of(policy)
    labels = group_labels(group_label_names(policy), group) if group != SHARED_GROUP else {}
    named = {**asked, **labels}
    said = [f"{name}={value}" for name, value in named.items() if _is_plain(value)]
    if group == SHARED_GROUP and group_label_names(policy):
        said = [policy.name, "--group", ""]
    elif not said or len(said) < len(named) or not _is_only_one(state, ask, judgement, unit):
        said = [policy.name, *(f"{name}={value}" for name, value in labels.items())]
    return " ".join(shlex.quote(one) for one in said)


def _is_only_one(state: State, ask: Allocate, judgement: Judgement, unit: int) -> bool:
    """Whether no other policy with such a limit has the same scope and groups.

    One that has concerns the call too, so only those are looked at.
    """
    policies, policy = state.policies, judgement.policy
    scope, names = policies.scope_of(policy), group_label_names(policy)
    return not any(
        other.policy_id != policy.policy_id
        and other.limits[unit] is not None
        and set(group_label_names(other)) == set(names)
        and policies.scope_of(other) == scope
        for other in policies.concerning(ask.labels, state.now_us)
    )


def _is_plain(value: str | list[str]) -> bool:
    return isinstance(value, str) and not any(mark in value for mark in "*?!&")


def _round_up(amount: int) -> int:
    """The next 1, 2 or 5 with zeros behind it."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= amount:
                return factor * step
        step *= 10
