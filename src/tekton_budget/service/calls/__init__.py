"""Calls through the gateway: may they be made, how large, and what they came to."""

from .admitting import CallRules, Calls
from .call import Admitted, Call

__all__ = ["Admitted", "Call", "CallRules", "Calls"]
