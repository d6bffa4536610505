"""The hot path's statements for each store: whole batches of rows in one execution each."""

from functools import cache

from sqlalchemy import BigInteger, Integer, Table

USAGE_COLUMNS = (
    "record_id, key_id, allocation_id, allocation_key_id, at_us, placed_us, recorded_us, labels, "
    "context_id, component, task_type, provider, model, input_tokens, output_tokens, "
    "cache_read_tokens, cache_write_tokens, other_tokens, reasoning_tokens, requests, cost_nano, "
    "book_cost_nano, cost_source, price_id, measurement, late, provisional, reverses, "
    "operation_id, request_id, metadata, parts"
)
ALLOCATION_INSERT = (
    "key_id, id, status, labels, granted_tokens, granted_cost_nano, granted_requests, "
    "max_output_tokens, created_us, expires_us, holds, on_expiry, priority, price_id, decision, "
    "used, used_cost_nano, usage_records, estimated_record, estimated, estimated_cost_nano, "
    "ended_us, updated_us, metadata, stated, ancestors, children, context_id, parent_id, content, "
    "answer, end_content, end_answer"
)
ALLOCATION_CHANGED = (
    "status, expires_us, holds, used, used_cost_nano, usage_records, estimated_record, estimated, "
    "estimated_cost_nano, ended_us, updated_us, children"
)
ALLOCATION_GROWN = "granted_tokens, granted_cost_nano, granted_requests, max_output_tokens, stated"
ALLOCATION_ENDED = f"{ALLOCATION_CHANGED}, end_content, end_answer"
BALANCE_ADDED = (
    "spent_tokens, spent_cost_nano, spent_requests, held_tokens, held_cost_nano, held_requests"
)
BALANCE_SET = (
    "closes_us, length_us, carry_tokens, carry_cost_nano, carry_requests, exception, credits, "
    "sub_windows, told, opened, share_permille, seal"
)
BALANCE_EMPTY = "id, policy_no, grp, opens_us"
JOURNAL_COLUMNS = "batch_id, at_us, kind, key_id, object_id, postings, detail, digest"
OUTBOX_COLUMNS = "at_us, type, subject_id, key_id, budget_id, payload"
ANSWER_COLUMNS = "key_id, id, content, answer, at_us"
ALERT_COLUMNS = "alert_id, at_us, budget_id, policy_id, balance_id, severity, type, facts"
AUDIT_COLUMNS = "at_us, key_id, actor, verb, object_kind, object_id, before, after"
ROLLUP_KEY = "kind, label, bucket_us, value, provider, model, slot"
ROLLUP_ADDED = (
    "records, requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, "
    "other_tokens, reasoning_tokens, cost_nano, unpriced"
)
DECISION_KEY = "minute_us, policy_id, grp, decision, slot"
SAMPLE_COLUMNS = "at_us, policy_id, grp, decision, sample"


def names(columns: str) -> list[str]:
    """The names in a list of columns."""
    return [name.strip() for name in columns.split(",")] if columns else []


class Statements:
    """SQL text for one store. Rows are bound by position on SQLite, as arrays on PostgreSQL."""

    def __init__(self, *, postgresql: bool) -> None:
        self.postgresql = postgresql
        self.mark = "%s" if postgresql else "?"

    def insert(self, table: Table, columns: str, *, or_ignore: bool = False) -> str:
        """Insert rows; `or_ignore` skips those whose key is there."""
        tail = " ON CONFLICT DO NOTHING" if or_ignore else ""
        return (
            f"INSERT INTO {table.name} ({columns}) {_rows(self.postgresql, table, columns)}{tail}"
        )

    def add(self, table: Table, key: str, added: str) -> str:
        """Insert rows of counters, or add to those that are there."""
        return _add(self.postgresql, table, key, added)

    def put(self, table: Table, key: str, changed: str) -> str:
        """Insert rows, or set those that are there."""
        setting = ", ".join(f"{name} = excluded.{name}" for name in names(changed))
        insert = self.insert(table, f"{key}, {changed}")
        return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {setting}"

    def update(self, table: Table, key: str, added: str, changed: str) -> str:
        """Change rows by key: add to some columns, set others. Bound are added, changed, key."""
        return _update(self.postgresql, table, key, added, changed)

    def select(self, table: Table, columns: str, key: str, tail: str = "") -> str:
        """Rows whose key is one of a list (bound as one value)."""
        if self.postgresql:
            found = f"= ANY(%s::{_array(table, key)})"
        else:
            found = "IN (SELECT value FROM json_each(?))"
        return f"SELECT {columns} FROM {table.name} WHERE {key} {found} {tail}"

    def lock(self, order: str) -> str:
        """The end of a query that locks its rows in an order; SQLite locks the file."""
        return f"ORDER BY {order} FOR UPDATE" if self.postgresql else ""


@cache
def _rows(postgresql: bool, table: Table, columns: str) -> str:  # noqa: FBT001  (is cached by it)
    if postgresql:
        return f"SELECT * FROM unnest({_arrays(table, columns)})"
    return f"VALUES ({', '.join('?' for _ in names(columns))})"


