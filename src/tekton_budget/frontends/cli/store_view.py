"""An import as people read it: what came in, what became of limits, whether both sides agree."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tekton_budget.frontends.cli.terminal.output import cell, counted, money, table, units

Json = Mapping[str, Any]  # Any: decoded JSON

FAULTS_SHOWN = 20
# What a person looks at; programs get all of it.
_SHOWN = {
    "apollo": ("component", "model", "type", "month"),
    "rhetor": ("provider", "model", "component", "task_type", "month"),
}


def print_import(report: Json, source: str) -> None:
    """All of it, the check last but for what is over."""
    title = report["kind"].title()
    usage = report["usage"]
    print(
        f"{title}: {counted(usage['found'], 'record')} in {source}, times in {report['timezone']}"
    )
    print(f"  {_usage_text(report)}")
    for note in report["notes"]:
        print(f"  {note}")
    _print_costs(report)
    print()
    _print_limits(report)
    _print_faults(report)
    _print_check(report)
    _print_over(report)


def _usage_text(report: Json) -> str:
    usage = report["usage"]
    would = "would be added" if report["dry_run"] else "added"
    said = [f"{usage['new']:,} {would}", f"{usage['there']:,} here already"]
    repeated = sum(part["repeated"] for part in report["parts"])
    later = f"{usage['later']:,} at or after {report['until']}, left out"
    more = {
        f"{repeated:,} stood in two files": repeated,
        later: usage["later"],
        f"{usage['ours']:,} recorded here and exported, left out": usage["ours"],
        f"{usage['refused']:,} refused": usage["refused"],
    }
    return "; ".join([*said, *(text for text, number in more.items() if number)])


def _print_costs(report: Json) -> None:
    unpriced = [cost for cost in report["costs"] if cost["unpriced"]]
    if unpriced:
        number = sum(cost["unpriced"] for cost in unpriced)
        models = ", ".join(f"{cost['model']} ({cost['unpriced']:,})" for cost in unpriced)
        print(f"  {counted(number, 'record')} without a known price, so without a cost: {models}")
    estimated = sum(cost["estimated"] for cost in report["costs"])
    if estimated:
        why = "at a model's dearest rate: input or output is not told"
        print(f"  {counted(estimated, 'record')} {why}")
    differing = [cost for cost in report["costs"] if cost["differing"]]
    if differing:
        print("  Charged by the store (and kept so) otherwise than our price book says:")
        for cost in differing:
            of_all = f"{cost['differing']:,} of {counted(cost['records'], 'record')}"
            said = f"charged {money(cost['cost'])}, by our book {money(cost['book_cost'])}"
            print(f"    {cost['model']}: {of_all}, {said}")


def _print_limits(report: Json) -> None:
    rows = [
        {**limit, "what": "; ".join(limit["notes"]), "state": _state(limit)}
        for limit in report["limits"]
    ]
    columns = [
        ("limit", lambda row: row["name"]),
        ("enforcement", lambda row: row["enforcement"]),
        ("state", lambda row: row["state"]),
        ("", lambda row: row["outcome"]),
        ("?why", lambda row: row["what"]),
    ]
    table(rows, columns, empty="No limits.")
    print()


def _state(limit: Json) -> str:
    if not limit["enabled"]:
        return "off"
    return "shadow" if limit["shadow"] else "on"


def _print_faults(report: Json) -> None:
    faults = report["faults"]
    if not faults:
        return
    print("Not taken over:")
    for fault in faults[:FAULTS_SHOWN]:
        print(f"  {fault['where']}: {fault['what']}")
    more = report["faults_count"] - FAULTS_SHOWN
    if more > 0:
        print(f"  … and {more:,} more")
    print()


def _print_check(report: Json) -> None:
    check = report["check"]
    shown = _SHOWN[report["kind"]]
    sums = [one for one in check["sums"] if one["by"] in shown or not one["agrees"]]
    costs = any(Decimal(one["theirs"]["cost"]) for one in sums)
    columns = [
        ("by", lambda one: one["by"] or "all"),
        ("", lambda one: one["value"]),
        ("#records", lambda one: _beside(one, "records")),
        ("#tokens", lambda one: _beside(one, "total_tokens")),
    ]
    if costs:
        columns.append(("#cost", lambda one: _beside(one, "cost")))
    table([check["total"], *sums], columns, empty="")
    print()
    if check["verified"]:
        what = "what would be stored" if report["dry_run"] else "what is stored"
        print(f"verified: every record and every sum of {what} is as in the store.")
        return
    wrong = sum(not one["agrees"] for one in check["sums"])
    print(
        f"NOT verified: {counted(wrong, 'sum')} and {counted(check['differing_count'], 'record')} "
        "differ (above: read / stored)."
    )
    for record_id in check["differing"]:
        print(f"  record {record_id}")


def _beside(one: Json, name: str) -> str:
    theirs, ours = one["theirs"][name], one["ours"][name]
    shown = money if name == "cost" else cell
    return shown(theirs) if theirs == ours else f"{shown(theirs)} / {shown(ours)}"


def _print_over(report: Json) -> None:
    if not report["over"]:
        if report["limits"]:
            print("No limit is passed.")
        return
    print("\nPassed already:")
    for view in report["over"]:
        group = f" ({view['group']})" if view["group"] else ""
        spent = units(view["spent"], only=view["allowance"])
        print(f"  {view['name']}{group}: {spent} of {units(view['allowance'])}")
