"""Expectation: whether an answer is the one that a person wrote down, remarks and all."""

import re

from tekton_budget.domain.naming import grammar
from tekton_budget.domain.naming.resolver import Resolution, Resolver, Unknown
from tekton_budget.domain.naming.sellers import seller_id

_REMARK = re.compile(r"\s+\([^()]*\)$")  # "… (eu data zone)": where, or at what price
_FLOATING = (
    "floating alias"  # the model depends on the date: that it is one of the seller's will do
)


def is_as_expected(
    resolver: Resolver, got: Resolution | Unknown, provider: str, model: str, at_us: int
) -> bool:
    """Whether both lead to one model of one seller; the card of one region is that model's too."""
    seller = seller_id(provider)
    if isinstance(got, Unknown) or seller_id(got.provider) != seller:
        return False
    if model.startswith(_FLOATING):
        return True
    wanted = resolver.resolve(provider, _REMARK.sub("", model), at_us)
    return isinstance(wanted, Resolution) and (
        wanted.model == got.model
        or _everywhere(resolver, got, at_us) == _everywhere(resolver, wanted, at_us)
    )


def _everywhere(resolver: Resolver, found: Resolution, at_us: int) -> str:
    """The card of the same model where no region is named."""
    readings = grammar.readings(seller_id(found.provider), found.model)
    name = found.model if isinstance(readings, grammar.Opaque) else readings[-1].name
    card = resolver.resolve(found.provider, name, at_us)
    return card.model if isinstance(card, Resolution) else name
