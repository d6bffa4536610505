"""What Rhetor's own class answered, call by call, and what ours does: the same, but for a table."""

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.frontends.tekton.comparing import differences, meant
from tests.frontends.tekton.rhetor.conftest import Clock, Make
from tests.frontends.tekton.rhetor.player import Player, Side

from tekton_budget.frontends.tekton import rhetor

FOLDER = Path(__file__).parents[3] / "recordings" / "tekton"
RECORDING = json.loads((FOLDER / "rhetor_calls.json").read_text())
TABLE = json.loads((FOLDER / "rhetor_differences.json").read_text())
SCENARIOS = {one["name"]: one for one in RECORDING["scenarios"]}
NAMES = {name: getattr(rhetor, name) for name in rhetor.__all__}


# The store matters where sums, windows and limits are read; so these run on both.
ON_BOTH = (
    "usage by texts",
    "days, weeks and months, over the change of the clock",
    "limits set and read",
    "routes",
)


@pytest.mark.parametrize(
    ("name", "store_url"),
    [(name, "sqlite") for name in SCENARIOS] + [(name, "postgresql") for name in ON_BOTH],
    indirect=["store_url"],
)
def test_a_call_is_answered_as_by_rhetor(
    name: str,
    make: Make,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "tekton_budget")
    side = Side(NAMES, lambda path: make(db_path=path), clock.move, monkeypatch.setenv)
    player = Player(side, datetime.fromisoformat(RECORDING["starts_at"]))
    answers = player.play(SCENARIOS[name])
    found = list(differences(name, SCENARIOS[name]["steps"], answers))

    assert _lines(found) == _lines(meant(TABLE, name))


def test_every_difference_has_a_reason_and_a_place() -> None:
    for entry in TABLE:
        assert set(entry) == {"method", "field", "original", "ours", "why", "where"}
        assert all(entry[name].strip() for name in ("method", "field", "original", "ours", "why"))
        assert entry["where"]
        assert {one["scenario"] for one in entry["where"]} <= set(SCENARIOS)


def _lines(found: list[Any]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in found)
