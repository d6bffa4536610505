"""Metering: what each provider's API returns, read into exact units."""

from .context import context_of, counts_told
from .frames import read_stream
from .mapping import as_mapping, slimmed
from .metered import Metered, counts_of
from .response import read_response

__all__ = [
    "Metered",
    "as_mapping",
    "context_of",
    "counts_of",
    "counts_told",
    "read_response",
    "read_stream",
    "slimmed",
]
