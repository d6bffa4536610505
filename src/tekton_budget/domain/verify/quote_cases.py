"""Files of quotes to judge, with the decision expected, if any: the format `verify-cases/1`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tekton_budget.domain.errors import InvalidInput, invalid

from .guards import is_amount
from .judge import judge
from .quote import Quote
from .verdict import Status, Verdict

FORMAT = "verify-cases/1"
UNIT = "USD per 1,000,000 tokens"
SOURCES_MAX = 100  # of one model; there are some ten

# The file's words for what is decided.
DECISIONS = {
    Status.VERIFIED: "accepted",
    Status.DISPUTED: "conflict",
    Status.SINGLE_SOURCE: "single_source",
    Status.QUARANTINED: "quarantined",
    Status.REJECTED: "rejected",
}
_DESCRIPTIVE = ("listed_as", "currency", "mode", "as_of")
_SPELLINGS = {"cache_write": "cache_write_5m"}  # a write whose time to live is not told

Json = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class QuoteCase:
    """One case: the quotes for a model, and what the file expects of the decision."""

    provider: str
    model: str
    quotes: tuple[Quote, ...]
    expected: Json | None


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case decided, ready to print."""

    provider: str
    model: str
    decision: str
    value: str  # `3/15`: USD per 1,000,000 tokens in and out; empty where nothing is decided
    reasons: tuple[str, ...]
    suggested: str
    suggested_why: str
    differs: str  # what is not as the file expects; empty if all is
    verdict: Verdict


def check_quotes(document: object) -> list[CaseRow]:
    """Every case of a parsed file decided; numbers are texts, integers or decimals.

    Refuses what is not of the format; what is no price within it is for the guards to say.
    """
    return [_row(case) for case in quote_cases(document)]


def quote_cases(document: object) -> list[QuoteCase]:
    """The cases of a parsed file."""
    file = _object(document, "file")
    if file.get("format") != FORMAT:
        raise _fault("format", f'is {file.get("format")!r}; send a file with "format": "{FORMAT}"')
    if file.get("unit", UNIT) != UNIT:
        raise _fault("unit", f"is {file['unit']!r}; only {UNIT!r} is understood")
    cases = file.get("cases")
    if not isinstance(cases, list):
        raise _fault("cases", "send a list of cases")
    return [_case(raw, f"case {number}") for number, raw in enumerate(cases, 1)]


def _case(raw: object, where: str) -> QuoteCase:
    case = _object(raw, where)
    provider, model = _text(case, "provider", where), _text(case, "model", where)
    as_of = _date(case, where)
    quotes = []
    sources = _object(case.get("quotes"), f"{where}, quotes")
    if len(sources) > SOURCES_MAX:
        raise _fault(f"{where}, quotes", f"send at most {SOURCES_MAX} sources: each meets each")
    for source, told in sources.items():
        place = f"{where}, quotes.{source}"
        one = _object(told, place)
        quotes.append(
            Quote(
                source=source,
                provider=provider,
                model=model,
                rates={
                    _SPELLINGS.get(name, name): _rate(rate)
                    for name, rate in one.items()
                    if name not in _DESCRIPTIVE and rate is not None
                },
                listed_as=_text(one, "listed_as", place, ""),
                currency=_text(one, "currency", place, "USD"),
                mode=_text(one, "mode", place, "") or None,
                as_of=_date(one, place) or as_of,
            )
        )
    return QuoteCase(provider, model, tuple(quotes), _expected(case, where))


def _expected(case: Json, where: str) -> Json | None:
    if case.get("expected") is None:
        return None
    place = f"{where}, expected"
    expected = _object(case["expected"], place)
    words = [*DECISIONS.values(), *Status]
    if expected.get("status", words[0]) not in words:
        raise _fault(
            f"{place}.status", f"is {expected['status']!r}; send one of {', '.join(words)}"
        )
    for name in ("input", "output"):
        rate = expected.get(name)
        if rate is not None and not is_amount(_rate(rate)):
            raise _fault(f"{place}.{name}", f"is {rate!r}; send a decimal number as text")
    if not _is_names(expected.get("dissenting", [])):
        raise _fault(f"{place}.dissenting", "send a list of sources")
    groups = expected.get("agreeing_groups", [])
    if not isinstance(groups, list) or not all(_is_names(group) for group in groups):
        raise _fault(f"{place}.agreeing_groups", "send a list of lists of sources")
    return expected


