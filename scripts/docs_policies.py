"""Reference of a policy: its fields, and the words in which limits, periods and labels are written."""

from docs_markdown import code, codes, page, table

from tekton_budget.domain.limit_text import limit_from_text, limits_text
from tekton_budget.domain.period import Period, Schedule, period_text
from tekton_budget.domain.policy import (
    DEFAULT_THRESHOLDS_PPM,
    MAX_GROUPS_DEFAULT,
    PPM,
    Enforcement,
    Holding,
)
from tekton_budget.domain.scope import WELL_KNOWN_LABELS
from tekton_budget.domain.usage import KINDS
from tekton_budget.service.limiting.policy_fields import KNOWN_FIELDS, SCOPE_SHORTCUTS

PAGE = "policies.md"

_SHARES = ", ".join(str(ppm / PPM) for ppm in DEFAULT_THRESHOLDS_PPM)

FIELDS: dict[str, str] = {
    "name": "Unique. Made from scope and period if not given: `team=a monthly`",
    "limit": "Amounts and period in one line: `50usd/month`; see below",
    "token_limit": "Tokens in a window; `null` is no limit, 0 allows nothing",
    "cost_limit": "USD in a window; `null` is no limit, 0 allows nothing",
    "request_limit": "Calls in a window; `null` is no limit, 0 allows nothing",
    "period": f"One of {codes(Period)}",
    "length_seconds": "Length of a `rolling` period: whole minutes, up to 400 days",
    "timezone": "IANA zone by whose clock windows open; default: the setting `timezone`",
    "anchor": 'Where calendar windows open: `{"hour": 0–23, "weekday": 0–6 (0 is Monday), "day": 1–31 (31 is the last day of a short month), "month": 1–12}`',
    "scope": "What is asked of a call's labels; empty concerns every call",
    **{name: f"Short for `scope.{name}`" for name in SCOPE_SHORTCUTS},
    "per": 'Labels whose every value has the limit to itself: `["user"]`',
    "per_missing": "A call without such a label: `shared` (default: all of them share one group) or `deny`",
    "enforcement": f"What passing does: {codes(Enforcement)}; default `hard_limit`",
    "type": "The older name of `enforcement`",
    "shadow": "Judge and record as if enforced, let through, mark `would_deny`",
    "thresholds": f"Shares at which an event tells; default {_SHARES}",
    "warning_threshold": "The first of `thresholds`",
    "action_threshold": "The second of `thresholds`",
    "tokens_counted": f"Kinds of tokens that count, of {codes(KINDS)}; default: all",
    "rollover": "Carry what a window left over into the next (calendar periods)",
    "rollover_cap": 'The most that is carried: `{"cost": …, "tokens": …, "requests": …}`',
    "bypass_priority": "Calls of this priority or higher pass; they are counted all the same",
    "unpriced": "A model without a known price: `deny` (default), `highest` (charge the provider's dearest known rate) or `allow` (count no cost)",
    "assume_model": "The model by which tokens without a model are priced",
    "min_grant": "The least that a clamped ask is given; default 0",
    "landing": 'Share of the allowance that only calls with the note to finish may use: `"10%"` or 0.1; hard limits only; default 0',
    "ladder": "Models to go on with, in this order, where a call through the gateway does not fit",
    "hold": f"What a stream through the gateway holds: {codes(Holding)} (slice by slice ahead of what arrives); default `full`",
    "default_output_tokens": "Output of a call through the gateway whose client names no maximum; default: the model's ceiling",
    "max_groups": f"The most groups that `per` may open; default {MAX_GROUPS_DEFAULT:,}",
    "starts_us": "It concerns calls from then on (over HTTP `starts_at`)",
    "ends_us": "It concerns calls until then (over HTTP `ends_at`)",
    "enabled": "`false` counts and does not judge",
    "metadata": "Anything of your own, as a JSON object",
}

WRITTEN = (
    "50usd/month",
    "$5/day",
    "5Mtokens/day",
    "100requests/hour",
    "20usd/24h",
    "2Mtokens/7d",
    "10usd",
    "1usd/session",
    "50usd+5Mtokens/month",
)

INTRO = """A policy is one limit. Amounts, thresholds, enforcement, name and the like change in place and keep what was spent and held;
`period`, `timezone`, `anchor`, `scope`, `per` and `tokens_counted` change by a new version that counts afresh from the usage of its
current window ([what it keeps](../explanation/changes.md)). At least one of `limit`, `token_limit`, `cost_limit` and `request_limit` is needed."""

LABELS = """## Labels

What is known of a call, text to text. Any name will do; these are well known, which means that reports can be grouped by them:"""

SCOPES = """## Scopes

A scope asks something of labels, of all that it names at once:

| written | matches |
| --- | --- |
| `{"team": "a"}` | this value, whole and case-sensitive |
| `{"team": ["a", "b"]}` | either |
| `{"model": "claude-*"}` | `*` is any text, `?` one character |
| `{"model": ["gpt-*", "!gpt-4*"]}` | what is wanted, less what is excluded |
| `{"team": "!a"}` | any value but this |
| `{}` | every call |

A label that is asked for and missing does not match."""


def text() -> str:
    """The page."""
    assert set(FIELDS) == KNOWN_FIELDS, set(FIELDS) ^ KNOWN_FIELDS
    fields = table(("field", "what it says"), ((code(n), about) for n, about in FIELDS.items()))
    return page(
        "Policies",
        INTRO,
        "## Fields",
        fields,
        "## Limits in one line",
        "Amount, unit and period, as people write them. Units are `usd` (or `$`), `tokens` and `requests`; `k`, `M` and `G` multiply. "
        "Without a period the limit is in total; a length makes it rolling.",
        table(("written", "limits", "period"), (_limit_row(line) for line in WRITTEN)),
        "## Periods",
        table(("period", "when a window opens and closes"), _PERIODS),
        LABELS,
        codes(WELL_KNOWN_LABELS) + ".",
        SCOPES,
    )


_PERIODS = (
    ("`hourly`", "an elapsed hour, on the zone's hour"),
    (
        "`daily`",
        "from midnight, or the anchor's `hour`, to the next, by the zone's clock: 23 or 25 hours when clocks change",
    ),
    ("`weekly`", "from Monday, or the anchor's `weekday`"),
    ("`monthly`", "from the first, or the anchor's `day`"),
    ("`quarterly`", "three months, from the anchor's `month`"),
    ("`yearly`", "from the anchor's `month` and `day`"),
    ("`total`", "one window for ever"),
    (
        "`per_session`",
        "one window for each value of the label `session`, else `context_id`, else for the call alone",
    ),
    ("`per_task`", "the same with the label `task`"),
    (
        "`rolling`",
        "the length that lies behind, in sixtieths of it: never more than the limit in any such length",
    ),
)


def _limit_row(line: str) -> tuple[str, str, str]:
    said = limit_from_text(line)
    schedule = Schedule(said.schedule_period, length_us=said.length_us)
    return code(line), limits_text(said.limits), period_text(schedule)
