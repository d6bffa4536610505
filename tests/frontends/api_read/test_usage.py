"""Usage over HTTP: recorded as a fact, listed, summed, reported and streamed."""

import csv
import io
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.frontends.api_read.conftest import Served

DAY = "2026-11-02"
PRICE = {"provider": "openai", "model": "gpt-4o", "input": 2.5, "output": 10}
OF_ORIGINAL = {
    "context_id": "ctx-1",
    "component": "ergon",
    "provider": "openai",
    "model": "gpt-4o",
    "task_type": "chat",
    "input_tokens": 1200,
    "output_tokens": 340,
    "operation_id": "op-1",
    "request_id": "req-1",
    "user_id": "alice",
    "metadata": {"note": "as sent: ü", "nested": {"camelCase": 1}},
}
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def post(server: Served, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = server.http.post(f"/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    return _decode(answer.content)


def get(server: Served, path: str, status: int = 200, **query: Any) -> dict[str, Any]:
    answer = server.http.get(f"/api/v1{path}", params=query)
    assert answer.status_code == status, answer.text
    return _decode(answer.content)


def record(server: Served, **fields: Any) -> dict[str, Any]:
    return post(server, "/usage/record", fields)


def some_usage(server: Served) -> None:
    """Seven records of two teams on three days."""
    for number in range(7):
        record(
            server,
            record_id=f"r{number}",
            team="a" if number % 2 else "b",
            component="ergon" if number < 4 else "athena",
            provider="openai",
            model=f"m{number % 3}",
            input_tokens=100 + number,
            output_tokens=10,
            cost=f"0.00{number + 1}000001",
            timestamp=f"2026-11-0{1 + number % 3}T12:00:0{number}Z",
        )


# Recording ----------------------------------------------------------------------------------------


AS_POSTED = {"status", "policies", "cost_note"}  # told once, when it is posted


def test_a_usage_is_priced_and_answered_in_the_original_s_fields(server: Served) -> None:
    server.http.post("/api/v1/prices", json=PRICE).raise_for_status()

    answer = record(server, **OF_ORIGINAL)

    same = ("context_id", "component", "provider", "model", "task_type", "operation_id")
    assert {name: answer[name] for name in same} == {name: OF_ORIGINAL[name] for name in same}
    assert answer["input_cost"] == Decimal("0.003")
    assert answer["output_cost"] == Decimal("0.0034")
    assert answer["total_cost"] == answer["cost"] == Decimal("0.0064")
    assert answer["total_tokens"] == 1540
    assert (answer["request_id"], answer["user_id"]) == ("req-1", "alice")
    assert answer["metadata"] == OF_ORIGINAL["metadata"]
    assert get(server, f"/usage/records/{answer['record_id']}") == {
        name: value for name, value in answer.items() if name not in AS_POSTED
    }


def test_camel_case_is_understood(quick: Served) -> None:
    answer = record(quick, inputTokens=5, outputTokens=6, userId="bob", taskType="chat", cost=1)

    assert (answer["input_tokens"], answer["output_tokens"]) == (5, 6)
    assert (answer["user_id"], answer["task_type"]) == ("bob", "chat")


def test_an_unknown_cost_is_null_and_counted_as_unpriced(quick: Served) -> None:
    answer = record(quick, model="nobody-knows", input_tokens=10)

    assert answer["total_cost"] is None
    summary = get(quick, "/usage/summary")
    assert (summary["total_cost"], summary["unpriced"]) == (0, 1)


def test_a_usage_without_an_allocation_is_posted_though_it_passes_the_limit(quick: Served) -> None:
    quick.limit("1usd/day")

    answer = record(quick, cost=3)

    assert answer["policies"][0]["remaining"]["cost"] == 0
    denied = quick.http.post("/api/v1/allocations", json={"cost": 0.01})
    assert denied.status_code == 402


def test_a_final_usage_settles_its_allocation(server: Served) -> None:
    server.limit("10usd/day")
    held = post(server, "/allocations", {"cost": 2, "team": "a"})

    first = record(server, allocation_id=held["allocation_id"], cost=0.5, record_id="one")
    last = record(server, allocation_id=held["allocation_id"], cost=0.25, final=True)

    assert (first["status"], last["status"]) == ("active", "settled")
    assert last["labels"] == {"team": "a"}
    assert last["policies"][0]["remaining"]["cost"] == Decimal("9.25")


def test_another_model_than_the_allocation_s_is_what_really_answered(quick: Served) -> None:
    held = post(quick, "/allocations", {"cost": 1, "provider": "openai", "model": "gpt-4o"})

    answer = record(
        quick, allocation_id=held["allocation_id"], provider="openai", model="gpt-4o-mini", cost=0.1
    )

    assert (answer["provider"], answer["model"]) == ("openai", "gpt-4o-mini")
    assert answer["labels"]["model"] == "gpt-4o"


def test_another_team_than_the_allocation_s_is_refused(quick: Served) -> None:
    held = post(quick, "/allocations", {"cost": 1, "team": "a"})

    answer = post(
        quick,
        "/usage/record",
        {"allocation_id": held["allocation_id"], "team": "b", "cost": 1},
        422,
    )

    assert answer["code"] == "label_fixed"
    assert answer["fields"][0]["field"] == "labels.team"


def test_the_same_usage_again_is_posted_once_and_another_is_refused(server: Served) -> None:
    first = record(server, record_id="mine", cost=1)

    again = record(server, record_id="mine", cost=1)
    other = post(server, "/usage/record", {"record_id": "mine", "cost": 2}, 409)

    assert again == first
    assert "cost" in other["detail"]
    assert get(server, "/usage/summary")["count"] == 1


def test_an_idempotency_key_is_the_record_s_id(quick: Served) -> None:
    headers = {"Idempotency-Key": "k-1"}
    answer = quick.http.post("/api/v1/usage/record", json={"cost": 1}, headers=headers)
    both = quick.http.post(
        "/api/v1/usage/record", json={"cost": 1, "record_id": "other"}, headers=headers
    )

    assert answer.json()["record_id"] == "k-1"
    assert (both.status_code, both.json()["code"]) == (422, "two_ids")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cost": -1}, "cost"),
        ({"cost": "much"}, "cost"),
        ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": 1.5}, "input_tokens"),
        ({"final": "yes"}, "final"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2999-01-01T00:00:00Z"}, "timestamp"),
        ({"reasoning_tokens": 3, "output_tokens": 2}, "reasoning_tokens"),
        ({"inputTokenz": 3}, "input_tokenz"),
        ({"user_id": "a", "labels": {"user": "b"}}, "user_id"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_its_field(
    quick: Served, body: dict[str, Any], field: str
) -> None:
    answer = post(quick, "/usage/record", body, 422)

    assert [fault["field"] for fault in answer["fields"]] == [field]
    assert get(quick, "/usage/summary")["count"] == 0


# Lists --------------------------------------------------------------------------------------------


def test_a_walk_sees_every_record_once_though_new_ones_come(server: Served) -> None:
    some_usage(server)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = get(server, "/usage/records", **query)
        seen += [item["record_id"] for item in page["items"]]
        record(server, cost=1)  # newer than where the walk stands
        if page["next"] is None:
            break
        query["after"] = page["next"]

    assert sorted(seen) == [f"r{number}" for number in range(7)]


def test_numbered_pages_serve_the_original_s_clients(quick: Served) -> None:
    some_usage(quick)

    page = get(quick, "/usage/records", page=2, limit=3)

    assert (page["total"], page["page"], page["limit"]) == (7, 2, 3)
    assert len(page["items"]) == 3


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"team": "a"}, "r1 r3 r5"),
        ({"label": "team=a"}, "r1 r3 r5"),
        ({"component": "athena"}, "r4 r5 r6"),
        ({"model": "m0"}, "r0 r3 r6"),
        ({"provider": "openai", "model": "m1", "team": "a"}, "r1"),
        ({"start_date": "2026-11-02", "end_date": "2026-11-02"}, "r1 r4"),
        ({"from": "2026-11-02", "to": "2026-11-03"}, "r1 r4"),
        ({"from": "2026-11-03T12:00:05Z"}, "r5"),
        ({"to": "2026-11-01T12:00:03Z"}, "r0"),
        ({"team": "nobody"}, ""),
    ],
)
def test_filters_find_what_they_say(quick: Served, query: dict[str, Any], ids: str) -> None:
    some_usage(quick)

    page = get(quick, "/usage/records", **query)
    lines = quick.http.get("/api/v1/usage/records", params={**query, "format": "ndjson"})

    assert sorted(item["record_id"] for item in page["items"]) == ids.split()
    streamed = [msgspec.json.decode(line)["record_id"] for line in lines.text.splitlines()]
    assert sorted(streamed) == ids.split()


