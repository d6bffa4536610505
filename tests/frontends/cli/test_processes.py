"""The program as a process: beside others, in pipes, quick to start."""

import json
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from decimal import Decimal

import tekton_budget

from .conftest import run_process, run_warm


def test_the_program_brings_nothing_heavy_to_start() -> None:
    heavy = "{'fastapi', 'sqlalchemy', 'httpx', 'pydantic', 'structlog', 'uvicorn', 'rich.table'}"
    code = f"import sys, tekton_budget.frontends.cli; print({heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_a_pipe_gets_json_and_exit_codes_come_out(tmp_path) -> None:
    made = run_process("set", "1usd/day", folder=tmp_path)
    denied = run_process("allocations", "create", "--cost", "2", folder=tmp_path)

    assert json.loads(made.stdout)["policy"]["name"] == "daily"
    assert (tmp_path / "tekton-budget" / "budget.db").exists()
    assert denied.returncode == 4
    assert denied.stderr.startswith("over_budget: Over budget")
    assert denied.stdout == ""


def test_output_can_be_asked_for_by_variable(tmp_path) -> None:
    told = run_warm("demo", folder=tmp_path, BUDGET_OUTPUT="table")
    version = run_process("--version", folder=tmp_path)

    assert "not a cent too much" in told.stdout
    assert told.stderr == ""
    assert version.stdout.strip()[0].isdigit()


def test_commands_beside_a_running_server_on_one_file_stay_exact(served, tmp_path) -> None:
    """Both ask at once for more than there is; together they are granted all there is, exactly."""
    on_it = ("--database-url", served.database_url)

    def command(number: int) -> int:
        ask = ("allocations", "create", "--cost", "0.07", "--id", f"command{number}")
        return run_warm(*on_it, *ask, folder=tmp_path).returncode

    with tekton_budget.open(served.url) as client, ThreadPoolExecutor(3) as threads:
        client.set_limit("2usd/day")
        commands = [threads.submit(command, number) for number in range(3)]
        by_server = 0
        while True:
            if by_server == 50:
                wait(commands, timeout=60, return_when=FIRST_COMPLETED)
            try:
                client.allocate(cost="0.01")
            except tekton_budget.BudgetExceeded:
                break
            by_server += 1
        codes = [one.result() for one in commands]
        late = run_warm(*on_it, "allocations", "create", "--cost", "0.01", folder=tmp_path)
        standing = client.groups("daily")["items"][0]
        verified = run_warm(*on_it, "verify", folder=tmp_path)

    assert set(codes) <= {0, 4}
    assert 0 in codes, "one at least came in between"
    assert codes.count(0) * Decimal("0.07") + by_server * Decimal("0.01") == 2
    assert standing["held"]["cost"] == 2
    assert late.returncode == 4
    assert verified.returncode == 0, verified.stdout


def test_a_reader_that_has_read_enough_is_no_error(tmp_path) -> None:
    run_warm("set", "1usd/day", folder=tmp_path)
    code = (
        "import os, sys\n"
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
        "from tekton_budget.frontends.cli import main\n"
        "sys.argv[1:] = ['policies', 'list']\n"
        "main()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        env={
            "XDG_DATA_HOME": str(tmp_path),
            "PYTHONPATH": ":".join(sys.path),
            "HOME": str(tmp_path),
        },
        cwd=tmp_path,
    )

    assert told.stderr == ""
