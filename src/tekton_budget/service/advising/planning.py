"""Planning: how many more steps, of which model, fit into what is left, by past calls."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, invalid
from tekton_budget.domain.money import nano_ceiling
from tekton_budget.domain.planning import (
    HIGH,
    MEDIAN,
    PastCall,
    StepUse,
    past_calls,
    steps_within,
    use_at,
)
from tekton_budget.domain.scope import checked_labels
from tekton_budget.service.prices import Calculations, PriceLooks, Question, Recommendations, Wish
from tekton_budget.service.reporting.balance_views import BalanceView, is_enforced
from tekton_budget.service.reporting.records import UsageQuery, usage_filter
from tekton_budget.service.reporting.standings import Standings, Status
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.rows.usages import UsageRows

HISTORY_DAYS = 30
HISTORY_CALLS = 100  # the latest ones tell how calls go now
LOOKS_MAX = 5  # snapshots of 20,000 rows in which they are looked for
RECENT_CALLS = 10
OWN_CALLS_MIN = 3  # of a model, below which its price tells more than they do
MODELS_MAX = 20
MODELS_SHOWN = 5  # where none is named
ADVISED = 3  # where there is no history either
STEPS_MAX = 10**9
TOKENS_MAX = 10**9
ASSUMED_INPUT_TOKENS = 4000
ASSUMED_OUTPUT_TOKENS = 1000
_DAY_US = 24 * 3600 * 1_000_000
_RECORDS_OF_A_CALL = 4

# What names one piece of work: of a new one there are no calls yet, but of those before it.
PASSING_LABELS = ("run", "session", "task", "context_id")

OWN, OTHERS, GIVEN, ASSUMED = "own_calls", "other_calls", "given", "assumed"


@dataclass(frozen=True, slots=True)
class PlanQuery:
    """For whom, over how many steps, of which models (`provider/model`), and of which size."""

    labels: Mapping[str, object] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    steps: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """One use of a step, how many such steps fit, and which policy bounds them."""

    use: StepUse
    steps: int | None  # none: nothing bounds them
    bound_by: str | None
    fits: bool | None  # all the steps that were asked about


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model, of what its use is taken, and the steps that fit."""

    provider: str
    model: str
    basis: str
    calls: int
    median: Forecast
    high: Forecast
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """The last calls on average, and how many more like them fit."""

    calls: int
    tokens: int
    cost_nano: int | None
    steps: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left, what calls use, and what fits; `assumed` says what nobody knew."""

    labels: Mapping[str, str]
    steps: int | None
    binds: BalanceView | None
    recent: Recent | None
    calls: int  # of the past that it goes by
    calls_labels: Mapping[str, str]  # that those calls have
    models: tuple[ModelPlan, ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Past:
    calls: list[PastCall]
    labels: Mapping[str, str]
    is_own: bool


class Planning:
    """What can still be done, as far as a key may see it."""

    def __init__(
        self,
        reader: Reader,
        standings: Standings,
        looks: PriceLooks,
        costs: Calculations,
        recommendations: Recommendations,
    ) -> None:
        self._reader = reader
        self._usage = UsageRows(reader)
        self._standings = standings
        self._looks = looks
        self._costs = costs
        self._recommendations = recommendations

    def plan(self, caller: Caller, query: PlanQuery) -> Plan:
        """Steps by model at the median and at the 90th percentile of past calls."""
        _check(query)
        labels = {**checked_labels(query.labels), **caller.labels}
        status = self._standings.status(caller, labels)
        past = self._past(caller, labels)
        assumed = _assumptions(past, query)
        if any(view.hidden for view in status.policies):
            assumed.append("limits that others share and this key may not see are left out")
        named, how = self._models(query, past)
        if how is not None:
            assumed.append(how)
        return Plan(
            status.labels,
            query.steps,
            status.binds,
            _recent(past, status),
            len(past.calls),
            past.labels,
            tuple(self._of_model(caller, labels, past, query, one) for one in named),
            tuple(assumed),
        )

    # The past -----------------------------------------------------------------------------------

    def _past(self, caller: Caller, labels: Mapping[str, str]) -> _Past:
        """The latest calls with these labels; where there are none, of all the work before it."""
        calls = self._calls(caller, labels)
        wider = {name: value for name, value in labels.items() if name not in PASSING_LABELS}
        if calls or len(wider) == len(labels):
            return _Past(calls, labels, is_own=True)
        return _Past(self._calls(caller, wider), wider, is_own=False)

    def _calls(self, caller: Caller, labels: Mapping[str, str]) -> list[PastCall]:
        now_us = self._reader.now_us()
        said = {k: v for k, v in labels.items() if k not in ("provider", "model")}
        wanted = usage_filter(
            caller,
            UsageQuery(
                from_us=max(0, now_us - HISTORY_DAYS * _DAY_US), to_us=now_us + 1, labels=said
            ),
        )
        assert wanted is not None, "the key's own labels stand in the place of others"
        rows = self._usage.walk(
            wanted, limit=HISTORY_CALLS * _RECORDS_OF_A_CALL, looks_max=LOOKS_MAX
        )
        return past_calls((one.record for one in rows), HISTORY_CALLS)

    # Models -------------------------------------------------------------------------------------

    def _models(self, query: PlanQuery, past: _Past) -> tuple[list[tuple[str, str]], str | None]:
        """Those that are named; else those in use; else the cheapest that would do."""
        if query.models:
            return [_parted(name) for name in query.models], None
        used = Counter((call.provider, call.model) for call in past.calls if call.model)
        if used:
            return [name for name, _ in used.most_common(MODELS_SHOWN)], None
        own = self._reader.settings.assume_model
        if own is not None:
            return [_parted(own)], f"the model {own}, for none is named and none was used"
        usage = {
            "input_tokens": query.input_tokens or ASSUMED_INPUT_TOKENS,
            "output_tokens": query.output_tokens or ASSUMED_OUTPUT_TOKENS,
        }
        try:
            found = self._recommendations.recommend(Wish(usage=usage, limit=ADVISED)).items
        except BudgetError:
            found = ()
        if not found:
            return [], "no model is named, none was used and no price is known: name one in models"
        named = [(one.card.provider, one.card.model) for one in found]
        return named, "the cheapest models known, for none is named and none was used"

    def _of_model(
        self,
        caller: Caller,
        labels: Mapping[str, str],
        past: _Past,
        query: PlanQuery,
        named: tuple[str, str],
    ) -> ModelPlan:
        provider, model, is_known = self._resolved(*named)
        own = [c for c in past.calls if (c.provider, c.model) in (named, (provider, model))]
        is_told = any(call.input_tokens is not None for call in past.calls)
        note = None
        if query.input_tokens is not None or query.output_tokens is not None:
            basis, calls = GIVEN, past.calls
            sizes = [_given(query, past.calls, percent) for percent in (MEDIAN, HIGH)]
        elif len(own) >= OWN_CALLS_MIN or (own and not is_known):
            basis, calls = OWN, own
            sizes = []
        else:
            basis, calls = (OTHERS if is_told else ASSUMED), past.calls
            sizes = [_given(query, past.calls, percent) for percent in (MEDIAN, HIGH)]
        if sizes:
            uses = [self._priced(provider, model, *size) for size in sizes]
            if any(use.cost_nano is None for use in uses):
                note = "no price is known, so no limit on cost lets it through"
        else:
            uses = [use_at(calls, percent) for percent in (MEDIAN, HIGH)]
        with_model = {**labels, "model": model, **({"provider": provider} if provider else {})}
        status = self._standings.status(caller, with_model)
        median, high = (_forecast(status, use, query.steps) for use in uses)
        return ModelPlan(provider, model, basis, len(calls), median, high, note)

    def _resolved(self, provider: str, model: str) -> tuple[str, str, bool]:
        """The model as the price book has it, or as it is named."""
        try:
            found = self._looks.current(provider or None, model)
        except BudgetError:
            return provider, model, False
        return found.card.provider, found.card.model, True

    def _priced(self, provider: str, model: str, input_tokens: int, output_tokens: int) -> StepUse:
        usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        try:
            usd = self._costs.calculate(Question(model, provider or None, usage=usage)).bill.usd
        except BudgetError:
            usd = None
        cost_nano = None if usd is None else nano_ceiling(usd)
        return StepUse(input_tokens, output_tokens, input_tokens + output_tokens, cost_nano)


def _check(query: PlanQuery) -> None:
    if query.steps is not None and not 1 <= query.steps <= STEPS_MAX:
        raise invalid("steps", f"send 1 to {STEPS_MAX:,}, or leave it out")
    if len(query.models) > MODELS_MAX:
        raise invalid("models", f"send at most {MODELS_MAX} models")
    if not all(query.models):
        raise invalid("models", "name each as model or provider/model")
    for name in ("input_tokens", "output_tokens"):
        tokens = getattr(query, name)
        if tokens is not None and not 0 <= tokens <= TOKENS_MAX:
            raise invalid(name, f"send 0 to {TOKENS_MAX:,}")


def _parted(named: str) -> tuple[str, str]:
    provider, slash, model = named.partition("/")
    return (provider, model) if slash else ("", named)


def _given(query: PlanQuery, calls: Sequence[PastCall], percent: int) -> tuple[int, int]:
    """Input and output of a step: as given, else as past calls have it, else as assumed."""
    known = use_at(calls, percent) if calls else None
    tokens_in, tokens_out = query.input_tokens, query.output_tokens
    if tokens_in is None and known is not None:
        tokens_in = known.input_tokens
    if tokens_out is None and known is not None:
        tokens_out = known.output_tokens
    return (
        ASSUMED_INPUT_TOKENS if tokens_in is None else tokens_in,
        ASSUMED_OUTPUT_TOKENS if tokens_out is None else tokens_out,
    )


def _assumptions(past: _Past, query: PlanQuery) -> list[str]:
    said = " ".join(f"{name}={value}" for name, value in past.labels.items()) or "no labels"
    if past.calls and not past.is_own:
        return [f"calls as before this work began: there are none of it yet, so those of {said}"]
    if any(call.input_tokens is not None for call in past.calls):
        return []
    open_ = [
        text
        for name, text in (
            ("input_tokens", f"{ASSUMED_INPUT_TOKENS:,} input"),
            ("output_tokens", f"{ASSUMED_OUTPUT_TOKENS:,} output"),
        )
        if getattr(query, name) is None
    ]
    if not open_:
        return []
    return [
        f"{' and '.join(open_)} tokens a call: no call of the last {HISTORY_DAYS} days says its "
        f"own ({said})"
    ]


def _enforced(status: Status) -> list[BalanceView]:
    return [view for view in status.policies if is_enforced(view)]


def _left(view: BalanceView) -> Limits:
    """What an ordinary call may still take: not what is kept for the end."""
    return view.remaining.minus(view.landing)


def _forecast(status: Status, use: StepUse, steps: int | None) -> Forecast:
    least: int | None = None
    bound_by = None
    for view in _enforced(status):
        within = steps_within(_left(view), use)
        if within is not None and (least is None or within < least):
            least, bound_by = within, view.name
    fits = None if steps is None else least is None or steps <= least
    return Forecast(use, least, bound_by, fits)


def _recent(past: _Past, status: Status) -> Recent | None:
    """The mean of the last calls; their sum is divided once, so that no rounding adds up."""
    calls = past.calls[:RECENT_CALLS]
    if not calls:
        return None
    number = len(calls)
    costs = [call.cost_nano for call in calls]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) if len(known) == number else None
    tokens = sum(call.tokens for call in calls)
    together = StepUse(0, 0, tokens, cost)
    within = []
    for view in _enforced(status):
        left = _left(view)
        scaled = Limits(
            None if left.tokens is None else left.tokens * number,
            None if left.cost_nano is None else left.cost_nano * number,
            left.requests,
        )
        steps = steps_within(scaled, together)
        if steps is not None:
            within.append(steps)
    mean = None if cost is None else -(-cost // number)
    return Recent(number, -(-tokens // number), mean, min(within, default=None))
