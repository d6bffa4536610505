"""A line that somebody typed → the command that is meant, with its values."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.spoken.words import CHAT, LINE, Kind, Part, Word

TEXT_MAX = 4_000
WHOLE_MAX = 10**15
INVALID = "command_invalid"
UNKNOWN = "command_unknown"
SIGN = "/"

_USD = re.compile(r"\$?\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:usd|\$)?", re.IGNORECASE)
_SHARE = re.compile(r"(?:0|1)(?:\.[0-9]{1,9})?|\.[0-9]{1,9}")
_SHOWN_MAX = 60

Value = str | int | Decimal | bool | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A command with its values, by the names of its parts; what was not said is not there."""

    word: Word
    values: Mapping[str, Value]
    sign: str = ""  # what stood before it


def read(text: str) -> Spoken:
    """What is meant. Refuses, with what to write instead, what cannot be understood.

    A stroke says that it is of the chat; words of either kind are understood with and without it.
    """
    words = _split(text)
    sign = SIGN if words[0].startswith(SIGN) else ""
    words[0] = words[0].removeprefix(SIGN)
    tables = (CHAT, LINE) if sign else (LINE, CHAT)
    word, rest = _word(tables, words, sign)
    return Spoken(word, dict(_values(word, rest, sign)), sign)


def named(name: str) -> list[Word]:
    """The commands of a name, or of a group of them as `allocate`; in whichever spelling."""
    wanted = _plain(name.strip().removeprefix(SIGN)).split()
    if not wanted:
        return []
    first = CHAT if name.strip().startswith(SIGN) else LINE
    tables = (first, CHAT if first is LINE else LINE)
    for table in tables:
        found = [one for one in table if one.name.split()[: len(wanted)] == wanted]
        if found:
            return found
    return []


def _split(text: str) -> list[str]:
    if len(text) > TEXT_MAX:
        raise _refused(f"A command has at most {TEXT_MAX} characters.")
    try:
        words = shlex.split(text)
    except ValueError:
        if not text.lstrip().startswith(SIGN):
            raise _refused("A quotation mark is not closed.") from None
        words = text.split()  # in a chat people write: what's the best model
    if not words or not words[0].removeprefix(SIGN):
        raise _refused("Write a command; help lists them.")
    return words


def _word(
    tables: Sequence[tuple[Word, ...]], words: list[str], sign: str
) -> tuple[Word, list[str]]:
    """The longest name that the words begin with."""
    spelt = [_plain(one) for one in words[:2]]
    for table in tables:
        by_name = {one.name: one for one in table}
        for length in (2, 1):
            found = by_name.get(" ".join(spelt[:length])) if len(spelt) >= length else None
            if found is not None:
                return found, words[length:]
    group = sorted({one.name for one in LINE if one.name.split()[0] == spelt[0]})
    if group:
        raise _refused(f"Say which: {', '.join(group)}.")
    raise InvalidInput(
        f'There is no command "{_shown(sign + words[0])}"; {sign}help lists them.',
        FieldFault("command", "is not known"),
        code=UNKNOWN,
    )


def _values(word: Word, words: list[str], sign: str) -> Iterator[tuple[str, Value]]:
    usage = f"Write: {word.usage(sign)}"
    given, loose = _optional(word, words, usage)
    given |= _placed(word, loose, usage)
    for part in (*word.parameters, *word.options):
        text = given.get(part.name, part.default)
        if text is not None:
            yield part.name, _value(part, text, usage)
        elif part.needed:
            missing = part.name if part in word.parameters else f"--{part.name.replace('_', '-')}"
            raise _refused(f"{missing} is missing. {usage}")


def _optional(word: Word, words: list[str], usage: str) -> tuple[dict[str, str], list[str]]:
    """What options say, and the words that are none."""
    options = {one.name: one for one in word.options}
    flags = {one.no: one for one in word.options if one.no}
    given: dict[str, str] = {}
    loose: list[str] = []
    left = list(words)
    while left:
        one = left.pop(0)
        if not one.startswith("--") or not word.options:
            loose.append(one)
            continue
        name, equals, value = one[2:].partition("=")
        name = name.replace("-", "_").lower()
        flag = flags.get(name) or options.get(name)
        if flag is None:
            raise _refused(f"--{_shown(name)} is no option of {word.name}. {usage}")
        if flag.kind is Kind.FLAG:
            if equals:
                raise _refused(f"--{name.replace('_', '-')} takes no value. {usage}")
            given[flag.name] = "false" if name in flags else "true"
        elif equals or left:
            given[name] = value if equals else left.pop(0)
        else:
            raise _refused(f"--{name.replace('_', '-')} needs a value. {usage}")
    return given, loose


def _placed(word: Word, words: list[str], usage: str) -> dict[str, str]:
    """Words by the parameters whose places they have."""
    given: dict[str, str] = {}
    left = list(words)
    for part in word.parameters:
        if not left:
            break
        if part.kind in (Kind.REST, Kind.FILTERS):
            joined = shlex.join if part.kind is Kind.FILTERS else " ".join
            given[part.name] = joined(left)
            left = []
        elif not part.yields or left[0].lower() in part.choices:
            given[part.name] = left.pop(0)
    if left:
        raise _refused(f'"{_shown(left[0])}" is too much. {usage}')
    return given


def _value(part: Part, text: str, usage: str) -> Value:
    match part.kind:
        case Kind.WHOLE:
            if not text.isascii() or not text.isdecimal() or int(text[:20]) > WHOLE_MAX:
                raise _wrong(part, text, "a whole number", usage)
            return int(text)
        case Kind.USD:
            found = _USD.fullmatch(text.replace(",", ""))
            if found is None:
                raise _wrong(part, text, "an amount of USD", usage)
            return Decimal(found[1])
        case Kind.SHARE:
            if _SHARE.fullmatch(text) is None or Decimal(text) > 1:
                raise _wrong(part, text, "a share from 0 to 1", usage)
            return Decimal(text)
        case Kind.FLAG:
            return text == "true"
        case Kind.FILTERS:
            return _filters(text)
        case _:
            return _chosen(part, text, usage) if part.choices else text


def _chosen(part: Part, text: str, usage: str) -> str:
    """One of the choices, in whichever spelling."""
    found = next((one for one in part.choices if _plain(one) == _plain(text)), None)
    if found is None:
        raise _wrong(part, text, f"one of {', '.join(part.choices)}", usage)
    return found


def _filters(text: str) -> Mapping[str, str]:
    filters: dict[str, str] = {}
    for word in shlex.split(text):
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise _refused(f'"{_shown(word)}" is no filter: write NAME=VALUE, as provider=openai.')
        filters[name.replace("-", "_").lower()] = value
    return filters


def _wrong(part: Part, text: str, wanted: str, usage: str) -> InvalidInput:
    return _refused(f'{part.name}: "{_shown(text)}" is not {wanted}. {usage}', part.name)


def _refused(detail: str, field: str = "command") -> InvalidInput:
    return InvalidInput(detail, FieldFault(field, detail), code=INVALID)


def _plain(name: str) -> str:
    """A name in one spelling: `Get_Usage` is `get-usage`."""
    return name.replace("_", "-").lower()


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"
