"""The zone in which days are cut: a store has one, for its sums of days would not fit another."""

from sqlalchemy import text

from tekton_budget.domain.errors import BudgetError
from tekton_budget.storage import statements as sql
from tekton_budget.storage import tables
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rollup import DAY, Rollup
from tekton_budget.storage.rows.kept import KeptRows
from tekton_budget.storage.schema import told
from tekton_budget.storage.store import Store
from tekton_budget.storage.ticket import Exclusively


def kept_zone(store: Store, zone: str, *, given: bool) -> str:
    """The store's zone, which the first start decides; another one that is `given` is refused."""
    with told(store), store.engine.begin() as connection:
        known = connection.execute(text("SELECT timezone FROM meta")).scalar_one()
        if known is None:
            first = text("UPDATE meta SET timezone = :zone WHERE timezone IS NULL")
            connection.execute(first, {"zone": zone})
            known = connection.execute(text("SELECT timezone FROM meta")).scalar_one()
    if given and known != zone:
        raise BudgetError(
            f"The setting timezone is {zone}, but the days of reports in {store.shown()} are cut "
            f"in {known}: sums of whole days would be wrong. Set BUDGET_TIMEZONE={known}, or leave "
            "it out. To cut them anew, stop what runs on this database, then run: "
            f"tekton-budget db rezone {zone}",
            code="timezone_differs",
        )
    return str(known)


def rezone(alone: Exclusively, reader: Reader, zone: str) -> int:
    """Cut all days anew, in the one transaction; how many usage records were summed.

    Nobody else writes meanwhile. Writers that run on with the old zone find out by the generation.
    """
    session, rows = alone.session, KeptRows(reader)
    session.execute(f"DELETE FROM rollups WHERE kind = '{DAY}'")
    rollup, add = Rollup(zone), session.statements.add
    statement = add(tables.rollups, sql.ROLLUP_KEY, sql.ROLLUP_ADDED)
    count, after = 0, -1
    while page := rows.usage(after):
        sums = rollup.sums(record for _, record in page)
        days = [(*key, session.slot, *more) for key, more in sorted(sums.items()) if key[0] == DAY]
        session.write(statement, days)
        count, after = count + len(page), page[-1][0]
    mark = session.statements.mark
    change = f"UPDATE meta SET timezone = {mark}, policy_generation = policy_generation + 1"
    session.execute(change, (zone,))
    alone.cache.zone = zone
    return count
