"""`prices contract`, `name` and `tier`: what operators tell the price book besides prices."""

from typing import Annotated

import typer

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.cli.prices.view import seller_and_model, since
from tekton_budget.frontends.cli.terminal.output import Column, moment_text
from tekton_budget.frontends.cli.terminal.session import session_of

_NO_TIER = "none"
_CONTRACTS: tuple[Column, ...] = (
    ("provider", lambda one: one["provider"]),
    ("model", lambda one: one["model"] or "all"),
    ("#factor", lambda one: f"{one['factor']:f}"),
    ("from", lambda one: since(one["valid_from"])),
    ("to", lambda one: moment_text(one["valid_to"])),
    ("known since", lambda one: moment_text(one["known_since"])),
    ("in force", lambda one: one["in_force"]),
)
_NAMES: tuple[Column, ...] = (
    ("name", lambda one: one["name"]),
    ("at", lambda one: one["provider"] or "any provider"),
    ("means", lambda one: f"{one['to_provider']}/{one['to_model']}"),
    ("from", lambda one: moment_text(one["valid_from"])),
    ("in force", lambda one: one["in_force"]),
)
_TIERS: tuple[Column, ...] = (
    ("model", lambda one: f"{one['provider'] or 'any provider'}/{one['model'] or 'all'}"),
    ("tier", lambda one: one["tier"] or _NO_TIER),
    ("known since", lambda one: moment_text(one["known_since"])),
    ("in force", lambda one: one["in_force"]),
)


def add_to(app: typer.Typer) -> None:
    """The commands."""
    app.command("contract")(contract)
    app.command("name")(name_model)
    app.command("tier")(tier)


def contract(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(metavar="PROVIDER[/MODEL]", help="Without it, every contract is listed"),
    ] = None,
    factor: Annotated[
        str | None, typer.Argument(metavar="FACTOR", help="0.85 is 15 % off; 1 ends a contract")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="A day or moment; by default now")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Until when, if that is agreed")] = None,
) -> None:
    """What you pay of the prices of a provider, or of one of its models.

    \b
    tekton-budget prices contract openai 0.85 --from 2026-01-01

    It is on every price of theirs, also on those that were set or loaded here.
    """
    session = session_of(context)
    with session.budget() as face:
        if what is None:
            session.output.many(face.contracts(), _CONTRACTS, empty="No contracts.")
            return
        if factor is None:
            raise invalid("factor", f"say what you pay: prices contract {what} 0.85 is 15 % off")
        provider, _, model = what.partition("/")
        made = face.agree_contract(
            provider, factor, model=model or None, valid_from=from_, valid_to=to
        )

        def shown() -> None:
            of = "" if made["model"] is None else f"/{made['model']}"
            until = "" if made["valid_to"] is None else f" to {moment_text(made['valid_to'])}"
            print(
                f"Agreed: prices of {made['provider']}{of} × {made['factor']:f}, "
                f"from {since(made['valid_from'])}{until}."
            )

        session.output.one(made, shown)


def name_model(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="As calls use it; without it, every one is listed"),
    ] = None,
    model: Annotated[str | None, typer.Argument(metavar="PROVIDER/MODEL")] = None,
    provider: Annotated[
        str | None, typer.Option(help="At which provider it means that; by default any")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="A day or moment; by default now")
    ] = None,
) -> None:
    """Say what a name of your own means: a deployment, an inference profile, a nickname.

    \b
    tekton-budget prices name my-gpt4-deployment azure/gpt-4o --provider azure
    """
    session = session_of(context)
    with session.budget() as face:
        if name is None:
            session.output.many(face.model_names(), _NAMES, empty="No names of your own.")
            return
        if model is None:
            raise invalid("model", f"say what it means: prices name {name} PROVIDER/MODEL")
        to_provider, to_model = seller_and_model(model)
        made = face.name_model(name, to_provider, to_model, provider=provider, valid_from=from_)

        def shown() -> None:
            at = f" at {made['provider']}" if made["provider"] else ""
            print(
                f"Named: {made['name']}{at} means {made['to_provider']}/{made['to_model']}, "
                f"from {moment_text(made['valid_from'])}."
            )

        session.output.one(made, shown)


def tier(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(metavar="PROVIDER/MODEL", help="Without it, every one is listed"),
    ] = None,
    tier_: Annotated[
        str | None,
        typer.Argument(
            metavar="TIER",
            help="local_lightweight, local_midweight or remote_heavyweight; none takes it out",
        ),
    ] = None,
) -> None:
    """Say of which of Tekton's three tiers a model is; `*` is all of the provider's.

    \b
    tekton-budget prices tier openai/gpt-5-mini local_midweight
    tekton-budget prices tier 'mistral/*' local_midweight
    """
    session = session_of(context)
    with session.budget() as face:
        if model is None:
            session.output.many(face.tiers(), _TIERS, empty="No tiers were set here.")
            return
        if tier_ is None:
            raise invalid("tier", f"say which: prices tier {model} local_midweight, or none")
        provider, name = seller_and_model(model)
        said = None if tier_ == _NO_TIER else tier_
        made = face.set_tier(name, said, provider=provider)

        def shown() -> None:
            print(f"Set: {made['provider']}/{made['model']} is of {made['tier'] or 'no tier'}.")

        session.output.one(made, shown)
