"""What commands print: a table on a terminal; JSON, CSV or lines of JSON for programs."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.limit_text import limits_text
from tekton_budget.domain.money import nano_from_usd, usd_text
from tekton_budget.face import wire

if TYPE_CHECKING:
    from rich.console import Console

Json = Mapping[str, Any]  # Any: decoded JSON
Cell = Any  # Any: what a JSON value may be
Column = tuple[str, Callable[[Json], object]]

_NOTHING = ("", "–")
_NOT_CUT = frozenset({"alert", "allocation", "record", "run"})  # to be copied


class Form(StrEnum):
    """How output looks."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    LINES = "nl"


class Output:
    """Writes answers in the form that was asked for, or that suits where they go."""

    def __init__(self, form: Form | None = None) -> None:
        self.form = form or (Form.TABLE if sys.stdout.isatty() else Form.JSON)

    @property
    def is_for_people(self) -> bool:
        """Whether somebody reads along."""
        return self.form is Form.TABLE

    def one(self, value: Any, shown: Callable[[], None]) -> None:
        """One answer: `shown` prints it for people."""
        if self.form is Form.TABLE:
            shown()
        elif self.form is Form.CSV:
            self._csv([value], list(value))
        else:
            self._json(value, pretty=self.form is Form.JSON)

    def many(
        self,
        rows: Iterable[Json],
        columns: Sequence[Column],
        *,
        empty: str,
        fields: Sequence[str] = (),
        whole: Any = None,
    ) -> None:
        """A list: a table of the columns for people, whole objects (or `fields`) for programs."""
        if self.form is Form.LINES:
            for row in rows:
                self._json(row, pretty=False)
        elif self.form is Form.JSON:
            self._json(list(rows) if whole is None else whole, pretty=True)
        elif self.form is Form.CSV:
            listed = list(rows)
            self._csv(listed, fields or list(dict.fromkeys(n for row in listed for n in row)))
        else:
            table(list(rows), columns, empty=empty)

    def say(self, text: str) -> None:
        """A line for people; programs get none."""
        if self.form is Form.TABLE:
            print(text)

    def _json(self, value: Any, *, pretty: bool) -> None:
        packed = wire.encode(wire.plain(value))
        print((msgspec.json.format(packed, indent=2) if pretty else packed).decode())

    def _csv(self, rows: Sequence[Json], fields: Sequence[str]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(fields)
        for row in rows:
            writer.writerow([csv_cell(row.get(field)) for field in fields])
        print(text.getvalue(), end="")


def csv_cell(value: Cell) -> str:
    """A value in a sheet: text, numbers with all their digits, JSON for what has parts."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping | list | tuple):
        return wire.encode(wire.plain(value)).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    # What a spreadsheet would run as a formula is kept as text.
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text


def console() -> "Console":
    """Standard output, as wide as the terminal."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False)


def table(rows: Sequence[Json], columns: Sequence[Column], *, empty: str) -> None:
    """Rows under headings; a heading that starts with `#` has numbers, set to the right.

    One that starts with `?` is left out where no row has anything in it.
    """
    if not rows:
        print(empty)
        return
    columns = [
        (heading.removeprefix("?"), value)
        for heading, value in columns
        if not heading.startswith("?") or any(cell(value(row)) not in _NOTHING for row in rows)
    ]
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    sheet = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for heading, _ in columns:
        number = heading.startswith("#")
        sheet.add_column(
            heading.removeprefix("#"),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number or heading in _NOT_CUT,
        )
    for row in rows:
        sheet.add_row(*(cell(value(row)) for _, value in columns))
    console().print(sheet)


def cell(value: object) -> str:
    """A value in a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def counted(number: int, noun: str) -> str:
    """`1 call`, `1,000 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def money(value: Decimal | int | None) -> str:
    """Dollars as people write them; digits beyond 10⁻⁹ are none."""
    return "–" if value is None else usd_text(nano_from_usd(value))


def some(amounts: Json) -> dict[str, Any]:
    """Only what there is any of; a single call goes without saying beside tokens or cost."""
    found = {unit: value for unit, value in amounts.items() if value}
    if len(found) > 1 and found.get("requests") == 1:
        del found["requests"]
    return found


def units(amounts: Json | None, *, only: Json | None = None, none: str = "–") -> str:
    """`{"tokens", "cost", "requests"}` in words; `only` the units that another has."""
    if amounts is None:
        return none
    shown = {
        unit: value
        for unit, value in amounts.items()
        if value is not None and (only is None or only.get(unit) is not None)
    }
    cost = shown.get("cost")
    if any(Decimal(value) < 0 for value in shown.values()):
        return ", ".join(_signed(unit, value) for unit, value in shown.items())
    limits = Limits(
        shown.get("tokens"),
        None if cost is None else nano_from_usd(cost),
        shown.get("requests"),
    )
    return limits_text(limits) if shown else none


def moment_text(text: str | None) -> str:
    """RFC 3339 for people: to the minute, with the offset it came with."""
    if text is None:
        return "–"
    at = datetime.fromisoformat(text)
    zone = "UTC" if not at.utcoffset() else at.isoformat()[-6:]
    return f"{at:%Y-%m-%d %H:%M} {zone}"


def ago(text: str | None) -> str:
    """How long since, in one unit."""
    if text is None:
        return "never"
    from tekton_budget.domain.period import duration_text

    seconds = (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()
    return f"{duration_text(int(seconds * 1_000_000))} ago"


def _signed(unit: str, value: Decimal | int) -> str:
    if unit == "cost":
        return money(value)
    return f"{value:,} {unit}"
