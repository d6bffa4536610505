"""`run`: a command under a cap of its own, whatever client it calls models with."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.limit_text import amount_from_text
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.face.environment import environment
from tekton_budget.frontends.cli.runs.command import Bell, Outcome, Stop, run_command
from tekton_budget.frontends.cli.runs.heart import Heart
from tekton_budget.frontends.cli.runs.summary import told
from tekton_budget.frontends.cli.runs.variables import (
    PID,
    Place,
    pointed,
    variables_of,
    ways_around,
)
from tekton_budget.frontends.cli.terminal.exits import USAGE
from tekton_budget.frontends.cli.terminal.session import PATIENCE_SECONDS, Session, session_of
from tekton_budget.frontends.cli.terminal.words import command_line, labels_of, seconds_of

if TYPE_CHECKING:
    from tekton_budget.face.budget import Budget

DENIED, NOT_THROUGH, TIME_UP = 75, 76, 124
CANNOT_RUN, NOT_FOUND = 126, 127
DENY, STOP = "deny", "stop"
_LAND = "10%"


@dataclass(frozen=True, slots=True)
class Server:
    """Where the gateway is, and by which key it is asked."""

    url: str
    key: str | None
    handed_on: bool  # whether the command needs to be given the key


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `run`."""

    name: str | None
    labels: dict[str, str]
    cost: Decimal | None
    tokens: int | None
    add: tuple[Decimal | None, int | None]
    wall_seconds: int | None
    stops_at_cap: bool
    strict: bool
    land: Decimal
    land_note: str | None
    reserve: bool


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command(
        "run", context_settings={"allow_interspersed_args": False}, options_metavar="[OPTIONS] --"
    )(run)


def run(
    context: typer.Context,
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="What to run, with its arguments")
    ],
    cost: Annotated[
        str | None, typer.Option(help="What it may cost in all, in USD: 2, or 0.50")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(help="How many tokens it may use in all: 500k, 2M")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Its name; the same continues it under the same cap")
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(help="More for a run that is continued: 3 (USD), 500ktokens"),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=VALUE", help="Of its every call; several times, or by commas"),
    ] = None,
    wall: Annotated[
        str | None, typer.Option(help="How long it may take: 30m, 2h; then it is stopped, exit 124")
    ] = None,
    at_cap: Annotated[
        str,
        typer.Option(help="deny: calls are refused; stop: the command is stopped as well"),
    ] = DENY,
    land: Annotated[
        str, typer.Option(help="The part of the cap that is kept for the end: 10%, 0 for none")
    ] = _LAND,
    land_note: Annotated[
        str | None,
        typer.Option(help="What its calls are told once that part is begun, or off"),
    ] = None,
    reserve: Annotated[
        bool,
        typer.Option(
            "--reserve", help="Hold the cap ahead in the limits around it: it is surely there"
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 76 if no call came through the gateway")
    ] = False,
) -> None:
    """Run a command under a cap of its own: an agent, a script, whatever calls models.

    \b
    tekton-budget run --cost 2 -- claude -p "mend the tests"
    tekton-budget run --name nightly --cost 5 --wall 30m --at-cap stop -- python crew.py
    tekton-budget run --name nightly --add 3 -- python crew.py
    tekton-budget runs show nightly

    Its calls go through the gateway of the server that is set up (BUDGET_URL), else through one of
    its own over your database. Clients find it by the variables of their base URLs; their keys
    and logins pass through. A run inside a run is capped by both.

    Exit: the command's own code. 75: it failed after a refused call, or was stopped. 76: --strict,
    and no call came through. 124: --wall. 126, 127: it cannot be run, or was not found.
    """
    session = session_of(context)
    wanted = Wanted(
        name=name,
        labels={**environment().labels, **labels_of(label or [])},
        cost=_amount(cost, "cost", "usd"),
        tokens=_amount(tokens, "tokens", "tokens"),
        add=_added(add or []),
        wall_seconds=None if wall is None else seconds_of(wall, "wall"),
        stops_at_cap=_at_cap(at_cap) == STOP,
        strict=strict,
        land=_share(land),
        land_note=land_note,
        reserve=reserve,
    )
    _refuse_ways_around(session)
    _refuse_what_cannot_run(command)
    with _server(session) as server:
        code = _under_cap(session, server, wanted, command)
    raise SystemExit(code)


def _under_cap(session: Session, server: Server, wanted: Wanted, command: list[str]) -> int:
    from tekton_budget.client import Client

    outer_pid = os.environ.get(PID)
    nested = outer_pid is not None and outer_pid.isdigit()
    with Client(server.url, key=server.key, patience_seconds=PATIENCE_SECONDS) as budget:
        opened = budget.open_run(
            wanted.name,
            cost_limit=wanted.cost,
            token_limit=wanted.tokens,
            add_cost=wanted.add[0],
            add_tokens=wanted.add[1],
            labels={n: v for n, v in wanted.labels.items() if n != "run"},
            outer=os.environ.get("BUDGET_RUN") if nested else None,
            landing=wanted.land,
            land_note=None if wanted.land_note == "off" else wanted.land_note,
            without_note=wanted.land_note == "off",
            command=command,
            reserve=wanted.reserve,
        )
        key = server.key if server.handed_on else None
        place = Place(server.url, opened["token"], opened["name"], opened["labels"], key)
        outcome = _watched(budget, opened, place, wanted, command, outer_pid if nested else None)
        ended = budget.end_run(opened["run_id"], exit_code=outcome.code)
    through = ended["calls"] > opened["calls"]
    told(ended, outcome, through=through, again=_again(session, ended["name"], command))
    return _code(
        outcome, refused=ended["refused"] > opened["refused"], through=through, strict=wanted.strict
    )


