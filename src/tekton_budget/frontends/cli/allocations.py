"""`allocations`: what programs do before and after a call, by hand."""

from functools import partial
from typing import Annotated, Any

import typer

from tekton_budget.face.answers import Settled
from tekton_budget.frontends.cli.terminal.output import Column, moment_text, money, some, units
from tekton_budget.frontends.cli.terminal.session import every, session_of
from tekton_budget.frontends.cli.terminal.words import labels_of, seconds_of

app = typer.Typer(
    help="Ask, settle, release and extend: what programs do around each call.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ALLOCATION_ID")]
Labels = Annotated[
    list[str] | None,
    typer.Argument(metavar="LABEL=VALUE", help="What is known of the call"),
]

Cascade = Annotated[bool, typer.Option("--cascade", help="End its active children with it")]

_COLUMNS: tuple[Column, ...] = (
    ("allocation", lambda one: one["allocation_id"]),
    ("status", lambda one: one["status"]),
    ("labels", lambda one: " ".join(f"{k}={v}" for k, v in one["labels"].items())),
    ("#held", lambda one: money(one.get("estimated_cost"))),
    ("#tokens", lambda one: one.get("tokens_allocated")),
    ("#cost", lambda one: money(one.get("actual_cost"))),
    ("until", lambda one: moment_text(one.get("expires_at") or one.get("expiration_time"))),
)


@app.command("create")
def create(
    context: typer.Context,
    labels: Labels = None,
    cost: Annotated[str | None, typer.Option(help="USD that the call may cost")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens that it may use in all")] = None,
    input_tokens: Annotated[int | None, typer.Option(help="Tokens of its input")] = None,
    max_output_tokens: Annotated[
        int | None, typer.Option(help="Tokens that it may answer with")
    ] = None,
    requests: Annotated[int | None, typer.Option(help="Calls, if not 1")] = None,
    clamp: Annotated[
        bool, typer.Option("--clamp", help="Grant what fits, if not all does")
    ] = False,
    min_grant: Annotated[int | None, typer.Option(help="The least that is of use")] = None,
    landing: Annotated[
        str | None, typer.Option(help="Use what is kept for the end: no (default), may or auto")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="0 to 10")] = None,
    lifetime: Annotated[str | None, typer.Option(help="How long it holds (default 15m)")] = None,
    on_expiry: Annotated[
        str | None, typer.Option(help="What then becomes of it: release or charge")
    ] = None,
    wait: Annotated[str | None, typer.Option(help="Wait so long until it fits, to 300s")] = None,
    budget: Annotated[str | None, typer.Option(help="A budget that concerns it besides")] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="ALLOCATION_ID", help="Take it of what that one holds")
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Your own id")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="What would be answered; nothing is held")
    ] = False,
) -> None:
    """May this call be made? Holds what it may use; exit code 4 if it is denied.

    \b
    tekton-budget allocations create team=a --cost 0.18
    tekton-budget allocations create model=gpt-5-mini --input-tokens 900 --max-output-tokens 500
    """
    session = session_of(context)
    with session.budget() as face:
        hold = face.allocate(
            labels=labels_of(labels or []),
            cost=cost,
            tokens=tokens,
            input_tokens=input_tokens,
            max_output_tokens=max_output_tokens,
            requests=requests,
            fit="clamp" if clamp else None,
            min_grant=min_grant,
            landing=landing,
            priority=priority,
            lifetime_seconds=None if lifetime is None else seconds_of(lifetime, "lifetime"),
            on_expiry=on_expiry,
            wait_seconds=0 if wait is None else seconds_of(wait, "wait"),
            budget_id=budget,
            parent_id=parent,
            allocation_id=id_,
            dry_run=dry_run,
        )
        answer = hold.grant.answer

        def shown() -> None:
            what = units(some(answer["granted"]), none="nothing")
            if dry_run:
                print(f"Would be granted ({hold.decision}): {what}.")
            else:
                print(
                    f"Granted ({hold.decision}): {what}, until {moment_text(answer['expires_at'])}."
                )
            for left in answer["policies"]:
                group = f": {left['group']}" if left["group"] else ""
                print(f'  "{left["name"]}{group}" has {units(left["remaining"])} left')
            if hold.grant.landing:
                print("It uses what is kept for the end: finish now.")
            if not dry_run:
                id_ = hold.allocation_id
                print("\nThen one of:")
                amount = "--cost 0.10" if cost is not None else "--input-tokens 900"
                print(f"  {session.hint('allocations', 'settle', id_)} {amount}")
                print(f"  {session.hint('allocations', 'release', id_)}")

        session.output.one(answer, shown)


