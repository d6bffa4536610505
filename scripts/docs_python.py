"""Reference of the library, from its verbs: how each is called, and what it says of itself."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from typing import Any

from docs_markdown import code, page, table

from tekton_budget.domain import errors
from tekton_budget.face.answers import Grant, PolicyLeft, Quantity, Recorded, Settled
from tekton_budget.face.budget import Budget
from tekton_budget.face.hold import Hold
from tekton_budget.face.refusals import AllocationNotSettled, BudgetExceeded

PAGE = "python.md"

INTRO = """`tekton_budget.open()` gives a `Budget` over the server at `BUDGET_URL`, or else over the database itself; `open_async()` gives
an `AsyncBudget`. `Client` and `AsyncClient` always speak HTTP. All have the verbs below; those of the async ones are awaited. A verb that
has no type of its own to answer gives the [HTTP](http.md) answer as a dict, with money as `Decimal`."""

_ANSWERS = (Grant, Settled, Recorded, PolicyLeft, Quantity)
_ERRORS = (
    BudgetExceeded,
    AllocationNotSettled,
    errors.InvalidInput,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.Unavailable,
)


def text() -> str:
    """The page."""
    return page(
        "Python",
        INTRO,
        "## Verbs",
        *(_verb(name, verb) for name, verb in verbs_of(Budget)),
        "## A client for a provider's SDK",
        "How to use it: [Cap an SDK without a server](../how-to/sdk.md).",
        _method("http_client", Budget.http_client),
        "## A hold",
        "What `allocate` gives, to be entered by `with` (or `async with`).",
        table(("property", "what it says"), _properties(Hold)),
        *(_verb(name, verb) for name, verb in verbs_of(Hold)),
        "## Answers",
        *(_dataclass(kind) for kind in _ANSWERS),
        "## Errors",
        "All are `BudgetError`: `code`, `detail` (also `str()`), `fields` and `extra`.",
        table(("error", "when"), ((code(kind.__name__), _told(kind)) for kind in _ERRORS)),
        "### BudgetExceeded",
        table(("property", "what it says"), _properties(BudgetExceeded)),
    )


def verbs_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Each verb with its name, in the order in which they are written."""
    seen: dict[str, Any] = {}
    for owner in kind.__mro__:
        for name, value in vars(owner).items():
            if hasattr(value, "describe"):
                seen.setdefault(name, value)
    yield from seen.items()


def _method(name: str, method: Any) -> str:
    called = f"{name}({_shown(inspect.signature(method))})"
    return f"### {name}\n\n{_told(method)}\n\n{code(called)}"


def _shown(signature: inspect.Signature) -> str:
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    return ", ".join(_parameter(one) for one in _with_star(parameters))


def _verb(name: str, verb: Any) -> str:
    signature = inspect.signature(verb.describe)
    shown = _shown(signature)
    answer = re.sub(r"^Request\[(.*)\]$", r"\1", _annotation(signature.return_annotation))
    answer = {"Grant": "Hold", "Json": "dict", "list[Json]": "list of dicts"}.get(answer, answer)
    return f"### {name}\n\n{_told(verb)}\n\n{code(f'{name}({shown})')} → {answer}"


def _with_star(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    starred = False
    for one in parameters:
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        yield one


def _parameter(one: inspect.Parameter | str) -> str:
    if isinstance(one, str):
        return one
    if one.kind is inspect.Parameter.VAR_KEYWORD:
        return f"**{one.name}"
    if one.default is inspect.Parameter.empty:
        return one.name
    value = one.default.value if isinstance(one.default, Enum) else one.default
    return f"{one.name}={'…' if value is ... else repr(value)}"


def _annotation(annotation: object) -> str:
    shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    shown = re.sub(r"\b[a-z_]+(?:\.[a-z_]+)*\.", "", shown)
    return "Json" if shown == "dict[str, Any]" else shown.replace("dict[str, Any]", "Json")


def _told(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split())


def _properties(kind: type) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        for name, value in vars(owner).items():
            if isinstance(value, property) and not name.startswith("_"):
                found[name] = _told(value)
    return [(code(name), about) for name, about in found.items()]


def _dataclass(kind: type) -> str:
    names = ", ".join(code(one.name) for one in fields(kind))
    return f"**{kind.__name__}** {_told(kind)} Fields: {names}."
