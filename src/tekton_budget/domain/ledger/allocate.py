"""The ask: judged against every policy that concerns it, held in all of them or in none."""

from collections.abc import Sequence

from tekton_budget.domain.allocation import LIFETIME_MAX_US, Allocation, AllocationStatus, Hold
from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Denial, Grant, PinnedPrice
from tekton_budget.domain.command import Allocate, Fit
from tekton_budget.domain.decide import (
    Decision,
    Judgement,
    Verdict,
    decide,
    judge,
    largest_fit,
    passes,
)
from tekton_budget.domain.errors import BudgetError, FieldFault, Forbidden, InvalidInput
from tekton_budget.domain.estimate import (
    Prices,
    asked_by,
    cost_of,
    counts_of,
    shrinkable,
    states_cost,
    states_tokens,
)
from tekton_budget.domain.event import Event, EventType
from tekton_budget.domain.ledger.denial import denial_of
from tekton_budget.domain.ledger.retry import remember, remembered_answer
from tekton_budget.domain.ledger.standing import standing_after
from tekton_budget.domain.ledger.state import (
    BYPASSED,
    SHADOW,
    DecisionCount,
    Entry,
    Outcome,
    Posting,
    State,
)
from tekton_budget.domain.ledger.thresholds import newly_told
from tekton_budget.domain.policy import Enforcement, PerMissing, Policy, Unpriced
from tekton_budget.domain.policy_set import Concern
from tekton_budget.domain.price import Price

_ENFORCING = (Enforcement.HARD_LIMIT, Enforcement.SOFT_LIMIT)


def allocate(state: State, ask: Allocate) -> Outcome:
    """Grant or deny; a denial changes nothing but the count of denials."""
    first = remembered_answer(state, ask)
    if first is not None:
        return Outcome(first)
    concerns = state.concerns(ask)
    prices = prices_for(state, ask, concerns)
    refusal = refusal_of(state, ask, concerns, prices)
    if refusal is not None:
        return Outcome(refusal)
    return _judged(state, ask, concerns, prices)


def _judged(state: State, ask: Allocate, concerns: Sequence[Concern], prices: Prices) -> Outcome:
    size = shrinkable(ask)
    judgements = _judge_all(state, ask, concerns, prices, size)
    verdict = _decided(state, ask, judgements)
    if verdict.decision is not Decision.DENY:
        return _granted(state, ask, judgements, verdict, prices, size)
    fitting = -1
    if size is not None:
        fitting = largest_fit(size, lambda n: _fits(ask, judgements, verdict.denied, prices, n))
    least = _min_grant(ask, concerns)
    if ask.fit is Fit.CLAMP and fitting >= max(1, least):
        judgements = _judge_all(state, ask, concerns, prices, fitting)
        verdict = _decided(state, ask, judgements)
        assert verdict.decision is not Decision.DENY, "what fits jointly is granted"
        return _granted(state, ask, judgements, verdict, prices, fitting)
    denial = denial_of(state, ask, verdict, judgements, prices, fitting)
    return Outcome(denial, counted=_denials(ask, verdict, denial))


def _judge_all(
    state: State, ask: Allocate, concerns: Sequence[Concern], prices: Prices, size: int | None
) -> list[Judgement]:
    return [
        judge(
            concern,
            state.balances[concern.balance_id],
            asked_by(ask, concern.policy, prices, size),
            state.now_us,
        )
        for concern in concerns
    ]


def _decided(state: State, ask: Allocate, judgements: Sequence[Judgement]) -> Verdict:
    priority = min(ask.priority, ask.caller.max_priority)
    return decide(judgements, priority=priority, shadow=state.settings.shadow)


def _fits(
    ask: Allocate,
    judgements: Sequence[Judgement],
    denied: Sequence[Judgement],
    prices: Prices,
    size: int,
) -> bool:
    """Whether the ask shrunk to `size` passes none of the policies that refused it whole."""
    return not any(
        passes(j.allowance, j.spent.plus(j.held), asked_by(ask, j.policy, prices, size))
        for j in denied
    )


def _min_grant(ask: Allocate, concerns: Sequence[Concern]) -> int:
    if ask.min_grant is not None:
        return ask.min_grant
    return max((concern.policy.min_grant for concern in concerns), default=0)


def prices_for(state: State, ask: Allocate, concerns: Sequence[Concern]) -> Prices:
    """The prices that size an ask, all as valid and known now."""
    model, provider = ask.labels.get("model"), ask.labels.get("provider")
    own = _price(state, provider, model)
    if own is not None or ask.cost_nano is not None:
        return Prices(own)
    assumed: list[tuple[int, Price]] = []
    if model is None:
        for concern in concerns:
            named = _price(state, None, concern.policy.assume_model)
            if named is not None:
                assumed.append((concern.policy.no, named))
    default = _price(state, None, state.settings.assume_model) if model is None else None
    dearest = None
    if any(concern.policy.unpriced is Unpriced.HIGHEST for concern in concerns):
        dearest = state.book.dearest_of(provider, at_us=state.now_us)
    return Prices(None, default, dearest, tuple(assumed))


