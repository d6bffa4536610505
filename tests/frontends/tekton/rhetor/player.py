"""Plays a list of calls on a `BudgetManager`, Rhetor's own or ours, and notes its answers.

A scenario is data: its environment, and steps with a call and what it is given. What comes back is
data too: enums as their values, tuples as lists, USD to the ledger's 10⁻⁹, ids of rows as `<id n>`
in the order of their first appearance. Explanations, which only ours has, are `<text>`.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

Json = Any  # decoded JSON
EXPLANATIONS = ("detail", "unknown_price")


@dataclass
class Side:
    """One of the two: its names, how a manager is made, and how its clock is moved."""

    names: Mapping[str, Any]  # BudgetPeriod, BudgetPolicy
    made: Callable[[str], Any]  # of the path of its file
    move: Callable[[datetime], None]  # naive: what the host's clock shows
    set_variable: Callable[[str, str], None]


@dataclass
class Player:
    """One scenario at a time, each with a store of its own."""

    side: Side
    start: datetime
    ids: dict[Any, str] = field(default_factory=dict)

    def play(self, scenario: Json) -> list[Json]:
        """The answers to its steps, in order."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "data" / "rhetor.db")
            self.ids = {}
            for name, value in scenario.get("environment", {}).items():
                self.side.set_variable(name, value)
            now = self.start
            self.side.move(now)
            manager: Any = None
            answers = []
            for step in scenario["steps"]:
                now += timedelta(seconds=step.get("after_seconds", 0))
                self.side.move(now)
                try:
                    if step["call"] == "BudgetManager":
                        self._let_go(manager)
                        manager = self.side.made(path)
                        answers.append({"answer": None})
                        continue
                    answers.append({"answer": self._shown(self._called(manager, step))})
                except Exception as error:
                    answers.append({"raised": type(error).__name__})
            self._let_go(manager)
            return answers

    @staticmethod
    def _let_go(manager: Any) -> None:
        getattr(manager, "close", lambda: None)()

    def _called(self, manager: Any, step: Json) -> Any:
        args = [self._given(value) for value in step.get("args", [])]
        kwargs = {name: self._given(value) for name, value in step.get("kwargs", {}).items()}
        found = getattr(manager, step["call"])
        answer = found(*args, **kwargs) if callable(found) else found
        if step["call"] == "get_usage":
            return [{**row, "id": self._id(row["id"])} for row in answer]
        return answer

    def _id(self, own: Any) -> str:
        return self.ids.setdefault(own, f"<id {len(self.ids) + 1}>")

    def _given(self, value: Json) -> Any:
        match value:
            case {"$datetime": text}:
                return datetime.fromisoformat(text)
            case {"$times": [text, times]}:
                return text * times
            case {"$enum": text}:
                kind, _, name = text.partition(".")
                return getattr(self.side.names[kind], name)
            case {"$set": values}:
                return set(values)
        return value

    def _shown(self, value: Any) -> Json:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, str) and value.startswith("No price is known"):
            return "No price is known <text>"
        if isinstance(value, float):
            return round(value, 9)
        if isinstance(value, Mapping):
            return {
                str(name): "<text>" if name in EXPLANATIONS else self._shown(one)
                for name, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._shown(one) for one in value]
        return value
