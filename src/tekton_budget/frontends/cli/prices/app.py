"""`prices`: what a model's tokens cost, from which day on."""

from typing import Annotated, Any

import typer

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.cli.prices import costs, files, terms
from tekton_budget.frontends.cli.prices.view import (
    RATES,
    described,
    laid_out,
    seller_and_model,
    told_by,
    until,
)
from tekton_budget.frontends.cli.terminal.output import Column, counted, moment_text
from tekton_budget.frontends.cli.terminal.session import Session, session_of

app = typer.Typer(
    help="What models cost, in USD per 1,000,000 tokens, from which day on.", no_args_is_help=True
)

Model = Annotated[str, typer.Argument(metavar="PROVIDER/MODEL")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model, as calls and answers name it")]
At = Annotated[str | None, typer.Option(help="Valid on this day or at this moment; by default now")]
Known = Annotated[str | None, typer.Option(help="As it was known then; by default now")]

_COLUMNS: tuple[Column, ...] = (
    ("model", lambda one: f"{one['provider']}/{one['model']}"),
    *RATES,
    ("source", lambda one: told_by(one["source"])),
)
_HISTORY: tuple[Column, ...] = (
    *RATES,
    ("to", lambda one: until(one["end_date"])),
    ("known since", lambda one: moment_text(one["known_since"])),
    ("source", lambda one: told_by(one["source"])),
)
_AGES: tuple[Column, ...] = (
    ("list", lambda one: one["version"]),
    ("made", lambda one: one["made"]),
    ("#age", lambda one: counted(one["age_days"], "day")),
    ("#models", lambda one: one["models"]),
    ("here since", lambda one: moment_text(one["known_since"])),
    ("sources", lambda one: "; ".join(map(_source, one["sources"]))),
)
_ABLE = ("tools", "reasoning", "structured_output", "prompt_cache", "open_weights")
_FACTS: tuple[Column, ...] = (
    ("model", lambda one: f"{one['provider']}/{one['model']}"),
    ("mode", lambda one: one["mode"]),
    ("#context", lambda one: one["context_tokens"]),
    ("#max output", lambda one: one["max_output_tokens"]),
    ("takes", lambda one: ", ".join(one["input"])),
    ("gives", lambda one: ", ".join(one["output"])),
    ("has", lambda one: ", ".join(name.replace("_", " ") for name in _ABLE if one[name])),
    ("released", lambda one: one["released"]),
    ("retires", lambda one: one["retires"]),
)
_EMPTY = "No prices yet. Set one: tekton-budget prices set PROVIDER/MODEL --input USD --output USD"
_NO_LIST = "No price list was taken over: what prices there are were set or loaded here."
_NO_FACTS = "No facts of such models are known: they come with a price list."


@app.command("set")
def set_price(
    context: typer.Context,
    model: Model,
    input_: Annotated[
        str | None, typer.Option("--input", help="USD per 1,000,000 tokens of input")
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="USD per 1,000,000 tokens of the answer")
    ] = None,
    cache_read: Annotated[str | None, typer.Option(help="The same, read from a cache")] = None,
    cache_write: Annotated[str | None, typer.Option(help="The same, written to one")] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(metavar="UNIT=USD", help="Of another unit of tokens: input_audio=40"),
    ] = None,
    request: Annotated[str | None, typer.Option(help="USD for each call besides")] = None,
    fee: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UNIT=USD", help="Of what is no token: web_search=10/1000, image=0.04"
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="A day or moment; by default now")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Until when, if that is known")] = None,
    source: Annotated[str | None, typer.Option(help="Where you have it from")] = None,
) -> None:
    """Set a model's price from a day on. Earlier prices stay for what was used earlier.

    \b
    tekton-budget prices set openai/gpt-5-mini --input 0.25 --output 2 --cache-read 0.025
    tekton-budget prices set openai/gpt-audio --input 2.5 --output 10 --rate input_audio=40

    Tiers, service tiers, times of day and regions are in files: see prices load.
    """
    session = session_of(context)
    provider, name = seller_and_model(model)
    with session.budget() as face:
        price = face.set_price(
            provider,
            name,
            input=input_,
            output=output,
            cache_read=cache_read,
            cache_write=cache_write,
            rates=dict(_pair("rate", word) for word in rate or ()),
            request=request,
            fees=dict(_fee(word) for word in fee or ()),
            valid_from=from_,
            valid_to=to,
            source=source,
        )
        session.output.one(price, lambda: print(f"Set: {described(price)}"))


