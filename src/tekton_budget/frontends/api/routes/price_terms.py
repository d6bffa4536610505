"""What operators tell the price book besides prices: contracts, names of their own, tiers."""

from typing import Literal

from pydantic import Field

from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Verbs
from tekton_budget.frontends.api.bodies.price_terms import (
    ContractOut,
    NameOut,
    ResolvedOut,
    TierOut,
    to_api_contract,
    to_api_name,
    to_api_resolution,
    to_api_tier,
)
from tekton_budget.frontends.api.bodies.spending import retry_of
from tekton_budget.frontends.api.body import exact_router
from tekton_budget.frontends.api.schemas import Body, Factor, Time
from tekton_budget.frontends.http.wire import Reply

router = exact_router("/prices")

_SELLER = "Who sells it; left open, it is found by the name"


class ContractBody(Body):
    """A factor on the prices of a provider, or of one of its models, for a time."""

    provider: str = Field(examples=["openai"])
    model: str | None = Field(None, description="All models of the provider if left open")
    factor: Factor = Field(
        description="Of the price: 0.85 is 15 % off, 1 ends what was agreed",
        examples=[0.85],
    )
    valid_from: Time | None = None
    valid_to: Time | None = None


class NameBody(Body):
    """What a name means from a moment on: a deployment of Azure, an ARN, a nickname."""

    name: str = Field(examples=["my-gpt4-deployment"])
    provider: str | None = Field(None, description="Where it means that; left open, anywhere")
    to_provider: str = Field(examples=["azure"])
    to_model: str = Field(examples=["gpt-4o"])
    valid_from: Time | None = None


class TierBody(Body):
    """Of which of Tekton's three tiers a model is, from now on; `null` is of none."""

    provider: str | None = Field(None, description="Left open, whoever sells it")
    model: str = Field(description="`*` is all of the provider's", examples=["gpt-5-mini"])
    tier: Literal["local_lightweight", "local_midweight", "remote_heavyweight"] | None = Field(
        examples=["local_midweight"]
    )


class ResolveBody(Body):
    """A name as a caller or a response uses it."""

    provider: str | None = Field(None, description=_SELLER)
    model: str = Field(examples=["us.anthropic.claude-sonnet-4-20250514-v1:0"])
    at: Time | None = Field(None, description="Names may move; default: as of now")


@router.get("/contracts", response_model=list[ContractOut])
def list_contracts(verbs: Verbs) -> Reply:
    """Every contract that was agreed, and whether it is in force."""
    told = verbs.book.contracts()
    return Reply([to_api_contract(one.term, in_force=one.in_force) for one in told])


@router.post("/contracts", status_code=201, response_model=ContractOut)
def agree_contract(
    body: ContractBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None
) -> Reply:
    """What is paid of all prices of a provider, or of one model, from a date on (default: now)."""
    made = verbs.prices.agree_contract(
        asker,
        body.provider,
        body.model,
        body.factor,
        valid_from_us=body.valid_from,
        valid_to_us=body.valid_to,
        retry=retry_of("contracts", key, body.given()),
    )
    told = {one.term.contract_id: one.in_force for one in verbs.book.contracts()}
    return Reply(to_api_contract(made, in_force=told.get(made.contract_id, False)), status_code=201)


@router.get("/names", response_model=list[NameOut])
def list_names(verbs: Verbs) -> Reply:
    """Every name of one's own, and whether it is in force."""
    told = verbs.book.names()
    return Reply([to_api_name(one.term, in_force=one.in_force) for one in told])


@router.post("/names", status_code=201, response_model=NameOut)
def name_model(body: NameBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """What a name of one's own means from a moment on (default: now)."""
    made = verbs.prices.name_model(
        asker,
        body.provider,
        body.name,
        (body.to_provider, body.to_model),
        valid_from_us=body.valid_from,
        retry=retry_of("names", key, body.given()),
    )
    is_in_force = any(one.in_force for one in verbs.book.names() if one.term == made)
    return Reply(to_api_name(made, in_force=is_in_force), status_code=201)


@router.get("/tiers", response_model=list[TierOut])
def list_tiers(verbs: Verbs) -> Reply:
    """Every tier that was said of a model, and whether it is in force."""
    told = verbs.book.tiers()
    return Reply([to_api_tier(one.term, in_force=one.in_force) for one in told])


@router.post("/tiers", status_code=201, response_model=TierOut)
def set_tier(body: TierBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """Of which of Tekton's three tiers a model is, from now on."""
    made = verbs.prices.set_tier(
        asker,
        body.provider,
        body.model,
        body.tier,
        retry=retry_of("tiers", key, body.given()),
    )
    is_in_force = any(one.in_force for one in verbs.book.tiers() if one.term == made)
    return Reply(to_api_tier(made, in_force=is_in_force), status_code=201)


@router.post("/resolve", response_model=ResolvedOut)
def resolve_model(body: ResolveBody, verbs: Verbs) -> Reply:
    """Which model of the price book a name means; 404 with what is near where it means none."""
    found = verbs.book.resolved(body.provider, body.model, at_us=body.at)
    return Reply(to_api_resolution(found))
