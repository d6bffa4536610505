"""What the proof can be told: how long, against what, and where its files go."""

import os
from dataclasses import dataclass, field
from pathlib import Path

POSTGRES_VARIABLE = "BUDGET_PROOF_POSTGRES_URL"
SEED = 20261201


def _postgres_url() -> str | None:
    return os.environ.get(POSTGRES_VARIABLE) or None


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """One run of the proof. `arms` are `module:factory` of other systems, judged like ours."""

    quick: bool = False
    seed: int = SEED
    output: Path = Path("proof")
    postgres_url: str | None = field(default_factory=_postgres_url)
    postgres: bool = True  # whether to prove on PostgreSQL at all
    arms: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()  # by name; none: all
    foils: bool = True
    ours: bool = True
