"""Reading: what is in force is read again only when it changed, and cuts wait for who is under way."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tekton_budget.domain.errors import Unavailable
from tekton_budget.domain.policy_set import PolicySet
from tekton_budget.domain.price import PriceBook
from tekton_budget.storage import reading, tables
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.schema import prepare
from tekton_budget.storage.session import POLICY_LOCK
from tekton_budget.storage.store import Store

ENTRY = (
    "INSERT INTO journal (batch_id, at_us, kind, key_id, object_id, postings, digest) "
    "VALUES ('b', 1, 'k', '', 'o', '[]', '') RETURNING no"
)


@pytest.fixture
def reader(store_url: str) -> Iterator[Reader]:
    store = Store(store_url)
    prepare(store)
    yield Reader(store)
    store.close()


def raise_generation(reader: Reader, column: str) -> None:
    with reader.store.engine.begin() as connection:
        connection.execute(text(f"UPDATE meta SET {column} = {column} + 1"))


def test_policies_and_prices_are_read_again_when_they_changed(reader: Reader) -> None:
    policies, book = reader.policies(), reader.book()
    assert reader.policies() is policies
    assert reader.book() is book

    raise_generation(reader, "policy_generation")
    assert reader.policies() is not policies
    assert reader.policies().generation == 1
    assert reader.book() is book
    raise_generation(reader, "price_generation")
    assert reader.book() is not book


def test_who_read_slowly_does_not_put_back_what_was_in_force(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, dearer = PolicySet(generation=7), PriceBook()
    read = reading._all

    def slowly(connection: object, table: object) -> list[dict[str, object]]:
        reader._policies = newer
        reader._book, reader._price_generation = dearer, 7
        return read(connection, table)

    monkeypatch.setattr(reading, "_all", slowly)
    monkeypatch.setattr(reading, "_rows", lambda connection, table, _: slowly(connection, table))

    assert reader.policies() is not newer
    assert reader._policies is newer
    reader._price_generation = -1
    assert reader.book() is not dearer
    assert reader._book is dearer


def test_a_snapshot_sees_one_moment(reader: Reader) -> None:
    query = select(tables.meta.c.policy_generation)
    with reader.snapshot() as connection:
        first = connection.execute(query).scalar_one()
        raise_generation(reader, "policy_generation")
        assert connection.execute(query).scalar_one() == first

    assert reader.rows(query) == [(first + 1,)]


def test_a_cut_waits_for_batches_under_way(postgres_url: str) -> None:
    store = Store(postgres_url)
    prepare(store)
    reader = Reader(store)
    found: list[int] = []
    with store.engine.connect() as batch:
        batch.execute(text(f"SELECT pg_advisory_xact_lock_shared({POLICY_LOCK})"))
        first = batch.execute(text(ENTRY)).scalar_one()
        with store.engine.begin() as quicker:
            second = quicker.execute(text(ENTRY)).scalar_one()
        cut = threading.Thread(target=lambda: found.append(reader.last_number(tables.journal)))
        cut.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        with store.engine.connect() as watcher:
            while cut.is_alive() and not watcher.execute(waiting).scalar_one():
                pass
        assert found == []  # the first is not there to be read yet
        batch.commit()
    cut.join()

    assert found == [second]
    assert first < second
    store.close()


def test_a_store_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    store = Store(f"sqlite:///{folder / 'budget.db'}")
    prepare(store)
    reader = Reader(store)
    store.close()
    folder.rename(tmp_path / "elsewhere")

    for read in (reader.policies, lambda: reader.last_number(tables.journal)):
        with pytest.raises(Unavailable) as refusal:
            read()
        assert refusal.value.code == "store_away"


def test_the_clock_is_the_stores_unless_one_is_given(reader: Reader) -> None:
    assert abs(reader.now_us() - reader.store.now_us()) < 60_000_000
    assert Reader(reader.store, clock=lambda: 5).now_us() == 5
