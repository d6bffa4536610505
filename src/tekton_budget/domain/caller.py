"""Who asks: the key's role and labels, which are forced on its calls and bound what it can see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tekton_budget.domain.errors import FieldFault, InvalidInput

MAX_PRIORITY_OF_KEYS = 9
MAX_PRIORITY_ON_LOOPBACK = 10


class Role(StrEnum):
    """What a key may do, least first."""

    VIEWER = "viewer"
    CLIENT = "client"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a command. `key_id` is empty for the keyless loopback and the library."""

    key_id: str = ""
    name: str = ""
    role: Role = Role.ADMIN
    labels: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    max_priority: int = MAX_PRIORITY_OF_KEYS
    ladder: tuple[str, ...] = ()  # models to go on with where the one asked for does not fit
    takes_user: bool = False  # whether the body of a call may say its label `user`
    in_gateway: bool = False  # the gateway asks on its behalf

    def forced(self, labels: Mapping[str, str]) -> dict[str, str]:
        """A call's labels with the key's own in their place."""
        own = {"key": self.name} if self.name else {}
        return {**labels, **own, **self.labels}

    def labelled(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The same; refuses if one that the key requires is missing."""
        together = self.forced(labels)
        missing = [name for name in self.requires if name not in together]
        if missing:
            faults = [
                FieldFault(f"labels.{name}", "this key requires the label") for name in missing
            ]
            raise InvalidInput(
                f"This key requires the label {', '.join(missing)}: send it with the call.",
                *faults,
                code="label_missing",
            )
        return together

    def sees(self, labels: Mapping[str, str]) -> bool:
        """Whether a call with these labels is this key's to see: all forced labels agree."""
        return all(labels.get(name) == value for name, value in self.labels.items())


LOCAL = Caller(name="", role=Role.ADMIN, max_priority=MAX_PRIORITY_ON_LOOPBACK)
