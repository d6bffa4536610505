"""Starts the process that keeps the command line warm, once for each process of a run."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("program.py")
SOURCE = Path(__file__).parents[1] / "src"


def warm_program() -> list[str]:
    """`tekton-budget` as a process of its own, without a second of reading: words to put others after."""
    return [sys.executable, "-I", "-S", str(PROGRAM), _keeper()]


@functools.cache
def _keeper() -> str:
    """The address of this process's keeper of the command line; it ends with this process."""
    address = str(Path(tempfile.mkdtemp(prefix="budget-keeper-")) / "keeper")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BUDGET_", "COVERAGE_"))
    }
    keeper = subprocess.Popen(
        [sys.executable, str(PROGRAM), address],
        env={**environment, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == b"ready\n"

    def end() -> None:
        keeper.communicate()
        shutil.rmtree(Path(address).parent)

    atexit.register(end)
    return address
