"""`verify` and `proof`: is what is kept right, and can a limit be broken?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.exits import FAILED
from tekton_budget.frontends.cli.terminal.output import counted
from tekton_budget.frontends.cli.terminal.progress import stages, waiting
from tekton_budget.frontends.cli.terminal.session import Session, session_of

_COMPARED = (
    ("entries", "journal row"),
    ("balances", "balance"),
    ("usage", "usage record"),
    ("allocations", "active allocation"),
    ("rollups", "sum"),
)


def add_to(app: typer.Typer) -> None:
    """The commands."""
    app.command("verify")(verify)
    app.command("proof")(proof)


def verify(context: typer.Context) -> None:
    """Recount every balance, sum and allocation from the journal, and compare.

    Works beside a running server. Exit code 1 names each row that differs, and by how much.
    """
    session = session_of(context)
    found = _verified_here(session) if session.url is None else _verified_there(session)

    def shown() -> None:
        for one in found["findings"]:
            print(_finding_text(one))
        if found["count"] > len(found["findings"]):
            print(f"… and {found['count'] - len(found['findings']):,} more")
        compared = ", ".join(counted(found[name], noun) for name, noun in _COMPARED)
        said = "all agree" if found["ok"] else counted(found["count"], "difference")
        print(f"{compared}: {said}.")

    session.output.one(found, shown)
    if not found["ok"]:
        raise SystemExit(FAILED)


def _verified_here(session: Session) -> dict[str, Any]:
    """On the database itself, so that progress can be seen."""
    from tekton_budget.library import quieten
    from tekton_budget.wiring import open_service

    quieten()
    with (
        open_service(session.settings(), background=False) as running,
        stages(session.output) as moved,
    ):
        found = running.service.verifier.verify(moved)
    findings = [{**asdict(one), "difference": one.difference} for one in found.findings]
    return {"ok": found.is_good, **asdict(found), "findings": findings}


def _verified_there(session: Session) -> dict[str, Any]:
    with session.budget() as face, waiting("Recounting", session.output):
        return face.verify()


def _finding_text(finding: dict[str, Any]) -> str:
    change = "" if finding["difference"] is None else f" ({finding['difference']:+d})"
    why = f": {finding['detail']}" if finding["detail"] else ""
    return (
        f"{finding['table']} {finding['id']}: {finding['column']} is {finding['found']}, "
        f"should be {finding['expected']}{change}{why}"
    )


def proof(
    quick: Annotated[
        bool, typer.Option("--quick", help="Under a minute, in smaller sizes")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder of the results")] = Path("proof"),
    seed: Annotated[int | None, typer.Option(help="Of every schedule and amount")] = None,
    postgres_url: Annotated[
        str | None,
        typer.Option(envvar="BUDGET_PROOF_POSTGRES_URL", help="A server to prove on"),
    ] = None,
    postgres: Annotated[
        bool, typer.Option("--postgres/--no-postgres", help="Whether on PostgreSQL too")
    ] = True,
    foils: Annotated[
        bool, typer.Option("--foils/--no-foils", help="Whether with the usual ways beside ours")
    ] = True,
    ours: Annotated[
        bool, typer.Option("--ours/--no-ours", help="Whether Tekton Budget itself")
    ] = True,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="MODULE:FACTORY", help="Another system to prove")
    ] = None,
    workload: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only these workloads")
    ] = None,
) -> None:
    """Try to break a limit: many callers, many processes, crashes. Takes a few minutes.

    \b
    tekton-budget proof --quick
    """
    from tekton_budget.proof import ProofOptions, main

    defaults = ProofOptions()
    options = ProofOptions(
        quick=quick,
        seed=defaults.seed if seed is None else seed,
        output=output,
        postgres_url=postgres_url or defaults.postgres_url,
        postgres=postgres,
        arms=tuple(arm or ()),
        workloads=tuple(workload or ()),
        foils=foils,
        ours=ours,
    )
    raise SystemExit(main(options))
