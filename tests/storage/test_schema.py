"""The schema: the revisions make what the tables say, and only what fits is opened."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool
from tests.storage.workbench import new_policy

import tekton_budget.storage
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.price import card_json
from tekton_budget.storage import schema, tables
from tekton_budget.storage.packing import policy_from_row, policy_spec
from tekton_budget.storage.rows.keys import COLUMNS as KEY_COLUMNS
from tekton_budget.storage.rows.keys import key_from_row
from tekton_budget.storage.rows.prices import _card
from tekton_budget.storage.schema import (
    HEAD,
    REVISIONS,
    SchemaState,
    prepare,
    run_revisions,
    schema_state,
    upgrade,
)
from tekton_budget.storage.store import Store

MIGRATIONS = Path(tekton_budget.storage.__file__).with_name("migrations")


def engine_of(store: Store):
    url = store.url.set(drivername="postgresql+psycopg") if store.is_postgresql else store.url
    return create_engine(url, poolclass=NullPool)


def described(store: Store) -> dict[str, object]:
    """Everything about the schema that the database itself can tell."""
    engine = engine_of(store)
    with engine.connect() as connection:
        if not store.is_postgresql:
            query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
            rows = connection.execute(text(query)).all()
            return {
                name: sorted(re.findall(r"\w+|[^\w\s]", p) for p in sql.split(","))
                for name, sql in rows
                if sql
            }
        looked = inspect(connection)
        queries = {
            "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default, "
            "collation_name, is_identity, identity_generation FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2",
            "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2",
            "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
            "options": "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL "
            "AND relnamespace = 'public'::regnamespace ORDER BY 1",
        }
        found = {name: connection.execute(text(sql)).all() for name, sql in queries.items()}
        return {"tables": sorted(looked.get_table_names()), **found}


def forget(store: Store) -> None:
    with engine_of(store).begin() as connection:
        tables.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))


def test_the_revisions_make_exactly_the_tables(new_store_url: str) -> None:
    store = Store(new_store_url)
    prepare(store)
    at_once = described(store)
    forget(store)

    with schema._alone(store) as connection:
        run_revisions(connection)

    assert described(store) == at_once


def test_every_revision_is_known_by_name_and_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    assert tuple(s.revision for s in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_a_fresh_store_is_made_once_and_then_left_alone(new_store_url: str) -> None:
    store = Store(new_store_url)
    assert schema_state(store) is SchemaState.FRESH

    assert upgrade(store) == list(REVISIONS)

    assert schema_state(store) is SchemaState.CURRENT
    assert upgrade(store) == []
    with engine_of(store).connect() as connection:
        installed = connection.execute(text("SELECT installation_id FROM meta")).all()
    assert len(installed) == 1


def test_to_look_at_a_store_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    path = tmp_path / "budget.db"

    assert schema_state(Store(f"sqlite:///{path}")) is SchemaState.FRESH
    assert not path.exists()


PRICE_COLUMNS_OF_0001 = (
    "price_id, provider, model, input_atto, output_atto, cache_read_atto, cache_write_atto, "
    "request_atto, valid_from_us, valid_to_us, known_since_us, source"
)


def set_version(store: Store, version: str) -> None:
    with engine_of(store).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})


def test_an_older_store_is_migrated_when_embedded_and_refused_otherwise(
    new_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(new_store_url)
    prepare(store)
    monkeypatch.setattr(schema, "REVISIONS", (HEAD, "later"))
    monkeypatch.setattr(schema, "HEAD", "later")
    monkeypatch.setattr(
        schema,
        "run_revisions",
        lambda c: c.execute(text("UPDATE alembic_version SET version_num='later'")),
    )
    assert schema_state(store) is SchemaState.OLDER

    with pytest.raises(BudgetError, match="tekton-budget db upgrade") as refused:
        prepare(store, migrate=False)
    assert refused.value.code == "schema_old"

    prepare(store, migrate=True)
    assert schema_state(store) is SchemaState.CURRENT


def test_a_store_of_the_first_schema_is_migrated_with_what_it_holds(new_store_url: str) -> None:
    store = Store(new_store_url)
    with schema._alone(store) as connection:
        run_revisions(connection, "0001")
        connection.execute(
            text("INSERT INTO meta (id, installation_id, created_us) VALUES (1, 'mine', 7)")
        )
        for row in (
            "('a', 'p', 'm', 250000000001, 2000000000000, 25000000000, NULL, 0, 5, 9, 6, 'manual')",
            "('b', 'p', 'n', 0, 1, NULL, 1250000000000, 5000000000000000, 0, NULL, 0, 'file')",
        ):
            connection.execute(text(f"INSERT INTO prices ({PRICE_COLUMNS_OF_0001}) VALUES {row}"))
        connection.execute(
            text(
                "INSERT INTO keys (key_id, name, role, hash, prefix, max_priority, created_us) "
                "VALUES ('k', 'ci', 'client', 'h', 'tb_live_', 9, 7)"
            )
        )
    assert schema_state(store) is SchemaState.OLDER

    assert upgrade(store) == list(REVISIONS[1:])

    with engine_of(store).connect() as connection:
        query = "SELECT installation_id, created_us, last_position, timezone FROM meta"
        assert connection.execute(text(query)).all() == [("mine", 7, 0, None)]
        rows = connection.execute(text("SELECT * FROM prices ORDER BY price_id")).mappings().all()
        key = key_from_row(connection.execute(text(f"SELECT {KEY_COLUMNS} FROM keys")).one())
    assert (key.name, key.ladder, key.takes_user) == ("ci", (), False)
    cards = [card_json(_card(row)) for row in rows]
    assert [(row["price_id"], row["known_since_us"], row["valid_to_us"]) for row in rows] == [
        ("a", 6, 9),
        ("b", 0, None),
    ]
    assert cards[0]["rates"] == {"input": "0.250000000001", "output": "2", "cache_read": "0.025"}
    assert cards[1]["rates"] == {
        "input": "0",
        "output": "0.000000000001",
        "cache_write_5m": "1.25",
    }
    assert cards[1]["fees"] == {"request": {"usd": "0.005"}}
    assert schema_state(store) is SchemaState.CURRENT


def test_a_policy_stored_before_says_nothing_of_calls_through_the_gateway() -> None:
    policy = new_policy("purse", "1usd/day")
    spec = json.loads(policy_spec(policy))
    for later in ("landing_ppm", "ladder", "hold", "default_output_tokens"):
        del spec[later]
    columns = ("no", "policy_id", "version", "name", "budget_id", "status")
    row = {name: getattr(policy, name) for name in (*columns, "created_us", "updated_us")}

    assert policy_from_row({**row, "spec": json.dumps(spec)}) == policy


def test_a_newer_store_is_refused_with_the_way_out(new_store_url: str) -> None:
    store = Store(new_store_url)
    prepare(store)
    set_version(store, "9999")

    with pytest.raises(BudgetError, match="pip install --upgrade tekton-budget") as refused:
        prepare(store)

    assert refused.value.code == "schema_new"
    assert schema_state(store) is SchemaState.NEWER


def test_tables_of_something_else_are_left_as_they_are(new_store_url: str) -> None:
    store = Store(new_store_url)
    with engine_of(store).begin() as connection:
        connection.execute(text("CREATE TABLE budgets (id TEXT)"))

    with pytest.raises(BudgetError) as refused:
        prepare(store)

    assert refused.value.code == "schema_foreign"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, and they are longer than a header would be " * 20)

    with pytest.raises(BudgetError, match="not a database") as refused:
        prepare(Store(f"sqlite:///{path}"))

    assert refused.value.code == "store_unusable"


def test_many_first_starts_at_once_make_one_store(new_store_url: str) -> None:
    faults: list[BaseException] = []

    def start() -> None:
        try:
            prepare(Store(new_store_url))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert schema_state(Store(new_store_url)) is SchemaState.CURRENT


def test_first_starts_of_several_processes_make_one_store(new_store_url: str) -> None:
    code = (
        "import sys; from tekton_budget.storage.store import Store; "
        "from tekton_budget.storage.schema import prepare; sys.stdin.read(); prepare(Store(sys.argv[1]))"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, new_store_url], stdin=subprocess.PIPE)
        for _ in range(3)
    ]
    for child in children:
        child.stdin.close()

    assert [child.wait(60) for child in children] == [0, 0, 0]
    with engine_of(Store(new_store_url)).connect() as connection:
        assert len(connection.execute(text("SELECT id FROM meta")).all()) == 1


def test_a_store_that_is_up_to_date_starts_without_alembic(sqlite_url: str) -> None:
    prepare(Store(sqlite_url))
    code = (
        "import sys; from tekton_budget.storage.store import Store; "
        "from tekton_budget.storage.schema import prepare; prepare(Store(sys.argv[1])); "
        "sys.exit('alembic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code, sqlite_url]).returncode == 0