@cache
def _add(postgresql: bool, table: Table, key: str, added: str) -> str:  # noqa: FBT001  (as above)
    columns = f"{key}, {added}"
    adding = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in names(added))
    return (
        f"INSERT INTO {table.name} ({columns}) {_rows(postgresql, table, columns)} "
        f"ON CONFLICT ({key}) DO UPDATE SET {adding}"
    )


@cache
def _update(
    postgresql: bool,  # noqa: FBT001  (as above)
    table: Table,
    key: str,
    added: str,
    changed: str,
) -> str:
    if postgresql:
        adding = [f"{name} = t.{name} + v.{name}" for name in names(added)]
        setting = [f"{name} = v.{name}" for name in names(changed)]
        columns = ", ".join(filter(None, (added, changed, key)))
        where = " AND ".join(f"t.{name} = v.{name}" for name in names(key))
        return (
            f"UPDATE {table.name} t SET {', '.join(adding + setting)} "
            f"FROM unnest({_arrays(table, columns)}) v({columns}) WHERE {where}"
        )
    adding = [f"{name} = {name} + ?" for name in names(added)]
    setting = [f"{name} = ?" for name in names(changed)]
    where = " AND ".join(f"{name} = ?" for name in names(key))
    return f"UPDATE {table.name} SET {', '.join(adding + setting)} WHERE {where}"


def _arrays(table: Table, columns: str) -> str:
    return ", ".join(f"%s::{_array(table, name)}" for name in names(columns))


def _array(table: Table, column: str) -> str:
    kind = table.c[column].type
    if isinstance(kind, Integer | BigInteger):
        return "bigint[]"
    return "text[]"


LAST_BALANCES_SQLITE = (
    "SELECT {columns}, json_extract(k.value, '$[0]'), json_extract(k.value, '$[1]'), "
    "json_extract(k.value, '$[2]') FROM json_each(?) k JOIN balances b ON b.id = ("
    "SELECT x.id FROM balances x WHERE x.policy_no = json_extract(k.value, '$[0]') "
    "AND x.grp = json_extract(k.value, '$[1]') AND x.opens_us < json_extract(k.value, '$[2]') "
    "AND x.opened = 1 ORDER BY x.opens_us DESC LIMIT 1)"
)
LAST_BALANCES_POSTGRESQL = (
    "SELECT {columns}, k.no, k.grp, k.opens "
    "FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) k(no, grp, opens) "
    "CROSS JOIN LATERAL (SELECT * FROM balances x WHERE x.policy_no = k.no AND x.grp = k.grp "
    "AND x.opens_us < k.opens AND x.opened = 1 ORDER BY x.opens_us DESC LIMIT 1) b"
)
EXCEPTIONS_SQLITE = (
    "SELECT e.policy_id, e.grp, e.limits FROM json_each(?) k JOIN exceptions e "
    "ON e.policy_id = json_extract(k.value, '$[0]') AND e.grp = json_extract(k.value, '$[1]')"
)
EXCEPTIONS_POSTGRESQL = (
    "SELECT e.policy_id, e.grp, e.limits FROM unnest(%s::text[], %s::text[]) k(policy_id, grp) "
    "JOIN exceptions e ON e.policy_id = k.policy_id AND e.grp = k.grp"
)

DUE = (
    "SELECT key_id, id FROM allocations WHERE status = 'active' AND expires_us <= {mark} "
    "AND EXISTS (SELECT 1 FROM {listed} k WHERE {found} > 0) ORDER BY expires_us LIMIT {mark}"
)


def due(*, postgresql: bool) -> str:
    """What is past its time on certain balances; bound are the moment, their keys, how many."""
    return DUE.format(
        mark="%s" if postgresql else "?",
        listed="unnest(%s::text[])" if postgresql else "json_each(?)",
        found="strpos(holds, k)" if postgresql else "instr(holds, k.value)",
    )


# What is active has no end: said so, it is found by its parent, and not among all that are active.
BELOW_SQLITE = (
    "WITH RECURSIVE family(id) AS (SELECT value FROM json_each(?) UNION SELECT a.id "
    "FROM family f JOIN allocations a ON a.parent_id = f.id AND a.ended_us IS NULL) "
    "SELECT {columns} FROM allocations WHERE id IN (SELECT id FROM family)"
)
# Without OFFSET it is a join, for which a small store would read all allocations.
BELOW_POSTGRESQL = (
    'WITH RECURSIVE family(id) AS (SELECT unnest(%s::text[]) COLLATE "C" UNION SELECT a.id '
    "FROM family f CROSS JOIN LATERAL (SELECT x.id FROM allocations x "
    "WHERE x.parent_id = f.id AND x.ended_us IS NULL OFFSET 0) a) "
    "SELECT {columns} FROM allocations WHERE id = ANY(ARRAY(SELECT id FROM family)) "
    "ORDER BY id, key_id FOR UPDATE"
)


def below(columns: str, *, postgresql: bool) -> str:
    """Some allocations and all active ones below them; bound are the ids of the first.

    Locked like what is looked up by id. Ids are one key's, so others' may be found beside.
    """
    return (BELOW_POSTGRESQL if postgresql else BELOW_SQLITE).format(columns=columns)
