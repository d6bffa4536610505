"""Answers of an original beside ours, field by field, and the table of what is meant to differ."""

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

Json = Any  # decoded JSON
NOTHING = "(nothing)"


def assert_as_meant(table: list[Json], scenario: str, steps: list[Json], ours: list[Json]) -> None:
    """What differs is what the table says, and all that it says differs."""
    assert _lines(differences(scenario, steps, ours)) == _lines(meant(table, scenario))


def assert_complete(table: list[Json], scenarios: Collection[str]) -> None:
    """Every difference has a reason, and stands somewhere."""
    for entry in table:
        assert set(entry) == {"method", "field", "original", "ours", "why", "where"}
        assert all(entry[name].strip() for name in ("method", "field", "original", "ours", "why"))
        assert entry["where"]
        assert {one["scenario"] for one in entry["where"]} <= set(scenarios)


def differences(scenario: str, steps: list[Json], ours: list[Json]) -> Iterator[Json]:
    """Each field that is not the same, with where it stands."""
    for number, (step, answer) in enumerate(zip(steps, ours, strict=True), 1):
        told = {name: step[name] for name in ("answer", "raised", "events") if name in step}
        first, second = dict(_fields(told)), dict(_fields(answer))
        for field in {**first, **second}:
            pair = first.get(field, NOTHING), second.get(field, NOTHING)
            if pair[0] != pair[1] or type(pair[0]) is not type(pair[1]):
                yield {
                    "scenario": scenario,
                    "step": number,
                    "method": step["call"],
                    "field": field,
                    "original": pair[0],
                    "ours": pair[1],
                }


def meant(table: list[Json], scenario: str) -> list[Json]:
    """What a table says of a scenario, in the form of `differences`."""
    return [
        {"scenario": scenario, "step": step, "method": entry["method"], **fields}
        for entry in table
        for step, fields in (
            (one["step"], {name: one[name] for name in ("field", "original", "ours")})
            for one in entry["where"]
            if one["scenario"] == scenario
        )
    ]


def _fields(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _fields(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for position, one in enumerate(value):
            yield from _fields(one, f"{path}[{position}]")
    else:
        yield path, value


def _lines(found: Iterable[Json]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in found)
