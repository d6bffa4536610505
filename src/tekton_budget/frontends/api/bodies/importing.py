"""What an import found, did and checked, as the API shows it."""

from typing import Any

from pydantic import Field

from tekton_budget.domain.zones import rfc3339
from tekton_budget.foreign.store import Fault
from tekton_budget.frontends.api.bodies.balances import BalanceOut, to_api_balance
from tekton_budget.frontends.api.schemas import TimeOut, UsdOut, View
from tekton_budget.frontends.http.wire import number, usd
from tekton_budget.service.importing import (
    CheckReport,
    Compared,
    ImportReport,
    LimitReport,
    ModelCost,
    PartReport,
    Tally,
)

FAULTS_MAX = 1000

Json = dict[str, Any]  # Any: JSON


class UsageImportOut(View):
    """How many records of the store are new, there already, or left out."""

    found: int = Field(description="Different records that were read")
    new: int = Field(description="Added now, or by a dry run that would be")
    there: int = Field(description="Added by an earlier import")
    later: int = Field(description="At or after `until`, and left out")
    ours: int = Field(description="Made by an export of what was recorded here, and left out")
    refused: int = Field(description="Left out for a reason that `faults` names")


class PartOut(View):
    """A file or table."""

    name: str
    found: int
    repeated: int
    skipped: int
    new: int
    there: int
    is_whole: bool = Field(description="False: nothing of it could be read")


class ImportedLimitOut(View):
    """A limit, and what became of it: made, changed, same, kept, ended or refused."""

    policy_id: str
    name: str
    outcome: str
    enforcement: str
    enabled: bool
    shadow: bool
    notes: list[str]


class TallyOut(View):
    """Sums of some records."""

    records: int
    input_tokens: int
    output_tokens: int
    unsplit_tokens: int
    total_tokens: int
    cost: UsdOut = Field(description="As the store charged; 0 where it charges nothing")


class ComparedOut(View):
    """The sums of one value: theirs as read, ours as stored."""

    by: str
    value: str
    agrees: bool
    theirs: TallyOut
    ours: TallyOut


class CheckOut(View):
    """Both sides, added up independently."""

    verified: bool
    total: ComparedOut
    sums: list[ComparedOut]
    differing: list[str] = Field(description="The first records stored otherwise, or not at all")
    differing_count: int


class ModelCostOut(View):
    """What a model's records cost here, and by our price book."""

    model: str
    records: int
    tokens: int
    cost: UsdOut
    book_cost: UsdOut
    unpriced: int = Field(description="No price is known for their time: they cost nothing here")
    estimated: int = Field(description="At the dearest rate: input or output is not told")
    without_book: int = Field(description="Charged by the store, and our book knows no price")
    differing: int = Field(description="Charged by the store otherwise than our book says")


class FaultOut(View):
    """What was not taken over, and why."""

    where: str
    what: str


class ImportOut(View):
    """What was found, done and checked. `complete`: verified, and nothing was left out."""

    kind: str
    dry_run: bool
    mode: str
    timezone: str
    until: TimeOut
    verified: bool
    complete: bool
    usage: UsageImportOut
    parts: list[PartOut]
    limits: list[ImportedLimitOut]
    check: CheckOut
    costs: list[ModelCostOut]
    over: list[BalanceOut] = Field(description="Limits that are passed already")
    faults: list[FaultOut]
    faults_count: int
    notes: list[str]


class ExportOut(View):
    """Files to write, and what they cannot say."""

    files: dict[str, str]
    records: int
    tokens: int
    policies: int
    faults: list[FaultOut]


class DatabaseExportOut(View):
    """A database to write, and what it cannot say."""

    database: dict[str, str] = Field(description='Its bytes: `{"base64": …}`')
    records: int
    tokens: int
    cost: UsdOut
    policies: int
    faults: list[FaultOut]


def to_api_import(report: ImportReport) -> Json:
    """All of it."""
    return {
        "kind": report.kind.value,
        "dry_run": report.dry_run,
        "mode": report.mode,
        "timezone": report.timezone,
        "until": None if report.until_us is None else rfc3339(report.until_us, report.timezone),
        "verified": report.check.verified,
        "complete": report.is_complete,
        "usage": {
            name: getattr(report.usage, name)
            for name in ("found", "new", "there", "later", "ours", "refused")
        },
        "parts": [_part(one) for one in report.parts],
        "limits": [_limit(one) for one in report.limits],
        "check": _check(report.check),
        "costs": [_cost(model, report.costs[model]) for model in sorted(report.costs)],
        "over": [to_api_balance(view) for view in report.over],
        "faults": to_api_faults(report.faults),
        "faults_count": len(report.faults),
        "notes": list(report.notes),
    }


def to_api_faults(faults: tuple[Fault, ...]) -> list[Json]:
    """The first of them."""
    return [{"where": fault.where, "what": fault.what} for fault in faults[:FAULTS_MAX]]


def _part(part: PartReport) -> Json:
    names = ("name", "found", "repeated", "skipped", "new", "there", "is_whole")
    return {name: getattr(part, name) for name in names}


def _limit(limit: LimitReport) -> Json:
    return {
        "policy_id": limit.policy_id,
        "name": limit.name,
        "outcome": limit.outcome.value,
        "enforcement": limit.enforcement,
        "enabled": limit.enabled,
        "shadow": limit.shadow,
        "notes": list(limit.notes),
    }


def _check(check: CheckReport) -> Json:
    return {
        "verified": check.verified,
        "total": _compared(check.total),
        "sums": [_compared(one) for one in check.sums],
        "differing": list(check.differing),
        "differing_count": check.differing_count,
    }


def _compared(one: Compared) -> Json:
    return {
        "by": one.by,
        "value": one.value,
        "agrees": one.agrees,
        "theirs": _tally(one.theirs),
        "ours": _tally(one.ours),
    }


def _tally(tally: Tally) -> Json:
    return {
        "records": tally.records,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "unsplit_tokens": tally.tokens,
        "total_tokens": tally.total_tokens,
        "cost": number(tally.cost),
    }


def _cost(model: str, cost: ModelCost) -> Json:
    return {
        "model": model,
        "records": cost.records,
        "tokens": cost.tokens,
        "cost": usd(cost.cost_nano),
        "book_cost": usd(cost.book_cost_nano),
        "unpriced": cost.unpriced,
        "estimated": cost.estimated,
        "without_book": cost.without_book,
        "differing": cost.differing,
    }
