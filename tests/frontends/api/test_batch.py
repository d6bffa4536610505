"""Batches over HTTP: each answered on its own, or all or none."""

from decimal import Decimal

from tests.frontends.api.conftest import Door, all_rows, problem


def test_each_command_is_answered_on_its_own(door: Door) -> None:
    door.post("/policies", {"name": "p", "limit": "2usd/day"})
    done = door.post(
        "/batch",
        {
            "commands": [
                {"do": "allocate", "cost": 1, "allocationId": "a1"},
                {"do": "allocate", "cost": 5},
                {"do": "settle", "allocation_id": "a1", "cost": "0.25"},
                {"do": "allocate", "cost": "x"},
                {"do": "fly"},
                {"do": "release"},
                {"do": "release", "allocation_id": "nope"},
                {"do": "record", "cost": "0.125", "team": "a"},
                {"do": "allocate", "cost": 1, "dry_run": True},
            ]
        },
        200,
    )["results"]

    assert [one["status"] for one in done] == [201, 402, 200, 422, 422, 422, 404, 201, 422]
    assert done[0]["body"]["allocation_id"] == "a1"
    assert done[1]["body"]["code"] == "over_budget"
    assert done[2]["body"]["cost"] == Decimal("0.25")
    assert done[3]["body"]["fields"][0]["field"] == "cost"
    assert done[7]["body"]["cost"] == Decimal("0.125")


def test_all_or_none(door: Door) -> None:
    door.post("/policies", {"name": "p", "limit": "2usd/day"})
    before = all_rows(door.running)
    one = {"do": "allocate", "cost": 1}
    denied = door.http.post("/api/v1/batch", json={"atomic": True, "commands": [one, one, one]})
    faulty = door.http.post(
        "/api/v1/batch", json={"atomic": True, "commands": [one, {"do": "allocate", "cost": -1}]}
    )
    unknown = {"do": "settle", "allocation_id": "nope"}
    refused = door.http.post("/api/v1/batch", json={"atomic": True, "commands": [one, unknown]})
    after = all_rows(door.running)

    problem(denied, 402, "over_budget")
    assert problem(refused, 404, "allocation_not_found")["index"] == 1
    assert faulty.status_code == 422
    for table in ("journal", "allocations", "balances"):
        assert after[table] == before[table] or table == "balances"
    done = door.post("/batch", {"atomic": True, "commands": [one, one]}, 200)["results"]
    assert [each["status"] for each in done] == [201, 201]


def test_one_key_for_the_batch_is_one_for_each_command(door: Door) -> None:
    body = {"commands": [{"do": "allocate", "cost": 1}, {"do": "record", "cost": 1}]}
    first = door.post("/batch", body, 200, Idempotency_Key="b")
    again = door.post("/batch", body, 200, Idempotency_Key="b")

    assert first == again
    assert first["results"][0]["body"]["allocation_id"] == "b:0"
    assert len(door.get("/allocations")["items"]) == 1


def test_a_thousand_commands_fit_and_no_more(quick: Door) -> None:
    one = {"do": "allocate", "cost": "0.01", "metadata": {"text": "x" * 2000}}
    done = quick.post("/batch", {"commands": [one] * 1000}, 200)
    more = quick.http.post("/api/v1/batch", json={"commands": [one] * 1001})
    none = quick.http.post("/api/v1/batch", json={"commands": []})

    assert {each["status"] for each in done["results"]} == {201}
    problem(more, 422, "invalid")
    problem(none, 422, "invalid")