def _watched(
    budget: "Budget",
    opened: dict[str, Any],
    place: Place,
    wanted: Wanted,
    command: list[str],
    outer_pid: str | None,
) -> Outcome:
    bell = Bell()
    heart = Heart(
        budget,
        opened["run_id"],
        bell.ring,
        stops_at_cap=wanted.stops_at_cap,
        refused_before=opened["refused"],
        outer_pid=None if outer_pid is None else int(outer_pid),
    )
    heart.start()
    try:
        return run_command(
            pointed(command, place),
            variables_of(place, os.environ, pid=os.getpid()),
            bell,
            wall_seconds=wanted.wall_seconds,
            resumed=heart.beat,
        )
    except OSError as error:
        print(f"cannot_run: {command[0]}: {error.strerror}", file=sys.stderr)
        return Outcome(NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN, None)
    finally:
        heart.stop()
        bell.close()


@contextmanager
def _server(session: Session) -> Iterator[Server]:
    """The server that is set up, else one of our own for as long as the command runs."""
    if session.url is not None:
        url = session.url.rstrip("/").removesuffix("/api/v1").removesuffix("/api")
        yield Server(url, session.key, handed_on=session.key is not None)
        return
    from tekton_budget.server.private import private_gateway

    with private_gateway(session.settings()) as own:
        yield Server(own.url, own.key, handed_on=True)


def _code(outcome: Outcome, *, refused: bool, through: bool, strict: bool) -> int:
    if outcome.stopped is Stop.WALL:
        return TIME_UP
    if outcome.stopped is not None or (outcome.code != 0 and refused):
        return DENIED
    return NOT_THROUGH if strict and not through else outcome.code


def _refuse_ways_around(session: Session) -> None:
    found = ways_around(os.environ, os.environ.get("BUDGET_URL") or session.url)
    for one in found:
        print(f"way_around: {one}", file=sys.stderr)
    if found:
        raise SystemExit(USAGE)


def _refuse_what_cannot_run(command: list[str]) -> None:
    """As shells say it, before anything is begun."""
    if shutil.which(command[0]) is not None:
        return
    if os.sep in command[0] and Path(command[0]).exists():
        print(f"cannot_run: {command[0]} is no program that may be run.", file=sys.stderr)
        raise SystemExit(CANNOT_RUN)
    print(f"not_found: there is no command {command[0]}.", file=sys.stderr)
    raise SystemExit(NOT_FOUND)


def _again(session: Session, name: str, command: list[str]) -> str:
    said = session.hint("run", "--name", name.rpartition("/")[2], "--add", "1", "--")
    return f"{said} {command_line(command[:1])}{' …' if command[1:] else ''}"


def _at_cap(word: str) -> str:
    if word not in (DENY, STOP):
        raise invalid("at-cap", f"{word!r} is neither {DENY} nor {STOP}")
    return word


def _amount(text: str | None, field: str, unit: str) -> Any:  # Any: USD, or tokens
    """`2`, `$2` or `2usd`; `500k`, `500ktokens`."""
    if text is None:
        return None
    amounts = _read(text, field, unit)
    value = amounts.tokens if unit == "tokens" else amounts.cost_nano
    if (
        value <= 0
        or amounts.requests
        or (amounts.cost_nano if unit == "tokens" else amounts.tokens)
    ):
        wanted = "tokens, like 500k" if unit == "tokens" else "USD, like 2 or 0.50"
        raise invalid(field, f"{text!r}: send {wanted}")
    return value if unit == "tokens" else usd_from_nano(value)


def _added(words: list[str]) -> tuple[Decimal | None, int | None]:
    cost_nano = tokens = 0
    for word in words:
        amounts = _read(word, "add", "usd")
        if amounts.requests:
            raise invalid("add", f"{word!r}: send USD or tokens, like 3 or 500ktokens")
        cost_nano += amounts.cost_nano
        tokens += amounts.tokens
    return usd_from_nano(cost_nano) if cost_nano else None, tokens or None


def _read(text: str, field: str, unit: str) -> Any:  # Any: amounts
    from tekton_budget.domain.errors import InvalidInput

    for said in (text, f"{text}{unit}"):
        try:
            return amount_from_text(said)
        except InvalidInput:
            continue
    raise invalid(field, f"{text!r} is no amount: write it like 2usd or 500ktokens")


def _share(text: str) -> Decimal:
    word = text.strip()
    try:
        share = Decimal(word.removesuffix("%"))
    except ArithmeticError as error:
        raise invalid("land", f"{text!r}: send a part of the cap, like 10%") from error
    share = share / 100 if word.endswith("%") else share
    if not 0 <= share < 1:
        raise invalid("land", f"{text!r}: send a part of the cap, like 10%")
    return share
