"""Reference of the limits: how much of everything one request, object or process may have."""

from docs_markdown import page, table

from tekton_budget.domain.allocation import LIFETIME_DEFAULT_US, LIFETIME_MAX_US
from tekton_budget.domain.ledger.state import TIMESTAMP_AHEAD_MAX_US
from tekton_budget.domain.limit_text import TEXT_MAX
from tekton_budget.domain.money import COST_NANO_MAX, NANO_PER_USD
from tekton_budget.domain.period import (
    ROLLING_LENGTH_MAX_US,
    ROLLING_LENGTH_MIN_US,
    SUB_WINDOWS,
    duration_text,
)
from tekton_budget.domain.policy import MAX_GROUPS_DEFAULT
from tekton_budget.domain.price.card_text import FACTOR_MAX, PARTS_MAX, RATE_MAX
from tekton_budget.domain.price.card_text import NAME_MAX as PRICE_NAME_MAX
from tekton_budget.domain.price.grain import FACTOR_DECIMALS, RATE_DECIMALS
from tekton_budget.domain.scope import (
    LABEL_NAME_MAX,
    LABEL_VALUE_MAX,
    LABELS_MAX,
    SCOPE_VALUES_MAX,
)
from tekton_budget.frontends.api.body import BATCH_BODY_MAX, BODY_MAX
from tekton_budget.service.asking.commands import (
    METADATA_MAX,
    PRIORITY_MAX,
    REQUESTS_MAX,
    TOKENS_MAX,
    WAIT_SECONDS_MAX,
)
from tekton_budget.service.asking.ledger import BATCH_MAX
from tekton_budget.service.limiting.policy_fields import NAME_MAX, PER_MAX, THRESHOLDS_MAX
from tekton_budget.service.paging import LIMIT_DEFAULT, LIMIT_MAX
from tekton_budget.service.prices.looking import NAMES_MAX
from tekton_budget.service.prices.setting import CARDS_MAX
from tekton_budget.settings import Settings

PAGE = "limits.md"

INTRO = "Everything has a bound. What is beyond one is refused with the field that is at fault, and changes nothing."


def text() -> str:
    """The page."""
    return page(
        "Bounds",
        INTRO,
        "## A call",
        table(("what", "at most"), _CALL),
        "## Policies and keys",
        table(("what", "at most"), _POLICIES),
        "## Prices",
        table(("what", "at most"), _PRICES),
        "## The service",
        table(("what", "at most"), _service()),
    )


_PRICES = (
    (
        "a rate",
        f"{RATE_MAX:,} USD, of at most {RATE_DECIMALS - 6} decimals of USD per 1,000,000 tokens",
    ),
    (
        "a factor of a region or a contract",
        f"above 0, up to {FACTOR_MAX}, of at most {FACTOR_DECIMALS} decimals",
    ),
    ("tiers, service tiers, times or regions of one card", PARTS_MAX),
    ("characters of a provider's or model's name", PRICE_NAME_MAX),
    ("cards loaded at once", f"{CARDS_MAX:,}"),
    ("names checked at once", f"{NAMES_MAX:,}"),
)

_CALL = (
    ("labels", LABELS_MAX),
    ("characters of a label's name", LABEL_NAME_MAX),
    ("characters of a label's value", LABEL_VALUE_MAX),
    ("an id that you give", "200 of `A-Z a-z 0-9 . _ : @ -`"),
    ("metadata", f"{METADATA_MAX:,} bytes of JSON"),
    ("tokens", f"{TOKENS_MAX:,}"),
    ("cost", f"{COST_NANO_MAX // NANO_PER_USD:,} USD, in steps of 0.000000001"),
    ("requests of one ask", f"{REQUESTS_MAX:,}"),
    ("priority", PRIORITY_MAX),
    (
        "lifetime of an allocation",
        f"{duration_text(LIFETIME_MAX_US)}; {duration_text(LIFETIME_DEFAULT_US)} unless said",
    ),
    ("`wait_seconds`", WAIT_SECONDS_MAX),
    ("a usage's `timestamp`", f"{duration_text(TIMESTAMP_AHEAD_MAX_US)} ahead"),
    ("commands of one batch", f"{BATCH_MAX:,}"),
)

_POLICIES = (
    ("characters of a name", NAME_MAX),
    ("characters of a limit in one line", TEXT_MAX),
    ("values asked of one label", SCOPE_VALUES_MAX),
    ("labels of `per`", PER_MAX),
    ("groups of a policy", f"{MAX_GROUPS_DEFAULT:,} unless `max_groups` says otherwise"),
    ("thresholds", THRESHOLDS_MAX),
    (
        "length of a rolling period",
        f"{duration_text(ROLLING_LENGTH_MIN_US)} to {duration_text(ROLLING_LENGTH_MAX_US)}, in {SUB_WINDOWS} sub-windows",
    ),
)


def _service() -> tuple[tuple[str, object], ...]:
    fields = Settings.model_fields
    return (
        ("body of a request", f"{BODY_MAX >> 20} MiB; of a batch {BATCH_BODY_MAX >> 20} MiB"),
        ("items of a page", f"{LIMIT_MAX:,}; {LIMIT_DEFAULT} unless said"),
        ("commands that wait", f"{fields['queue_max'].default:,} (`queue_max`)"),
        ("commands of one transaction", f"{fields['batch_max'].default:,} (`batch_max`)"),
        ("days that sent events are kept", f"{fields['outbox_days'].default:g} (`outbox_days`)"),
        ("days that denials are kept", f"{fields['decisions_days'].default:g} (`decisions_days`)"),
    )
