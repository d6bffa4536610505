"""Labels that headers bring, through the gateway as through the Model Context Protocol."""

from collections.abc import Mapping
from urllib.parse import unquote

from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.scope import checked_labels

_NOT_LABELS = ("sentry-",)  # what tracing puts into baggage


def labels_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Labels that headers bring: W3C baggage, and `X-Budget-Labels: team=a,feature=b`.

    What cannot stand in either as it is (commas, letters beyond ASCII) is written in percents.
    """
    found: dict[str, object] = {}
    baggage = headers.get(b"baggage")
    if baggage is not None:
        for member in baggage.decode("latin-1").split(","):
            name, equals, value = member.partition(";")[0].partition("=")
            name = unquote(name.strip())
            if equals and not name.startswith(_NOT_LABELS):
                found[name] = unquote(value.strip())
    own = headers.get(b"x-budget-labels")
    if own is not None:
        for member in own.decode("utf-8", "replace").split(","):
            name, equals, value = member.partition("=")
            if equals:
                found[unquote(name.strip())] = unquote(value.strip())
    return usable_labels(found, strict=own is not None) if found else {}


def usable_labels(found: dict[str, object], *, strict: bool) -> dict[str, str]:
    """Those that can be labels; `strict` refuses the others, which baggage may well carry."""
    if strict:
        return checked_labels(found)
    usable: dict[str, str] = {}
    for name, value in found.items():
        try:
            usable |= checked_labels({name: value})
        except BudgetError:
            continue
    return usable
