"""Names: which card of the price book a caller's or a response's name of a model means."""

from tekton_budget.domain.naming.catalogue import Alias, AliasTable, Catalogue, Key
from tekton_budget.domain.naming.expectation import is_as_expected
from tekton_budget.domain.naming.grammar import seller_by_shape
from tekton_budget.domain.naming.resolver import Resolution, Resolver, Unknown
from tekton_budget.domain.naming.sellers import (
    CLOUDS,
    DEPLOYED,
    SELLERS,
    Kind,
    Seller,
    filed_under,
    kind_of,
    seller_id,
)
from tekton_budget.domain.naming.spelling import cleaned

__all__ = [
    "CLOUDS",
    "DEPLOYED",
    "SELLERS",
    "Alias",
    "AliasTable",
    "Catalogue",
    "Key",
    "Kind",
    "Resolution",
    "Resolver",
    "Seller",
    "Unknown",
    "cleaned",
    "filed_under",
    "is_as_expected",
    "kind_of",
    "seller_by_shape",
    "seller_id",
]