def _price(state: State, provider: str | None, model: str | None) -> Price | None:
    if model is None:
        return None
    if provider is None and "/" in model:
        named, _, rest = model.partition("/")
        found = state.book.price_at(named, rest, valid_us=state.now_us, known_us=state.now_us)
        if found is not None:
            return found
    return state.book.price_at(provider, model, valid_us=state.now_us, known_us=state.now_us)


def refusal_of(
    state: State, ask: Allocate, concerns: Sequence[Concern], prices: Prices
) -> BudgetError | None:
    """Why an ask cannot be judged at all, first reason first; `None` if it can."""
    if not concerns and state.settings.deny_unbudgeted:
        return Forbidden(
            "No policy concerns this call and calls without one are refused here. "
            "Set a limit for it (tekton-budget set LABEL=VALUE AMOUNT/PERIOD) or label the call.",
            code="no_policy",
        )
    if not 0 < ask.lifetime_us <= LIFETIME_MAX_US:
        return InvalidInput(
            "lifetime_seconds: send 1 to 86400",
            FieldFault("lifetime_seconds", "send 1 to 86400"),
        )
    faults: list[FieldFault] = []
    for concern in concerns:
        policy = concern.policy
        if concern.group_missing and policy.per_missing is PerMissing.DENY and policy.judges:
            missing = [name for name in policy.per if name not in ask.labels]
            return InvalidInput(
                f'The policy "{policy.name}" needs the label {", ".join(missing)}: send it.',
                *(FieldFault(f"labels.{name}", f'needed by "{policy.name}"') for name in missing),
                code="label_missing",
            )
        if concern.balance_id in state.overfull:
            return InvalidInput(
                f'The policy "{policy.name}" keeps at most {policy.max_groups:,} groups and '
                f"{concern.group!r} would be one more: check what {', '.join(policy.per)} is sent, "
                "or raise max_groups.",
                FieldFault("labels", f'too many groups in "{policy.name}"'),
                code="too_many_groups",
            )
        if policy.judges and policy.enforcement in _ENFORCING and not policy.shadow:
            faults += _open_units(ask, policy, prices)
    if not faults:
        return _unpriced(state, ask, concerns, prices)
    return InvalidInput(
        "This ask leaves open what it may use: " + "; ".join(f.message for f in faults) + ".",
        *faults,
        code="amount_needed",
    )


def _open_units(ask: Allocate, policy: Policy, prices: Prices) -> list[FieldFault]:
    faults = []
    if policy.limits.tokens is not None and not states_tokens(ask):
        field = "tokens"
        if ask.input_tokens is not None:
            field = "max_output_tokens"
        elif ask.max_output_tokens is not None:
            field = "input_tokens"
        faults.append(FieldFault(field, f'"{policy.name}" limits tokens: send {field}'))
    if policy.limits.cost_nano is not None and ask.cost_nano is None:
        named = ask.labels.get("model") is not None or prices.price_for(policy) is not None
        if not states_tokens(ask):
            text = "send cost, or model with input_tokens and max_output_tokens"
            faults.append(FieldFault("cost", f'"{policy.name}" limits cost: {text}'))
        elif not named and policy.unpriced is not Unpriced.ALLOW:
            faults.append(FieldFault("model", f'"{policy.name}" limits cost: send model, or cost'))
    return faults


def _unpriced(
    state: State, ask: Allocate, concerns: Sequence[Concern], prices: Prices
) -> BudgetError | None:
    model = ask.labels.get("model")
    for concern in concerns:
        policy = concern.policy
        if (
            policy.limits.cost_nano is None
            or policy.unpriced is Unpriced.ALLOW
            or policy.shadow
            or not policy.judges
            or policy.enforcement not in _ENFORCING
            or states_cost(ask, prices.price_for(policy))
        ):
            continue
        return unknown_price(state, model, ask.labels.get("provider"), policy.name)
    return None


def unknown_price(
    state: State, model: str | None, provider: str | None, policy_name: str
) -> InvalidInput:
    """The refusal of a model without a price, with what to do about it."""
    sellers = state.book.sellers(model) if model and provider is None else []
    if len(sellers) > 1:
        named = ", ".join(sorted(sellers))
        text = f"several providers sell {model} ({named}): send provider"
        return InvalidInput(text, FieldFault("provider", text), code="unknown_price")
    name = f"{provider}/{model}" if provider else f"PROVIDER/{model}"
    near = state.book.suggestions(model or "")
    hint = f" Near: {', '.join(near)}." if near else ""
    return InvalidInput(
        f'No price is known for {model} and "{policy_name}" limits cost.{hint} '
        f"Set one: tekton-budget prices set {name} --input USD --output USD (per 1M tokens), "
        "or send cost.",
        FieldFault("model", "no price is known"),
        code="unknown_price",
        suggestions=near,
    )


