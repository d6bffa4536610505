"""The price list that the package brings along: its text, and its head without the rest."""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

_FILE = "embedded.json"
_BODY = '"cards":['  # a list's text begins with its head; lines of cards follow


@dataclass(frozen=True, slots=True)
class Source:
    """One foreign list that went in."""

    name: str
    version: str
    date: str
    licence: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """What a list says of itself. `made` is the day of its newest source."""

    format: str
    version: str
    made: str
    sources: tuple[Source, ...]


def embedded_text() -> str:
    """The whole list as it lies in the package: JSON of the format `price-list/1`."""
    return resources.files(__package__).joinpath(_FILE).read_text("ascii")


def embedded_head() -> Head:
    """The head alone, read without parsing a single card."""
    head, _, _ = embedded_text().partition(_BODY)
    told: dict[str, Any] = json.loads(head.rstrip().rstrip(",") + "}")  # Any: JSON
    sources = tuple(Source(**source) for source in told.pop("sources"))
    return Head(**told, sources=sources)
