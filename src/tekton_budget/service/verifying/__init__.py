"""Verifying: everything that is kept beside its source, recounted from it while others write."""

from tekton_budget.service.verifying.findings import Finding, Verification
from tekton_budget.service.verifying.verifier import Verifier

__all__ = ["Finding", "Verification", "Verifier"]
