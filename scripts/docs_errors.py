"""Reference of every `code` an error can carry, and the walk through the source that finds them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docs_markdown import ROOT, code, page, table

PAGE = "errors.md"
SOURCE = ROOT / "src" / "tekton_budget"


class Explained(NamedTuple):
    """What a code means: the HTTP status it comes with (or where else it is said), when, and what to do."""

    status: int | str
    when: str
    do: str


# The status of a refusal's class; what a code is raised with must agree with what is said below.
STATUS_OF = {
    "InvalidInput": 422,
    "invalid": 422,
    "NotFound": 404,
    "Conflict": 409,
    "Unauthenticated": 401,
    "Forbidden": 403,
    "Unavailable": 503,
}

AT_START = "at start"
IN_CLIENT = "in clients"

CODES: dict[str, Explained] = {
    # over budget
    "over_budget": Explained(
        402,
        "A hard limit would be passed. Not an error of yours: the answer names each limit, what is left and when it resets",
        "Ask for at most `largest_fit`, take one of `alternatives`, wait until `resets_at`, or have a credit given",
    ),
    # 422: what was sent
    "invalid": Explained(
        422,
        "A field cannot be used as given; `fields` names each",
        "Send what the message asks for",
    ),
    "missing_usage": Explained(
        422,
        "A provider's response does not tell what was used; a settle charges the hold in its place and says so in `usage_error`",
        "Send the response whole, with the last frame of a stream, or the amounts",
    ),
    "invalid_usage": Explained(
        422,
        "A provider's response contradicts itself or cannot be read; a settle charges the hold in its place and says so in `usage_error`",
        "Send the response as it came, name its `api`, or send the amounts",
    ),
    "amount_needed": Explained(
        422,
        "A limit concerns the call in a unit that the ask leaves open",
        "Send the field that is named: `model` with `input_tokens` and `max_output_tokens`, or `cost`, or `tokens`",
    ),
    "label_missing": Explained(
        422, "The key or a policy requires a label that the call lacks", "Send the label"
    ),
    "limit_needed": Explained(
        422,
        "A policy limits nothing",
        "Send `limit`, or one of `token_limit`, `cost_limit`, `request_limit`",
    ),
    "too_deep": Explained(
        422,
        "A child would be more than 8 allocations below the first",
        "Ask for a part of one further up",
    ),
    "too_many_groups": Explained(
        422,
        "A policy with `per` would keep more groups than its `max_groups`",
        "Check what is sent as that label; raise `max_groups` if it is meant",
    ),
    "unknown_price": Explained(
        422,
        "No price of the model is known for that time, or several providers sell it; where a cost limit concerns the call, or a cost is to be computed",
        "Set a price, send `provider`, or send `cost`; or give the policy another `unpriced`",
    ),
    "unpriced_unit": Explained(
        422,
        "Something was used that the price card has no rate for: a unit, or a service tier",
        "Set the rate: `prices set … --rate UNIT=USD`, or load a card that has it",
    ),
    "invalid_file": Explained(
        422,
        "A file cannot be read, or is not of the format that the command takes; the place in it is named",
        "Mend it there",
    ),
    "setting_invalid": Explained(
        AT_START,
        "A setting cannot be used; the process does not start",
        "Mend the setting that is named",
    ),
    "two_ids": Explained(
        422,
        "`Idempotency-Key` and the object's own id differ",
        "Send one of them, or the same in both",
    ),
    # 400, 405, 413, 415: the request itself
    "malformed_json": Explained(400, "The body is not JSON", "Mend it where the message says"),
    "json_needed": Explained(
        415, "The body is of another kind than JSON", "Send `Content-Type: application/json`"
    ),
    "body_too_large": Explained(
        413, "The body is larger than the route takes", "Send less at once"
    ),
    "route_not_found": Explained(404, "There is no such route", "`/api/v1/docs` lists them"),
    "method_not_allowed": Explained(
        405, "The route is there, not with that method", "See [the routes](http.md)"
    ),
    # 401 and 403: who asks
    "key_needed": Explained(
        401, "A key is needed and none was sent", "Send `Authorization: Bearer tb_live_…`"
    ),
    "key_invalid": Explained(
        401, "The key is unknown, revoked or past its end", "Check it, or have a new one made"
    ),
    "forbidden": Explained(403, "The key may not do this", "Use a key that may"),
    "role_needed": Explained(
        403, "The key's role may not do this", "Use a key of the role that is named"
    ),
    "outside_scope": Explained(
        403,
        "The key's labels bound what it may limit",
        "Leave the label out, or send the key's own value",
    ),
    "proxied": Explained(
        403,
        "The request came through a proxy, and without keys a server serves its own machine only",
        "Make a key",
    ),
    "foreign_host": Explained(
        403,
        "The request names a host that is not this machine, and there are no keys",
        "Make a key, or set `BUDGET_ALLOWED_HOSTS`",
    ),
    "foreign_origin": Explained(
        403,
        "A page of another site wants to change something",
        "Make a key, or set `BUDGET_ALLOWED_HOSTS`",
    ),
    "not_stoppable": Explained(503, "This server cannot be stopped over HTTP", "Stop the process"),
    "no_policy": Explained(
        403,
        'No policy concerns the call, and such calls are refused here (`unbudgeted = "deny"`)',
        "Set a limit for it, or label the call",
    ),
    # 404: not there, or not yours to see
    "not_found": Explained(
        404, "There is nothing by that name, or your key may not see it", "Check the name"
    ),
    "allocation_not_found": Explained(
        404,
        "There is no such allocation, or it is another key's",
        "Check the id; settle with a key of the same labels",
    ),
    "budget_not_found": Explained(
        404, "There is no such budget", "`GET /api/v1/budgets` lists them"
    ),
    "policy_not_found": Explained(
        404, "There is no such policy in force", "`GET /api/v1/policies` lists them"
    ),
    "record_not_found": Explained(
        404, "There is no such usage record, or it is another key's", "Check the id"
    ),
    "price_not_found": Explained(404, "No price of that model is known for that time", "Set one"),
    "key_not_found": Explained(404, "There is no such valid key", "`GET /api/v1/keys` lists them"),
    # 409: its state, or an id used twice
    "conflict": Explained(
        409, "The object's state does not allow this", "Read the object, then decide"
    ),
    "children_active": Explained(
        409,
        "An allocation whose children are active cannot end alone",
        "End the children first, or send `cascade: true` to end them with it",
    ),
    "parent_ended": Explained(
        409,
        "The allocation that a child is asked of has ended, or its time is over",
        "Ask without `parent_id`, or for a part of another",
    ),
    "already_settled": Explained(
        409,
        "The allocation has ended, with other content than you send now",
        "Nothing, if it was a retry; usage that came later is recorded with `POST /api/v1/usage/record`",
    ),
    "cannot_grow": Explained(
        409,
        "The allocation was granted by an earlier version, which did not keep how it was sized",
        "Ask for a new one; this one can be settled as it is",
    ),
    "id_reused": Explained(
        409,
        "The id was used before with other content; the fields that differ are named",
        "Send a new id, or repeat the first request unchanged",
    ),
    "label_fixed": Explained(
        422,
        "Usage, settling and children may add labels, not change them",
        "Leave the label out, or send its first value",
    ),
    "ambiguous": Explained(
        409, "What was named may mean several policies; `choices` has them", "Name one"
    ),
    "id_used": Explained(
        409,
        "Something else was made under this id",
        "Send a new id, or repeat the first request unchanged",
    ),
    "secret_shown_once": Explained(
        409,
        "A key was made under this id before; its secret was in the first answer, and is kept nowhere",
        "If that answer was lost: rotate the key",
    ),
    "verification_running": Explained(
        503,
        "A verification runs already, and reads everything",
        "Wait for it to end, then ask again",
    ),
    "budget_closed": Explained(
        409,
        "The scope of a closed budget changes: its policies could not count by it",
        "Open it with the same request: `is_active: true`",
    ),
    "name_taken": Explained(
        409, "The name is in use", "Choose another, or change the object that has it"
    ),
    # 500 and 503: not now
    "internal_error": Explained(
        500, "A fault of ours; it is in the server's log", "Ask again under the same id; report it"
    ),
    "unavailable": Explained(
        503,
        "The service cannot answer now",
        "Ask again under the same id after `Retry-After` seconds",
    ),
    "not_ready": Explained(
        503, "The service starts, stops, or cannot reach its database", "Ask `/ready` again soon"
    ),
    "queue_full": Explained(
        503,
        "More commands wait than `queue_max`; this one was not taken",
        "Ask again after `Retry-After` seconds",
    ),
    "store_away": Explained(
        503,
        "The database cannot be reached; nothing was changed",
        "Ask again under the same id; see that the database is up",
    ),
    "outcome_unknown": Explained(
        503,
        "The connection ended while the answer was being stored, so it may or may not have happened",
        "Ask again under the id in the answer: it is done once, whichever it was",
    ),
    # said elsewhere than over HTTP
    "unreachable": Explained(IN_CLIENT, "No server answers", "Start one, or unset `BUDGET_URL`"),
    "not_understood": Explained(
        IN_CLIENT, "What answers is no Tekton Budget server", "Check `BUDGET_URL`"
    ),
    "forked": Explained(
        IN_CLIENT,
        "A budget was opened in process and then used in a forked child",
        "Call `tekton_budget.open()` again in the child",
    ),
    "allocation_not_settled": Explained(
        IN_CLIENT,
        "A `with` block was left without `settle` or `release`; the hold stays until it expires",
        "Settle inside the block, or release if nothing was used",
    ),
    "keys_needed": Explained(
        AT_START,
        "The server would be open to others without a key",
        "Make a key first, or set `BUDGET_ADMIN_KEY`",
    ),
    "port_in_use": Explained(
        AT_START, "Something else listens on that port", "Stop it, or choose another: `--port`"
    ),
    "workers_need_postgresql": Explained(
        AT_START,
        "More than one worker over SQLite, where one process writes at a time",
        "Take one worker, or PostgreSQL",
    ),
    "workers_failed": Explained(
        AT_START, "Workers ended as they started, again and again", "Read the log"
    ),
    "timezone_differs": Explained(
        AT_START,
        "The setting `timezone` is not the zone in which the database's days are cut. Of a process "
        "that was running when that changed: 503",
        "Set it to the zone that is named or leave it out; or `tekton-budget db rezone ZONE`",
    ),
    "schema_old": Explained(
        AT_START, "The database was made by an older version", "`tekton-budget db upgrade`"
    ),
    "schema_new": Explained(
        AT_START, "The database was made by a newer version", "Run that version or a later one"
    ),
    "schema_foreign": Explained(
        AT_START, "The database holds tables that are not ours", "Name an empty database"
    ),
    "store_unusable": Explained(
        AT_START, "The database cannot be used as it is", "See what the message says of it"
    ),
}

INTRO = """A refusal over HTTP is a problem document (RFC 9457): `status`, `title`, `detail` (a paragraph for people that says what to do next),
`code` (stable, for programs) and, where fields are at fault, `fields` with `field` and `message` of each. In Python it is a
`BudgetError` with the same `code` and `detail`; a denial is `BudgetExceeded`. On the command line it goes to standard error, and
the [exit code](cli.md#exit-codes) tells its kind."""


def text() -> str:
    """The page."""
    rows = [
        (code(name), said.status, f"{said.when}.", f"{said.do}.") for name, said in CODES.items()
    ]
    return page("Errors", INTRO, table(("code", "HTTP", "when", "what to do"), rows))


class Found(NamedTuple):
    """A code in the source: where, and of which class (empty where it stands alone)."""

    code: str
    raised: str
    place: str


def codes_in_source() -> list[Found]:
    """Every literal that the source gives as a `code`."""
    return [found for path in sorted(SOURCE.rglob("*.py")) for found in codes_of(path, SOURCE)]


def codes_of(path: Path, folder: Path) -> Iterator[Found]:
    """The codes of one file: given by name, by place, or put into a variable `code`."""
    place = str(path.relative_to(folder))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            raised, line = _called(node), f"{place}:{node.lineno}"
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from (Found(one, raised, line) for one in _words(keyword.value))
            if raised in _CODE_IS_SECOND and len(node.args) > 1:
                yield from (Found(one, raised, line) for one in _words(node.args[1]))
        elif isinstance(node, ast.Assign) and any(_is_code(target) for target in node.targets):
            yield from (Found(one, "", f"{place}:{node.lineno}") for one in _words(node.value))
        elif isinstance(node, ast.ClassDef):
            yield from _defaults(node, place)


_CODE_IS_SECOND = ("NotFound", "Unauthenticated", "Forbidden", "BudgetError", "problem", "__init__")
_NOT_CODES = ("code", "refused")  # the field's own name; what is said where nothing else is
_CODE = re.compile(r"[a-z][a-z_]*[a-z]")


def _is_code(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "code"


def _words(value: ast.expr) -> Iterator[str]:
    """The codes in an expression: `"a"`, `given or "a"`, `{404: "a"}.get(status, "b")`."""
    if not isinstance(value, ast.Constant | ast.BoolOp | ast.IfExp | ast.Call):
        return
    for node in ast.walk(value):
        word = node.value if isinstance(node, ast.Constant) else None
        if isinstance(word, str) and _CODE.fullmatch(word) and word not in _NOT_CODES:
            yield word


def _called(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _defaults(node: ast.ClassDef, place: str) -> Iterator[Found]:
    """The codes that a refusal has when none is given: `def __init__(self, code="not_found")`."""
    for function in node.body:
        if not isinstance(function, ast.FunctionDef) or function.name != "__init__":
            continue
        arguments = [*function.args.posonlyargs, *function.args.args]
        named = [*zip(reversed(arguments), reversed(function.args.defaults), strict=False)]
        named += [
            (argument, value)
            for argument, value in zip(
                function.args.kwonlyargs, function.args.kw_defaults, strict=True
            )
            if value is not None
        ]
        for argument, value in named:
            if argument.arg == "code":
                line = f"{place}:{function.lineno}"
                yield from (Found(one, node.name, line) for one in _words(value))
