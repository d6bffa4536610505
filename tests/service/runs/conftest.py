"""A service over a fresh store, with a clock that is moved by hand, and runs whose looks are never stale."""

import pytest

from ..writing.conftest import Clock, clock, quick, running

__all__ = ["Clock", "clock", "quick", "running"]


@pytest.fixture(autouse=True)
def looked_up_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tekton_budget.service.runs.passing.FRESH_SECONDS", -1.0)
