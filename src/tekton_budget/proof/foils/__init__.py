"""Foils: the counters that people write first, each as good as its own idea allows.

All keep a row a group with `spent` and `held`, durably, behind a pool of connections, on SQLite
(WAL, `synchronous=FULL`) or PostgreSQL. They differ in how they get from reading that row to
writing it.
"""

from tekton_budget.proof.foils.after_the_fact import AfterTheFact
from tekton_budget.proof.foils.guarded import Guarded
from tekton_budget.proof.foils.optimistic import Optimistic
from tekton_budget.proof.foils.read_then_write import ReadThenWrite
from tekton_budget.proof.foils.store import Foil, FoilArm

FOILS: dict[str, type[Foil]] = {
    "read-then-write": ReadThenWrite,
    "after the fact": AfterTheFact,
    "optimistic": Optimistic,
    "guarded UPDATE": Guarded,
}

__all__ = ["FOILS", "Foil", "FoilArm"]
