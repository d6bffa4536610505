"""What Apollo's own class answered, call by call, and what ours does: the same, but for a table."""

import json
import logging
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from tests.frontends.tekton.apollo.conftest import Clock
from tests.frontends.tekton.apollo.player import Player, Side
from tests.frontends.tekton.comparing import assert_as_meant, assert_complete

from tekton_budget.frontends.tekton import apollo

FOLDER = Path(__file__).parents[3] / "recordings" / "tekton"
RECORDING = json.loads((FOLDER / "apollo_calls.json").read_text())
TABLE = json.loads((FOLDER / "apollo_differences.json").read_text())
SCENARIOS = {one["name"]: one for one in RECORDING["scenarios"]}
NAMES = {n: getattr(apollo, n) for n in apollo.__all__ if not n.endswith("Adapter")}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_is_answered_as_by_apollo(
    name: str, sqlite_url: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tekton_budget")
    side = Side(NAMES, partial(apollo.TokenBudgetManager, database_url=sqlite_url), clock.move)
    player = Player(side, datetime.fromisoformat(RECORDING["starts_at"]))
    answers = player.play(SCENARIOS[name])

    assert_as_meant(TABLE, name, SCENARIOS[name]["steps"], answers)


def test_every_difference_has_a_reason_and_a_place() -> None:
    assert_complete(TABLE, SCENARIOS)
