"""What Rhetor's own class answered, call by call, and what ours does: the same, but for a table."""

import json
import logging
from datetime import datetime
from pathlib import Path

import pytest
from tests.frontends.tekton.comparing import assert_as_meant, assert_complete
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

    assert_as_meant(TABLE, name, SCENARIOS[name]["steps"], answers)


def test_every_difference_has_a_reason_and_a_place() -> None:
    assert_complete(TABLE, SCENARIOS)
