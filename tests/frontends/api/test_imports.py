"""Stores over HTTP: files as text, what is no text and databases as base64, both ways."""

import base64
import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from tests.foreign.apollo_made import packed, policy, record
from tests.frontends.api.conftest import Door, problem
from tests.service.importing.conftest import POLICIES, USAGE, rhetor_made

from tekton_budget.domain.caller import Role

FILES = {
    USAGE: packed([record("a"), record("b", usage_type="total")]).decode(),
    POLICIES: packed([policy("p")]).decode(),
}


def in_base64(content: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(content).decode()}


def test_apollos_files_come_in_once_and_go_out(door: Door) -> None:
    body = {"files": FILES, "timezone": "Europe/Berlin"}

    first = door.post("/import/apollo", body, 200)
    again = door.post("/import/apollo", body, 200)
    out = door.get("/export/apollo", timezone="Europe/Berlin")

    assert (first["kind"], first["verified"], first["complete"]) == ("apollo", True, True)
    assert (first["usage"]["new"], again["usage"]["new"], again["usage"]["there"]) == (2, 0, 2)
    assert first["timezone"] == "Europe/Berlin"
    assert [(one["name"], one["outcome"]) for one in first["limits"]] == [
        ("apollo daily remote_heavyweight", "made")
    ]
    total = first["check"]["total"]
    assert (
        total["theirs"]
        == total["ours"]
        == {
            "records": 2,
            "input_tokens": 100,
            "output_tokens": 0,
            "unsplit_tokens": 100,
            "total_tokens": 200,
            "cost": 0,
        }
    )
    types = [one for one in first["check"]["sums"] if one["by"] == "type"]
    assert [(one["value"], one["ours"]["records"]) for one in types] == [("input", 1), ("total", 1)]
    assert first["costs"][0]["unpriced"] == 2
    assert json.loads(out["files"][POLICIES]) == [policy("p")]
    assert (out["records"], out["tokens"], out["policies"], out["faults"]) == (2, 200, 1, [])


def test_the_limits_that_came_in_are_answered_by_the_routes_of_policies(door: Door) -> None:
    door.post("/import/apollo", {"files": FILES, "shadow": True, "timezone": "UTC"}, 200)
    shadowed = door.get("/policies/p")
    door.post("/import/apollo", {"files": FILES, "enforce": True, "timezone": "UTC"}, 200)
    ask = {"tokens": 60001, "cost": 1, "tier": "remote_heavyweight"}

    denied = door.post("/allocations", ask, 402)

    assert (shadowed["shadow"], shadowed["enforcement"]) == (True, "hard_limit")
    assert [one["policy_id"] for one in denied["policies"]] == ["p"]
    assert denied["policies"][0]["scope"]["imported_from"] == ["", "apollo"]


def test_broken_files_are_named_and_the_others_come_in(door: Door) -> None:
    files = {
        **FILES,
        "usage_records_1780000000.json": "[{",
        "usage_records_1780000001.json": in_base64(b"\xff\xfe"),
    }

    report = door.post("/import/apollo", {"files": files, "timezone": "UTC"}, 200)

    assert (report["verified"], report["complete"], report["faults_count"]) == (True, False, 2)
    assert [fault["where"] for fault in report["faults"]] == list(files)[2:]


def test_a_dry_run_with_camel_case_writes_nothing(door: Door) -> None:
    report = door.post("/import/apollo", {"files": FILES, "dryRun": True, "timezone": "UTC"}, 200)

    assert (report["dry_run"], report["verified"], report["usage"]["new"]) == (True, True, 2)
    assert door.get("/usage/records")["items"] == []
    assert door.get("/policies")["items"] == []


def test_rhetors_database_comes_in_and_goes_out(door: Door, tmp_path: Path) -> None:
    row = ("2026-02-09T00:13:05", "openai", "gpt-4", "ergon", "chat", 335, 127, 0.01767, "{}")
    limit = ("daily", "all", 25.0, "enforce", "2026-02-09T00:00:00", 1)
    content = rhetor_made(tmp_path / "made.db", [row], [limit])

    report = door.post("/import/rhetor", {"database": in_base64(content), "timezone": "UTC"}, 200)
    out = door.get("/export/rhetor", timezone="UTC")

    assert report["complete"]
    assert report["check"]["total"]["ours"]["cost"] == Decimal("0.01767")
    assert [one["by"] for one in report["check"]["sums"]].count("day") == 1
    (tmp_path / "out.db").write_bytes(base64.b64decode(out["database"]["base64"]))
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        assert database.execute("SELECT * FROM usage").fetchall() == [(1, *row)]
        assert database.execute("SELECT * FROM budget_settings").fetchall() == [(1, *limit)]
    assert (out["records"], out["cost"], out["policies"]) == (1, Decimal("0.01767"), 1)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("apollo", {"files": FILES, "timezone": "Europe/Berlim"}, "timezone"),
        ("apollo", {"files": FILES, "until": "soon", "timezone": "UTC"}, "until"),
        ("apollo", {"files": FILES, "shadow": True, "enforce": True}, "shadow"),
        ("apollo", {"files": {USAGE: {"base64": "?"}}}, f"files.{USAGE}"),
        ("apollo", {"files": FILES, "dry": True}, "dry"),
        ("apollo", {}, "files"),
        ("rhetor", {"database": {"base64": "?"}}, "database"),
        ("rhetor", {"database": in_base64(b"[]")}, "database"),
        ("rhetor", {}, "database"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_field(
    door: Door, path: str, body: dict[str, object], field: str
) -> None:
    answer = door.http.post(f"/api/v1/import/{path}", json=body)

    assert field in [fault["field"] for fault in problem(answer, 422, "invalid")["fields"]]
    assert door.get("/usage/records")["items"] == []


def test_what_is_no_store_is_refused(door: Door) -> None:
    answer = door.http.post("/api/v1/import/apollo", json={"files": {"notes.txt": ""}})

    problem(answer, 422, "nothing_to_import")


@pytest.mark.parametrize("role", [Role.CLIENT, Role.VIEWER])
def test_stores_are_for_those_who_may_change_limits(door: Door, role: Role) -> None:
    http = door.served.key("k", role)

    problem(http.post("/api/v1/import/apollo", json={"files": FILES}), 403, "role_needed")
    # Nor is their body taken in, which may be large.
    problem(http.post("/api/v1/import/apollo", content=b"{"), 403, "role_needed")
    problem(http.get("/api/v1/export/rhetor"), 403, "role_needed")


def test_an_operator_imports_and_it_is_written_down_who_did(door: Door) -> None:
    http, root = door.served.key("oscar", Role.OPERATOR), door.served.key("root", Role.ADMIN)

    report = http.post("/api/v1/import/apollo", json={"files": FILES, "timezone": "UTC"})
    http.post("/api/v1/import/apollo", json={"files": FILES, "timezone": "UTC"})
    noted = [one for one in root.get("/api/v1/audit").json()["items"] if one["verb"] == "import"]

    assert report.status_code == 200, report.text
    assert [(one["actor"], one["object_id"]) for one in noted] == [("oscar", "apollo")]


def test_a_store_may_be_larger_than_other_bodies(door: Door) -> None:
    rows = [record(f"r{n}", metadata={"note": "x" * 4000}) for n in range(2500)]
    files = {USAGE: packed(rows).decode()}

    report = door.post("/import/apollo", {"files": files, "timezone": "UTC"}, 200)

    assert len(files[USAGE]) > 10 << 20
    assert (report["verified"], report["usage"]["new"]) == (True, 2500)
