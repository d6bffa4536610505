"""Reference of the HTTP interface, from its OpenAPI document: each route, its fields, answers, an example."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from docs_markdown import code, page, table

from tekton_budget.domain.scope import WELL_KNOWN_LABELS

PAGE = "http.md"

INTRO = """Every path under `/api/v1` is there under `/api` too. Bodies are JSON; names are snake_case (camelCase is taken as well). A field
named `cost…` is USD with all its digits, a time is RFC 3339 with its offset. Where keys are in use, send
`Authorization: Bearer tb_live_…`. Any POST takes an `Idempotency-Key`, or the object's own id. What goes wrong is a problem document
with a stable [code](errors.md). The server has this page at `/api/v1/docs`, with a line for the shell for each route, and for
programs at `/api/v1/openapi.json`."""

_LABELS = "policies.md#labels"
METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEMS_EVERYWHERE = ("400", "401", "403", "404", "409", "413", "415", "422", "500", "503")

Json = Mapping[str, Any]  # Any: OpenAPI


@cache
def document() -> Json:
    """The OpenAPI document of a service over an empty database."""
    from tekton_budget.frontends.api.app import create_app
    from tekton_budget.frontends.tekton.protocol import protocol_routers
    from tekton_budget.settings import load_settings
    from tekton_budget.wiring import open_service

    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/budget.db"
        settings = load_settings(database_url=url, shutdown_enabled=True)
        with open_service(settings, background=False) as running:
            return create_app(running, routers=protocol_routers()).openapi()


def routes() -> Iterator[tuple[str, str, Json]]:
    """Method, path and operation of every route."""
    for path, operations in document()["paths"].items():
        for method in METHODS:
            if method in operations:
                yield method.upper(), path, operations[method]


def text() -> str:
    """The page."""
    by_noun: dict[str, list[str]] = {}
    named: dict[str, Json] = {}
    for method, path, operation in routes():
        noun = (operation.get("tags") or ["service"])[0]
        by_noun.setdefault(noun, []).append(_route(method, path, operation, named))
    parts = [part for noun, found in by_noun.items() for part in (f"## {noun}", *found)]
    return page("HTTP", INTRO, _contents(), *parts, "## Objects", *_objects(named))


def _contents() -> str:
    """Every route with its purpose, to find it by."""
    rows = [
        (f"[{method} {path}](#{_anchor(f'{method} {path}')})", _purpose(operation))
        for method, path, operation in routes()
    ]
    return table(("route", "what it does"), rows)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _purpose(operation: Json) -> str:
    told = operation.get("description") or operation.get("summary", "")
    return str(told).split("\n\n")[0]


def _route(method: str, path: str, operation: Json, named: dict[str, Json]) -> str:
    parts = [f"### {method} {path}", operation.get("description") or operation.get("summary", "")]
    given = operation.get("parameters", ())
    labels = [one for one in given if one["in"] == "query" and one["name"] in WELL_KNOWN_LABELS]
    folded = labels if len(labels) == len(WELL_KNOWN_LABELS) else []
    parameters = [_parameter(one, named) for one in given if one not in folded]
    if folded:
        names = f"{code(folded[0]['name'])}, {code(folded[1]['name'])}, … "
        parameters.insert(
            0, (names, "query", "text", f"A label: any of the [well-known]({_LABELS})")
        )
    if parameters:
        parts.append(table(("parameter", "in", "type", "what it says"), parameters))
    body = _schema_of(operation.get("requestBody"))
    if body is not None:
        parts.append(_fields("field", _resolved(body), named))
    example = _example(_resolved(body)) if body is not None else None
    if example:
        shown = json.dumps(example, indent=2, ensure_ascii=False)
        parts.append(f"```json\n{shown}\n```")
    parts += list(_answers(operation, named))
    return "\n\n".join(part for part in parts if part)


def _objects(named: dict[str, Json]) -> Iterator[str]:
    """Each object that an answer or body has, once; what is in it may name more."""
    told: set[str] = set()
    while waiting := sorted(set(named) - told):
        for name in waiting:
            told.add(name)
            schema = named[name]
            yield f"### {name}"
            yield schema.get("description", "")
            yield _fields("field", schema, named, all_there=True)


def _parameter(one: Json, named: dict[str, Json]) -> tuple[str, str, str, str]:
    schema = one.get("schema", {})
    about = one.get("description") or schema.get("description") or ""
    needed = " (needed)" if one.get("required") and one["in"] != "path" else ""
    return code(one["name"]) + needed, one["in"], _type(schema, named), about + _default(schema)


def _schema_of(carrier: Json | None) -> Json | None:
    """The schema of a JSON body, if it has one."""
    content = (carrier or {}).get("content", {})
    return content.get("application/json", {}).get("schema") or None


def _resolved(schema: Json) -> Json:
    """The schema itself, past references and past `or null`."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][_name(schema)]
    alternatives = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return _resolved(alternatives[0]) if len(alternatives) == 1 else schema


def _name(schema: Json) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


def _fields(head: str, schema: Json, named: dict[str, Json], *, all_there: bool = False) -> str:
    """A table of an object's fields; of something else, its type."""
    properties = schema.get("properties")
    if not properties:
        return f"The body is {_type(schema, named)}." if schema.get("type") else ""
    needed = set() if all_there else set(schema.get("required", ()))
    rows = [
        (
            code(name) + (" (needed)" if name in needed else ""),
            _type(field, named),
            (field.get("description") or "") + _default(field),
        )
        for name, field in properties.items()
    ]
    return table((head, "type", "what it says"), rows)


def _answers(operation: Json, named: dict[str, Json]) -> Iterator[str]:
    for status, answer in operation.get("responses", {}).items():
        if status in _PROBLEMS_EVERYWHERE or not status.isdigit():
            continue
        words = HTTPStatus(int(status)).phrase
        about = answer.get("description") or ""
        said = "" if about in ("", "Successful Response", words) else f": {about.rstrip('.')}"
        schema = _schema_of(answer)
        kinds = [kind for kind in answer.get("content", {}) if kind != "application/json"]
        shapes = [_type(schema, named)] if schema is not None else []
        shapes += [code(kind) for kind in kinds]
        shown = f"; {' or '.join(shapes)}" if shapes else ""
        yield f"Answers **{status}** {words}{said}{shown}."


def _type(schema: Json, named: dict[str, Json]) -> str:
    if "$ref" in schema:
        inner = _resolved(schema)
        if inner.get("type") != "object" or not inner.get("properties"):
            return _type(inner, named)
        named.setdefault(_name(schema), inner)
        return f"[{_name(schema)}](#{_name(schema).lower()})"
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    if "const" in schema:
        return code(schema["const"])
    alternatives = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if alternatives:
        return " or ".join(dict.fromkeys(_type(one, named) for one in alternatives))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), named)}"
    if kind == "string" and schema.get("format") == "date-time":
        return "time"
    words = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return words.get(str(kind), str(kind))


def _default(schema: Json) -> str:
    value = schema.get("default")
    if value in (None, "", [], {}):
        return ""
    return f" (default {code(json.dumps(value))})"


def _example(schema: Json) -> object:
    """The body's own example, or one made of its fields' examples where all needed ones have one."""
    given = schema.get("examples") or ([schema["example"]] if "example" in schema else [])
    if given:
        return given[0]
    made = {}
    for name, field in schema.get("properties", {}).items():
        examples = field.get("examples")
        if examples:
            made[name] = examples[0]
    return made if set(schema.get("required", ())) <= set(made) else None