@pytest.mark.parametrize(
    "query",
    [
        {"modle": "m0"},
        {"limit": 0},
        {"limit": 1001},
        {"after": "garbage"},
        {"start_date": "2026-02-30"},
        {"from": "2026-11-03", "to": "2026-11-01"},
        {"label": "no-value"},
        {"page": 2, "after": "WzEsMV0"},
        {"format": "xml"},
    ],
)
def test_a_query_that_means_nothing_is_refused(quick: Served, query: dict[str, Any]) -> None:
    answer = get(quick, "/usage/records", 422, **query)

    assert answer["fields"][0]["field"] in query


def test_an_unknown_record_is_404(quick: Served) -> None:
    assert get(quick, "/usage/records/none", 404)["code"] == "record_not_found"


# Tables and streams -------------------------------------------------------------------------------


def test_csv_and_ndjson_say_the_same_as_the_list(server: Served) -> None:
    some_usage(server)
    page = get(server, "/usage/records")
    by_accept = server.http.get("/api/v1/usage/records", headers={"Accept": "text/csv"})
    lines = server.http.get("/api/v1/usage/records?format=ndjson")

    rows = list(csv.DictReader(io.StringIO(by_accept.text)))
    assert by_accept.headers["content-type"].startswith("text/csv")
    assert [row["record_id"] for row in rows] == [f"r{n}" for n in (0, 3, 6, 1, 4, 2, 5)]
    assert sorted(rows[0]["total_cost"] for row in rows[:1]) == ["0.001000001"]
    streamed = {item["record_id"]: item for item in map(_decode, lines.text.splitlines())}
    assert streamed == {item["record_id"]: item for item in page["items"]}
    by_id = {row["record_id"]: row for row in rows}
    for item in page["items"]:
        row = by_id[item["record_id"]]
        assert row["total_cost"] == f"{item['total_cost']:f}"
        assert row["labels"] == msgspec.json.encode(item["labels"]).decode()
        assert row["late"] == "false"


