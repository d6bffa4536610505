"""The OpenAPI document, completed: what each route is for in a line, and an example of its use."""

import json
from pathlib import Path
from typing import Any

EXAMPLES_FILE = Path(__file__).with_name("examples.json")

Json = dict[str, Any]  # Any: JSON of OpenAPI


def complete(document: Json) -> None:
    """Summaries from the routes' own words, examples from a story that was really played."""
    operations = _operations(document)
    for operation in operations.values():
        first, _, rest = operation.get("description", "").partition("\n")
        operation["summary"] = first.strip().rstrip(".")
        operation["description"] = f"{first}\n{rest}".strip()
    for example in _examples():
        if example["do"] in operations:
            _add(operations[example["do"]], example)


def _add(operation: Json, example: Json) -> None:
    status = str(example["status"])
    answers = operation["responses"]
    answer = answers.setdefault(status, {"description": "Refused"})
    for kind, content in answer.get("content", {}).items():
        if _is_json(kind):
            content.setdefault("example", example["answer"])
    if not status.startswith("2"):
        return
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if _is_json(kind) and "body" in example:
            content.setdefault("example", example["body"])
    sent = {**example.get("path", {}), **example.get("query", {})}
    for parameter in operation.get("parameters", []):
        if parameter["name"] in sent:
            parameter.setdefault("example", sent[parameter["name"]])


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _operations(document: Json) -> dict[str, Json]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _examples() -> list[Json]:
    if not EXAMPLES_FILE.exists():
        return []
    found: list[Json] = json.loads(EXAMPLES_FILE.read_text())["examples"]
    return found
