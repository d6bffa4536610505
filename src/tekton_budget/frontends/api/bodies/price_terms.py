"""Contracts, names and tiers of the price book as the API shows them."""

from typing import Any

from tekton_budget.domain.naming import Alias, Resolution
from tekton_budget.domain.price import Contract, TierTerm
from tekton_budget.frontends.api.schemas import NumberOut, TimeOut, View
from tekton_budget.frontends.http.wire import number, time_text

Json = dict[str, Any]  # Any: JSON


class ContractOut(View):
    """What is paid of the prices of a provider, or of one of its models."""

    contract_id: str
    provider: str
    model: str | None
    factor: NumberOut
    valid_from: TimeOut
    valid_to: TimeOut
    known_since: TimeOut
    in_force: bool


class NameOut(View):
    """What a name of one's own means."""

    provider: str | None
    name: str
    to_provider: str
    to_model: str
    valid_from: TimeOut
    in_force: bool


class TierOut(View):
    """Of which of Tekton's three tiers a model is."""

    provider: str | None
    model: str | None
    tier: str | None
    known_since: TimeOut
    in_force: bool


class ResolvedOut(View):
    """The model that a name means, the region its price depends on, and how that was found."""

    provider: str
    model: str
    region: str | None
    path: list[str]


def to_api_contract(contract: Contract, *, in_force: bool) -> Json:
    """A contract."""
    return {
        "contract_id": contract.contract_id,
        "provider": contract.provider,
        "model": contract.model,
        "factor": number(contract.factor),
        "valid_from": time_text(contract.valid_from_us),
        "valid_to": time_text(contract.valid_to_us),
        "known_since": time_text(contract.known_since_us),
        "in_force": in_force,
    }


def to_api_name(alias: Alias, *, in_force: bool) -> Json:
    """A name of one's own."""
    return {
        "provider": alias.provider,
        "name": alias.name,
        "to_provider": alias.to_provider,
        "to_model": alias.model,
        "valid_from": time_text(alias.from_us),
        "in_force": in_force,
    }


def to_api_tier(term: TierTerm, *, in_force: bool) -> Json:
    """A tier."""
    return {
        "provider": term.provider,
        "model": term.model,
        "tier": term.tier,
        "known_since": time_text(term.known_since_us),
        "in_force": in_force,
    }


def to_api_resolution(found: Resolution) -> Json:
    """A name that was understood."""
    return {
        "provider": found.provider,
        "model": found.model,
        "region": found.region,
        "path": list(found.path),
    }
