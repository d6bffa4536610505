"""The first schema: policies, balances, allocations, usage, journal, rollups and outbox.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Byte order on both stores; SQLite numbers rows by itself only where the key is an INTEGER.
ID = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "allocations",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key_id", ID, primary_key=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("context_id", ID, nullable=True),
        sa.Column("granted_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("granted_cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("granted_requests", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("max_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("holds", sa.Text(), nullable=False),
        sa.Column("on_expiry", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("price_id", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("used_cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("usage_records", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("estimated_record", sa.Text(), nullable=True),
        sa.Column("estimated", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("estimated_cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("end_content", sa.Text(), nullable=True),
        sa.Column("end_answer", sa.Text(), nullable=True),
    )
    op.create_index(
        "allocations_by_context",
        "allocations",
        ["context_id"],
        sqlite_where=sa.text("context_id IS NOT NULL"),
        postgresql_where=sa.text("context_id IS NOT NULL"),
    )
    op.create_index(
        "allocations_by_time",
        "allocations",
        ["created_us", "id"],
    )
    op.create_index(
        "allocations_due",
        "allocations",
        ["expires_us"],
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "answers",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key_id", ID, primary_key=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "answers_by_time",
        "answers",
        ["at_us"],
    )
    op.create_table(
        "audit",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False, server_default="null"),
        sa.Column("after", sa.Text(), nullable=False, server_default="null"),
    )
    op.create_table(
        "balances",
        sa.Column("id", ID, primary_key=True),
        sa.Column("policy_no", NUMBER, nullable=False),
        sa.Column("grp", ID, nullable=False),
        sa.Column("opens_us", sa.BigInteger(), nullable=False),
        sa.Column("closes_us", sa.BigInteger(), nullable=True),
        sa.Column("length_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("spent_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("spent_cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("spent_requests", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("held_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("held_cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("held_requests", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("carry_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("carry_cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("carry_requests", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("exception", sa.Text(), nullable=True),
        sa.Column("credits", sa.Text(), nullable=True),
        sa.Column("sub_windows", sa.Text(), nullable=True),
        sa.Column("told", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("opened", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("share_permille", sa.BigInteger(), nullable=True),
        sa.Column("seal", sa.Text(), nullable=False, server_default=""),
        sa.Column("updated_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.CheckConstraint(
            "held_tokens >= 0 AND held_cost_nano >= 0 AND held_requests >= 0",
            name="held_not_negative",
        ),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index(
        "balances_by_group",
        "balances",
        ["policy_no", "grp", "opens_us"],
    )
    op.create_index(
        "balances_by_share",
        "balances",
        ["policy_no", "opens_us", sa.text("share_permille DESC"), "grp"],
        sqlite_where=sa.text("share_permille IS NOT NULL"),
        postgresql_where=sa.text("share_permille IS NOT NULL"),
    )
    op.create_table(
        "batches",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "batches_by_time",
        "batches",
        ["at_us"],
    )
    op.create_table(
        "budgets",
        sa.Column("budget_id", ID, primary_key=True),
        sa.Column("name", ID, nullable=False, unique=True),
        sa.Column("owner", sa.Text(), nullable=False, server_default=""),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("scope", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("is_active", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("metadata", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "decision_samples",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", ID, nullable=False),
        sa.Column("grp", ID, nullable=False),
        sa.Column("decision", ID, nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
    )
    op.create_index(
        "decision_samples_by_time",
        "decision_samples",
        ["at_us"],
    )
    op.create_table(
        "decisions",
        sa.Column("minute_us", sa.BigInteger(), primary_key=True),
        sa.Column("policy_id", ID, primary_key=True),
        sa.Column("grp", ID, primary_key=True),
        sa.Column("decision", ID, primary_key=True),
        sa.Column("slot", sa.Integer(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "exceptions",
        sa.Column("policy_id", ID, primary_key=True),
        sa.Column("grp", ID, primary_key=True),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "group_counts",
        sa.Column("policy_no", NUMBER, primary_key=True),
        sa.Column("opens_us", sa.BigInteger(), primary_key=True),
        sa.Column("groups", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "journal",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("postings", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, server_default=""),
        sa.Column("digest", sa.Text(), nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", ID, primary_key=True),
        sa.Column("name", ID, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("hash", ID, nullable=False, unique=True),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("requires", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("max_priority", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("last_used_us", sa.BigInteger(), nullable=True),
    )
    op.create_index(
        "keys_by_name",
        "keys",
        ["name"],
    )
    op.create_table(
        "meta",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("installation_id", sa.Text(), nullable=False),
        sa.Column("policy_generation", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("price_generation", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_position", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("budget_id", ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
    )
    op.create_index(
        "outbox_by_position",
        "outbox",
        ["position"],
        unique=True,
    )
    op.create_index(
        "outbox_unnumbered",
        "outbox",
        ["no"],
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_table(
        "policy_use",
        sa.Column("policy_id", ID, primary_key=True),
        sa.Column("slot", sa.Integer(), primary_key=True),
        sa.Column("last_judged_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "prices",
        sa.Column("price_id", ID, primary_key=True),
        sa.Column("provider", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("input_atto", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("output_atto", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cache_read_atto", sa.BigInteger(), nullable=True),
        sa.Column("cache_write_atto", sa.BigInteger(), nullable=True),
        sa.Column("request_atto", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("valid_from_us", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_us", sa.BigInteger(), nullable=True),
        sa.Column("known_since_us", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
    )
    op.create_index(
        "prices_by_model",
        "prices",
        ["provider", "model", "valid_from_us"],
    )
    op.create_table(
        "rollups",
        sa.Column("kind", ID, primary_key=True),
        sa.Column("label", ID, primary_key=True),
        sa.Column("bucket_us", sa.BigInteger(), primary_key=True),
        sa.Column("value", ID, primary_key=True),
        sa.Column("provider", ID, primary_key=True),
        sa.Column("model", ID, primary_key=True),
        sa.Column("slot", sa.Integer(), primary_key=True),
        sa.Column("records", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("requests", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("other_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cost_nano", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("unpriced", sa.BigInteger(), nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("record_id", ID, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("allocation_id", ID, nullable=True),
        sa.Column("allocation_key_id", ID, nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("placed_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("context_id", ID, nullable=True),
        sa.Column("component", sa.Text(), nullable=True),
        sa.Column("task_type", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("other_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("requests", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cost_nano", sa.BigInteger(), nullable=True),
        sa.Column("book_cost_nano", sa.BigInteger(), nullable=True),
        sa.Column("cost_source", sa.Text(), nullable=True),
        sa.Column("price_id", sa.Text(), nullable=True),
        sa.Column("measurement", sa.Text(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("provisional", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("reverses", sa.Text(), nullable=True),
        sa.Column("operation_id", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False, server_default="{}"),
    )
    op.create_index(
        "usage_by_allocation",
        "usage",
        ["allocation_id"],
        sqlite_where=sa.text("allocation_id IS NOT NULL"),
        postgresql_where=sa.text("allocation_id IS NOT NULL"),
    )
    op.create_index(
        "usage_by_id",
        "usage",
        ["record_id", "key_id"],
        unique=True,
    )
    op.create_index(
        "usage_by_place",
        "usage",
        ["placed_us", "no"],
    )
    op.create_index(
        "usage_by_time",
        "usage",
        ["at_us", "no"],
    )
    op.create_table(
        "policies",
        sa.Column("no", NUMBER, sa.Identity(), primary_key=True),
        sa.Column("policy_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("budget_id", ID, sa.ForeignKey("budgets.budget_id"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "policies_by_id",
        "policies",
        ["policy_id", "version"],
        unique=True,
    )
    op.create_index(
        "policies_by_name",
        "policies",
        ["name"],
    )
