"""Problems: every kind of refusal is a document that says what to do next."""

import base64
import html
import json
import re
import shlex
from typing import Any

import pytest
import structlog
from tests.frontends.api.conftest import Door, problem

from tekton_budget.domain.errors import Unavailable
from tekton_budget.frontends.api.guide import guide


def test_an_unknown_route_is_404(quick: Door) -> None:
    for path in ("/api/v1/nope", "/nope", "/api/nope/x"):
        answer = quick.http.get(path)
        assert problem(answer, 404, "route_not_found")["instance"] == path


def test_a_wrong_method_is_405_with_those_that_are_right(quick: Door) -> None:
    answer = quick.http.patch("/api/v1/allocations")

    problem(answer, 405, "method_not_allowed")
    assert {word.strip() for word in answer.headers["allow"].split(",")} >= {"GET", "POST"}


@pytest.mark.parametrize("path", ["/api/v1/allocations", "/api/v1/policies", "/api/v1/keys"])
def test_a_body_beyond_a_mebibyte_is_413(quick: Door, path: str) -> None:
    large = b'{"name":"' + b"x" * (1 << 20) + b'"}'
    told = quick.http.post(path, content=large, headers={"content-type": "application/json"})

    def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65536

    streamed = quick.http.post(path, content=chunks(), headers={"content-type": "application/json"})

    problem(told, 413, "body_too_large")
    problem(streamed, 413, "body_too_large")


