"""Reference of every `code` an error can carry, and the walk through the source that finds them."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from docs_codes import CODES
from docs_markdown import ROOT, code, page, table

PAGE = "errors.md"
SOURCE = ROOT / "src" / "tekton_budget"


# The status of a refusal's class; what a code is raised with must agree with what is said below.
STATUS_OF = {
    "InvalidInput": 422,
    "invalid": 422,
    "NotFound": 404,
    "Conflict": 409,
    "Unauthenticated": 401,
    "Forbidden": 403,
    "Unavailable": 503,
}

INTRO = """A refusal over HTTP is a problem document (RFC 9457): `status`, `title`, `detail` (a paragraph for people that says what to do next),
`code` (stable, for programs) and, where fields are at fault, `fields` with `field` and `message` of each. In Python it is a
`BudgetError` with the same `code` and `detail`; a denial is `BudgetExceeded`. On the command line it goes to standard error, and
the [exit code](cli.md#exit-codes) tells its kind."""


def text() -> str:
    """The page."""
    rows = [
        (code(name), said.status, f"{said.when}.", f"{said.do}.") for name, said in CODES.items()
    ]
    return page("Errors", INTRO, table(("code", "HTTP", "when", "what to do"), rows))


class Found(NamedTuple):
    """A code in the source: where, and of which class (empty where it stands alone)."""

    code: str
    raised: str
    place: str


def codes_in_source() -> list[Found]:
    """Every literal that the source gives as a `code`."""
    return [found for path in sorted(SOURCE.rglob("*.py")) for found in codes_of(path, SOURCE)]


def codes_of(path: Path, folder: Path) -> Iterator[Found]:
    """The codes of one file: given by name, by place, or put into a variable `code`."""
    place = str(path.relative_to(folder))
    tree = ast.parse(path.read_text())
    named = dict(_named(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            raised, line = _called(node), f"{place}:{node.lineno}"
            said = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            said += node.args[_CODE_AT.get(raised, len(node.args)) :][:1]
            for value in said:
                yield from (Found(one, raised, line) for one in _words(value, named))
        elif isinstance(node, ast.Assign) and any(_is_code(target) for target in node.targets):
            yield from (Found(one, "", f"{place}:{node.lineno}") for one in _words(node.value))
        elif isinstance(node, ast.ClassDef):
            yield from _defaults(node, place)


# Where a code stands among what is given by place.
_CODE_AT = {
    "NotFound": 1,
    "Unauthenticated": 1,
    "Forbidden": 1,
    "BudgetError": 1,
    "problem": 1,
    "__init__": 1,
    "Refusal": 1,
    "invalid": 2,
}
_NOT_CODES = ("code", "refused")  # the field's own name; what is said where nothing else is
_CODE = re.compile(r"[a-z][a-z_]*[a-z]")


def _is_code(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "code"


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The constants of a module: `INVALID = "invalid_usage"`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _words(value: ast.expr, named: Mapping[str, ast.expr] | None = None) -> Iterator[str]:
    """The codes in an expression: `"a"`, `INVALID`, `given or "a"`, `{404: "a"}.get(status, "b")`."""
    if isinstance(value, ast.Name) and named is not None:
        value = named.get(value.id, value)
    if not isinstance(value, ast.Constant | ast.BoolOp | ast.IfExp | ast.Call):
        return
    for node in ast.walk(value):
        word = node.value if isinstance(node, ast.Constant) else None
        if isinstance(word, str) and _CODE.fullmatch(word) and word not in _NOT_CODES:
            yield word


def _called(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _defaults(node: ast.ClassDef, place: str) -> Iterator[Found]:
    """The codes that a refusal has when none is given: `def __init__(self, code="not_found")`."""
    for function in node.body:
        if not isinstance(function, ast.FunctionDef) or function.name != "__init__":
            continue
        arguments = [*function.args.posonlyargs, *function.args.args]
        named = [*zip(reversed(arguments), reversed(function.args.defaults), strict=False)]
        named += [
            (argument, value)
            for argument, value in zip(
                function.args.kwonlyargs, function.args.kw_defaults, strict=True
            )
            if value is not None
        ]
        for argument, value in named:
            if argument.arg == "code":
                line = f"{place}:{function.lineno}"
                yield from (Found(one, node.name, line) for one in _words(value))
