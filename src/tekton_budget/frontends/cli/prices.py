"""`prices`: what a model's tokens cost, from which day on."""

from typing import Annotated, Any

import typer

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.cli.output import Column, moment_text, money
from tekton_budget.frontends.cli.session import session_of

app = typer.Typer(
    help="What models cost, in USD per 1,000,000 tokens, from which day on.", no_args_is_help=True
)

Model = Annotated[str, typer.Argument(metavar="PROVIDER/MODEL")]

_RATES: tuple[Column, ...] = (
    ("#input", lambda one: money(one["input"])),
    ("#output", lambda one: money(one["output"])),
    ("#cache read", lambda one: money(one["cache_read"])),
    ("#cache write", lambda one: money(one["cache_write"])),
    ("#request", lambda one: money(one["request"]) if one["request"] else ""),
    ("from", lambda one: moment_text(one["effective_date"])),
)
_COLUMNS: tuple[Column, ...] = (
    ("model", lambda one: f"{one['provider']}/{one['model']}"),
    *_RATES,
    ("source", lambda one: one["source"]),
)
_HISTORY: tuple[Column, ...] = (
    *_RATES,
    ("to", lambda one: moment_text(one["end_date"])),
    ("known since", lambda one: moment_text(one["known_since"])),
    ("source", lambda one: one["source"]),
)
_EMPTY = "No prices yet. Set one: tekton-budget prices set PROVIDER/MODEL --input USD --output USD"


@app.command("set")
def set_price(
    context: typer.Context,
    model: Model,
    input_: Annotated[str, typer.Option("--input", help="USD per 1,000,000 tokens of input")],
    output: Annotated[str, typer.Option(help="USD per 1,000,000 tokens of the answer")],
    cache_read: Annotated[str | None, typer.Option(help="The same, read from a cache")] = None,
    cache_write: Annotated[str | None, typer.Option(help="The same, written to one")] = None,
    request: Annotated[str | None, typer.Option(help="USD for each call besides")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="A day or moment; by default now")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Until when, if that is known")] = None,
    source: Annotated[str | None, typer.Option(help="Where you have it from")] = None,
) -> None:
    """Set a model's price from a day on. Earlier prices stay for what was used earlier.

    \b
    tekton-budget prices set openai/gpt-5-mini --input 0.25 --output 2 --cache-read 0.025
    """
    session = session_of(context)
    provider, name = parted(model)
    with session.budget() as face:
        price = face.set_price(
            provider,
            name,
            input=input_,
            output=output,
            cache_read=cache_read,
            cache_write=cache_write,
            request=request,
            valid_from=from_,
            valid_to=to,
            source=source,
        )
        session.output.one(price, lambda: print(f"Set: {described(price)}"))


@app.command("list")
def list_prices(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only of this provider")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model")] = None,
) -> None:
    """The prices valid now."""
    session = session_of(context)
    with session.budget() as face:
        found = face.prices(provider=provider, model=model)
        session.output.many(found, _COLUMNS, empty=_EMPTY)


@app.command("show")
def show(context: typer.Context, model: Model) -> None:
    """The price of a model that is charged now."""
    session = session_of(context)
    provider, name = parted(model) if "/" in model else (None, model)
    with session.budget() as face:
        price = face.current_price(provider, name)
        session.output.one(price, lambda: print(described(price)))


@app.command("history")
def history(context: typer.Context, model: Model) -> None:
    """Every price that a model had, and when it was learnt."""
    session = session_of(context)
    provider, name = parted(model)
    with session.budget() as face:
        found = face.price_history(provider, name)
        session.output.many(found, _HISTORY, empty=f"No price of {model} was ever known.")


def parted(model: str) -> tuple[str, str]:
    """`openai/gpt-5-mini` → its two parts."""
    provider, slash, name = model.partition("/")
    if not slash or not provider or not name:
        raise invalid("model", f'"{model}" names no provider: write PROVIDER/MODEL')
    return provider, name


def described(price: dict[str, Any]) -> str:
    """A price in one line."""
    parts = [f"{money(price['input'])} in", f"{money(price['output'])} out"]
    if price["cache_read"] is not None:
        parts.append(f"{money(price['cache_read'])} cache read")
    if price["cache_write"] is not None:
        parts.append(f"{money(price['cache_write'])} cache write")
    text = f"{price['provider']}/{price['model']}: {', '.join(parts)} per 1,000,000 tokens"
    if price["request"]:
        text += f", {money(price['request'])} a call"
    return f"{text}, from {moment_text(price['effective_date'])} ({price['source']})"
