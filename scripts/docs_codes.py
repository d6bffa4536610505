"""Every `code` an error can carry: its status, when it comes, what to do."""

from typing import NamedTuple


class Explained(NamedTuple):
    """What a code means: the HTTP status it comes with (or where else it is said), when, and what to do."""

    status: int | str
    when: str
    do: str


AT_START = "at start"
IN_CLIENT = "in clients"

CODES: dict[str, Explained] = {
    # over budget
    "over_budget": Explained(
        402,
        "A hard limit would be passed. Not an error of yours: the answer names each limit, what is left and when it resets",
        "Ask for at most `largest_fit`, take one of `alternatives`, wait until `resets_at`, or have a credit given",
    ),
    # over the gateway
    "budget_exceeded": Explained(
        "402 or 429",
        "The gateway's denial, in the shape of the API that was called; `details` has what `over_budget` has",
        "As for `over_budget`; [the gateway](../how-to/gateway.md#when-a-call-is-denied) has what each SDK makes of it",
    ),
    "insufficient_quota": Explained(
        429,
        "The same where `BUDGET_DENIAL_STATUS=429` is set and the API is OpenAI's, in its own word",
        "As for `over_budget`",
    ),
    "budget_busy": Explained(
        429,
        "Only holds of other calls are in the way, and waiting did not help; SDKs ask again by themselves",
        "Ask again after `Retry-After` seconds; wait longer: `BUDGET_GATEWAY_WAIT`",
    ),
    "invalid_request": Explained(
        422,
        "A field of a call through the gateway cannot be read, so that no provider would take it",
        "Send what the message asks for",
    ),
    "unmetered_field": Explained(
        422,
        "A field of a call through the gateway has a cost that cannot be bounded; it is named",
        "Leave it out, or let such fields pass uncounted: `BUDGET_GATEWAY_UNMETERED=pass`",
    ),
    "route_unmetered": Explained(
        403,
        "What a route of the provider costs cannot be bounded and read, so the gateway does not let it through",
        "Use [a route that is metered](../how-to/gateway.md#what-is-metered-free-or-refused), or set `BUDGET_GATEWAY_UNMETERED=pass`",
    ),
    "header_invalid": Explained(
        "400 or 422",
        "A header of the gateway has a value that it does not take",
        "Send what the message asks for",
    ),
    "path_invalid": Explained(
        422,
        "A path below the gateway has parts that a provider might read as another path",
        "Send a plain one: no empty or dotted parts, nothing in percents but letters",
    ),
    "idempotency_mismatch": Explained(
        409,
        "An `Idempotency-Key` comes again through the gateway with another request",
        "A new key for a new call, the same body for a retry",
    ),
    "websockets_unsupported": Explained(
        426,
        "The gateway speaks HTTP; clients that try a WebSocket first go on by HTTP",
        "Send a POST, with `stream` if it is to stream",
    ),
    "provider_unknown": Explained(
        404,
        "There is no provider of that name behind the gateway",
        "Take one that the message names, or set `BUDGET_UPSTREAM_<NAME>`",
    ),
    "provider_not_set_up": Explained(
        404, "The provider has no address yet", "Set `BUDGET_UPSTREAM_<NAME>`"
    ),
    "upstream_away": Explained(
        502,
        "The provider could not be reached; nothing was charged",
        "Check its address: `BUDGET_UPSTREAM_<NAME>`",
    ),
    "upstream_broke_off": Explained(
        502,
        "The provider went away when it may have had the request; what it may bill was charged as an estimate",
        "Ask again; that is another call",
    ),
    "upstream_redirects": Explained(
        502,
        "The provider answered with a redirect, which would lead around the gateway; nothing was charged",
        "Set `BUDGET_UPSTREAM_<NAME>` to the address that the message names",
    ),
    "held_by_gateway": Explained(
        403,
        "The allocation is the gateway's, for a call under way; a client's key neither ends nor shares it",
        "Nothing: it ends with the call. Ask for an allocation of your own",
    ),
    # runs
    "run_unknown": Explained(
        404,
        "The address is of no run: the run was continued under another, or never begun",
        "Begin one: `tekton-budget run`",
    ),
    "alert_not_found": Explained(
        404,
        "No alert of this id is there for this key",
        "`GET /api/v1/alerts` lists them; old ones are pruned after `BUDGET_ALERTS_DAYS`",
    ),
    "run_not_found": Explained(404, "There is no run of that name", "`tekton-budget runs list`"),
    "run_ended": Explained(
        403,
        "The run, or one around it, has ended; none of its calls is let through",
        "Continue it: `tekton-budget run --name NAME`",
    ),
    "run_silent": Explained(
        503,
        "The run, or one around it, gives no sign of life",
        "Nothing, if its machine was asleep: it answers again by itself. Else begin it anew",
    ),
    "run_under_way": Explained(
        409, "A run of that name is under way", "Wait for its end, or choose another name"
    ),
    "run_cap_differs": Explained(
        409,
        "The run is continued under another cap than it has",
        "Leave the cap out; give more with `--add`; or choose another name",
    ),
    "not_own_run": Explained(403, "The run was begun by another key", "Choose another name"),
    "reserve_denied": Explained(
        409,
        "What is left of the cap cannot be held ahead: the limits around it have no room",
        "Leave `--reserve` out, make the cap smaller, or have a credit given",
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
    "invalid_context": Explained(
        422,
        "What a price depends on (`context`: service tier, region, speed …) cannot be used as given",
        "Send what the message asks for, or leave it out",
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
    "nothing_to_import": Explained(
        422,
        "No file of the store that is to be taken over is among those sent, or in the folder that is named",
        "Name the folder, or send the files, that the answer speaks of",
    ),
    "would_overwrite": Explained(
        IN_CLIENT,
        "An export would replace files of another program that are there already",
        "Name another folder or file, or say `--overwrite`",
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
    "command_invalid": Explained(
        422,
        "A line sent to `/command`, or an old word of the command line, with an option or value that it does not take",
        "Write it as the message says",
    ),
    "command_unknown": Explained(
        422,
        "A line sent to `/command` that begins with no command",
        "`GET /api/v1/command/help` lists them",
    ),
    "workflow_malformed": Explained(
        400,
        "A message to `/workflow` without `purpose`, `dest` or `payload`; `error` has the same text, as Tekton's components send it",
        "Send all three, `payload` as an object",
    ),
    "malformed_json": Explained(400, "The body is not JSON", "Mend it where the message says"),
    "body_compressed": Explained(
        415, "The gateway reads bodies as they are", "Send the body uncompressed"
    ),
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
    "sockets_full": Explained(
        503,
        "As many WebSockets are open as a process keeps, or as it keeps without a key",
        "Wait as `Retry-After` says, or connect with a key",
    ),
    "tool_not_found": Explained(
        404,
        "Neither the Model Context Protocol nor Tekton's has a tool of this name for this key",
        "Call one of those that the message names; for tools of administration, ask for them",
    ),
    "resource_not_found": Explained(
        404,
        "A client of the Model Context Protocol named a resource whose address is none of ours",
        "Use one of the addresses that the message names",
    ),
    "too_many_subscriptions": Explained(
        503,
        "A client of the Model Context Protocol watches as many resources as one may",
        "Unsubscribe from some",
    ),
    "stopping": Explained(
        503,
        "The server is about to stop and takes no new requests at `/mcp`",
        "Come back in a moment",
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
    "events_pruned": Explained(
        409,
        "Events after the position that you sent are no longer kept",
        "Read balances, allocations and usage afresh, and go on with the `next` of this answer",
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
    "closed": Explained(
        IN_CLIENT, "A budget was used after its `close()`", "Open another one, or close it later"
    ),
    "module_missing": Explained(
        IN_CLIENT,
        "`http_client(module=…)` names a package that is not installed",
        "Install it, or leave `module` out",
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
