"""A store that Rhetor's own class wrote, taken over: ours answers as Rhetor did over it."""

import asyncio
import json
import shutil
from datetime import datetime
from pathlib import Path

from tests.frontends.tekton.comparing import differences
from tests.frontends.tekton.rhetor.conftest import Clock, Make
from tests.frontends.tekton.rhetor.player import Player, Side

from tekton_budget.frontends.tekton import rhetor

FOLDER = Path(__file__).parents[3] / "recordings" / "tekton"
TOLD = json.loads((FOLDER / "rhetor_store.json").read_text())
NAMES = {name: getattr(rhetor, name) for name in rhetor.__all__}


def test_sums_rows_limits_and_checks_are_those_of_rhetor(
    make: Make, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "rhetor.db"
    shutil.copy(FOLDER / "rhetor_store.sqlite", path)
    as_of = datetime.fromisoformat(TOLD["starts_at"])
    clock.move(as_of)
    manager = make(db_path=str(path))
    report = asyncio.run(manager.migrate_from_rhetor())
    assert report["verified"]
    assert report["usage"]["new"] == 130

    side = Side(NAMES, lambda _: manager, clock.move, lambda *_: None)
    steps = TOLD["steps"]
    made = {"call": "BudgetManager", "answer": None}
    answers = Player(side, as_of).play({"steps": [made, *steps]})[1:]
    found = [
        one
        for one in differences("store", steps, answers)
        if not one["field"].endswith(".detail")  # which Rhetor has not
    ]

    assert found == []
