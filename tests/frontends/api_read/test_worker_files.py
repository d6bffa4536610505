"""Files of workers that have just begun or just ended do not keep anyone from the metrics."""

from pathlib import Path

import pytest

from tekton_budget.frontends.api.metrics import DIRECTORY_VARIABLE, Metrics
from tekton_budget.service.reporting.overview import Counts


def test_an_empty_file_and_one_taken_away_count_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path))
    (tmp_path / "counter_1.db").touch()
    (tmp_path / "gauge_livesum_2.db").symlink_to(tmp_path / "taken away")

    text = Metrics().text(Counts(active_allocations=3, unnumbered_events=0, policies=()), 0)

    assert b"tekton_budget_active_allocations 3.0" in text
