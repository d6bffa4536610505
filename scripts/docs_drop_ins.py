"""Reference of the drop-ins: what they answer otherwise than the classes in whose place they are."""

import json
from pathlib import Path
from typing import Any

from docs_markdown import ROOT, code, page, table

PAGE = "drop-ins.md"
RECORDINGS = ROOT / "tests" / "recordings" / "tekton"
# The class in whose place it is, by the name of its recording: how it is imported, and from where.
DROP_INS = {
    "apollo": ("TokenBudgetManager", "apollo.core.token_budget"),
    "rhetor": ("BudgetManager", "rhetor.core.budget_manager"),
}

INTRO = (
    "Every public method of these classes was called, and the answers kept. The same calls are made "
    "on ours whenever the tests run, and what comes back is equal field by field, but for what "
    "stands here; what no longer differs may not stand here either."
)


def text() -> str:
    """The page."""
    return page("Drop-ins for Tekton's classes", INTRO, *map(_part, sorted(_tables())))


def _tables() -> list[Path]:
    return list(RECORDINGS.glob("*_differences.json"))


def _part(file: Path) -> str:
    name = file.stem.removesuffix("_differences")
    class_name, home = DROP_INS[name]
    calls = json.loads(file.with_name(f"{name}_calls.json").read_text())
    entries = json.loads(file.read_text())
    rows = [
        (code(one["method"]), one["field"], one["original"], one["ours"], one["why"])
        for one in entries
    ]
    head = (
        f"`from tekton_budget.frontends.tekton.{name} import {class_name}` in the place of "
        f"`from {home} import {class_name}`. {_calls(calls)} calls were compared."
    )
    head_row = ("method", "what", "the original", "here", "why")
    return "\n\n".join([f"## {name.title()}", head, table(head_row, rows)])


def _calls(recording: dict[str, Any]) -> int:
    return sum(len(scenario["steps"]) for scenario in recording["scenarios"])
