"""The proof: many callers in many processes, and an oracle that counts what they were granted."""

from tekton_budget.proof.adapter import (
    Adapter,
    Arm,
    Budget,
    Changing,
    Clamping,
    Connect,
    Granted,
    NotOffered,
    Unit,
    Verifying,
)
from tekton_budget.proof.options import ProofOptions


def main(options: ProofOptions) -> int:
    """Run the proof, print its tables, write its files. 0: exact; 1: not; 2: cannot be run so."""
    from tekton_budget.proof.runner import run  # Rich and the stores are not needed before

    return run(options)


__all__ = [
    "Adapter",
    "Arm",
    "Budget",
    "Changing",
    "Clamping",
    "Connect",
    "Granted",
    "NotOffered",
    "ProofOptions",
    "Unit",
    "Verifying",
    "main",
]