def test_a_refusal_does_not_repeat_a_name_of_any_length(quick: Door) -> None:
    name = "x" * 1_000_000
    for body in ({"model": name}, {"model": "m", "provider": name}):
        told = quick.http.post("/api/v1/prices/resolve", json=body)
        document = problem(told, 404, "price_not_found")

        assert document["detail"].startswith("No price is known for")
        assert len(told.content) < 5_000


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/allocations", "metadata"),
        ("/allocations", "unknown"),
        ("/policies", "metadata"),
        ("/policies", "unknown"),
        ("/policies/p/groups", "x"),
        ("/batch", "commands"),
    ],
)
@pytest.mark.parametrize("depth", [64, 300, 990, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"aB":', b"}")])
def test_a_body_of_bottomless_depth_is_refused_at_once(
    quick: Door, path: str, field: str, depth: int, opens: bytes, closes: bytes
) -> None:
    body = b'{"cost":1,"' + field.encode() + b'":' + opens * depth + b"1" + closes * depth + b"}"
    method = "PUT" if path.endswith("groups") else "POST"
    answer = quick.http.request(
        method, f"/api/v1{path}", content=body, headers={"content-type": "application/json"}
    )

    assert "64" in problem(answer, 422, "invalid")["detail"]


def test_a_body_of_some_depth_is_taken(quick: Door) -> None:
    deep: Any = 1
    for _ in range(62):
        deep = {"a": [deep]} if deep == 1 else {"a": deep}
    many = {"commands": [{"do": "allocate", "metadata": {"a": [[1]]}} for _ in range(200)]}

    assert quick.post("/allocations", {"metadata": deep})["metadata"] == deep
    assert len(quick.post("/batch", many, 200)["results"]) == 200


def test_a_batch_may_be_eight_mebibytes(quick: Door) -> None:
    pad = b" " * (7 << 20)
    body = b'{"commands":[{"do":"allocate","cost":1}]' + pad + b"}"
    fits = quick.http.post("/api/v1/batch", content=body)
    more = quick.http.post("/api/v1/batch", content=body + b" " * (2 << 20))

    assert fits.status_code == 200
    problem(more, 413, "body_too_large")


def test_a_fault_of_ours_is_500_without_its_inside(
    quick: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(type(quick.running.service.ledger), "allocate", broken)
    monkeypatch.setattr(type(quick.running.service.catalogue), "budgets", broken)
    with structlog.testing.capture_logs() as logs:
        hot = quick.http.post("/api/v1/allocations", json={"cost": 1})
        cold = quick.http.get("/api/v1/budgets")

    for answer in (hot, cold):
        problem(answer, 500, "internal_error")
        assert "secret" not in answer.text
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["request_failed"] * 2


def test_a_full_queue_is_503_with_the_id_to_ask_again_under(
    quick: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise Unavailable("20000 commands wait already.", code="queue_full", id="the-id")

    monkeypatch.setattr(quick.running.writer, "submit", full)
    answer = quick.http.post("/api/v1/allocations", json={"cost": 1})

    assert problem(answer, 503, "queue_full")["id"] == "the-id"
    assert answer.headers["retry-after"] == "1"


def test_a_stopping_service_takes_no_more(quick: Door) -> None:
    quick.running.writer.stop()
    answer = quick.http.post(
        "/api/v1/allocations", json={"cost": 1}, headers={"Idempotency-Key": "mine"}
    )

    assert problem(answer, 503, "unavailable")["id"] == "mine"


def test_the_document_describes_every_route(quick: Door) -> None:
    document = quick.http.get("/api/v1/openapi.json").json()

    assert "ProblemOut" in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            if path.startswith("/api/v1/") and method != "get":
                assert "4XX" in operation["responses"] or "422" in operation["responses"]
    ask = document["paths"]["/api/v1/allocations"]["post"]
    assert "max_output_tokens" in str(ask["requestBody"])
    assert set(ask["responses"]) >= {"201", "402", "4XX", "5XX"}
    assert quick.http.get("/api/openapi.json").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("/allocations", b"null", "body", "send a JSON object"),
        ("/allocations", b"[1]", "body", "send a JSON object"),
        ("/policies", b"[1]", "body", ""),
        ("/allocations", b'{"cost":1,"team":true}', "team", "send text"),
        ("/allocations", b'{"cost":1,"team":{"a":1}}', "team", "send text"),
        ("/allocations", b'{"cost":1,"labels":{"own":[1]}}', "labels.own", "send text"),
        ("/policies", b'{"limit":"1usd","tier":5}', "tier", "send text, or a list of texts"),
        ("/policies", b'{"limit":"1usd","scope":{"a":[1]}}', "scope.a", "send text, or a list"),
        ("/policies", b'{"limit":"1usd","scope":[]}', "scope", "send a JSON object"),
        ("/usage/record", b'{"response":"text"}', "response", "send a JSON object or a list"),
        ("/prices/load", b'[{"model":"m"}]', "body", "send a JSON object"),
        (
            "/allocations",
            b'{"cost":1,"lifetime_seconds":60,"expires_at":"2999-01-01T00:00:00Z"}',
            "expires_at",
            "send it or lifetime_seconds, not both",
        ),
    ],
)
def test_a_fault_is_told_once_by_the_name_of_its_field(
    quick: Door, path: str, body: bytes, field: str, message: str
) -> None:
    answer = quick.http.post(
        f"/api/v1{path}", content=body, headers={"content-type": "application/json"}
    )

    [told] = problem(answer, 422, "invalid")["fields"]
    assert told["field"] == field
    assert told["message"].startswith(message)


def test_a_faulty_exception_is_named_by_its_group(quick: Door) -> None:
    quick.post("/policies", {"name": "p", "limit": "1usd/day", "per": "user"})
    for value, field in ((5, "eve"), ({"cost": 1}, "eve.cost"), ("lots", "eve")):
        answer = quick.http.put("/api/v1/policies/p/groups", json={"eve": value})
        assert problem(answer, 422, "invalid")["fields"][0]["field"] == field


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "a/b"])
@pytest.mark.parametrize("path", ["/allocations", "/allocations/x/settle", "/usage/record"])
def test_a_key_of_a_request_that_cannot_be_is_named_as_what_it_is(
    quick: Door, path: str, key: str
) -> None:
    answer = quick.http.post(f"/api/v1{path}", json={"cost": 1}, headers={"Idempotency-Key": key})

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "path", ["/allocations", "/policies", "/budgets", "/budgets/summary", "/audit", "/prices"]
)
def test_a_filter_that_is_not_known_is_refused_and_not_left_out(quick: Door, path: str) -> None:
    answer = quick.http.get(f"/api/v1{path}", params={"teem": "a"})

    told = problem(answer, 422, "invalid")
    assert told["fields"][0]["field"] == "teem"
    assert "those are" in told["detail"]


@pytest.mark.parametrize("place", ["9" * 30, f"-{9 * 10**30}", '"a\\u0000"', '[1,"a\\u0000"]', "x"])
def test_a_cursor_of_somebody_s_own_making_is_refused(door: Door, place: str) -> None:
    door.post("/policies", {"name": "p", "limit": "1usd/day", "per": "user"})
    after = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    for path in (
        "/allocations",
        "/allocations/context/c",
        "/policies",
        "/budgets",
        "/budgets/default/policies",
        "/budgets/default/balances",
        "/policies/p/groups",
        "/usage/records",
        "/decisions",
        "/audit",
        "/keys",
    ):
        answer = door.http.get(f"/api/v1{path}", params={"after": after})

        fields = problem(answer, 422, "invalid")["fields"]
        assert (path, fields[0]["field"]) == (path, "after")


