"""What components can ask for: each act calls one verb and says the answer in Tekton's words.

Over budget is an answer: `success` is false, and `error` is the denial's own paragraph.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tekton_budget.domain.answer import Denial, Ended, Grant, Recorded
from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.frontends.api.bodies.recommending import to_api_recommendations
from tekton_budget.frontends.api.routes.usage import allocation_in
from tekton_budget.frontends.http.standings import to_api_denial, to_api_standing
from tekton_budget.frontends.http.wire import time_text, usd
from tekton_budget.frontends.tekton.protocol.given import Asked
from tekton_budget.frontends.tekton.protocol.reading import analytics, status
from tekton_budget.frontends.tekton.protocol.table import Act
from tekton_budget.service.advising.routing import CANDIDATES_MAX, Named, NoRoute, RouteAsk
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.prices import Wish

CONTEXT_SIZE = 4000
OUTPUT_SHARE = 4  # of the input, where nobody says how much is answered: the original's rule
OUTPUT_TOKENS = 500  # where there is no input either
PRIORITY = 5

Json = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Told:
    """What comes of an act. `error` says why not, where it was judged and is not to be."""

    payload: Json
    error: str | None = None
    is_refused: bool = False  # it was not even judged: what was sent cannot be understood, or done


def allocate(asked: Asked) -> Told:
    """Hold tokens for a task."""
    amount = asked.whole("amount", least=1)
    if amount is None:
        raise invalid("amount", "is needed: how many tokens to hold")
    labels = asked.labels()
    tier = asked.tier
    if tier is not None:
        labels["tier"] = tier
    ask = Ask(labels, tokens=amount, priority=asked.whole("priority", least=1, most=10) or PRIORITY)
    answer = asked.verbs.ledger.allocate(asked.caller, ask, allocation_id=asked.id).result()
    if isinstance(answer, Denial):
        return _denied(answer, not_allocated(asked))
    return Told(
        {
            "success": True,
            "allocation_id": answer.allocation_id,
            "context_id": asked.text("context_id"),
            "amount": answer.granted.tokens,
            "remaining": answer.granted.tokens,
            "tier": answer.tier or tier,
            "provider": asked.text("provider"),
            "model": asked.text("model"),
            "decision": answer.decision,
            "expires_at": time_text(answer.expires_us),
            "warnings": answer.reasons,
        }
    )


def not_allocated(asked: Asked) -> Json:
    """The payload of an allocation that is none."""
    context_id = asked.given.get("context_id")
    return {"success": False, "context_id": context_id, "amount": 0, "remaining": 0}


def check(asked: Asked) -> Told:
    """Whether a call would be within its limits."""
    labels = asked.labels()
    for name in ("provider", "model"):
        asked.needed(name)
    input_tokens = asked.tokens("input")[0] or 0
    output_tokens = asked.whole("max_output_tokens")
    if output_tokens is None:
        output_tokens = OUTPUT_SHARE * input_tokens or OUTPUT_TOKENS
    ask = Ask(labels, input_tokens=input_tokens, max_output_tokens=output_tokens)
    answer = asked.verbs.ledger.allocate(asked.caller, ask, dry_run=True).result()
    estimate = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    if isinstance(answer, Denial):
        return Told({"allowed": False, "info": {**_reason(answer), "cost_estimate": estimate}})
    cost = _cost_of(answer)
    info = {
        "allowed": True,
        "decision": answer.decision,
        "reason": " ".join(answer.reasons),
        "warnings": answer.reasons,
        "estimated_cost": cost,
        "cost_estimate": {**estimate, "total_cost": cost},
        "policies": [to_api_standing(one) for one in answer.policies],
    }
    return Told({"allowed": True, "info": info})


def record(asked: Asked) -> Told:
    """Record what a call used, as part of its allocation if there is one."""
    provider, model = asked.needed("provider"), asked.needed("model")
    (input_tokens, by_input), (output_tokens, by_output) = (
        asked.tokens("input"),
        asked.tokens("output"),
    )
    if input_tokens is None or output_tokens is None:
        raise invalid(
            "input_tokens", "send input_tokens and output_tokens, or input_text and output_text"
        )
    used = Used(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        estimated=by_input or by_output,
        request_id=asked.text("request_id"),
        metadata=asked.mapping("metadata"),
    )
    allocation_id, answer = _recorded(asked, used, provider, model)
    payload = {
        "success": True,
        "context_id": asked.text("context_id"),
        "recorded_tokens": input_tokens + output_tokens,
        "remaining": 0,
        "record_id": answer.record_id,
        "cost": usd(answer.cost_nano),
        "cost_source": answer.cost_source,
    }
    if allocation_id is not None:
        payload["allocation_id"] = allocation_id
        payload["remaining"] = _remaining(asked, allocation_id)
    return Told(payload)


def not_recorded(asked: Asked) -> Json:
    """The payload of a usage that was not recorded."""
    context_id = asked.given.get("context_id")
    return {"context_id": context_id, "recorded_tokens": 0, "remaining": 0, "success": False}


def recommend(asked: Asked) -> Told:
    """Cheaper models that can do the job."""
    size = asked.whole("context_size", least=1) or CONTEXT_SIZE
    wish = Wish(
        model=asked.text("model"),
        # A provider without a model is where to look, not what is in use.
        provider=asked.text("provider") if asked.text("model") else None,
        providers=_one(asked.text("provider")) if not asked.text("model") else None,
        context_size=size,
    )
    found = to_api_recommendations(asked.verbs.recommendations.recommend(wish))
    return Told(
        {
            "provider": asked.text("provider"),
            "model": asked.text("model"),
            "task_type": asked.text("task_type") or "default",
            "context_size": size,
            "recommendations": found["items"],
            "current_cost": found["current_cost"],
        }
    )


def not_recommended(asked: Asked) -> Json:
    """The payload where nothing can be recommended."""
    return {**_names(asked, "provider", "model"), "recommendations": []}


def route(asked: Asked) -> Told:
    """Which model to call so that the call is within its limits."""
    input_tokens = asked.tokens("input")[0] or 0
    named = Named(asked.needed("default_model"), asked.text("default_provider"))
    labels = {name: one for name, one in asked.labels().items() if name not in _ROUTED}
    ask = RouteAsk(
        model=named.model,
        provider=named.provider,
        input_tokens=input_tokens,
        labels=labels,
        candidates=_candidates(asked),
    )
    found = asked.verbs.routing.route(asked.caller, ask)
    if isinstance(found, NoRoute):
        payload = {
            **not_routed(asked),
            "warnings": [found.denial.detail],
            "tried": [{"model": str(one.named), "decision": one.decision} for one in found.tried],
        }
        return _denied(found.denial, payload)
    return Told(
        {
            "success": True,
            "provider": found.chosen.provider,
            "model": found.chosen.model,
            "warnings": found.warnings,
            "original_provider": asked.text("default_provider"),
            "original_model": named.model,
            "is_downgraded": found.is_downgraded,
            "decision": found.grant.decision,
            "estimated_cost": _cost_of(found.grant),
        }
    )


def not_routed(asked: Asked) -> Json:
    """The payload where no model may be called: none is named, so that none is."""
    return {
        "success": False,
        "provider": None,
        "model": None,
        "warnings": [],
        "original_provider": asked.given.get("default_provider"),
        "original_model": asked.given.get("default_model"),
        "is_downgraded": False,
    }


def _of_period(asked: Asked) -> Json:
    return {"period": asked.given.get("period") or "daily", "success": False}


def _not_allowed(asked: Asked) -> Json:
    del asked
    return {"allowed": False, "info": {}}


DO: dict[Act, Callable[[Asked], Told]] = {
    Act.ALLOCATE: allocate,
    Act.CHECK: check,
    Act.RECORD: record,
    Act.STATUS: lambda asked: Told(status(asked)),
    Act.RECOMMEND: recommend,
    Act.ROUTE: route,
    Act.ANALYSE: lambda asked: Told(analytics(asked)),
}
# What an act says when it was refused, beside the error.
NOTHING: dict[Act, Callable[[Asked], Json]] = {
    Act.ALLOCATE: not_allocated,
    Act.CHECK: _not_allowed,
    Act.RECORD: not_recorded,
    Act.STATUS: _of_period,
    Act.RECOMMEND: not_recommended,
    Act.ROUTE: not_routed,
    Act.ANALYSE: _of_period,
}
_ROUTED = ("provider", "model")


def _denied(denial: Denial, payload: Json) -> Told:
    return Told({**payload, "error": denial.detail, "denial": to_api_denial(denial)}, denial.detail)


def _reason(denial: Denial) -> Json:
    """Why a call would be denied, with the numbers that Rhetor shows where the key may see them."""
    shown: Json = {
        "allowed": False,
        "decision": "deny",
        "reason": denial.detail,
        "alternatives": denial.alternatives,
        "denial": to_api_denial(denial),
    }
    tightest = denial.policies[0] if denial.policies else None
    if tightest is not None and not tightest.hidden:
        shown |= {
            "policy": tightest.enforcement,
            "limit": usd(tightest.allowance.cost_nano),
            "usage": usd(tightest.spent.cost_nano),
            "estimated_cost": usd(tightest.asked.cost_nano),
        }
    return shown


def _cost_of(grant: Grant) -> object:
    """Unknown without a price, which is not nothing."""
    return None if grant.price is None else usd(grant.granted.cost_nano)


def _recorded(
    asked: Asked, used: Used, provider: str, model: str
) -> tuple[str | None, Recorded | Ended]:
    """Post it within the allocation that is named, else the context's own, else within none."""
    # The labels of an allocation are fixed; what really answered may be another model.
    within = replace(used, model_used=model, provider_used=provider)
    named = asked.text("allocation_id")
    if named is not None:
        return named, _posted(asked, within, {}, named)
    found = _allocation_of_context(asked)
    if found is not None:
        try:
            return found, _posted(asked, within, asked.own_labels(), found)
        except InvalidInput as refusal:
            if refusal.code != "label_fixed":  # it was asked for by another, or for something else
                raise
    return None, _posted(asked, used, asked.labels(), None)


