"""The plans of reads that must stay flat: by an index, never through a table, never sorted whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tekton_budget.storage.housekeeping import unnumbered_count
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.allocations import AllocationFilter, AllocationPlace, AllocationRows
from tekton_budget.storage.rows.balances import BalanceRows
from tekton_budget.storage.rows.decisions import DecisionRows
from tekton_budget.storage.rows.kept import KeptRows, RollupKey
from tekton_budget.storage.rows.sums import UsageSums
from tekton_budget.storage.rows.usages import Place, UsageFilter, UsageRows
from tekton_budget.storage.schema import prepare
from tekton_budget.storage.store import Store

DAY_US = 86_400_000_000
KEY = RollupKey("day", "team", 5, "a", "openai", "gpt-5")

READS: dict[str, Callable[[Reader], object]] = {
    "groups by share": lambda r: BalanceRows(r).by_share(1, 0, limit=20),
    "groups by share, further": lambda r: BalanceRows(r).by_share(1, 0, limit=20, after=(7, "a")),
    "groups by name": lambda r: BalanceRows(r).by_group(1, 0, limit=20, after="alice"),
    "windows": lambda r: BalanceRows(r).history(1, limit=20, after="1:5:alice"),
    "windows of a group": lambda r: BalanceRows(r).history(1, limit=20, group="alice"),
    "balances by id": lambda r: BalanceRows(r).stored(["1:0:a", "1:0:b"]),
    "how many groups": lambda r: BalanceRows(r).group_count(1, 0),
    "newest records": lambda r: UsageRows(r).walk(UsageFilter(), limit=20),
    "records behind a place": lambda r: UsageRows(r).walk(
        UsageFilter(5, 99), limit=20, after=Place(50, 7)
    ),
    "records of an allocation": lambda r: UsageRows(r).walk(
        UsageFilter(allocation_id="x"), limit=20
    ),
    "a record": lambda r: UsageRows(r).by_id("x"),
    "where a slice of records ends": lambda r: UsageRows(r).slice_end(UsageFilter(5), Place(50, 7)),
    "newest allocations": lambda r: AllocationRows(r).walk(AllocationFilter(), limit=20),
    "allocations behind a place": lambda r: AllocationRows(r).walk(
        AllocationFilter(), limit=20, after=AllocationPlace(5, "a", "")
    ),
    "an allocation": lambda r: AllocationRows(r).by_id("x"),
    "what is due": lambda r: AllocationRows(r).due(5, 200),
    "active allocations counted": lambda r: AllocationRows(r).active_count(),
    "events to be numbered": unnumbered_count,
    "entries to verify": lambda r: KeptRows(r).entries(5, 99),
    "usage to verify": lambda r: KeptRows(r).usage(5, 99),
    "balances to verify": lambda r: KeptRows(r).balances("1:0:a"),
    "rollups to verify": lambda r: KeptRows(r).rollups(KEY),
    "decisions of a time": lambda r: DecisionRows(r).counted(from_us=5, to_us=99),
    "a month by one label": lambda r: UsageSums(r).by(
        UsageFilter(0, 31 * DAY_US, labels={"team": "a"}), ("model",)
    ),
}
# Sorted, but few: groups of a sum, and active allocations of all that ever were.
SORTED = {
    "a month by one label",
    "decisions of a time",
    "groups by share, further",
    "records of an allocation",
}


@contextmanager
def statements_of(reader: Reader) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the store, as the driver takes it."""
    sent: list[tuple[str, Any]] = []

    def note(
        connection: Connection, cursor: object, statement: str, parameters: Any, *rest: object
    ) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            sent.append((statement, parameters))

    event.listen(reader.store.engine, "before_cursor_execute", note)
    yield sent
    event.remove(reader.store.engine, "before_cursor_execute", note)


@pytest.fixture
def reader(store_url: str) -> Iterator[Reader]:
    store = Store(store_url)
    prepare(store)
    yield Reader(store)
    store.close()


def test_no_read_of_many_rows_looks_through_a_table(reader: Reader) -> None:
    for name, read in READS.items():
        with statements_of(reader) as sent:
            read(reader)
        assert sent, name
        with reader.store.engine.connect() as connection:
            if reader.is_postgresql:
                connection.exec_driver_sql("SET enable_seqscan = off")
                connection.exec_driver_sql("SET enable_bitmapscan = off")
            for statement, parameters in sent:
                explain = "EXPLAIN" if reader.is_postgresql else "EXPLAIN QUERY PLAN"
                rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
                plan = "\n".join(str(row[-1]) for row in rows)
                story = (name, statement, plan)
                if reader.is_postgresql:
                    assert "Seq Scan" not in plan, story
                    whole = [
                        line for line in plan.splitlines() if line.lstrip(" ->")[:6] == "Sort  "
                    ]
                    assert whole == [] or name in SORTED, story
                else:
                    through = [
                        line
                        for line in plan.splitlines()
                        if line.startswith("SCAN") and "INDEX" not in line and "(" not in line
                    ]
                    assert through == [], story
                    assert "TREE FOR ORDER BY" not in plan or name in SORTED, story
