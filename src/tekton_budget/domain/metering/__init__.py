"""Metering: what each provider's API returns, read into exact units."""

from .frames import read_stream
from .mapping import as_mapping
from .metered import Metered, counts_of
from .response import read_response

__all__ = ["Metered", "as_mapping", "counts_of", "read_response", "read_stream"]