def _posted(
    asked: Asked, used: Used, labels: dict[str, object], allocation_id: str | None
) -> Recorded | Ended:
    return asked.verbs.ledger.record(
        asked.caller,
        used,
        labels=labels,
        allocation_id=allocation_id,
        final=asked.truth("final"),
        record_id=asked.id,
    ).result()


def _allocation_of_context(asked: Asked) -> str | None:
    """The newest active allocation that the key has in the context, if there is one."""
    context_id = asked.text("context_id")
    if context_id is None:
        return None
    return allocation_in(context_id, asked.caller, asked.verbs, asked.id)


def _remaining(asked: Asked, allocation_id: str) -> int:
    allocation = asked.verbs.lists.allocation(asked.caller, allocation_id)
    if not allocation.is_active:
        return 0
    return max(0, allocation.granted.tokens - allocation.used.total)


def _candidates(asked: Asked) -> tuple[Named, ...]:
    """Models that the caller names itself, as `model` or `provider/model`."""
    value = asked.given.get("candidates")
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > CANDIDATES_MAX:
        raise invalid("candidates", f"send a list of up to {CANDIDATES_MAX} models")
    found = []
    for one in value:
        if not isinstance(one, str) or not one:
            raise invalid("candidates", "send models as text: provider/model")
        provider, slash, model = one.partition("/")
        found.append(Named(model, provider) if slash else Named(one))
    return tuple(found)


def _names(asked: Asked, *names: str) -> Json:
    return {name: asked.given.get(name) for name in names}


def _one(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,)
