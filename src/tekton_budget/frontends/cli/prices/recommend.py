"""`prices recommend`: which cheaper model would do, and what would be lost with it."""

from typing import Annotated, Any

import typer

from tekton_budget.frontends.cli.terminal.output import Column, money
from tekton_budget.frontends.cli.terminal.session import session_of

_WORDS = {
    "context_tokens": "long context",
    "max_output_tokens": "long output",
    "structured_output": "structured output",
    "prompt_cache": "prompt cache",
    "input.image": "vision",
    "mode": "its kind of work",
}
_NAMED_MAX = 5
_EMPTY = "No cheaper model is known that can do this. Of every seller: --provider any"


def add_to(app: typer.Typer) -> None:
    """As one of the commands of `prices`."""
    app.command("recommend")(recommend)


def recommend(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(metavar="PROVIDER/MODEL", help="In use now; without one, any will do"),
    ] = None,
    input_: Annotated[int | None, typer.Option("--input", help="Tokens that a call reads")] = None,
    output: Annotated[int | None, typer.Option(help="Tokens that it writes")] = None,
    context_: Annotated[
        int | None,
        typer.Option(
            "--context", help="The least context that will do; without --input, what a call fills"
        ),
    ] = None,
    needs: Annotated[
        str | None,
        typer.Option(help="tools, vision, audio, pdf, structured_output, reasoning, prompt_cache"),
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(help="Only of this seller (several times: of these); any: of everyone"),
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many")] = 10,
) -> None:
    """Cheaper models for the same tokens: what they cost, what is saved, what would be lost.

    \b
    tekton-budget prices recommend openai/gpt-5 --input 20000 --output 1500 --needs tools,vision
    """
    session = session_of(context)
    seller, slash, name = (model or "").partition("/")
    named = {"provider": seller, "model": name} if slash else {"model": model}
    with session.budget() as face:
        found = face.recommend(
            **named,
            input_tokens=input_,
            output_tokens=output,
            context_size=context_,
            needs=None if needs is None else needs.replace(",", " ").split(),
            providers=provider or None,
            limit=limit,
        )
        session.output.many(found["items"], _COLUMNS, empty=_EMPTY, whole=found)


def _saving(one: Any) -> str:  # Any: decoded JSON
    if one["savings"] is None:
        return "–"
    return f"{money(one['savings'])} ({one['savings_percent']:.0f} %)"


def _named(facts: list[str]) -> str:
    words = [_WORDS.get(fact, fact.removeprefix("input.").replace(".", " ")) for fact in facts]
    if len(words) > _NAMED_MAX:
        words[_NAMED_MAX - 1 :] = [f"{len(words) - _NAMED_MAX + 1} more"]
    return ", ".join(words) or "nothing"


_COLUMNS: tuple[Column, ...] = (
    ("model", lambda one: f"{one['provider']}/{one['model']}"),
    ("#cost", lambda one: money(one["estimated_cost"])),
    ("#saving", _saving),
    ("lost", lambda one: _named(one["lost"])),
    ("unknown", lambda one: _named(one["unknown"])),
    ("tier", lambda one: one["tier"] or "–"),
)
