"""Plays a list of calls on a `TokenBudgetManager`, the original's or ours, and notes its answers.

A scenario is data: steps with a call and what it is given. What comes back is data too: models as
their fields and derived properties, times as text, ids that nobody chose as `<id n>`.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

Json = Any  # decoded JSON
DERIVED = {
    "BudgetAllocation": ("remaining_tokens", "usage_percentage", "is_expired"),
    "BudgetSummary": ("remaining", "is_exceeded"),
}
EVENTS = (
    "on_allocation_created",
    "on_allocation_updated",
    "on_allocation_expired",
    "on_budget_exceeded",
    "on_policy_updated",
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Side:
    """One of the two: its names, how a manager is made, and how its clock is moved."""

    names: Mapping[str, Any]  # TokenBudgetManager and the models
    made: Callable[..., Any]  # of the constructor's arguments
    move: Callable[[datetime], None]


@dataclass
class Player:
    """One scenario at a time, each with a manager of its own."""

    side: Side
    start: datetime
    ids: dict[str, str] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)

    def play(self, scenario: Json) -> list[Json]:
        """The answers to its steps, in order."""
        with tempfile.TemporaryDirectory() as folder:
            self.ids, self.events = {}, []
            self.folder = Path(folder)
            for name, text in scenario.get("files", {}).items():
                (self.folder / name).write_text(text)
            return asyncio.run(self._played(scenario))

    async def _played(self, scenario: Json) -> list[Json]:
        self.now = self.start
        self.side.move(self.now)
        self.manager = self._made(scenario.get("made", {}))
        answers = []
        try:
            for step in scenario["steps"]:
                self.now += timedelta(seconds=step.get("after_seconds", 0))
                self.side.move(self.now)
                answers.append(await self._answered(step))
        finally:
            self._let_go(self.manager)
        return answers

    def _made(self, arguments: Json) -> Any:
        given = {name: self._given(value) for name, value in arguments.items()}
        return self.side.made(**{"data_dir": str(self.folder / "data"), **given})

    @staticmethod
    def _let_go(manager: Any) -> None:
        getattr(manager, "close", lambda: None)()

    async def _answered(self, step: Json) -> Json:
        self.events.clear()
        try:
            answer = await self._called(step)
        except Exception as error:
            return self._told({"raised": self._raised(error)})
        return self._told({"answer": self._shown(answer)})

    def _told(self, answer: Json) -> Json:
        return {**answer, "events": list(self.events)} if self.events else answer

    async def _called(self, step: Json) -> Any:
        args = [self._given(value) for value in step.get("args", [])]
        kwargs = {name: self._given(value) for name, value in step.get("kwargs", {}).items()}
        call = step["call"]
        if call == "reload":  # the process ends and another one begins
            self._let_go(self.manager)
            self.manager = self._made(step.get("kwargs", {}))
            return None
        if call == "register_callback" and kwargs.get("callback") in ("note", "note later", "fail"):
            kwargs["callback"] = self._callback(kwargs["callback"], kwargs["event_type"])
        if "." in call:
            owner, _, call = call.partition(".")
            owned = self.side.names[owner](
                **{name: self._given(value) for name, value in step["self"].items()}
            )
            found = getattr(owned, call)
            answer = found(*args, **kwargs) if callable(found) else found
            return [answer, owned]
        found = self.side.names[call] if call in self.side.names else getattr(self.manager, call)
        if not callable(found):
            return found
        answer = found(*args, **kwargs)
        if asyncio.iscoroutine(answer):
            answer = await answer
        for _ in range(5):  # tasks that it began take their turn
            await asyncio.sleep(0)
        return answer

    def _callback(self, kind: str, event: str) -> Callable[..., Any]:
        def note(*args: Any) -> None:
            self.events.append([event, *map(self._shown, args)])

        async def note_later(*args: Any) -> None:
            self.events.append([event, "later", *map(self._shown, args)])

        def fail(*args: Any) -> None:
            self.events.append([event, "fails"])
            raise RuntimeError("a callback that fails")

        return {"note": note, "note later": note_later, "fail": fail}[kind]

    def _given(self, value: Json) -> Any:
        match value:
            case {"$datetime": text}:
                return datetime.fromisoformat(text)
            case {"$in_seconds": seconds}:
                return self.now + timedelta(seconds=seconds)
            case {"$timedelta": seconds}:
                return timedelta(seconds=seconds)
            case {"$file": name}:
                return str(self.folder / name)
            case {"$policy": fields}:
                made = self.side.names["BudgetPolicy"]
                return made(**{name: self._given(one) for name, one in fields.items()})
            case {"$policy_of": [tier, period]}:
                policies = self.manager.policies.values()
                return next(p.policy_id for p in policies if (p.tier, p.period) == (tier, period))
            case {"$enum": text}:
                kind, _, name = text.partition(".")
                return getattr(self.side.names[kind], name)
        return value

    def _shown(self, value: Any) -> Json:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, str):
            return _ID.sub(
                lambda found: self._id(found.group()), value.replace(str(self.folder), "<folder>")
            )
        if isinstance(value, Mapping):
            return {str(self._shown(name)): self._shown(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._shown(one) for one in value]
        if hasattr(value, "model_dump"):
            kind = type(value).__name__
            derived = {name: getattr(value, name) for name in DERIVED.get(kind, ())}
            return {"is": kind, **self._shown(value.model_dump()), **self._shown(derived)}
        return value

    def _id(self, text: str) -> str:
        if text.startswith(("00000000", "11111111", "22222222", "33333333")):  # chosen here
            return text
        return self.ids.setdefault(text, f"<id {len(self.ids) + 1}>")

    def _raised(self, error: Exception) -> Json:
        told: Json = {"type": type(error).__name__}
        if told["type"] == "ValidationError":
            told["fields"] = [[*map(str, one["loc"]), one["type"]] for one in error.errors()]
        return told
