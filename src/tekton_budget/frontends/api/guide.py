"""The OpenAPI document as a page to read: made here, without scripts, so it needs no network."""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]  # Any: OpenAPI

_STYLE = """\
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--link:#0b62c4}
@media(prefers-color-scheme:dark){:root{--link:#7db7ff}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,sans-serif;display:grid;grid-template-columns:21rem 1fr}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem}
nav ul{list-style:none;margin:0 0 1rem;padding:0}nav li{font-size:.85rem;overflow-wrap:anywhere}
nav h2{font-size:.9rem;margin:.5rem 0 .2rem}
main{border-left:1px solid var(--line);padding:1rem 2rem 6rem;min-width:0;max-width:70rem}
a{color:var(--link)}nav a{text-decoration:none}
section{border-top:1px solid var(--line);padding-top:.5rem;margin-top:1.5rem}
h3{font:600 1rem ui-monospace,monospace;overflow-wrap:anywhere}
code,pre{font:.85rem ui-monospace,monospace;background:var(--soft);border-radius:4px}
code{padding:0 .2em}pre{padding:.7rem;overflow:auto}pre code{background:none;padding:0}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.6rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;\
border-bottom:1px solid var(--line)}
caption{text-align:left;font-weight:600}
summary{cursor:pointer;padding:.2rem 0}
@media(max-width:55rem){body{display:block}nav{position:static;height:auto;border:0}}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'"


def guide(document: Json) -> str:
    """The page: a list of all routes, then each with what it takes, gives and refuses."""
    by_noun: dict[str, list[tuple[str, str, Json]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            noun = (operation.get("tags") or ["service"])[0]
            by_noun.setdefault(noun, []).append((method.upper(), path, operation))
    info = document["info"]
    title = escape(info["title"])
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: HTTP</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        '<nav aria-label="Routes">',
        *(_entry(noun, routes) for noun, routes in by_noun.items()),
        f"</nav><main><h1>{title} {escape(info['version'])}</h1>{_prose(info['description'])}",
        '<p>For programs: <a href="openapi.json">openapi.json</a>. The lines to try take the '
        "address from the shell: <code>export BUDGET_URL=http://127.0.0.1:8013</code></p>",
    ]
    for noun, routes in by_noun.items():
        parts.append(f"<h2>{escape(noun)}</h2>")
        parts += [_route(document, *route) for route in routes]
    return "".join([*parts, "</main></body></html>"])


def _entry(noun: str, routes: list[tuple[str, str, Json]]) -> str:
    links = "".join(
        f'<li><a href="#{_anchor(method, path)}">{method} {escape(_short(path))}</a></li>'
        for method, path, _ in routes
    )
    return f"<h2>{escape(noun)}</h2><ul>{links}</ul>"


def _route(document: Json, method: str, path: str, operation: Json) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    parts = [
        f'<section id="{_anchor(method, path)}"><h3>{method} {escape(path)}</h3>',
        _prose(operation.get("description", "")),
        _table("Parameters", list(_parameters(document, operation))),
    ]
    if body is not None:
        parts.append(_table("Body", list(_fields(document, body.get("schema", {})))))
    parts.append(f"<pre><code>{escape(_line(method, path, operation, body))}</code></pre>")
    for status, answer in sorted(operation["responses"].items()):
        parts.append(_answer(document, status, answer))
    return "".join([*parts, "</section>"])


def _answer(document: Json, status: str, answer: Json) -> str:
    inner = ""
    for kind, content in answer.get("content", {}).items():
        fields = _table(kind, list(_fields(document, content.get("schema", {}))))
        inner += fields or f"<p>{escape(kind)}</p>"
        if "example" in content:
            shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
            inner += f"<pre><code>{escape(shown)}</code></pre>"
    head = f"<strong>{escape(status)}</strong> {escape(answer.get('description', ''))}"
    return f"<details><summary>{head}</summary>{inner}</details>" if inner else f"<p>{head}</p>"


def _parameters(document: Json, operation: Json) -> Iterator[tuple[str, str, str]]:
    for one in operation.get("parameters", ()):
        name = one["name"] + (" (needed)" if one.get("required") and one["in"] != "path" else "")
        schema = one.get("schema", {})
        about = one.get("description") or schema.get("description", "")
        kind = _type(document, schema).removesuffix(" or null")
        yield name, f"{kind}, in the {one['in']}", about


def _fields(document: Json, schema: Json) -> Iterator[tuple[str, str, str]]:
    """The fields of an object, or of the objects of a list."""
    found = _resolved(document, schema)
    if found.get("type") == "array":
        found = _resolved(document, found.get("items", {}))
    is_sent = found.get("additionalProperties") is False
    needed = found.get("required", ()) if is_sent else ()
    for name, inner in found.get("properties", {}).items():
        kind = _type(document, inner)
        kind = kind.removesuffix(" or null") if is_sent else kind  # left out is the same
        yield name + (" (needed)" if name in needed else ""), kind, inner.get("description") or ""


def _type(document: Json, schema: Json) -> str:
    if "$ref" in schema:
        return _type(document, _resolved(document, schema))
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds:
        return " or ".join(dict.fromkeys(_type(document, one) for one in kinds))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(document, schema.get('items', {}))}"
    named = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    kind = str(schema.get("format") or schema.get("type") or "any")
    return named.get(kind, kind)


def _resolved(document: Json, schema: Json) -> Json:
    """The schema itself, past references and past `or null`."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    kinds = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return _resolved(document, kinds[0]) if len(kinds) == 1 else schema


def _line(method: str, path: str, operation: Json, body: Json | None) -> str:
    """The request as a line for the shell."""
    query = []
    for one in operation.get("parameters", ()):
        if "example" in one and one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", str(one["example"]))
        elif "example" in one and one["in"] == "query":
            query.append(f"{one['name']}={one['example']}")
    address = f'"$BUDGET_URL{path.replace(" ", "%20")}{"?" if query else ""}{"&".join(query)}"'
    parts = ["curl", *(["-X", method] if method != "GET" else []), address]
    if body is not None and "example" in body:
        sent = json.dumps(body["example"], ensure_ascii=False)
        parts += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(sent)]
    return " ".join(parts)


def _table(caption: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{_inline(about)}</td></tr>"
        for name, kind, about in rows
    )
    return f"<table><caption>{escape(caption)}</caption>{lines}</table>"


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(one)}</p>" for one in text.split("\n\n") if one.strip())


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(method: str, path: str) -> str:
    """A name of its own for each; /status and /api/v1/status are two routes."""
    place = _short(path) if _short(path) != path else f"root {path}"
    return re.sub(r"[^a-z0-9]+", "-", f"{method} {place}".lower()).strip("-")


def _short(path: str) -> str:
    return path.removeprefix("/api/v1")