def test_a_stream_is_longer_than_a_page_and_paging_does_not_cut_it(quick: Served) -> None:
    commands = [{"do": "record", "cost": 1, "record_id": f"n{n:04}"} for n in range(1200)]
    for part in (commands[:600], commands[600:]):
        post(quick, "/batch", {"commands": part}, 200)

    with quick.http.stream("GET", "/api/v1/usage/records?format=csv&limit=5") as answer:
        lines = list(answer.iter_lines())

    assert len(lines) == 1201
    assert len({line.split(",", 1)[0] for line in lines[1:]}) == 1200


# Summaries and reports ----------------------------------------------------------------------------


def test_a_summary_has_the_original_s_totals_and_what_the_dashboard_draws(server: Served) -> None:
    some_usage(server)
    query = {"start_date": "2026-11-01", "end_date": "2026-11-03"}

    summary = get(server, "/usage/summary", **query)

    assert summary == post(server, "/usage/summary", query, 200)
    assert summary["count"] == 7
    assert summary["total_cost"] == Decimal("0.028000007")
    assert summary["total_input_tokens"] + summary["total_output_tokens"] == 721 + 70
    assert set(summary["groups"]) == {"provider", "model", "component", "task_type"}
    assert summary["groups"]["component"]["ergon"]["cost"] == Decimal("0.010000004")
    assert summary["groups"]["task_type"] == {"(none)": summary["groups"]["provider"]["openai"]}
    assert summary["providers"][0]["percentage"] == 100
    models = {one["model"]: one["percentage"] for one in summary["models"]}
    assert models == {"m0": Decimal("42.8571"), "m1": Decimal(25), "m2": Decimal("32.1428")}
    assert [(day["date"], day["count"]) for day in summary["daily_usage"]] == [
        ("2026-11-01", 3),
        ("2026-11-02", 2),
        ("2026-11-03", 2),
    ]


