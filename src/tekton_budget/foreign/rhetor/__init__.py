"""Rhetor's `rhetor.db`: its usage and the history of its limits, read from bytes and written."""

from tekton_budget.foreign.rhetor.reading import read_rhetor
from tekton_budget.foreign.rhetor.shape import BESIDE
from tekton_budget.foreign.rhetor.writing import why_unsayable, write_rhetor

__all__ = ["BESIDE", "read_rhetor", "why_unsayable", "write_rhetor"]
