"""`prices load`, `check-quotes` and `names`: files of cards, of quotes, of names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.frontends.cli.terminal.exits import FAILED
from tekton_budget.frontends.cli.terminal.json_files import STDIN, of_file, read_json
from tekton_budget.frontends.cli.terminal.output import counted
from tekton_budget.frontends.cli.terminal.progress import waiting
from tekton_budget.frontends.cli.terminal.session import session_of

Json = dict[str, Any]  # Any: decoded JSON
File = Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file; - is standard input")]


def add_to(app: typer.Typer) -> None:
    """The commands."""
    app.command("load")(load)
    app.command("check-quotes")(check_quotes)
    app.command("names")(names)


def load(
    context: typer.Context,
    file: File,
    source: Annotated[
        str | None, typer.Option(help="Where the prices come from; by default the file's name")
    ] = None,
) -> None:
    """Take over the price cards of a file, all or none. Earlier prices stay for their time.

    \b
    tekton-budget prices load cards.json

    The file has `rate_cards`, an object of cards by name, or `cards`, a list of them; a card is
    `provider`, `model`, `rates` in USD per 1,000,000 tokens, and what else its price hangs on.
    """
    session = session_of(context)
    cards = _cards(file, read_json(file))
    said = source or ("loaded" if file == STDIN else file.name)
    with (
        session.budget() as face,
        of_file(file),
        waiting(f"Loading {counted(len(cards), 'card')}", session.output),
    ):
        made = face.load_prices(cards, source=said)

    def shown() -> None:
        models = counted(made["models"], "model")
        print(f"Loaded {counted(made['loaded'], 'price')} of {models} from {said}.")

    session.output.one(made, shown)


def check_quotes(context: typer.Context, file: File) -> None:
    """Judge a file of quotes, `verify-cases/1`, and compare with what it expects.

    Each decision comes with its reason. Nothing is set: no price book is opened. Exit code 1 if
    a decision is not as the file expects.
    """
    from tekton_budget.domain.verify import check_quotes as judged

    session = session_of(context)
    document = read_json(file)
    with of_file(file), waiting("Judging", session.output):
        rows = [_quote_row(one) for one in judged(document)]
    if session.output.is_for_people:
        for row in rows:
            _print_quote(row)
    end_cases(context, rows)


def names(context: typer.Context, file: File) -> None:
    """Try a file of names, `name-cases/1`, by this price book, and compare with what it expects.

    Each name comes with the model it means and the way it was found. Nothing is set. Exit code 1
    if one is not as the file expects.
    """
    session = session_of(context)
    document = read_json(file)
    if not isinstance(document, dict):
        raise InvalidInput(f'{file}: send an object: "format", "cases"', code="invalid_file")
    with session.budget() as face, of_file(file), waiting("Resolving", session.output):
        rows = face.check_names(document)
    if session.output.is_for_people:
        for row in rows:
            why = f" ({row['why']})" if row["why"] else ""
            print(f"{row['name']} → {row['outcome']}{why}")
            if row["differs"]:
                print(f"    differs: {row['differs']}")
    end_cases(context, rows)


def end_cases(context: typer.Context, rows: Sequence[Json]) -> None:
    """Rows for programs, one line for people; exit code 1 if any differs."""
    output = session_of(context).output
    different = sum(1 for row in rows if row["differs"])
    if output.is_for_people:
        said = "all as expected" if not different else f"{different:,} not as expected"
        print(f"{counted(len(rows), 'case')}: {said}")
    else:
        output.many(rows, (), empty="")
    if different:
        raise SystemExit(FAILED)


def _cards(file: Path, document: Any) -> Json | list[Any]:  # Any: JSON
    """The cards of a file, by name or in a list."""
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        for name in ("rate_cards", "cards"):
            found = document.get(name)
            if isinstance(found, dict | list):
                return found
        if "provider" in document and "model" in document:
            return [document]
    raise InvalidInput(
        f'{file}: has no cards: give "rate_cards", an object of cards by name, or "cards", a list',
        code="invalid_file",
    )


def _quote_row(row: Any) -> Json:  # Any: the domain's row
    return {
        "provider": row.provider,
        "model": row.model,
        "decision": row.decision,
        "value": row.value,
        "reasons": list(row.reasons),
        "dissenting": list(row.verdict.dissenting),
        "notes": list(row.verdict.notes),
        "suggested": row.suggested,
        "suggested_why": row.suggested_why,
        "differs": row.differs,
    }


def _print_quote(row: Mapping[str, Any]) -> None:
    value = f" {row['value']}" if row["value"] else ""
    print(f"{row['provider']}/{row['model']}: {row['decision']}{value}")
    for reason in (*row["reasons"], *row["notes"]):
        print(f"    {reason}")
    if row["suggested"]:
        print(f"    suggested: {row['suggested']} ({row['suggested_why']})")
    if row["differs"]:
        print(f"    differs: {row['differs']}")
