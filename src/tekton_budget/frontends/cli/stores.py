"""`import` and `export`: other programs' stores, taken over and given back."""

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.foreign.apollo import is_apollo_file
from tekton_budget.foreign.rhetor import BESIDE
from tekton_budget.frontends.cli.store_view import print_import
from tekton_budget.frontends.cli.terminal.exits import FAILED
from tekton_budget.frontends.cli.terminal.json_files import of_file
from tekton_budget.frontends.cli.terminal.output import counted, money
from tekton_budget.frontends.cli.terminal.progress import waiting
from tekton_budget.frontends.cli.terminal.session import Session, session_of

Json = Mapping[str, Any]  # Any: decoded JSON

import_app = typer.Typer(
    help="Take over another program's budget store: usage and limits, each once, and checked.",
    no_args_is_help=True,
)
export_app = typer.Typer(
    help="Give a store back, as the program that it came from opens it.", no_args_is_help=True
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Plan and check; write nothing")]
Shadow = Annotated[bool, typer.Option("--shadow", help="Its limits judge as if, and let through")]
Enforce = Annotated[bool, typer.Option("--enforce", help="Its limits hold, after --shadow")]
Until = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Leave out usage at or after it, as 2026-03-01T09:00"),
]
Zone = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="What its local times mean (this host's), as Europe/Berlin"),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there")]

# Where Apollo's files may lie below the folder that is named, nearest first.
TRIES, PAUSE_SECONDS = 10, 0.2  # to read a file that is being written as one whole
_BELOW = ("", "budget_data", "apollo/budget_data", ".tekton/data/apollo/budget_data")


@import_app.command("apollo")
def import_apollo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Tekton's data folder, or apollo/budget_data")
    ],
    dry_run: DryRun = False,
    shadow: Shadow = False,
    enforce: Enforce = False,
    until: Until = None,
    timezone: Zone = None,
) -> None:
    """Take over Apollo's token budgets: budget_policies.json and usage_records_*.json.

    \b
    tekton-budget import apollo ~/.tekton/data --dry-run
    tekton-budget import apollo ~/.tekton/data --shadow

    Again, or after Apollo wrote more, it adds only what is new. A limit that was changed here since
    stays as it is. It ends with sums of both sides. Exit code 1 if they differ, or if something of
    the store could not be read.
    """
    session = session_of(context)
    _one_mode(shadow=shadow, enforce=enforce)
    home = _apollo_home(folder)
    files, unread = _apollo_files(home)
    what = f"Importing {counted(len(files), 'file')} of {home}"
    with session.budget() as face, waiting(what, session.output):
        report = face.import_apollo(
            files,
            dry_run=dry_run,
            shadow=shadow,
            enforce=enforce,
            until=until,
            timezone=timezone,
        )
    report["faults"] += unread
    report["faults_count"] += len(unread)
    report["complete"] = report["complete"] and not unread
    _end_import(session, report, home)


@import_app.command("rhetor")
def import_rhetor(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rhetor's rhetor.db")],
    dry_run: DryRun = False,
    shadow: Shadow = False,
    enforce: Enforce = False,
    until: Until = None,
    timezone: Zone = None,
) -> None:
    """Take over Rhetor's cost budgets: each call at the cost it charged, limits with their history.

    \b
    tekton-budget import rhetor Rhetor/rhetor.db --dry-run
    tekton-budget import rhetor Rhetor/rhetor.db --shadow

    Again, or after Rhetor wrote more, it adds only what is new. A limit that was changed here since
    stays as it is. It ends with sums of both sides. Exit code 1 if they differ, or if something of
    the database could not be read.
    """
    session = session_of(context)
    _one_mode(shadow=shadow, enforce=enforce)
    database, beside = _database(file)
    with session.budget() as face, waiting(f"Importing {file}", session.output), of_file(file):
        report = face.import_rhetor(
            database,
            beside=beside,
            dry_run=dry_run,
            shadow=shadow,
            enforce=enforce,
            until=until,
            timezone=timezone,
        )
    _end_import(session, report, file)


@export_app.command("rhetor")
def export_rhetor(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The database to make")],
    timezone: Zone = None,
    overwrite: Overwrite = False,
) -> None:
    """Give back what was imported from Rhetor, and what was recorded here since, as its database.

    \b
    tekton-budget export rhetor ./back.db
    """
    session = session_of(context)
    if file.exists() and not overwrite:
        raise InvalidInput(
            f"{file} is there already: name another file, or say --overwrite",
            code="would_overwrite",
        )
    with session.budget() as face, waiting("Exporting", session.output):
        answer = face.export_rhetor(timezone=timezone)
    _write(file, base64.b64decode(answer["database"]["base64"]))
    told = {name: value for name, value in answer.items() if name != "database"}
    told["file"] = str(file)

    def shown() -> None:
        print(f"{_exported(answer)}, {money(answer['cost'])} in {file}.")
        _print_left_out(answer)

    session.output.one(told, shown)


