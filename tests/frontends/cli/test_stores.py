"""Stores from the command line: found where Tekton keeps them, exit codes that say how it went."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.foreign.apollo_made import packed, policy, record
from tests.service.importing.conftest import POLICIES, USAGE, rhetor_made

import tekton_budget
from tekton_budget.face.host_zone import host_zone

ROW = ("2026-02-09T00:13:05", "openai", "gpt-4", "ergon", "chat", 335, 127, 0.01767, "{}")
LIMIT = ("daily", "all", 25.0, "enforce", "2026-02-09T00:00:00", 1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "apollo" / "budget_data"
    folder.mkdir(parents=True)
    (folder / USAGE).write_bytes(packed([record("a"), record("b")]))
    (folder / POLICIES).write_bytes(packed([policy("p"), policy("q", enabled=False)]))
    (folder / "notes.txt").write_text("not Apollo's")
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "rhetor.db"
    rhetor_made(path, [ROW, ROW], [LIMIT])
    return path


@pytest.mark.parametrize("above", [0, 1, 2])
def test_apollos_files_are_found_from_any_of_their_folders(run, home, above) -> None:
    folder = [home, *home.parents][above]

    first = run("import", "apollo", str(folder), "--timezone", "UTC")
    again = run("import", "apollo", str(folder), "--timezone", "UTC")

    assert (first.code, again.code) == (0, 0)
    assert first.json["usage"]["new"] == 2
    assert (again.json["usage"]["new"], again.json["usage"]["there"]) == (0, 2)
    assert [part["name"] for part in first.json["parts"]] == [POLICIES, USAGE]


def test_a_dry_run_then_shadow_then_enforce(run, home) -> None:
    words = ("import", "apollo", str(home), "--timezone", "UTC")

    dry = run(*words, "--dry-run")
    nothing = run("policies", "list")
    shadow = run(*words, "--shadow", "--until", "2026-02-09T09:00")
    enforced = run(*words, "--enforce")

    assert (dry.code, dry.json["dry_run"], nothing.json) == (0, True, [])
    assert (shadow.json["usage"]["later"], shadow.json["usage"]["new"]) == (2, 0)
    assert [limit["shadow"] for limit in shadow.json["limits"]] == [True, True]
    assert enforced.json["usage"]["new"] == 2
    assert [limit["outcome"] for limit in enforced.json["limits"]] == ["changed", "changed"]
    assert run("allocations", "create", "tier=remote_heavyweight", "--tokens", "60001").code == 4


def test_rhetor_comes_in_and_goes_out(run, database, tmp_path) -> None:
    back = tmp_path / "back.db"

    told = run("import", "rhetor", str(database), "--timezone", "UTC")
    out = run("export", "rhetor", str(back), "--timezone", "UTC")
    refused = run("export", "rhetor", str(back))

    assert (told.code, told.json["complete"]) == (0, True)
    assert told.json["check"]["total"]["ours"]["cost"] == 0.03534
    assert (out.code, out.json["records"], out.json["file"]) == (0, 2, str(back))
    with closing(sqlite3.connect(back)) as connection:
        assert connection.execute("SELECT * FROM usage").fetchall() == [(1, *ROW), (2, *ROW)]
    assert (refused.code, refused.err.partition(":")[0]) == (3, "would_overwrite")
    assert run("export", "rhetor", str(back), "--overwrite").code == 0


def test_what_comes_out_of_apollo_is_written_where_nothing_of_his_is(run, home, tmp_path) -> None:
    run("import", "apollo", str(home), "--timezone", "UTC")
    back = tmp_path / "back"

    out = run("export", "apollo", str(back), "--timezone", "UTC")
    refused = run("export", "apollo", str(home))

    assert (out.code, out.json["records"], out.json["policies"]) == (0, 2, 2)
    assert sorted(path.name for path in back.iterdir()) == out.json["files"]
    assert json.loads((back / POLICIES).read_text()) == json.loads((home / POLICIES).read_text())
    assert (refused.code, refused.err.partition(":")[0]) == (3, "would_overwrite")
    assert "notes" not in refused.err


# --- what goes wrong ----------------------------------------------------------------------------


def test_broken_files_are_named_and_the_exit_code_says_so(run, home) -> None:
    (home / "usage_records_1780000000.json").write_text('[{"record_id": ')
    (home / "usage_records_1780000001.json").mkdir()

    told = run("import", "apollo", str(home), "--timezone", "UTC")

    assert told.code == 1
    assert (told.json["verified"], told.json["complete"]) == (True, False)
    assert told.json["usage"]["new"] == 2
    assert {fault["where"] for fault in told.json["faults"]} == {
        "usage_records_1780000000.json",
        "usage_records_1780000001.json",
    }


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (
            ["import", "apollo", "{tmp}/none"],
            3,
            "invalid_file: {tmp}/none: there is no such folder",
        ),
        (["import", "apollo", "{tmp}/empty"], 3, "nothing_to_import: {tmp}/empty: has no"),
        (["import", "apollo", "{tmp}/rhetor.db"], 3, "is a file; name the folder"),
        (["import", "rhetor", "{tmp}/none.db"], 3, "none.db: cannot be read: No such file"),
        (["import", "rhetor", "{tmp}/empty"], 3, "cannot be read: Is a directory"),
        (["import", "rhetor", "{tmp}/text.db"], 3, "this is no SQLite database"),
        (["import", "rhetor", "{tmp}/cut.db"], 3, "cut short or damaged"),
        (["import", "rhetor", "{tmp}/rhetor.db", "--timezone", "Mars"], 3, "not a known time zone"),
        (["import", "rhetor", "{tmp}/rhetor.db", "--until", "soon"], 3, "is no time"),
        (["import", "rhetor", "{tmp}/rhetor.db", "--shadow", "--enforce"], 2, "not both"),
        (["export", "rhetor", "{tmp}/text.db/x.db"], 3, "cannot be written"),
    ],
)
def test_bad_input_is_told_with_what_to_do(run_here, database, tmp_path, words, code, why) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("not a database at all, and longer than its head")
    (tmp_path / "cut.db").write_bytes(database.read_bytes()[:5000])

    told = run_here(*(word.format(tmp=tmp_path) for word in words))

    assert told.code == code, told.err
    assert why.format(tmp=tmp_path) in told.err
    assert told.out == ""


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_database_that_its_program_has_locked_is_read_as_it_was_last_written(
    run_here, database, mode
) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute(f"PRAGMA journal_mode={mode}")
        writer.execute("PRAGMA cache_size=1")
        marks = ", ".join("?" * 9)
        writer.execute(f"INSERT INTO usage VALUES (NULL, {marks})", ROW)
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute(f"INSERT INTO usage VALUES (NULL, {marks})", ROW)

        told = run_here("import", "rhetor", str(database), "--timezone", "UTC")
        writer.execute("COMMIT")
        later = run_here("import", "rhetor", str(database), "--timezone", "UTC")

    assert (told.code, told.json["usage"]["new"]) == (0, 3)
    assert (later.code, later.json["usage"]["new"], later.json["usage"]["there"]) == (0, 1, 3)


def test_a_database_that_is_written_all_the_time_is_not_taken_half(
    run_here, database, monkeypatch
) -> None:
    from tekton_budget.frontends.cli import stores

    monkeypatch.setattr(stores, "PAUSE_SECONDS", 0.001)
    read = Path.read_bytes

    def read_and_touched(path: Path) -> bytes:
        content = read(path)
        if path == database:
            stamp = database.stat().st_mtime_ns + 1_000_000
            os.utime(database, ns=(stamp, stamp))
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_touched)
    told = run_here("import", "rhetor", str(database))

    assert told.code == 3
    assert "is being written all the time: stop Rhetor for a moment" in told.err


# --- for people ---------------------------------------------------------------------------------


def test_a_person_sees_what_came_in_what_holds_and_that_it_is_verified(shown, home) -> None:
    (home / "usage_records_1780000000.json").write_text("[")

    told = shown("import", "apollo", str(home), "--timezone", "UTC")

    assert told.code == 1
    for text in (
        "Apollo: 2 records in",
        "2 added; 0 here already",
        "2 records without a known price, so without a cost: anthropic / claude-3-opus (2)",
        "apollo daily remote_heavyweight",
        "usage_records_1780000000.json: is not JSON",
        "component   ergon",
        "verified: every record and every sum of what is stored is as in the store.",
        "No limit is passed.",
    ):
        assert text in told.out


def test_a_person_sees_what_differs_and_what_is_passed(shown, home) -> None:
    (home / POLICIES).write_bytes(packed([policy("p", period="per_session", limit=150)]))
    shown("import", "apollo", str(home), "--timezone", "UTC")

    told = shown("import", "apollo", str(home), "--timezone", "Asia/Tokyo")

    assert told.code == 1
    assert "NOT verified: 0 sums and 2 records differ" in told.out
    assert "  record a\n  record b\n" in told.out
    assert "Passed already:" in told.out
    assert "(ergon:coding-1): 200 tokens of 150 tokens" in told.out
    assert "changed" in told.out  # its windows are cut in the other zone now


@pytest.mark.parametrize("until", [[], ["--until", "2026-02-09T12:00:00+09:00"]])
def test_a_person_is_told_how_a_shadow_period_ends(shown, home, until) -> None:
    zone = ["--timezone", "Asia/Tokyo"]  # another than this host's
    told = shown("import", "apollo", str(home), "--shadow", *zone, *until)
    [line] = [one for one in told.out.splitlines() if one.startswith("Limits judge as if")]

    words = line.partition("tekton-budget ")[2].split()
    assert words == ["import", "apollo", str(home), "--enforce", *zone, *until]
    enforced = shown(*words)
    assert "Limits judge" not in enforced.out
    assert "NOT verified" not in enforced.out


def test_an_empty_store_is_verified_too(shown, tmp_path) -> None:
    (tmp_path / POLICIES).write_text("[]")
    (tmp_path / USAGE).write_text("[]")
    rhetor_made(tmp_path / "rhetor.db", [], [])

    for words in (("apollo", str(tmp_path)), ("rhetor", str(tmp_path / "rhetor.db"))):
        told = shown("import", *words, "--timezone", "UTC")
        assert told.code == 0, told.err
        assert "No limits." in told.out
        assert "verified:" in told.out


def test_a_person_sees_rhetors_costs_and_an_export(shown, database, tmp_path) -> None:
    told = shown("import", "rhetor", str(database), "--timezone", "UTC")
    out = shown("export", "rhetor", str(tmp_path / "back.db"), "--timezone", "UTC")

    assert "$0.03534" in told.out
    assert "rhetor all daily #1" in told.out
    assert "2 records, 924 tokens, 1 policy, $0.03534 in" in out.out


# --- the zone of the host -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":America/New_York", "America/New_York"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        ("", "UTC"),
    ],
)
def test_the_hosts_zone_is_that_of_its_environment(monkeypatch, said, zone) -> None:
    monkeypatch.setenv("TZ", said)

    assert host_zone() == zone


def test_a_zone_without_a_name_has_to_be_said(monkeypatch, run_here, home) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")

    told = run_here("import", "apollo", str(home))

    assert told.code == 3
    assert "does not say its time zone by name" in told.err


def test_naive_times_are_the_hosts_where_nothing_is_said(monkeypatch, run, home) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    report = run("import", "apollo", str(home)).json
    [record_, _] = run("usage", "list").json

    assert report["timezone"] == "Asia/Tokyo"
    assert record_["timestamp"].startswith("2026-02-09T00:14:03.2")


def test_tasks_import_as_threads_do(tmp_path) -> None:
    async def imported() -> tuple[dict[str, object], dict[str, object]]:
        async with tekton_budget.open_async(
            database_url=f"sqlite:///{tmp_path / 'a.db'}"
        ) as budget:
            files = {USAGE: packed([record("a")])}
            report = await budget.import_apollo(files, timezone="UTC")
            return report, await budget.export_apollo(timezone="UTC")

    report, out = asyncio.run(imported())

    assert report["verified"] is True
    assert out["records"] == 1
