"""`policies`: every limit with all its fields, its groups, and its end."""

from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.cli.limiting.limits import (
    STANDING,
    described,
    enforcement_words,
    groups_shown,
    limits_of,
    period_words,
)
from tekton_budget.frontends.cli.terminal.output import Column, ago, units
from tekton_budget.frontends.cli.terminal.session import every, session_of
from tekton_budget.frontends.cli.terminal.words import scope_words

app = typer.Typer(
    help="Every limit with all its fields. The short way is: tekton-budget set.",
    no_args_is_help=True,
)

Named = Annotated[str, typer.Argument(metavar="POLICY", help="Its name or id")]
Fields = Annotated[
    list[str],
    typer.Argument(
        metavar="FIELD=VALUE...",
        help="Fields as in the API; JSON for what is no text: limit=5usd/day per='[\"user\"]'",
    ),
]

_COLUMNS: tuple[Column, ...] = (
    ("policy", lambda one: one["name"]),
    ("calls", lambda one: " ".join(scope_words(one["scope"])) or "all"),
    ("#limit", lambda one: units(limits_of(one))),
    ("", period_words),
    ("for each", lambda one: ", ".join(one["per"])),
    ("does", enforcement_words),
    ("last judged", lambda one: ago(one.get("last_judged_at"))),
)


@app.command("list")
def list_policies(
    context: typer.Context,
    limit: Annotated[int | None, typer.Option(help="How many; all, if not said")] = None,
) -> None:
    """All policies in force."""
    session = session_of(context)
    with session.budget() as face:
        found = every(face.policies, limit)
        session.output.many(
            found, _COLUMNS, empty=f"No limits yet. Set one: {session.hint('set', '5usd/day')}"
        )


@app.command("show")
def show(context: typer.Context, policy: Named) -> None:
    """A policy and where its fullest groups stand."""
    session = session_of(context)
    with session.budget() as face:
        found = face.policy(policy)
        groups = face.groups(found["policy_id"], limit=20)["items"]

        def shown() -> None:
            print(described(found))
            groups_shown(found, groups)

        session.output.one({**found, "groups": groups}, shown)


@app.command("create")
def create(
    context: typer.Context,
    fields: Fields,
    budget: Annotated[str | None, typer.Option(help="The budget it belongs to")] = None,
) -> None:
    """Make a policy by its fields.

    \b
    tekton-budget policies create limit=50usd/month per='["user"]' enforcement=soft_limit
    """
    session = session_of(context)
    with session.budget() as face:
        made = face.create_policy(budget=budget, **fields_of(fields))
        session.output.one(made, lambda: print(f"New: {described(made)}"))


@app.command("change")
def change(context: typer.Context, policy: Named, fields: Fields) -> None:
    """Change what is named; amounts and the like in place, scope and period by a new version."""
    session = session_of(context)
    with session.budget() as face:
        after = face.change_policy(policy, **fields_of(fields))

        def shown() -> None:
            print(f"Changed: {described(after)}")
            for note in after.get("notes") or []:
                print(f"  {note}")

        session.output.one(after, shown)


@app.command("groups")
def groups(
    context: typer.Context,
    policy: Named,
    sort: Annotated[str, typer.Option(help="share (fullest first) or name")] = "share",
    limit: Annotated[int | None, typer.Option(help="How many; all, if not said")] = 50,
) -> None:
    """Where each group of a policy stands in the current window."""
    session = session_of(context)
    with session.budget() as face:
        found = every(partial(face.groups, policy, sort=sort), limit)
        session.output.many(found, STANDING[1:], empty="Nothing was spent in this window yet.")


@app.command("except")
def except_(
    context: typer.Context,
    policy: Named,
    group: Annotated[str, typer.Argument(help="As `policies groups` shows it")],
    fields: Fields,
) -> None:
    """Other limits for one group: cost_limit=200, "unlimited", or "off" for none."""
    session = session_of(context)
    words = {"unlimited": "unlimited", "off": None}
    value = words[fields[0]] if len(fields) == 1 and fields[0] in words else fields_of(fields)
    with session.budget() as face:
        answer = face.set_exceptions(policy, {group: value})
        session.output.one(answer, lambda: print(f'Changed: "{policy}" for {group}.'))


@app.command("end")
def end(
    context: typer.Context,
    policy: Named,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking")] = False,
) -> None:
    """Stop counting and judging. What was counted can still be read."""
    session = session_of(context)
    with session.budget() as face:
        found = face.policy(policy)
        session.confirm(f'End "{found["name"]}"? It will neither count nor deny.', yes=yes)
        ended = face.end_policy(found["policy_id"])
        session.output.one(ended, lambda: print(f'Ended: "{found["name"]}".'))


def fields_of(words: list[str]) -> dict[str, Any]:
    """`FIELD=VALUE`, where a value that reads as JSON is what it says, and else is text."""
    fields: dict[str, Any] = {}
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise invalid("fields", f'"{word}" is no field: write FIELD=VALUE')
        try:
            fields[name.replace("-", "_")] = decode(text)
        except msgspec.DecodeError:
            fields[name.replace("-", "_")] = text
    return fields
