"""Calls: what a request to a provider may use at most, read from its body before it is sent."""

from .api import Api
from .draft import INVALID, UNMETERED
from .measured import measured_input
from .need import Boundary, Need
from .notes import note_tokens
from .reading import read_request
from .sending import sent_upstream

__all__ = [
    "INVALID",
    "UNMETERED",
    "Api",
    "Boundary",
    "Need",
    "measured_input",
    "note_tokens",
    "read_request",
    "sent_upstream",
]
