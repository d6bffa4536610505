"""`python -m tekton_budget.proof`: the proof without the rest of the command line."""

import argparse
import sys
from pathlib import Path

from tekton_budget.proof import ProofOptions, main
from tekton_budget.proof.options import POSTGRES_VARIABLE, SEED


def options_from(arguments: list[str]) -> ProofOptions:
    """The options that were typed."""
    parser = argparse.ArgumentParser(prog="python -m tekton_budget.proof", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, in smaller sizes")
    parser.add_argument("--seed", type=int, default=SEED, help="of every schedule and amount")
    parser.add_argument("--output", type=Path, default=Path("proof"), help="folder of the results")
    parser.add_argument("--postgres-url", help=f"a server to prove on ({POSTGRES_VARIABLE})")
    parser.add_argument("--no-postgres", action="store_true", help="prove on SQLite only")
    parser.add_argument("--no-foils", action="store_true", help="leave the comparisons out")
    parser.add_argument("--no-ours", action="store_true", help="only the foils and other arms")
    parser.add_argument(
        "--arm", action="append", default=[], metavar="MODULE:FACTORY", help="another system"
    )
    parser.add_argument(
        "--workload", action="append", default=[], metavar="NAME", help="only these workloads"
    )
    given = parser.parse_args(arguments)
    defaults = ProofOptions()
    return ProofOptions(
        quick=given.quick,
        seed=given.seed,
        output=given.output,
        postgres_url=given.postgres_url or defaults.postgres_url,
        postgres=not given.no_postgres,
        arms=tuple(given.arm),
        workloads=tuple(given.workload),
        foils=not given.no_foils,
        ours=not given.no_ours,
    )


if __name__ == "__main__":
    sys.exit(main(options_from(sys.argv[1:])))
