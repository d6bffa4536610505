"""The OpenAPI document: complete, exemplary, and kept by every route whatever is sent to it."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.frontends.api_read.conftest import Served, served

from tekton_budget.domain.caller import Role
from tekton_budget.frontends.api.document import EXAMPLES_FILE

CASES = 10  # requests a route
ROOT = Path(__file__).parents[3]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
WITHOUT_JSON = {"GET /metrics"}
KNOWN = {
    "budget": ["default", "lab"],
    "name": ["AllocateBudget", "RecordUsage", "health_check"],
    "policy": ["daily", "each"],
    "allocation_id": [f"call-{number}" for number in range(CASES)],
    "record_id": ["usage-1"],
    "context_id": ["ctx"],
    "key": ["spare"],
    "run": ["lab-run"],
    "alert_id": [],  # known once it is there
    "provider": ["openai"],
    "model": ["gpt-5-mini"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A store in which something is there to be found."""
    url = f"sqlite:///{tmp_path_factory.mktemp('openapi') / 'budget.db'}"
    with served(url) as one:
        admin = one.key("root", Role.ADMIN)
        one.limit("1000usd/day")
        one.limit("10usd/month", per=["user"], name="each")
        price = {"provider": "openai", "model": "gpt-5-mini", "input": 0.25, "output": 2}
        asks = [
            {"do": "allocate", "allocation_id": id_, "cost": 0.01, "context_id": "ctx"}
            for id_ in KNOWN["allocation_id"]
        ]
        used = {"record_id": "usage-1", "cost": 1, "user": "alice"}
        for path, body in (
            ("/prices", price),
            ("/budgets", {"name": "lab"}),
            ("/keys", {"name": "spare"}),
            ("/runs", {"name": "lab-run", "cost_limit": 5, "lease_seconds": 3600}),
            ("/batch", {"commands": asks}),
            ("/usage/record", used),
            ("/usage/record", {"record_id": "usage-2", "cost": 9, "user": "bob"}),
        ):
            admin.post(f"/api/v1{path}", json=body).raise_for_status()
        one.http.headers["X-API-Key"] = admin.headers["X-API-Key"]
        assert one.http.post("/api/v1/allocations", json={"cost": 5000}).status_code == 402
        alerts = one.http.get("/api/v1/alerts").json()["items"]
        KNOWN["alert_id"] = [alert["alert_id"] for alert in alerts]
        yield one


@pytest.fixture(scope="module")
def document(server: Served) -> dict[str, Any]:
    return server.http.get("/api/v1/openapi.json").json()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    return json.loads(EXAMPLES_FILE.read_text())["examples"]


# The document -------------------------------------------------------------------------------------


def test_every_route_says_in_a_line_what_it_is_for(operations: dict[str, dict[str, Any]]) -> None:
    short = [name for name, one in operations.items() if len(one["summary"]) < 8]
    long = [name for name, one in operations.items() if len(one["summary"]) > 120]
    untold = [name for name, one in operations.items() if not one.get("description")]

    assert (short, long, untold) == ([], [], [])
    summaries = [one["summary"] for name, one in operations.items() if not name.startswith("PATCH")]
    assert all(not summary.endswith(".") for summary in summaries)


def test_every_route_shows_an_answer_and_its_refusals(
    operations: dict[str, dict[str, Any]],
) -> None:
    faults = []
    for name, operation in operations.items():
        answers = operation["responses"]
        good = [status for status in answers if status.startswith("2")]
        content = answers[good[0]].get("content", {})
        if len(good) != 1 or not content:
            faults.append(f"{name}: no answer")
        if name not in WITHOUT_JSON and "example" not in content["application/json"]:
            faults.append(f"{name}: no example of an answer")
        faults += [
            f"{name}: no problem as {status}"
            for status in ("4XX", "5XX")
            if "application/problem+json" not in answers.get(status, {}).get("content", {})
        ]

    assert faults == []


def test_every_body_and_every_id_in_a_path_has_an_example(
    operations: dict[str, dict[str, Any]],
) -> None:
    faults = []
    for name, operation in operations.items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None and "example" not in body and not name.endswith("/release"):
            faults.append(f"{name}: no example of a body")
        faults += [
            f"{name}: no example of {parameter['name']}"
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "path" and "example" not in parameter
        ]

    assert faults == []


def test_the_examples_are_what_a_server_says_today() -> None:
    script = _script("api_examples")

    again = json.loads(script.text())

    assert again == json.loads(EXAMPLES_FILE.read_text()), "run python scripts/api_examples.py"


def test_every_example_keeps_the_document(
    document: dict[str, Any],
    operations: dict[str, dict[str, Any]],
    examples: list[dict[str, Any]],
) -> None:
    """Bodies and answers both; what a server says in the story is checked here, not assumed."""
    for example in examples:
        operation = operations.get(example["do"])
        if operation is None:
            assert "shutdown" in example["do"], "documented only where it is enabled"
            continue
        answers = operation["responses"]
        answer = answers.get(str(example["status"]), answers.get(f"{example['status'] // 100}XX"))
        for kind, content in answer["content"].items():
            if kind in ("application/json", "application/problem+json"):
                _assert_valid(document, content["schema"], example["answer"], example["do"])
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if "body" in example and "costLimit" not in example["body"]:
            _assert_valid(document, body["schema"], example["body"], example["do"])


def _assert_valid(document: dict[str, Any], schema: Any, value: Any, name: str) -> None:
    whole = {**schema, "components": document["components"]}
    faults = list(jsonschema_rs.Draft202012Validator(whole).iter_errors(value))
    assert not faults, f"{name}: {faults[0].message} at {faults[0].instance_path}"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# Whatever is sent ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_route_breaks_or_leaves_its_document_whatever_is_sent(server: Served) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json")
    headers = {"X-API-Key": server.http.headers["X-API-Key"]}
    seen: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        codes = seen.setdefault(f"{operation.method.upper()} {operation.path}", set())
        _tried(operation, headers, codes)

    assert len(seen) > 50
    lost = [name for name, codes in seen.items() if codes <= {401, 403}]
    assert lost == []


def _tried(operation: Any, headers: dict[str, str], codes: set[int]) -> None:
    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), data=st.data())
    def run(case: Any, data: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            if data.draw(st.integers(0, 2)):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        if isinstance(case.body, dict):
            case.body.pop("wait_seconds", None)  # it would wait
        answer = case.call(headers=headers)
        codes.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    run()