def test_a_summary_by_days_ends_today_and_shows_the_daily_limit(quick: Served) -> None:
    quick.limit("5usd/day")
    quick.limit("9usd/day", name="wider")
    record(quick, cost=2)

    summary = post(quick, "/usage/summary", {"period": "daily", "days": 3}, 200)

    assert [day["cost"] for day in summary["daily_usage"]] == [0, 0, 2]
    assert {day["limit"] for day in summary["daily_usage"]} == {5}


def test_a_summary_is_grouped_by_any_label_and_filtered(quick: Served) -> None:
    some_usage(quick)

    by_team = get(quick, "/usage/summary", group_by="team", component="ergon")["groups"]["team"]
    of_b = post(quick, "/usage/summary", {"labels": {"team": "b"}, "group_by": ["model"]}, 200)

    assert {team: sums["count"] for team, sums in by_team.items()} == {"a": 2, "b": 2}
    assert {model: sums["count"] for model, sums in of_b["groups"]["model"].items()} == {
        "m0": 2,
        "m1": 1,
        "m2": 1,
    }


def test_a_report_adds_up_in_json_and_csv(server: Served) -> None:
    some_usage(server)
    query = {"by": "team,model", "month": "2026-11"}

    report = get(server, "/usage/report", **query)
    table = server.http.get("/api/v1/usage/report", params={**query, "format": "csv"})

    assert report["by"] == ["team", "model"]
    assert sum(row["cost"] for row in report["rows"]) == report["total"]["cost"]
    assert report["total"]["cost"] == Decimal("0.028000007")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(r["team"], r["model"], r["cost"]) for r in rows] == [
        (r["values"]["team"], r["values"]["model"], f"{r['cost']:f}") for r in report["rows"]
    ]


def test_a_month_is_cut_by_the_clock_of_the_zone_asked_for(quick: Served) -> None:
    record(quick, cost=1, timestamp="2026-10-31T23:30:00Z")  # already November in Berlin

    utc = get(quick, "/usage/report", month="2026-11", by="model")
    berlin = get(quick, "/usage/report", month="2026-11", by="model", tz="Europe/Berlin")

    assert (utc["total"]["count"], berlin["total"]["count"]) == (0, 1)
    assert berlin["start_time"] == "2026-11-01T00:00:00+01:00"


@pytest.mark.parametrize(
    "query",
    [
        {"month": "2026-13"},
        {"month": "2026-11", "period": "daily"},
        {"tz": "Mars/Olympus"},
        {"tz": "Europe/Berlin", "timezone": "UTC"},
        {"by": "a,b,c,d,e,f,g,h,i"},
        {"days": 0},
        {"period": "fortnightly"},
        {"format": "ndjson"},
        {"budget_id": "none"},
    ],
)
def test_a_report_that_means_nothing_is_refused(quick: Served, query: dict[str, Any]) -> None:
    answer = quick.http.get("/api/v1/usage/report", params=query)

    assert answer.status_code == (404 if "budget_id" in query else 422), answer.text


def test_the_same_is_there_under_the_older_prefix(quick: Served) -> None:
    answer = quick.http.post("/api/usage/record", json={"cost": 1})

    assert answer.status_code == 201
    assert quick.http.get("/api/usage/records").json()["total"] == 1
