"""The tables, once for both stores: times in µs since 1970, money in 10⁻⁹ USD, JSON as text."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql

metadata = MetaData()

# Byte order on both stores: locks are taken in the order of ids, and pages are walked by them.
ID = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the key is an INTEGER.
NUMBER = BigInteger().with_variant(Integer, "sqlite")


def _number(name: str = "no") -> Column[int]:
    return Column(name, NUMBER, Identity(), primary_key=True)


def _time(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _text(name: str, default: str | None = None, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional, server_default=default)


def _flag(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("installation_id"),
    _count("policy_generation"),
    _count("price_generation"),
    _count("last_position"),
    _time("created_us"),
    _text("timezone", optional=True),  # in which days are cut; the first start says it
)

budgets = Table(
    "budgets",
    metadata,
    Column("budget_id", ID, primary_key=True),
    Column("name", ID, nullable=False, unique=True),
    _text("owner", ""),
    _text("description", ""),
    _text("scope", "{}"),
    _flag("is_active", 1),
    _text("metadata", "{}"),
    _time("created_us"),
    _time("updated_us"),
)

policies = Table(
    "policies",
    metadata,
    _number(),
    Column("policy_id", ID, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", ID, nullable=False),
    Column("budget_id", ID, ForeignKey("budgets.budget_id"), nullable=False),
    _text("status"),
    _text("spec"),
    _time("created_us"),
    _time("updated_us"),
    Index("policies_by_id", "policy_id", "version", unique=True),
    Index("policies_by_name", "name"),
)

exceptions = Table(
    "exceptions",
    metadata,
    Column("policy_id", ID, primary_key=True),
    Column("grp", ID, primary_key=True),
    _text("limits"),
    _time("updated_us"),
)

balances = Table(
    "balances",
    metadata,
    Column("id", ID, primary_key=True),
    Column("policy_no", NUMBER, nullable=False),
    Column("grp", ID, nullable=False),
    _time("opens_us"),
    _time("closes_us", optional=True),
    _count("length_us"),
    _count("spent_tokens"),
    _count("spent_cost_nano"),
    _count("spent_requests"),
    _count("held_tokens"),
    _count("held_cost_nano"),
    _count("held_requests"),
    _count("carry_tokens"),
    _count("carry_cost_nano"),
    _count("carry_requests"),
    _text("exception", optional=True),
    _text("credits", optional=True),
    _text("sub_windows", optional=True),
    _count("told"),
    _flag("opened"),
    Column("share_permille", BigInteger),
    _text("seal", ""),  # of the columns that are set, not added to; empty until opened
    _count("updated_us"),
    CheckConstraint(
        "held_tokens >= 0 AND held_cost_nano >= 0 AND held_requests >= 0", name="held_not_negative"
    ),
    Index("balances_by_group", "policy_no", "grp", "opens_us"),
    Index(
        "balances_by_share",
        "policy_no",
        "opens_us",
        text("share_permille DESC"),
        "grp",
        sqlite_where=text("share_permille IS NOT NULL"),
        postgresql_where=text("share_permille IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 50},
)

group_counts = Table(
    "group_counts",
    metadata,
    Column("policy_no", NUMBER, primary_key=True),
    Column("opens_us", BigInteger, primary_key=True),
    _count("groups"),
)

allocations = Table(
    "allocations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key_id", ID, primary_key=True),
    _text("status"),
    _text("labels"),
    Column("context_id", ID),
    _count("granted_tokens"),
    _count("granted_cost_nano"),
    _count("granted_requests"),
    Column("max_output_tokens", BigInteger),
    _time("created_us"),
    _time("expires_us"),
    _text("holds"),
    _text("on_expiry"),
    Column("priority", Integer, nullable=False),
    _text("price_id", optional=True),
    _text("decision"),
    _text("used", "[]"),
    _count("used_cost_nano"),
    _count("usage_records"),
    _text("estimated_record", optional=True),
    _text("estimated", "[]"),
    _count("estimated_cost_nano"),
    _time("ended_us", optional=True),
    _time("updated_us"),
    _text("metadata", "{}"),
    Column("parent_id", ID),
    _text("content"),
    _text("answer"),
    _text("end_content", optional=True),
    _text("end_answer", optional=True),
    _text("stated", optional=True),  # what was granted, in the words of the ask
    _text("ancestors", optional=True),  # [[key_id, id], …], the oldest first; null has no parent
    _text("children", optional=True),  # what they have of it; null never had one
    Index(
        "allocations_due",
        "expires_us",
        sqlite_where=text("status = 'active'"),
        postgresql_where=text("status = 'active'"),
    ),
    Index("allocations_by_time", "created_us", "id"),
    Index(
        "allocations_by_parent",
        "parent_id",
        "ended_us",
        sqlite_where=text("parent_id IS NOT NULL"),
        postgresql_where=text("parent_id IS NOT NULL"),
    ),
    Index(
        "allocations_by_context",
        "context_id",
        sqlite_where=text("context_id IS NOT NULL"),
        postgresql_where=text("context_id IS NOT NULL"),
    ),
)

usage = Table(
    "usage",
    metadata,
    _number(),
    Column("record_id", ID, nullable=False),
    Column("key_id", ID, nullable=False),
    Column("allocation_id", ID),
    Column("allocation_key_id", ID),
    _time("at_us"),
    _time("placed_us"),
    _time("recorded_us"),
    _text("labels"),
    Column("context_id", ID),
    _text("component", optional=True),
    _text("task_type", optional=True),
    _text("provider", optional=True),
    _text("model", optional=True),
    _count("input_tokens"),
    _count("output_tokens"),
    _count("cache_read_tokens"),
    _count("cache_write_tokens"),
    _count("other_tokens"),
    _count("reasoning_tokens"),
    _count("requests"),
    Column("cost_nano", BigInteger),
    Column("book_cost_nano", BigInteger),
    _text("cost_source", optional=True),
    _text("price_id", optional=True),
    _text("measurement"),
    _flag("late"),
    _flag("provisional"),
    _text("reverses", optional=True),
    _text("operation_id", optional=True),
    _text("request_id", optional=True),
    _text("metadata", "{}"),
    _text("parts", optional=True),
    Index("usage_by_id", "record_id", "key_id", unique=True),
    Index("usage_by_time", "at_us", "no"),
    Index("usage_by_place", "placed_us", "no"),
    Index(
        "usage_by_allocation",
        "allocation_id",
        sqlite_where=text("allocation_id IS NOT NULL"),
        postgresql_where=text("allocation_id IS NOT NULL"),
    ),
)

journal = Table(
    "journal",
    metadata,
    _number(),
    Column("batch_id", ID, nullable=False),
    _time("at_us"),
    _text("kind"),
    _text("key_id"),
    _text("object_id"),
    _text("postings"),
    _text("detail", ""),
    _text("digest"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", ID, primary_key=True),
    _time("at_us"),
    Index("batches_by_time", "at_us"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key_id", ID, primary_key=True),
    _text("content"),
    _text("answer"),
    _time("at_us"),
    Index("answers_by_time", "at_us"),
)

rollups = Table(
    "rollups",
    metadata,
    Column("kind", ID, primary_key=True),  # hour or day
    Column("label", ID, primary_key=True),  # empty: every call
    Column("bucket_us", BigInteger, primary_key=True),
    Column("value", ID, primary_key=True),
    Column("provider", ID, primary_key=True),
    Column("model", ID, primary_key=True),
    Column("slot", Integer, primary_key=True),
    _count("records"),
    _count("requests"),
    _count("input_tokens"),
    _count("output_tokens"),
    _count("cache_read_tokens"),
    _count("cache_write_tokens"),
    _count("other_tokens"),
    _count("reasoning_tokens"),
    _count("cost_nano"),
    _count("unpriced"),
    sqlite_with_rowid=False,  # reports read ranges of the key: its rows lie in that order
)

decisions = Table(
    "decisions",
    metadata,
    Column("minute_us", BigInteger, primary_key=True),
    Column("policy_id", ID, primary_key=True),
    Column("grp", ID, primary_key=True),
    Column("decision", ID, primary_key=True),
    Column("slot", Integer, primary_key=True),
    _count("count"),
)

decision_samples = Table(
    "decision_samples",
    metadata,
    _number(),
    _time("at_us"),
    Column("policy_id", ID, nullable=False),
    Column("grp", ID, nullable=False),
    Column("decision", ID, nullable=False),
    _text("sample"),
    Index("decision_samples_by_time", "at_us"),
)

outbox = Table(
    "outbox",
    metadata,
    _number(),
    Column("position", BigInteger),
    _time("at_us"),
    _text("type"),
    _text("subject_id"),
    Column("budget_id", ID, nullable=False),
    _text("payload"),
    _text("key_id", optional=True),  # whose call it tells of
    Index("outbox_by_position", "position", unique=True),
    Index(
        "outbox_unnumbered",
        "no",
        sqlite_where=text("position IS NULL"),
        postgresql_where=text("position IS NULL"),
    ),
)

alerts = Table(
    "alerts",
    metadata,
    _number(),
    Column("alert_id", ID, nullable=False, unique=True),
    _time("at_us"),
    Column("budget_id", ID, nullable=False),
    Column("policy_id", ID, nullable=False),
    Column("balance_id", ID, nullable=False),
    _text("severity"),
    _text("type"),
    _text("facts"),  # the event's payload
    _time("acknowledged_us", optional=True),
    _text("acknowledged_by", optional=True),
    Index("alerts_by_time", "at_us"),
    Index("alerts_by_balance", "balance_id", "no"),
    Index(
        "alerts_open",
        "no",
        sqlite_where=text("acknowledged_us IS NULL"),
        postgresql_where=text("acknowledged_us IS NULL"),
    ),
)

audit = Table(
    "audit",
    metadata,
    _number(),
    _time("at_us"),
    _text("key_id"),
    _text("actor"),
    _text("verb"),
    _text("object_kind"),
    _text("object_id"),
    _text("before", "null"),
    _text("after", "null"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", ID, primary_key=True),
    Column("name", ID, nullable=False),
    Column("token_hash", ID, nullable=False),
    _text("policy_id", optional=True),
    _text("labels", "{}"),
    Column("outer_id", ID, nullable=True),
    _text("key_id", ""),
    _text("key_name", ""),
    _text("command", ""),
    _text("land_note", optional=True),
    Column("reserve_id", ID, nullable=True),
    _count("lease_us"),
    _time("created_us"),
    _time("started_us"),
    _time("alive_until_us"),
    _time("ended_us", optional=True),
    Column("exit_code", Integer, nullable=True),
    _count("calls"),
    _count("refused"),
    _count("clamped"),
    Index("runs_by_name", "name", unique=True),
    Index("runs_by_token", "token_hash", unique=True),
    Index("runs_by_start", "started_us", "run_id"),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", ID, primary_key=True),
    Column("name", ID, nullable=False),
    _text("role"),
    Column("hash", ID, nullable=False, unique=True),
    _text("prefix"),
    _text("labels", "{}"),
    _text("requires", "[]"),
    Column("max_priority", Integer, nullable=False),
    _time("created_us"),
    _time("expires_us", optional=True),
    _time("revoked_us", optional=True),
    _time("last_used_us", optional=True),
    _text("ladder", "[]"),
    _flag("takes_user"),
    Index("keys_by_name", "name"),
)

prices = Table(
    "prices",
    metadata,
    Column("price_id", ID, primary_key=True),
    Column("provider", ID, nullable=False),
    Column("model", ID, nullable=False),
    _time("valid_from_us"),
    _time("valid_to_us", optional=True),
    _time("known_since_us"),
    _text("source"),
    _text("pricing"),
    Index("prices_by_model", "provider", "model", "valid_from_us"),
)

# A list is taken over whole; its cards are parsed by those who ask for them.
price_lists = Table(
    "price_lists",
    metadata,
    Column("list_id", ID, primary_key=True),
    Column("version", ID, nullable=False),
    _time("known_since_us"),
    _text("content"),
)

# What an operator adds: contracts, names of their own for models, tiers. The latest counts.
price_terms = Table(
    "price_terms",
    metadata,
    Column("term_id", ID, primary_key=True),
    _text("kind"),
    _text("body"),
    _time("known_since_us"),
)

policy_use = Table(
    "policy_use",
    metadata,
    Column("policy_id", ID, primary_key=True),
    Column("slot", Integer, primary_key=True),
    _time("last_judged_us"),
)
