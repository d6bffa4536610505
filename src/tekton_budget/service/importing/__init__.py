"""Taking over other programs' stores, and giving them back."""

from tekton_budget.service.importing.exports import Exports
from tekton_budget.service.importing.imports import Imports
from tekton_budget.service.importing.options import ImportOptions, Mode
from tekton_budget.service.importing.report import (
    CheckReport,
    Compared,
    ImportReport,
    LimitReport,
    ModelCost,
    Outcome,
    PartReport,
    Tally,
    UsageReport,
)

__all__ = [
    "CheckReport",
    "Compared",
    "Exports",
    "ImportOptions",
    "ImportReport",
    "Imports",
    "LimitReport",
    "Mode",
    "ModelCost",
    "Outcome",
    "PartReport",
    "Tally",
    "UsageReport",
]
