"""Verification: quotes of several sources compared, and what may be believed."""

from .judge import judge
from .quote import Accepted, Quote, Rates
from .quote_cases import CaseRow, check_quotes
from .verdict import Fault, SetAside, Status, Verdict

__all__ = [
    "Accepted",
    "CaseRow",
    "Fault",
    "Quote",
    "Rates",
    "SetAside",
    "Status",
    "Verdict",
    "check_quotes",
    "judge",
]
