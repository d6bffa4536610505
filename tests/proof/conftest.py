"""What the proof's tests share: one crew of processes for a module, and both stores as places."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tekton_budget.proof.crew import Crew
from tekton_budget.proof.stores import Place


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    crew = Crew(tmp_path_factory.mktemp("crew"))
    yield crew
    crew.dismiss()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place: the test runs once on each store."""
    if request.param == "sqlite":
        return Place(folder=tmp_path)
    return Place(url=request.getfixturevalue("postgres_server"))