def _granted(
    state: State,
    ask: Allocate,
    judgements: Sequence[Judgement],
    verdict: Verdict,
    prices: Prices,
    size: int | None,
) -> Outcome:
    now_us = state.now_us
    counts = counts_of(ask, size)
    whole = shrinkable(ask)
    cost_nano = cost_of(ask, counts, size, prices.own or prices.assumed or prices.dearest)
    cost_nano = max([cost_nano, *(j.asked.cost_nano for j in judgements)])
    granted = Amounts(counts.total, cost_nano, ask.requests)
    expires_us = now_us + ask.lifetime_us
    postings = tuple(
        Posting(j.concern.balance_id, _reason(j, verdict), NOTHING, j.asked) for j in judgements
    )
    grant = Grant(
        allocation_id=ask.id,
        decision=verdict.decision.value,
        granted=granted,
        max_output_tokens=counts.output if ask.max_output_tokens is not None else None,
        created_us=now_us,
        expires_us=expires_us,
        policies=tuple(
            standing_after(
                j.policy, state.balances[j.concern.balance_id], NOTHING, j.asked, ask.caller, now_us
            )
            for j in judgements
        ),
        price=_pinned(prices.own),
        reasons=_reasons(verdict),
        would_deny=tuple(j.policy.name for j in verdict.would_deny),
        bypassed=tuple(j.policy.name for j in verdict.bypassed),
        clamped_from=whole if size != whole else None,
        provisional=prices.own is None and prices.dearest is not None,
        dry_run=ask.dry_run,
    )
    told, events = newly_told(state, postings)
    allocation = Allocation(
        key_id=ask.caller.key_id,
        id=ask.id,
        status=AllocationStatus.ACTIVE,
        labels=ask.labels,
        granted=granted,
        max_output_tokens=grant.max_output_tokens,
        created_us=now_us,
        expires_us=expires_us,
        holds=tuple(
            Hold(j.concern.balance_id, j.asked, j.policy.tokens_counted) for j in judgements
        ),
        on_expiry=ask.on_expiry,
        priority=ask.priority,
        price_id=prices.own.price_id if prices.own is not None else None,
        decision=grant.decision,
        updated_us=now_us,
        metadata=ask.metadata,
    )
    created = Event(
        EventType.ALLOCATION_CREATED,
        ask.id,
        judgements[0].policy.budget_id if len(judgements) == 1 else "",
        {"decision": grant.decision, "granted": granted, "expires_us": expires_us},
    )
    return Outcome(
        grant,
        entry=Entry("allocate", ask.caller.key_id, ask.id, postings),
        allocation=allocation,
        created=True,
        told=told,
        events=(created, *events),
        counted=_marks(ask, verdict, clamped=grant.clamped_from is not None, judgements=judgements),
        remembered=remember(ask, grant),
    )


def _reason(judgement: Judgement, verdict: Verdict) -> str:
    if judgement in verdict.bypassed:
        return BYPASSED
    return SHADOW if judgement in verdict.would_deny else ""


def _pinned(price: Price | None) -> PinnedPrice | None:
    if price is None:
        return None
    return PinnedPrice(
        price.price_id,
        price.provider,
        price.model,
        price.input_atto,
        price.output_atto,
        price.valid_from_us,
    )


def _reasons(verdict: Verdict) -> tuple[str, ...]:
    reasons = [
        f'"{j.policy.name}" would be passed: make a cheaper call' for j in verdict.downgraded
    ]
    reasons += [f'"{j.policy.name}" stands at or above its threshold' for j in verdict.warned]
    reasons += [f'"{j.policy.name}" is passed by priority' for j in verdict.bypassed]
    reasons += [f'"{j.policy.name}" would deny this call' for j in verdict.would_deny]
    return tuple(reasons)


def _marks(
    ask: Allocate, verdict: Verdict, *, clamped: bool, judgements: Sequence[Judgement]
) -> tuple[DecisionCount, ...]:
    """Would-be denials and clamps are counted beside the real denials."""
    marks = [_count(ask, j, "would_deny") for j in verdict.would_deny]
    if clamped:
        hard = [j for j in judgements if j.policy.enforcement is Enforcement.HARD_LIMIT]
        tight = min(hard, key=_room, default=None)
        if tight is not None:
            marks.append(_count(ask, tight, "clamp"))
    return tuple(marks)


def _room(judgement: Judgement) -> int:
    rests = [rest for rest in judgement.remaining if rest is not None]
    return min(rests, default=0)


def _denials(ask: Allocate, verdict: Verdict, denial: Denial) -> tuple[DecisionCount, ...]:
    return tuple(
        DecisionCount(
            j.policy.policy_id,
            j.concern.group,
            "deny",
            {"allocation_id": ask.id, "labels": dict(ask.labels), "detail": denial.detail},
        )
        for j in verdict.denied
    )


def _count(ask: Allocate, judgement: Judgement, decision: str) -> DecisionCount:
    sample: dict[str, object] = {"allocation_id": ask.id, "labels": dict(ask.labels)}
    return DecisionCount(judgement.policy.policy_id, judgement.concern.group, decision, sample)