@export_app.command("apollo")
def export_apollo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; made if it is not there")
    ],
    timezone: Zone = None,
    overwrite: Overwrite = False,
) -> None:
    """Give back what was imported from Apollo, and what was recorded here since, as its files.

    \b
    tekton-budget export apollo ./back
    """
    session = session_of(context)
    there = _apollo_names(folder) if folder.is_dir() else []
    if there and not overwrite:
        raise InvalidInput(
            f"{folder} has files of Apollo's already ({', '.join(there[:3])}): name another "
            "folder, or say --overwrite",
            code="would_overwrite",
        )
    with session.budget() as face, waiting("Exporting", session.output):
        answer = face.export_apollo(timezone=timezone)
    for name, content in answer["files"].items():
        _write(folder / name, content.encode())
    told = {**answer, "files": sorted(answer["files"]), "folder": str(folder)}

    def shown() -> None:
        print(f"{_exported(answer)} in {counted(len(answer['files']), 'file')} in {folder}.")
        _print_left_out(answer)

    session.output.one(told, shown)


def _exported(answer: Json) -> str:
    policies = answer["policies"]
    return ", ".join(
        (
            counted(answer["records"], "record"),
            counted(answer["tokens"], "token"),
            "1 policy" if policies == 1 else f"{policies:,} policies",
        )
    )


def _print_left_out(answer: Json) -> None:
    for fault in answer["faults"]:
        print(f"  {fault['where']}: {fault['what']}")


def _database(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """The file, and what lies beside it, as they stood together at one moment."""
    paths = {"": file, **{end: file.with_name(file.name + end) for end in BESIDE}}
    try:
        for _ in range(TRIES):
            before = _stamps(paths)
            found = {end: path.read_bytes() for end, path in paths.items() if end in before}
            if _stamps(paths) == before:
                return found.pop(""), found
            time.sleep(PAUSE_SECONDS)
    except OSError as error:
        raise InvalidInput(
            f"{file}: cannot be read: {error.strerror or error}", code="invalid_file"
        ) from error
    raise InvalidInput(
        f"{file}: is being written all the time: stop Rhetor for a moment, or copy the file",
        code="invalid_file",
    )


def _stamps(paths: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
    """When each was written last, and its size; the file itself has to be there."""
    found: dict[str, tuple[int, int]] = {}
    for end, path in paths.items():
        if end == "" or path.exists():
            told = path.stat()
            found[end] = (told.st_mtime_ns, told.st_size)
    return found


def _one_mode(*, shadow: bool, enforce: bool) -> None:
    if shadow and enforce:
        raise typer.BadParameter("say --shadow or --enforce, not both", param_hint="--shadow")


def _apollo_home(folder: Path) -> Path:
    """The folder itself, or where Tekton keeps Apollo's files below it."""
    if not folder.exists():
        raise InvalidInput(f"{folder}: there is no such folder", code="invalid_file")
    if not folder.is_dir():
        raise InvalidInput(
            f"{folder}: is a file; name the folder with Apollo's files", code="invalid_file"
        )
    for below in _BELOW:
        home = folder / below
        if home.is_dir() and _apollo_names(home):
            return home
    raise InvalidInput(
        f"{folder}: has no budget_policies.json and no usage_records_<seconds>.json, and neither "
        "have budget_data and apollo/budget_data in it",
        code="nothing_to_import",
    )


def _apollo_names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if is_apollo_file(path.name))
    except OSError as error:
        raise InvalidInput(
            f"{folder}: cannot be read: {error.strerror or error}", code="invalid_file"
        ) from error


def _apollo_files(home: Path) -> tuple[dict[str, bytes], list[Json]]:
    """The files by name, and what is wrong with those that cannot be read."""
    files: dict[str, bytes] = {}
    unread: list[Json] = []
    for name in _apollo_names(home):
        try:
            files[name] = (home / name).read_bytes()
        except OSError as error:
            why = f"cannot be read: {error.strerror or error}; nothing of it was taken over"
            unread.append({"where": name, "what": why})
    return files, unread


def _end_import(session: Session, report: Json, home: Path) -> None:
    def shown() -> None:
        print_import(report, str(home))
        if not report["dry_run"] and any(limit["shadow"] for limit in report["limits"]):
            # In the same zone and up to the same moment: else it would say other times, or more.
            said = ["--timezone", report["timezone"]]
            said += [] if report["until"] is None else ["--until", report["until"]]
            enforced = session.hint("import", report["kind"], str(home), "--enforce", *said)
            print(f"\nLimits judge as if. When what they say is right: {enforced}")

    session.output.one(report, shown)
    if not report["complete"]:
        raise SystemExit(FAILED)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, so that no reader sees half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.part")
        half.write_bytes(content)
        half.replace(path)
    except OSError as error:
        raise InvalidInput(
            f"{path}: cannot be written: {error.strerror or error}", code="invalid_file"
        ) from error
