"""The zone of this host, by its IANA name: what naive local times of its programs mean."""

import os
from collections.abc import Iterator
from pathlib import Path

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.zones import zone_names

_LINK = Path("/etc/localtime")
_NAMED = Path("/etc/timezone")
_MARK = "zoneinfo/"


def host_zone() -> str:
    """By `TZ`, else as the host is set up; refused where that is told without a name."""
    for name in _names():
        if name in zone_names():
            return name
    raise invalid(
        "timezone", "this host does not say its time zone by name: say it, as Europe/Berlin or UTC"
    )


def _names() -> Iterator[str]:
    said = os.environ.get("TZ")
    if said is not None:
        yield _after_mark(said.removeprefix(":")) or "UTC"
        return  # another zone than the one that programs here go by would be wrong
    if _LINK.exists():
        yield _after_mark(str(_LINK.resolve()))
    if _NAMED.exists():
        yield _NAMED.read_text(encoding="utf-8", errors="replace").strip()
    if not _LINK.exists():
        yield "UTC"  # as the C library has it


def _after_mark(path: str) -> str:
    name = path.rpartition(_MARK)[2]
    return name.removeprefix("posix/").removeprefix("right/")
