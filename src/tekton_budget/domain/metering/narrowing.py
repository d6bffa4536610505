"""Shapes without the names that a usage object does not have: most answers of an API are alike.

A shape knows dozens of names, of which one answer has a handful. Which those are is remembered by
the names of the object and of the objects in it, so that the rest is not looked for every time.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from .shapes import Names, Shape

_MOST = 64  # names of an object; what has more was not made by an API that is known
_Present = tuple[str | tuple[str, tuple[str, ...]], ...]  # an object's names with those inside

_NARROWED = tuple(
    one.name for one in fields(Shape) if one.name != "roots" and one.type in (Names, "Names")
)


def narrowed(shape: Shape, usage: Mapping[str, object]) -> Shape:
    """The shape with those names alone that may tell something here.

    The first of each kind stays, since refusals name it.
    """
    if len(usage) > _MOST:
        return shape
    present: list[str | tuple[str, tuple[str, ...]]] = []
    for name, value in usage.items():
        if isinstance(value, Mapping):
            if len(value) > _MOST:
                return shape
            present.append((name, tuple(value)))
        else:
            present.append(name)
    return _narrowed(shape, tuple(present))


@lru_cache(maxsize=512)
def _narrowed(shape: Shape, present: _Present) -> Shape:
    inside: dict[str, tuple[str, ...] | None] = {}
    for one in present:
        if isinstance(one, tuple):
            inside[one[0]] = one[1]
        else:
            inside[one] = None
    changed: dict[str, Any] = {}  # Any: one field each of many kinds
    for field in _NARROWED:
        first, *others = getattr(shape, field) or ("",)
        kept = [name for name in others if _may_tell(name, inside)]
        changed[field] = (first, *kept) if getattr(shape, field) else ()
    return replace(shape, **changed)


def _may_tell(name: str, inside: dict[str, tuple[str, ...] | None]) -> bool:
    head, dotted, rest = name.partition(".")
    if not name:
        return True
    if head not in inside:
        return False
    names = inside[head]
    return not dotted or names is None or rest.partition(".")[0] in names
