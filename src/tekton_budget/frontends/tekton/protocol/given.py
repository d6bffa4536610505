"""What a component asks for, read with care: by whom, and each parameter as it should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import FieldFault, InvalidInput, invalid
from tekton_budget.domain.text_tokens import estimated_tokens
from tekton_budget.service import Service

WHOLE_MAX = 10**15
# Apollo's short words for tiers, beside those that it stores.
TIERS = {
    "lightweight": "local_lightweight",
    "midweight": "local_midweight",
    "heavyweight": "remote_heavyweight",
}
SHORT_TIERS = {tier: word for word, tier in TIERS.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """One act that is asked for. `sender` is the component that speaks, where a message says it."""

    caller: Caller
    verbs: Service
    given: Mapping[str, Any]  # Any: JSON
    timezone: str  # of dates without one
    sender: str = ""
    id: str | None = None  # of what is made, so that the same again changes nothing

    def text(self, name: str) -> str | None:
        """A text; an empty one is none."""
        value = self.given.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise invalid(name, "send a text")
        return value

    def needed(self, name: str) -> str:
        """A text that has to be there."""
        value = self.text(name)
        if value is None:
            raise invalid(name, "is needed")
        return value

    def whole(self, name: str, *, least: int = 0, most: int = WHOLE_MAX) -> int | None:
        """A whole number."""
        value = self.given.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise invalid(name, f"send a whole number from {least} to {most}")
        return value

    def truth(self, name: str) -> bool:
        """Yes or no; no if left out."""
        value = self.given.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid(name, "send true or false")
        return bool(value)

    def mapping(self, name: str) -> dict[str, Any]:  # Any: JSON
        """An object; empty if left out."""
        value = self.given.get(name)
        if value is not None and not isinstance(value, dict):
            raise invalid(name, "send a JSON object")
        return value or {}

    @property
    def component(self) -> str | None:
        """Who uses it: as it says, else who speaks."""
        return self.text("component") or self.sender or None

    @property
    def tier(self) -> str | None:
        """One of the three, by its long or short word."""
        said = self.text("tier")
        if said is None:
            return None
        tier = TIERS.get(said.lower(), said.lower())
        if tier not in SHORT_TIERS:
            raise invalid("tier", f"send one of {', '.join(SHORT_TIERS)}")
        return tier

    def tokens(self, of: str) -> tuple[int | None, bool]:
        """Tokens of `input` or `output`, and whether they are estimated from the text."""
        count = self.whole(f"{of}_tokens")
        if count is not None:
            return count, False
        text = self.given.get(f"{of}_text")
        if text is None:
            return None, False
        if not isinstance(text, str):
            raise invalid(f"{of}_text", "send a text")
        return estimated_tokens(text), True

    def own_labels(self) -> dict[str, object]:
        """Who uses it and for what, as far as that was said."""
        said = {"component": self.component, "task_type": self.text("task_type")}
        return {name: value for name, value in said.items() if value is not None}

    def labels(self) -> dict[str, object]:
        """What is known of the call, of what was said of it."""
        labels: dict[str, object] = {"task_type": self.text("task_type") or "default"}
        for name in ("context_id", "provider", "model"):
            if (value := self.text(name)) is not None:
                labels[name] = value
        if self.component is not None:
            labels["component"] = self.component
        return labels


def known_only(given: Mapping[str, Any], known: Mapping[str, object]) -> None:  # Any: JSON
    """Refuse parameters that a tool does not have: one with a typing error would be lost."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        text = f"is not a parameter here; those are {', '.join(known) or 'none'}"
        raise InvalidInput(f"{unknown[0]}: {text}", *(FieldFault(one, text) for one in unknown))
