"""Runs every benchmark and prints its figures beside the targets: `python -m benchmarks`."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

import benchmarks

Row = tuple[str, float, str, bool]  # what, figure, target, reached


def main() -> int:
    """Print a table; the exit code says whether every target was reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these modules (default: all)")
    parser.add_argument("--quick", action="store_true", help="less work: shows that they run")
    options = parser.parse_args()
    table = Table("what", "measured", "target", "", title="Ratios, each within one run")
    missed = 0
    for name, figure, target, reached in _rows(options.names, quick=options.quick):
        missed += not reached
        table.add_row(
            name, f"{figure:,.2f}", target, "[green]reached[/]" if reached else "[red]missed[/]"
        )
        print(f"{name}: {figure:,.2f} (target {target})", file=sys.stderr)
    Console().print(table)
    return 1 if missed else 0


def _rows(names: list[str], *, quick: bool) -> Iterator[Row]:
    found = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    for name in names or found:
        module = importlib.import_module(f"benchmarks.{name}")
        if hasattr(module, "rows"):
            yield from module.rows(quick=quick)


if __name__ == "__main__":
    sys.exit(main())