@app.command("settle")
def settle(
    context: typer.Context,
    allocation_id: Id,
    input_tokens: Annotated[int, typer.Option(help="Tokens of the input")] = 0,
    output_tokens: Annotated[int, typer.Option(help="Tokens of the answer")] = 0,
    cache_read_tokens: Annotated[int, typer.Option(help="Tokens read from a cache")] = 0,
    cache_write_tokens: Annotated[int, typer.Option(help="Tokens written to one")] = 0,
    tokens: Annotated[int, typer.Option(help="All tokens, if their kinds are not known")] = 0,
    cost: Annotated[str | None, typer.Option(help="USD, as you were charged")] = None,
    model: Annotated[str | None, typer.Option(help="The model that really answered")] = None,
    provider: Annotated[str | None, typer.Option(help="The provider that really did")] = None,
    cascade: Cascade = False,
) -> None:
    """End an allocation with what the call really used; the rest is free again."""
    with session_of(context).budget() as face:
        settled = face.settle(
            allocation_id,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            tokens=tokens,
            cost=cost,
            model_used=model,
            provider_used=provider,
            cascade=cascade,
        )
        _tell(context, settled)


@app.command("release")
def release(context: typer.Context, allocation_id: Id, cascade: Cascade = False) -> None:
    """Give back all that an allocation still holds."""
    with session_of(context).budget() as face:
        _tell(context, face.release(allocation_id, cascade=cascade))


@app.command("extend")
def extend(
    context: typer.Context,
    allocation_id: Id,
    lifetime: Annotated[str, typer.Argument(help="From now on, as 30m")],
) -> None:
    """Let an allocation hold for longer (or less)."""
    with session_of(context).budget() as face:
        _tell(context, face.extend(allocation_id, seconds_of(lifetime, "lifetime")))


@app.command("list")
def list_allocations(
    context: typer.Context,
    labels: Labels = None,
    active: Annotated[
        bool | None, typer.Option("--active/--ended", help="Only those that hold, or do not")
    ] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="ALLOCATION_ID", help="Only the children of that one")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first")] = 20,
) -> None:
    """Allocations, newest first."""
    session = session_of(context)
    wanted = labels_of(labels or [])
    with session.budget() as face:
        found = every(
            partial(face.allocations, labels=wanted, is_active=active, parent_id=parent),
            limit,
        )
        session.output.many(found, _COLUMNS, empty="No allocations.")


@app.command("show")
def show(context: typer.Context, allocation_id: Id) -> None:
    """One allocation as it stands."""
    session = session_of(context)
    with session.budget() as face:
        answer = face.allocation(allocation_id)
        session.output.one(answer, lambda: _print(answer))


def _tell(context: typer.Context, settled: Settled) -> None:
    answer = settled.answer

    def shown() -> None:
        spent = units(some(answer["spent"]), none="nothing")
        freed = units(some(answer["released"]), none="nothing")
        late = " (late)" if settled.late else ""
        until = f", holds until {moment_text(answer['expires_at'])}" if answer["is_active"] else ""
        print(f"{settled.status}{late}: {spent} spent, {freed} given back{until}.")
        for left in answer["policies"]:
            group = f": {left['group']}" if left["group"] else ""
            print(f'  "{left["name"]}{group}" has {units(left["remaining"])} left')

    session_of(context).output.one(answer, shown)


def _print(answer: dict[str, Any]) -> None:
    for name, value in answer.items():
        if value not in (None, {}, []):
            print(f"{name:22} {value}")
