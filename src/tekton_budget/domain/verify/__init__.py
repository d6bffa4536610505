"""Verification: quotes of several sources compared, and what may be believed."""

from .judge import judge
from .quote import Accepted, Quote, Rates
from .verdict import Fault, SetAside, Status, Verdict

__all__ = ["Accepted", "Fault", "Quote", "Rates", "SetAside", "Status", "Verdict", "judge"]