def test_a_record_that_differs_names_its_field_as_it_was_sent(quick: Door) -> None:
    body = {"record_id": "r", "cost": 1, "timestamp": "2026-01-01T00:00:00Z", "team": "a"}
    quick.post("/usage/record", body)
    other = {**body, "cost": 2, "timestamp": "2026-01-02T00:00:00Z", "team": "b"}
    answer = quick.http.post("/api/v1/usage/record", json=other)

    fields = [one["field"] for one in problem(answer, 409, "id_reused")["fields"]]
    assert fields == ["cost", "labels.team", "timestamp"]


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/docs", "/api/v1/redoc"])
def test_the_documentation_is_one_page_that_needs_no_network_and_no_key(
    quick: Door, path: str
) -> None:
    quick.served.key("k")
    answer = quick.http.get(path)
    page = answer.text
    document = quick.http.get("/api/v1/openapi.json").json()

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page
    assert not re.findall(r"(?:src|href|url)=.?(?:https?:)?//", page)
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) == sum(map(len, document["paths"].values()))
    assert set(re.findall(r'href="#([^"]+)"', page)) == set(ids)
    for word in ("max_output_tokens", "wait_seconds", "largest_fit", "resets_at", "min_grant"):
        assert f"<code>{word}" in page


def test_what_a_document_says_is_text_on_its_page() -> None:
    evil = "<img src=x>`<b>`"
    operation = {
        "tags": [evil],
        "description": evil,
        "parameters": [{"name": evil, "in": "query", "description": evil, "example": evil}],
        "requestBody": {"content": {"application/json": {"schema": {}, "example": {"a": evil}}}},
        "responses": {"200": {"description": evil, "content": {evil: {"example": evil}}}},
    }
    info = {"title": evil, "version": evil, "description": evil}
    page = guide({"info": info, "paths": {f"/{evil}": {"post": operation}}, "components": {}})

    assert "<img" not in page
    assert "<b>" not in page


def test_the_lines_for_the_shell_do_what_they_say(quick: Door) -> None:
    page = quick.http.get("/api/v1/docs").text
    lines = [html.unescape(one) for one in re.findall(r"<code>(curl .*?)</code>", page, re.DOTALL)]
    [ask] = [
        one for one in lines if one.startswith('curl -X POST "$BUDGET_URL/api/v1/allocations" ')
    ]
    words = shlex.split(ask)

    assert words[:4] == ["curl", "-X", "POST", "$BUDGET_URL/api/v1/allocations"]
    body = json.loads(words[words.index("-d") + 1])
    assert quick.http.post("/api/v1/allocations", json=body).status_code == 201


def test_an_address_that_no_store_can_look_for_is_refused(door: Door) -> None:
    for path in (
        "/usage/records/%00",
        "/usage/records?model=%00",
        "/allocations?key_id=a%00",
        "/audit?object_id=%00",
        "/policies/%00",
    ):
        problem(door.http.get(f"/api/v1{path}"), 422, "invalid")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "warn", "enforcement": "hard_limit"}, "type"),
        ({"cost_limit": 2}, "cost_limit"),
        ({"period": "weekly"}, "period"),
        ({"scope": {"tier": "x"}, "tier": "y"}, "tier"),
        ({"starts_at": "2030-01-01T00:00:00Z", "start_date": "2031-01-01T00:00:00Z"}, "start_date"),
    ],
)
def test_a_policy_told_in_two_ways_that_differ_is_refused(
    quick: Door, body: dict[str, Any], field: str
) -> None:
    answer = quick.http.post("/api/v1/policies", json={"limit": "1usd/day", **body})

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == field
    assert quick.get("/policies")["items"] == []


def test_a_policy_told_in_two_ways_that_agree_is_made(quick: Door) -> None:
    body = {"type": "warning", "enforcement": "warn", "cost_limit": "1.00", "period": "daily"}
    body |= {"scope": {"tier": "x"}, "tier": "x", "token_limit": 5}

    made = quick.post("/policies", {"limit": "1usd/day", **body})
    assert (made["limit"], made["type"]) == ("$1.00 + 5 tokens daily", "warn")


LONG = "x" * 257


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/usage/record", {"cost": 1, "model_used": LONG}, "model_used"),
        ("/usage/record", {"cost": 1, "provider_used": "a\nb"}, "provider_used"),
        ("/usage/record", {"cost": 1, "operation_id": LONG}, "operation_id"),
        ("/allocations/x/settle", {"cost": 1, "request_id": LONG}, "request_id"),
        ("/usage/record", {"cost": "0." + "1" * 200}, "cost"),
        ("/policies", {"limit": "1usd", "metadata": {"x": "y" * 20_000}}, "metadata"),
        ("/policies", {"limit": "1usd", "per": ["a b"]}, "per"),
        ("/budgets", {"name": "b", "description": "x" * 5000}, "description"),
        ("/budgets", {"name": "b", "owner": LONG}, "owner"),
        ("/keys", {"name": "k", "requires": ["a b"]}, "requires"),
        ("/keys", {"name": "k", "requires": [f"l{n}" for n in range(41)]}, "requires"),
    ],
)
def test_every_text_has_a_length_and_every_label_a_name(
    quick: Door, path: str, body: dict[str, Any], field: str
) -> None:
    answer = quick.http.post(f"/api/v1{path}", json=body)

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == field
