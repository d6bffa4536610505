"""`prices calculate`: what a call costs, did cost or would cost, to the last digit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from tekton_budget.domain.errors import InvalidInput, invalid
from tekton_budget.frontends.cli.prices.files import end_cases
from tekton_budget.frontends.cli.prices.view import spoken, usd
from tekton_budget.frontends.cli.terminal.json_files import of_file, read_answer, read_json
from tekton_budget.frontends.cli.terminal.output import Column, moment_text, table
from tekton_budget.frontends.cli.terminal.progress import waiting
from tekton_budget.frontends.cli.terminal.session import session_of

Json = dict[str, Any]  # Any: decoded JSON
Count = int | None

_COUNTED = frozenset({"web_searches", "images", "characters", "seconds", "pages"})
_PARTS: tuple[Column, ...] = (
    ("unit", lambda one: spoken(one["unit"])),
    ("#quantity", lambda one: one["quantity"]),
    ("#rate", lambda one: usd(one["rate"])),
    ("per", lambda one: "each" if one["per"] == 1 else f"{one['per']:,}"),
    ("#cost", lambda one: usd(one["cost"])),
    ("model", lambda one: one["model"]),
)
_DIFFERENT: tuple[Column, ...] = (
    ("case", lambda one: one["name"]),
    ("cost", lambda one: one["outcome"]),
    ("expected", lambda one: one["expected"]),
    ("differs", lambda one: one["differs"]),
    ("why", lambda one: one["why"]),
)


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("calculate")(calculate)


def calculate(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(metavar="PROVIDER/MODEL", help="By default, what the response names"),
    ] = None,
    input_: Annotated[Count, typer.Option("--input", min=0, help="Tokens, not cached")] = None,
    output: Annotated[Count, typer.Option(min=0, help="Tokens of the answer")] = None,
    cache_read: Annotated[Count, typer.Option(min=0, help="Tokens read from a cache")] = None,
    cache_write: Annotated[Count, typer.Option(min=0, help="Tokens written to a cache")] = None,
    cache_write_1h: Annotated[Count, typer.Option(min=0, help="The same, kept for an hour")] = None,
    reasoning: Annotated[
        Count, typer.Option(min=0, help="Tokens of reasoning, not among --output")
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(metavar="UNIT=COUNT", help="Of any other unit: web_search=3, input_audio=900"),
    ] = None,
    requests: Annotated[Count, typer.Option(min=0, help="How many calls it was (1)")] = None,
    response: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What the provider answered: JSON or a stream; - is stdin"
        ),
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="Whose shape that has, if it is not plain: openai.chat")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Who sells it, where the name does not begin with it")
    ] = None,
    at: Annotated[str | None, typer.Option(help="When it was used; by default now")] = None,
    known: Annotated[str | None, typer.Option(help="By the prices known then")] = None,
    context_: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="KEY=VALUE",
            help="What a response cannot say: processing=batch, region=eu, web_searches=2",
        ),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Run a whole file, cost-cases/1, by the cards in it; compare"
        ),
    ] = None,
) -> None:
    """What a call costs, did cost or would cost, part by part. Nothing is posted.

    \b
    tekton-budget prices calculate openai/gpt-5-mini --input 900 --output 120
    tekton-budget prices calculate --response answer.json --at 2026-08-01
    tekton-budget prices calculate --cases cost-cases.json

    With --cases no price book is opened; exit code 1 if a cost is not as the file expects.
    """
    session = session_of(context)
    counts = {
        "input": input_,
        "output": output,
        "cache_read": cache_read,
        "cache_write_5m": cache_write,
        "cache_write_1h": cache_write_1h,
        "reasoning": reasoning,
    }
    usage: dict[str, object] = {name: one for name, one in counts.items() if one is not None}
    usage |= {name: _count("unit", word, text) for word, name, text in _pairs("unit", unit or ())}
    if cases is not None:
        if usage or any(one is not None for one in (model, response, provider, at, known)):
            raise invalid("cases", "the file says everything: give --cases alone")
        _run_cases(context, cases)
        return
    answer = None if response is None else read_answer(response)
    if answer is None and not usage:
        raise invalid("usage", "say what was used: --input, --output, …, or --response FILE")
    said = {
        name: _count("context", word, text) if name in _COUNTED else text
        for word, name, text in _pairs("context", context_ or ())
    }
    with session.budget() as face:
        made = face.calculate(
            model,
            provider=provider,
            response=answer,
            usage=usage or None,
            api=api,
            at=at,
            known=known,
            context=said,
            requests=requests,
        )
        session.output.one(made, lambda: _show(made))


def _run_cases(context: typer.Context, file: Path) -> None:
    from tekton_budget.service.prices import run_cost_cases

    session = session_of(context)
    document = read_json(file)
    with of_file(file), waiting("Costing", session.output):
        rows = [asdict(row) for row in run_cost_cases(document)]
    different = [row for row in rows if row["differs"]]
    if session.output.is_for_people and different:
        table(different, _DIFFERENT, empty="")
    end_cases(context, rows)


def _show(made: Mapping[str, Any]) -> None:
    models = {one["model"] for one in made["components"]}
    table(made["components"], _PARTS if len(models) > 1 else _PARTS[:-1], empty="Nothing was used.")
    by = ", ".join(made["resolved_by"])
    print(f"{usd(made['cost'])} by the price of {made['provider']}/{made['model']} ({by})")
    print(f"  at {moment_text(made['at'])}, from {made['card']['source']}")
    for reason in made["why"]:
        print(f"  {reason}")
    billed, difference = made["billed_by_provider"], made["difference"]
    if billed is not None:
        said = "the same" if not difference else f"{usd(difference)} apart"
        print(f"  the provider says {usd(billed)}: {said}")


def _pairs(field: str, words: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each word with its two parts."""
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise invalid(
                field,
                f'"{word}" says nothing: write {"KEY" if field == "context" else "UNIT"}=VALUE',
            )
        found.append((word, name.strip(), value.strip()))
    return found


def _count(field: str, word: str, text: str) -> Decimal | int:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise InvalidInput(f'{field}: "{word}" has no number: write it like web_search=3')
    return int(number) if number == number.to_integral_value() else number