@app.command("list")
def list_prices(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only of this provider")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model, or of a glob")] = None,
    at: At = None,
    known: Known = None,
    age: Annotated[
        bool, typer.Option("--age", help="The price lists instead: how old, and of what")
    ] = False,
) -> None:
    """The prices valid now, or at another moment.

    \b
    tekton-budget prices list --provider openai --model 'gpt-5*'
    tekton-budget prices list --age
    """
    session = session_of(context)
    if age:
        _list_ages(session)
        return
    with session.budget() as face:
        found = face.prices(provider=provider, model=model, at=at, known=known)
        is_asked = any(one is not None for one in (provider, model, at, known))
        session.output.many(found, _COLUMNS, empty="No such prices." if is_asked else _EMPTY)


@app.command("show")
def show(
    context: typer.Context,
    name: Name,
    provider: Annotated[
        str | None, typer.Option(help="Who sells it, where the name does not begin with it")
    ] = None,
    at: At = None,
    known: Known = None,
) -> None:
    """The price of a model: how its name is understood, and all that is charged.

    \b
    tekton-budget prices show gpt-5-mini
    tekton-budget prices show us.anthropic.claude-sonnet-4-20250514-v1:0 --at 2026-01-01
    """
    session = session_of(context)
    with session.budget() as face:
        price = face.current_price(provider, name, at=at, known=known)
        session.output.one(price, lambda: print("\n".join(laid_out(price, name))))


@app.command("history")
def history(context: typer.Context, name: Name) -> None:
    """Every price that a model had, and when it was learnt."""
    session = session_of(context)
    with session.budget() as face:
        found = face.resolve_model(name)
        prices = face.price_history(found["provider"], found["model"])
        session.output.many(prices, _HISTORY, empty=f"No price of {name} was ever known.")


@app.command("models")
def models(
    context: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only of this provider")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model, or a glob")] = None,
) -> None:
    """What is known of models besides their prices: length, what they take and give, dates."""
    session = session_of(context)
    with session.budget() as face:
        session.output.many(face.models(provider=provider, model=model), _FACTS, empty=_NO_FACTS)


def _list_ages(session: Session) -> None:
    with session.budget() as face:
        session.output.many(face.price_lists(), _AGES, empty=_NO_LIST)


def _source(source: Any) -> str:  # Any: JSON of a list's source
    if not isinstance(source, dict):
        return str(source)
    told = [str(source[name]) for name in ("date", "licence") if source.get(name)]
    words = f"{source.get('name', '')} {source.get('version', '')}".strip()
    return f"{words} ({', '.join(told)})" if told else words


def _pair(field: str, word: str) -> tuple[str, str]:
    """`UNIT=USD`."""
    unit, equals, value = word.partition("=")
    if not equals or not unit.strip() or not value.strip():
        raise invalid(field, f'"{word}" is no rate: write UNIT=USD')
    return unit.strip(), value.strip()


def _fee(word: str) -> tuple[str, object]:
    """`UNIT=USD`, or `UNIT=USD/1000` for so many."""
    unit, value = _pair("fee", word)
    usd, slash, per = value.partition("/")
    if not slash:
        return unit, usd
    if per not in ("1000", "1000000"):
        raise invalid("fee", f'"{word}": fees are for each, for 1000 or for 1000000')
    return unit, {f"usd_per_{per}": usd}


costs.add_to(app)
files.add_to(app)
terms.add_to(app)
