"""Apollo's token budgets as files: `budget_policies.json` and `usage_records_<seconds>.json`."""

from tekton_budget.foreign.apollo.reading import is_apollo_file, read_apollo
from tekton_budget.foreign.apollo.writing import Written, write_apollo

__all__ = ["Written", "is_apollo_file", "read_apollo", "write_apollo"]