def _row(case: QuoteCase) -> CaseRow:
    verdict = judge(case.quotes)
    return CaseRow(
        case.provider,
        case.model,
        DECISIONS.get(verdict.status, verdict.status.value),
        _value_text(verdict),
        verdict.reasons,
        _pair_text(verdict.suggested),
        verdict.suggested_why,
        "; ".join(_differences(verdict, case.expected or {})),
        verdict,
    )


def _differences(verdict: Verdict, expected: Json) -> list[str]:
    """What is not as expected; what the file does not name is not compared."""
    found = []
    for name, (seen_of, wanted_of) in _COMPARED.items():
        if name not in expected:
            continue
        seen, wanted = seen_of(verdict), wanted_of(expected[name])
        if seen != wanted:
            found.append(f"{name} is {_shown(seen)}, expected {_shown(wanted)}")
    return found


def _decision_word(status: str) -> str:
    return DECISIONS.get(Status(status), status) if status in list(Status) else status


def _of_value(name: str) -> Callable[[Verdict], object]:
    return lambda verdict: _judged(verdict).get(name)


def _judged(verdict: Verdict) -> Mapping[str, Decimal]:
    """The value decided; that of a single source even where it is not believed alone."""
    if verdict.status is Status.SINGLE_SOURCE:
        return verdict.rates or verdict.suggested
    return verdict.rates


def _wanted_rate(rate: object) -> Decimal | None:
    return None if rate is None else _rate(rate)


_COMPARED: dict[str, tuple[Callable[[Verdict], object], Callable[[Any], object]]] = {  # Any: JSON
    "status": (lambda verdict: _decision_word(verdict.status), _decision_word),
    "input": (_of_value("input"), _wanted_rate),
    "output": (_of_value("output"), _wanted_rate),
    "dissenting": (lambda verdict: frozenset(verdict.dissenting), frozenset),
    "agreeing_groups": (
        lambda verdict: frozenset(frozenset(group) for group in verdict.groups),
        lambda groups: frozenset(frozenset(group) for group in groups),
    ),
}


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        shown = sorted(_shown(one) for one in value)
        return f"[{', '.join(shown)}]"
    return f"{value:f}" if isinstance(value, Decimal) else "none" if value is None else str(value)


def _value_text(verdict: Verdict) -> str:
    return _pair_text(_judged(verdict))


def _pair_text(rates: Mapping[str, Decimal]) -> str:
    told = [f"{rates[name]:f}" if name in rates else "-" for name in ("input", "output")]
    return "/".join(told) if rates else ""


def _rate(raw: object) -> Decimal:
    """A rate as the file has it; what is no number becomes one that the guards refuse."""
    if isinstance(raw, Decimal):
        return raw
    if isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool)):
        try:
            return Decimal(raw)
        except InvalidOperation:
            pass
    return Decimal("NaN")


def _object(raw: object, where: str) -> Json:
    if not isinstance(raw, Mapping):
        raise _fault(where, "send an object")
    return raw


def _text(raw: Json, name: str, where: str, default: str | None = None) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise _fault(f"{where}.{name}", "send a text")
    return value


def _date(raw: Json, where: str) -> date | None:
    if raw.get("as_of") is None:
        return None
    try:
        return date.fromisoformat(raw["as_of"])
    except (TypeError, ValueError) as error:
        raise _fault(f"{where}.as_of", "send a date such as 2026-08-21") from error


def _is_names(raw: object) -> bool:
    return isinstance(raw, list) and all(isinstance(name, str) for name in raw)


def _fault(where: str, message: str) -> InvalidInput:
    return invalid(where, message, code="invalid_file")
