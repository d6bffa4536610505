"""Rhetor's file, read: what its rows say, what is left out and said, and written again alike."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.foreign.rhetor import read_rhetor, why_unsayable, write_rhetor
from tekton_budget.foreign.store import ForeignLimit, ForeignStore, ForeignUsage, Kind, Part

SCHEMA = {
    "usage": "id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, provider TEXT, model TEXT, "
    "component TEXT, task_type TEXT, input_tokens INTEGER, output_tokens INTEGER, cost REAL, "
    "metadata TEXT",
    "budget_settings": "id INTEGER PRIMARY KEY AUTOINCREMENT, period TEXT, provider TEXT, "
    "limit_amount REAL, enforcement TEXT, start_date TEXT, active INTEGER",
}
AT = "2026-02-09T00:13:05.465752"
USED = (AT, "openai", "gpt-4", "ergon", "chat", 335, 127, 0.017669999999999998, "{}")


def database(
    path: Path,
    usage: Sequence[Sequence[Any]] = (),
    limits: Sequence[Sequence[Any]] = (),
    *,
    schema: dict[str, str] = SCHEMA,
    journal: str = "delete",
) -> bytes:
    with closing(sqlite3.connect(path / "rhetor.db")) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        for table, columns in schema.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        for table, rows in (("usage", usage), ("budget_settings", limits)):
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES (NULL, {marks})", row)
        connection.commit()
    return (path / "rhetor.db").read_bytes()


def changed(**fields: Any) -> tuple[Any, ...]:
    names = ("timestamp", "provider", "model", "component", "task_type", "input_tokens",
             "output_tokens", "cost", "metadata")  # fmt: skip
    return tuple(fields.get(name, value) for name, value in zip(names, USED, strict=True))


def told(store: ForeignStore) -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in store.faults]


def test_a_row_is_read_with_its_own_cost_to_the_last_digit(tmp_path: Path) -> None:
    metadata = json.dumps({"note": "naïve ☕", "latency": 6.443})
    store = read_rhetor(database(tmp_path, [changed(metadata=metadata)]))

    [usage] = store.usages
    assert store.kind is Kind.RHETOR
    assert usage.at == datetime(2026, 2, 9, 0, 13, 5, 465752)
    assert usage.labels == {
        "provider": "openai", "model": "gpt-4", "component": "ergon", "task_type": "chat",
    }  # fmt: skip
    assert (usage.input_tokens, usage.output_tokens, usage.tokens) == (335, 127, 0)
    assert usage.cost == Decimal("0.017669999999999998")
    assert usage.metadata["rhetor"]["metadata"] == {"note": "naïve ☕", "latency": 6.443}
    assert store.parts == (Part("usage", 1), Part("budget_settings", 0))
    assert store.faults == ()


def test_a_second_without_a_fraction_is_a_time(tmp_path: Path) -> None:
    store = read_rhetor(database(tmp_path, [changed(timestamp="2026-02-23T00:00:00")]))

    assert store.usages[0].at == datetime(2026, 2, 23)
    assert store.faults == ()


def test_the_same_row_has_the_same_id_however_its_metadata_is_spaced(tmp_path: Path) -> None:
    ids = []
    for name, text in (("a", '{"b":1, "a":2}'), ("b", '{"a": 2,"b": 1}'), ("c", '{"a": 3}')):
        (tmp_path / name).mkdir()
        file = database(tmp_path / name, [changed(metadata=text)])
        ids.append(read_rhetor(file).usages[0].record_id)

    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("rhetor.1.")


@pytest.mark.parametrize("timestamp", ["2026-02-09T00:00:00+01:00", "2026-02-08T23:00:00Z"])
def test_a_time_with_an_offset_says_when_and_goes_out_as_it_came(
    tmp_path: Path, timestamp: str
) -> None:
    store = read_rhetor(database(tmp_path, [changed(timestamp=timestamp)]))
    (tmp_path / "back").mkdir()

    [usage] = store.usages
    assert usage.at == datetime(2026, 2, 8, 23, tzinfo=UTC)
    back = write_rhetor([replace(usage, at=datetime(2026, 2, 8, 20))])  # as another clock shows it
    assert rows(back, tmp_path / "back", "usage")[0][1:] == changed(timestamp=timestamp)
    assert read_rhetor(back).usages[0].record_id == usage.record_id


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 1200 + "1" + "}" * 1200, '{"cut": "\\ud83d"}', '{"\\ud83d": 1}', '{"n": 1e400}'],
    ids=["without a bottom", "half a character", "half a name", "beyond measure"],
)
def test_metadata_that_cannot_be_stored_is_kept_as_text(tmp_path: Path, text: str) -> None:
    store = read_rhetor(database(tmp_path, [changed(metadata=text), USED]))

    assert store.usages[0].metadata["rhetor"]["metadata_text"] == text
    assert "kept as text" in told(store)[0]
    assert len(store.usages) == 2


def test_two_rows_that_bear_one_id_and_differ_are_told_of(tmp_path: Path) -> None:
    bearing = [
        changed(metadata='{"tekton_budget_record_id": "a"}', cost=cost) for cost in (0.5, 0.5, 0.75)
    ]
    store = read_rhetor(database(tmp_path, bearing))

    assert [usage.cost for usage in store.usages] == [Decimal("0.5")]
    assert store.parts[0] == Part("usage", 3, repeated=2)
    assert told(store) == ["usage 3: it bears the id a of another row: that one counts"]


def test_the_same_content_in_two_rows_is_two_records(tmp_path: Path) -> None:
    store = read_rhetor(database(tmp_path, [USED, USED]))

    assert len({usage.record_id for usage in store.usages}) == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"timestamp": None}, "timestamp None is no time"),
        ({"timestamp": "yesterday"}, "timestamp 'yesterday' is no time"),
        ({"input_tokens": -1}, "input_tokens -1 is no count"),
        ({"output_tokens": "many"}, "output_tokens 'many' is no count"),
        ({"output_tokens": 2.5}, "output_tokens 2.5 is no count"),
        ({"input_tokens": 2**62}, "is no count of tokens"),
        ({"cost": -0.5}, "cost -0.5 is not what a call can cost"),
        ({"cost": float("inf")}, "cost inf is no amount"),
        ({"cost": "dear"}, "cost 'dear' is no amount"),
        ({"cost": 1e9}, "is not what a call can cost"),
    ],
)
def test_a_row_that_cannot_be_is_left_out_and_the_others_are_read(
    tmp_path: Path, fields: dict[str, Any], why: str
) -> None:
    store = read_rhetor(database(tmp_path, [USED, changed(**fields), USED]))

    assert [usage.record_id.split(".")[1] for usage in store.usages] == ["1", "3"]
    [fault] = store.faults
    assert fault.where == "usage 2"
    assert fault.what.startswith("left out: ")
    assert why in fault.what
    assert store.parts[0] == Part("usage", 2, skipped=1)


def test_nothing_said_is_no_label_no_tokens_and_no_cost(tmp_path: Path) -> None:
    row = (AT, None, None, "", None, None, None, None, None)
    store = read_rhetor(database(tmp_path, [row]))

    [usage] = store.usages
    assert usage.labels == {}
    assert usage.total_tokens == 0
    assert usage.cost is None  # unknown, which is not 0
    assert told(store) == ["usage 1: it has no cost; the price book's is taken"]


def test_a_cost_that_is_no_number_was_kept_by_sqlite_as_none(tmp_path: Path) -> None:
    store = read_rhetor(database(tmp_path, [changed(cost=float("nan"))]))

    assert store.usages[0].cost is None


def test_a_name_that_no_label_can_have_is_kept_beside(tmp_path: Path) -> None:
    row = changed(component="two\nlines", task_type="x" * 300)
    store = read_rhetor(database(tmp_path, [row]))

    assert store.usages[0].labels == {"provider": "openai", "model": "gpt-4"}
    assert store.usages[0].metadata["rhetor"]["component"] == "two\nlines"
    assert [fault.what.split(":")[0] for fault in store.faults] == ["component", "task_type"]
    again = read_rhetor(write_rhetor(store.usages))
    assert again.usages == store.usages


@pytest.mark.parametrize("text", ["{broken", "[1, 2]", '"word"', '{"a": NaN}'])
def test_metadata_that_is_no_object_goes_both_ways_as_text(tmp_path: Path, text: str) -> None:
    file = database(tmp_path, [changed(metadata=text)])
    store = read_rhetor(file)

    assert store.usages[0].metadata["rhetor"]["metadata_text"] == text
    assert rows(write_rhetor(store.usages), tmp_path)[0][-1] == text


def test_metadata_beyond_measure_is_not_taken_and_said(tmp_path: Path) -> None:
    store = read_rhetor(database(tmp_path, [changed(metadata=json.dumps({"a": "x" * 20_000}))]))

    assert "metadata" not in store.usages[0].metadata["rhetor"]
    assert "more than 12,000 characters" in told(store)[0]


# --- the file itself --------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"id,cost\n1,2\n", b"SQLite format 3\x00"])
def test_what_is_no_database_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"rhetor\.db"):
        read_rhetor(content)


def test_a_file_cut_short_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = database(tmp_path, [changed(metadata=json.dumps({"n": "x" * 900}))] * 60)
    for size in (len(file) // 2, len(file) - 4096, 5000):
        with pytest.raises(InvalidInput, match=r"cut short or damaged .*\.recover"):
            read_rhetor(file[:size])


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    file = database(tmp_path, schema={"notes": "id INTEGER PRIMARY KEY, text TEXT"})

    with pytest.raises(InvalidInput, match="neither a table usage nor budget_settings"):
        read_rhetor(file)


def test_a_missing_table_or_column_is_said_and_the_rest_read(tmp_path: Path) -> None:
    columns = "id INTEGER PRIMARY KEY, timestamp TEXT, provider TEXT, cost REAL"
    with closing(sqlite3.connect(tmp_path / "rhetor.db")) as connection:
        connection.execute(f"CREATE TABLE usage ({columns})")
        connection.execute("INSERT INTO usage VALUES (7, ?, 'openai', 0.25)", (AT,))
        connection.commit()
    store = read_rhetor((tmp_path / "rhetor.db").read_bytes())

    [usage] = store.usages
    assert usage.record_id.startswith("rhetor.7.")
    assert (usage.labels, usage.cost) == ({"provider": "openai"}, Decimal("0.25"))
    assert "usage: there is no column metadata; it is read as empty" in told(store)
    assert "budget_settings: there is no such table; nothing was read of it" in told(store)


def test_rows_that_still_lie_in_the_write_ahead_log_count(tmp_path: Path) -> None:
    database(tmp_path, [USED], journal="wal")
    file = tmp_path / "rhetor.db"
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute(f"INSERT INTO usage VALUES (NULL, {', '.join('?' * 9)})", USED)
        writer.commit()
        alone = file.read_bytes()
        log = (tmp_path / "rhetor.db-wal").read_bytes()
        with_log = read_rhetor(alone, {"-wal": log})
        without = read_rhetor(alone)
        unchanged = file.read_bytes() == alone

    assert len(with_log.usages) == 2
    assert len(without.usages) == 1
    assert unchanged
    assert log


# --- limits -----------------------------------------------------------------------------------


def limit(store: ForeignStore, number: int) -> ForeignLimit:
    return next(one for one in store.limits if one.policy_id.split(".")[1] == str(number))


def test_limits_come_with_their_history(tmp_path: Path) -> None:
    settings = [
        ("daily", "all", 25.0, "warn", "2026-02-09T00:13:05.465752", 0),
        ("daily", "openai", 8.0, "enforce", "2026-02-20T21:01:22", 1),
        ("daily", "all", 30.0, "enforce", "2026-02-27T10:10:17.623713", 1),
        ("monthly", "ollama", 0.0, "enforce", "2026-03-06T05:19:57.921804", 1),
    ]
    store = read_rhetor(database(tmp_path, limits=settings))

    old, now, none = limit(store, 1), limit(store, 3), limit(store, 4)
    assert old.starts_at == datetime(2026, 2, 9, 0, 13, 5, 465752)
    assert (old.enabled, old.ends_at) == (False, datetime(2026, 2, 27, 10, 10, 17, 623713))
    assert now.starts_at is None  # it counts all of the window in which it was set
    assert (old.cost_limit, old.enforcement) == (Decimal(25), "warn")
    assert (now.enabled, now.ends_at, now.enforcement) == (True, None, "hard_limit")
    assert now.scope == {}  # all: no provider is asked for
    assert limit(store, 2).scope == {"provider": "openai"}
    # A limit of 0 is none: it denies nobody, and goes back as it came.
    assert (none.enabled, none.enforcement, none.cost_limit) == (False, "ignore", 0)
    assert none.metadata["rhetor"]["enforcement"] == "enforce"
    assert store.faults == ()
    assert rows(write_rhetor((), store.limits), tmp_path, "budget_settings") == [
        (number, *row) for number, row in enumerate(settings, 1)
    ]


def test_a_changed_enforcement_is_the_same_limit_and_a_changed_amount_another(
    tmp_path: Path,
) -> None:
    first, second, third = (
        read_rhetor(database(new_folder(tmp_path, name), limits=[row])).limits[0]
        for name, row in (
            ("a", ("daily", "all", 25.0, "warn", AT, 1)),
            ("b", ("daily", "all", 25.0, "enforce", AT, 0)),
            ("c", ("daily", "all", 26.0, "warn", AT, 1)),
        )
    )

    assert first.policy_id == second.policy_id != third.policy_id


def test_of_two_active_rows_the_first_holds_as_it_did_in_rhetor(tmp_path: Path) -> None:
    settings = [("daily", "all", 5.0, "enforce", AT, 1), ("daily", "all", 9.0, "enforce", AT, 1)]
    store = read_rhetor(database(tmp_path, limits=settings))

    assert [one.enabled for one in store.limits] == [True, False]
    assert "which Rhetor reads" in told(store)[0]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("hourly", "all", 5.0, "warn", AT, 1), "left out: period 'hourly' is none of daily"),
        (("daily", "", 5.0, "warn", AT, 1), "left out: provider '' is no name"),
        (("daily", "all", None, "warn", AT, 1), "left out: limit_amount None is no amount"),
    ],
)
def test_a_limit_that_cannot_be_is_left_out_and_said(
    tmp_path: Path, row: tuple[Any, ...], why: str
) -> None:
    store = read_rhetor(database(tmp_path, limits=[row]))

    assert store.limits == ()
    assert why in told(store)[0]
    assert store.parts[1].skipped == 1


@pytest.mark.parametrize("start_date", [None, "yesterday", "2026-02-09", "2026-02-09T00:00:00Z"])
def test_a_limit_holds_whatever_its_start_date_is_and_goes_out_with_it(
    tmp_path: Path, start_date: str | None
) -> None:
    settings = [("daily", "all", 0.1 + 0.2, "enforce", start_date, active) for active in (0, 1)]
    store = read_rhetor(database(tmp_path, limits=settings))
    (tmp_path / "back").mkdir()

    assert [(one.enabled, one.enforcement) for one in store.limits] == [
        (False, "hard_limit"),
        (True, "hard_limit"),
    ]
    back = write_rhetor((), store.limits)
    assert [row[1:] for row in rows(back, tmp_path / "back", "budget_settings")] == settings
    assert [one.policy_id for one in read_rhetor(back).limits] == [
        one.policy_id for one in store.limits
    ]


def test_a_word_that_rhetor_did_not_know_enforces_nothing_as_it_did_not(tmp_path: Path) -> None:
    store = read_rhetor(database(tmp_path, limits=[("daily", "all", 5.0, "ENFORCE", AT, 1)]))

    assert store.limits[0].enforcement == "ignore"
    assert "enforcement 'ENFORCE' is none of Rhetor's" in told(store)[0]


@pytest.mark.parametrize("amount", [-3.0, 1e15])
def test_a_limit_below_nothing_or_beyond_measure_limits_nothing(
    tmp_path: Path, amount: float
) -> None:
    store = read_rhetor(database(tmp_path, limits=[("daily", "all", amount, "enforce", AT, 1)]))

    assert (store.limits[0].enabled, store.limits[0].enforcement) == (False, "ignore")
    assert rows(write_rhetor((), store.limits), tmp_path, "budget_settings")[0][3] == amount


# --- written ----------------------------------------------------------------------------------


def test_what_was_read_is_written_row_by_row_alike(tmp_path: Path) -> None:
    given = [
        USED,
        changed(metadata='{"context_id": "ergon:0", "streaming": true}', cost=0.1 + 0.2),
        (AT, None, "m", None, "t", 0, 0, 0.0, "{}"),
    ]
    store = read_rhetor(database(tmp_path, given))
    written = write_rhetor(store.usages, store.limits)

    assert rows(written, tmp_path) == [(number, *row) for number, row in enumerate(given, 1)]
    assert read_rhetor(written).usages == store.usages


def test_records_of_our_own_keep_their_id_through_rhetors_file() -> None:
    ours = ForeignUsage(
        "0193-own",
        datetime(2026, 3, 1, 8, 30),
        {"provider": "openai", "model": "gpt-4o", "team": "a"},
        tokens=20,
        output_tokens=5,
        cost=Decimal("0.000123"),
        metadata={"note": "ours"},
    )
    [again] = read_rhetor(write_rhetor([ours])).usages

    assert again.record_id == "0193-own"
    assert (again.input_tokens, again.output_tokens, again.cost) == (20, 5, Decimal("0.000123"))
    assert again.metadata["rhetor"]["metadata"] == {"note": "ours"}


def test_records_of_two_stores_with_the_same_numbers_go_into_one_file(tmp_path: Path) -> None:
    first = read_rhetor(database(new_folder(tmp_path, "a"), [USED])).usages
    second = read_rhetor(database(new_folder(tmp_path, "b"), [changed(cost=0.5)])).usages
    together = read_rhetor(write_rhetor([*first, *second])).usages

    assert {usage.record_id for usage in together} == {
        usage.record_id for usage in (*first, *second)
    }
    assert sum(usage.cost or 0 for usage in together) == Decimal("0.517669999999999998")


def test_what_the_ledger_rounded_goes_back_with_all_its_digits(tmp_path: Path) -> None:
    [usage] = read_rhetor(database(tmp_path, [USED])).usages
    posted = replace(usage, cost=Decimal("0.01767"))

    assert rows(write_rhetor([posted]), tmp_path)[0][8] == 0.017669999999999998
    corrected = replace(usage, cost=Decimal("0.02"))
    assert rows(write_rhetor([corrected]), tmp_path)[0][8] == 0.02


def test_a_limit_that_was_changed_since_is_written_as_it_is(tmp_path: Path) -> None:
    row = ("daily", "all", 25.0, "warn", AT, 1)
    [read] = read_rhetor(database(tmp_path, limits=[row])).limits
    now = replace(read, cost_limit=Decimal("12.5"), enforcement="hard_limit")
    nothing = replace(read, cost_limit=Decimal(0), enforcement="hard_limit")
    off = replace(read, enabled=False)

    written = [
        rows(write_rhetor((), [one]), tmp_path, "budget_settings")[0][3:]
        for one in (now, nothing, off)
    ]
    assert written[0] == (12.5, "enforce", AT, 1)
    assert written[1] == (1e-9, "enforce", AT, 1)  # 0 would be no limit there
    assert written[2] == (25.0, "warn", AT, 0)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"period": "hourly"}, "no period but daily"),
        ({"cost_limit": None, "token_limit": 5}, "money alone"),
        ({"scope": {"team": "a"}}, "one provider, or all"),
        ({"scope": {"provider": "open*"}}, "one provider, or all"),
    ],
)
def test_what_rhetor_has_no_words_for_is_told(fields: dict[str, Any], why: str) -> None:
    sayable = ForeignLimit("p", "p", "warn", "daily", {}, cost_limit=Decimal(1))

    assert why_unsayable(sayable) is None
    assert why in str(why_unsayable(replace(sayable, **fields)))


def new_folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def rows(database: bytes, folder: Path, table: str = "usage") -> list[tuple[Any, ...]]:
    path = folder / "written.db"
    path.write_bytes(database)
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
