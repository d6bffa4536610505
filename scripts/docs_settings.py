"""Reference of the settings, from the class that reads them."""

from enum import Enum
from types import NoneType
from typing import get_args, get_origin

from docs_markdown import code, page, table
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tekton_budget.settings import Settings

PAGE = "settings.md"

INTRO = """Every setting has one name. Write it in `budget.toml` of the directory that the command is started in (or of the file that
`--config` names), or set the environment variable of the same name, with `BUDGET_` before it and in capitals. An option of the
command line comes first, then the environment, then the file, then what Tekton says to all its components, then the default.
`tekton-budget config` prints what is in force and where it came from."""

EXAMPLE = """```toml
port = 8013
database_url = "postgresql:///budget"
timezone = "Europe/Berlin"
mode = "shadow"
```"""

CLIENT = """## Settings of clients

`tekton_budget.open()`, `Client`, `AsyncClient` and the command line read these besides."""


TEKTON = """## Inside Tekton

Where `TEKTON_ROOT` is set, the files `~/.env`, `$TEKTON_ROOT/.env.tekton` and `$TEKTON_ROOT/.env.local` are part of the environment,
each before those that come first, and all of them before the process's own variables, as everywhere in Tekton. Of them are taken
`BUDGET_…`, `PENIA_…`, `HERMES_…`, `HEPHAESTUS_…`, `TEKTON_…` and `…_API_KEY`. Where `_TEKTON_ENV_FROZEN=1` says that Tekton's launcher
has read them, and outside of Tekton, no file is read; outside, of the variables below `PENIA_PORT` and `HERMES_URL` count alone."""

# Of each of Tekton's variables what it says here, and of which setting; tests/test_tekton_environment.py holds them to it.
MEANT = (
    (
        "TEKTON_ROOT",
        "database_url",
        "With nothing else said, the database is `.tekton/data/budget/tekton-budget.db` in it",
    ),
    (
        "TEKTON_DATA_DIR",
        "database_url",
        "It is `budget/tekton-budget.db` in that folder; the original's `budget.db` is never opened",
    ),
    (
        "PENIA_PORT",
        "port",
        "The port, where `BUDGET_PORT` is not set; two that differ are logged, and `BUDGET_PORT` holds",
    ),
    (
        "BUDGET_HOST",
        "host",
        "The address to listen on. Tekton builds addresses of it, so that both are one",
    ),
    (
        "TEKTON_HOST",
        "public_host",
        "The host told to Hermes; it opens nothing. `0.0.0.0` is no host to be found by",
    ),
    ("TEKTON_LOG_LEVEL", "log_level", "`TRACE` is `DEBUG`, `FATAL` and `OFF` are `CRITICAL`"),
    ("TEKTON_DEBUG", "log_level", "`true` is `DEBUG`, where no level is said"),
    (
        "TEKTON_LOG_FORMAT",
        "log_format",
        "`json`; `compact`, `standard`, `detailed`, `debug` and `minimal` are `text`",
    ),
    ("HEPHAESTUS_PORT", "cors_origins", "Pages of that port on this machine may call"),
    ("HERMES_URL", "hermes_url", "Where Hermes is"),
    (
        "HERMES_PORT",
        "hermes_url",
        "The same by its port (8001), on `HERMES_HOST`, else `TEKTON_HOST`, else `localhost`",
    ),
    ("HERMES_HOST", "hermes_url", "The same by its host"),
    (
        "TEKTON_HERMES_DISCOVERY",
        "hermes_url",
        "`false`: Hermes is not asked, unless `BUDGET_HERMES_URL` names it",
    ),
    ("HERMES_REGISTRATION_TIMEOUT", "hermes_timeout_seconds", "As it says"),
    (
        "HERMES_HEALTH_CHECK_INTERVAL",
        "hermes_interval_seconds",
        "Half of it: two signs of life in each of its checks",
    ),
    ("TEKTON_MCP_ENABLED", "mcp_enabled", "`false`: neither `/mcp` nor `/api/mcp` is served"),
)


def text() -> str:
    """The page."""
    rows = [
        (
            code(name),
            code(_BY_NAME.get(name, f"BUDGET_{name.upper()}")),
            _type(field),
            _default(name, field),
            _about(field),
        )
        for name, field in Settings.model_fields.items()
    ]
    head = ("setting", "environment", "type", "default", "what it does")
    meant = [(code(variable), code(setting), told) for variable, setting, told in MEANT]
    tekton = table(("variable", "setting", "what it says here"), meant)
    parts = (INTRO, EXAMPLE, table(head, rows), TEKTON, tekton, CLIENT, _client_table())
    return page("Settings", *parts)


# One variable for each provider.
_BY_NAME = {
    "upstreams": "BUDGET_UPSTREAM_<NAME>",
    "upstream_keys": "BUDGET_UPSTREAM_KEY_<NAME>",
}


def is_known(variable: str) -> bool:
    """Whether it is read: as a setting, by clients, or as a provider's by name."""
    known = {f"BUDGET_{name.upper()}" for name in Settings.model_fields}
    return variable in known | set(client_variables()) or variable.startswith("BUDGET_UPSTREAM_")


def client_variables() -> dict[str, str]:
    """The environment of clients, which is no setting of the service."""
    return {
        "BUDGET_URL": "Address of a server; without it the library and the command line open `BUDGET_DATABASE_URL` themselves",
        "BUDGET_KEY": "The key sent with every request",
        "BUDGET_LABELS": "Labels of every call, as `team=a,user=alice`",
        "BUDGET_RUN": "The label `run` of every call",
        "BUDGET_GATEWAY_URL": "Set by `tekton-budget run` for its command: the run's own address; a provider's name comes behind it",
        "BUDGET_CONFIG": "A `budget.toml` for the command line to read",
        "BUDGET_OUTPUT": "How the command line prints: `table`, `json`, `csv` or `nl`; by default a table on a terminal and JSON elsewhere",
    }


def _client_table() -> str:
    rows = [(code(name), about) for name, about in client_variables().items()]
    return table(("environment", "what it does"), rows)


def _type(field: FieldInfo) -> str:
    kinds = [
        kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType
    ]
    first = kinds[0]
    if field.annotation is not None and get_origin(field.annotation) is dict:
        secret = "secret text" if SecretStr in kinds else "address"
        return f"a table: {secret} by name"
    if isinstance(first, type) and issubclass(first, Enum):
        return " or ".join(code(member.value) for member in first)
    words = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
    if first in words and Ellipsis not in kinds:
        bounds = [str(limit) for limit in field.metadata if not hasattr(limit, "pattern")]
        return words[first] + (f" ({', '.join(map(_bound, bounds))})" if bounds else "")
    return "list of texts (JSON in the environment)" if Ellipsis in kinds else "secret text"


def _bound(shown: str) -> str:
    """`Ge(ge=1)` → `at least 1`."""
    name, _, value = shown.rstrip(")").partition("=")
    words = {"Ge(ge": "at least", "Le(le": "at most", "Gt(gt": "above", "Lt(lt": "below"}
    return f"{words[name]} {value}"


def _default(name: str, field: FieldInfo) -> str:
    if name == "database_url":
        return "`budget.db` in the user's data directory"
    if field.default is PydanticUndefined:
        return "none" if field.default_factory is not None else ""
    value = field.default.value if isinstance(field.default, Enum) else field.default
    if value in (None, ()):
        return "none"
    return code(str(value).lower() if isinstance(value, bool) else value)


def _about(field: FieldInfo) -> str:
    assert field.description, "every setting says what it does"
    return field.description
