"""Every arm, ours and the foils, keeps to the four verbs where nobody races it."""

import itertools
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tekton_budget.proof.adapter import (
    Adapter,
    Arm,
    Budget,
    Changing,
    Clamping,
    Granted,
    NotOffered,
    Unit,
    Verifying,
    arm_named,
)
from tekton_budget.proof.crew import close
from tekton_budget.proof.foils import FOILS, FoilArm
from tekton_budget.proof.ours import OursArm
from tekton_budget.proof.stores import NoPostgres, Place, fsync_ms, postgres_server

NAMES = itertools.count()
HOLDING = ("ours", "read-then-write", "optimistic", "guarded UPDATE")
SAFE_TO_REPEAT = ("ours", "optimistic", "guarded UPDATE")


def arm_of(name: str, place: Place) -> Arm:
    return OursArm(place) if name == "ours" else FoilArm(FOILS[name], place)


@pytest.fixture
def budget() -> Budget:
    return Budget(f"arms-{time.time_ns()}-{next(NAMES)}", 100)


@pytest.fixture
def adapter(request: pytest.FixtureRequest, place: Place, budget: Budget) -> Iterator[Adapter]:
    connect = arm_of(request.param, place)(budget)
    adapter = pickle.loads(pickle.dumps(connect))()  # as another process gets it
    yield adapter
    close(adapter)
    place.remove(budget.name)


@pytest.mark.parametrize("adapter", HOLDING, indirect=True)
def test_what_is_held_is_not_free(adapter: Adapter) -> None:
    assert adapter.reserve(60, "a", "") == Granted("a", 60)
    assert adapter.reserve(41, "b", "") is None
    assert adapter.reserve(40, "c", "") == Granted("c", 40)
    adapter.settle("a", 50)
    adapter.release("c")

    assert adapter.spent("") == 50
    assert adapter.reserve(50, "d", "") == Granted("d", 50)


@pytest.mark.parametrize("adapter", SAFE_TO_REPEAT, indirect=True)
def test_what_is_repeated_counts_once(adapter: Adapter) -> None:
    for _ in range(2):
        assert adapter.reserve(60, "a", "") == Granted("a", 60)
    for _ in range(2):
        adapter.settle("a", 30)

    assert adapter.spent("") == 30
    assert adapter.reserve(60, "a", "") == Granted("a", 60)
    assert adapter.spent("") == 30


@pytest.mark.parametrize("adapter", ["ours", *FOILS], indirect=True)
def test_an_id_that_nobody_asked_for_cannot_be_settled(adapter: Adapter) -> None:
    with pytest.raises(Exception, match="nobody"):
        adapter.settle("nobody", 1)


@pytest.mark.parametrize("adapter", ["after the fact"], indirect=True)
def test_what_is_counted_after_the_fact_is_let_through_before(adapter: Adapter) -> None:
    assert adapter.reserve(99, "a", "") == Granted("a", 99)
    assert adapter.reserve(99, "b", "") == Granted("b", 99)
    adapter.settle("a", 99)
    adapter.settle("b", 99)

    assert adapter.reserve(1, "c", "") is None
    assert adapter.spent("") == 198


@pytest.mark.parametrize("name", ["ours", *FOILS])
def test_each_group_has_the_limit_to_itself(name: str, place: Place) -> None:
    budget = Budget(f"groups-{time.time_ns()}-{next(NAMES)}", 100, Unit.TOKENS, per_group=True)
    adapter = arm_of(name, place)(budget)()
    for group in ("x", "y"):
        assert adapter.reserve(100, f"a-{group}", group)
        adapter.settle(f"a-{group}", 100)
        assert adapter.reserve(1, f"b-{group}", group) is None
        assert adapter.spent(group) == 100
    close(adapter)
    place.remove(budget.name)


@pytest.mark.parametrize("adapter", ["ours"], indirect=True)
def test_ours_can_do_more(adapter: Adapter) -> None:
    assert isinstance(adapter, Clamping)
    assert isinstance(adapter, Changing)
    assert isinstance(adapter, Verifying)
    adapter.change_limit(40)
    assert adapter.reserve(41, "a", "") is None
    adapter.credit(10, "credit")
    assert adapter.reserve(50, "b", "")
    adapter.settle("b", 45)
    adapter.change_limit(1000)
    adapter.add_limit(50)  # what was spent before counts
    assert adapter.reserve(6, "c", "") is None
    assert adapter.reserve(5, "d", "")

    assert adapter.differences() == 0


def test_a_stream_is_clamped_to_what_is_left(place: Place) -> None:
    budget = Budget(f"clamp-{time.time_ns()}", 1000, Unit.TOKENS)
    adapter = OursArm(place)(budget)()
    assert isinstance(adapter, Clamping)

    assert adapter.reserve_up_to(900, "a", "", 100) == Granted("a", 900)
    assert adapter.reserve_up_to(900, "b", "", 101) is None
    assert adapter.reserve_up_to(900, "c", "", 100) == Granted("c", 100)
    close(adapter)
    place.remove(budget.name)


@pytest.mark.parametrize("name", FOILS)
def test_a_counter_has_no_windows(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotOffered):
        arm_of(name, Place(folder=tmp_path))(Budget("window", 1, turns_at_ns=1))


def test_a_factory_is_named_by_its_module() -> None:
    assert arm_named("json:dumps")([1]) == "[1]"
    with pytest.raises(ValueError, match="MODULE:FACTORY"):
        arm_named("json")


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "nonsense"])
def test_a_server_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(NoPostgres, match="no PostgreSQL"), postgres_server(url):
        pass


def test_a_named_server_is_used_as_it_is(postgres_server: str) -> None:
    from tekton_budget.proof import stores

    with stores.postgres_server(postgres_server) as place:
        assert place == Place(url=postgres_server)


def test_a_disk_takes_its_time(tmp_path: Path) -> None:
    assert fsync_ms(tmp_path, times=2) > 0
