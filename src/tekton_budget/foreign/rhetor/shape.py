"""What Rhetor's file is made of, and how its rows are told apart.

A row has no id that other stores do not have too, so a record's id is made of the row's number and
a hash of what the row says; a limit's leaves out what Rhetor changes in place.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tekton_budget.domain.money import nano_from_usd, usd_from_nano

Row = Mapping[str, Any]  # Any: SQLite types values, not columns

ALL_PROVIDERS = "all"  # Rhetor's word for a limit that asks for no provider
ENFORCEMENTS = {"ignore": "ignore", "warn": "warn", "enforce": "hard_limit"}
PERIODS = ("daily", "weekly", "monthly")
USAGE_COLUMNS = (
    "timestamp", "provider", "model", "component", "task_type", "input_tokens", "output_tokens",
    "cost", "metadata",
)  # fmt: skip
LIMIT_COLUMNS = ("period", "provider", "limit_amount", "enforcement", "start_date", "active")
LABELS = ("provider", "model", "component", "task_type")
# What SQLite keeps beside a file: rows may lie there alone when the writer was killed.
BESIDE = ("-wal", "-journal")
OURS = "tekton_budget_record_id"  # in a written row's metadata, where the id is not the row's own
ROW_ID = re.compile(r"rhetor\.(\d{1,18})\.[0-9a-f]{12}")


def hash_of_usage(
    at: datetime,
    labels: Mapping[str, str],
    kept: Row,
    tokens: tuple[int, int],
    cost: Decimal | None,
) -> str:
    """Of what a row says, however its JSON is spaced or its numbers are written."""
    return hash_of(
        at.isoformat(),
        [labels.get(name, kept.get(name)) for name in LABELS],
        tokens,
        None if cost is None else str(in_nano(cost)),
        kept.get("metadata", {}),
        kept.get("metadata_text"),
    )


def in_nano(usd: Decimal) -> Decimal:
    """Dollars as the ledger posts them, to 10⁻⁹."""
    return usd_from_nano(nano_from_usd(usd))


def hash_of(*content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=float)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
