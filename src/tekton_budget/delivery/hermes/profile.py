"""What Hermes is told of us."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of ours as others may call it: `schema` is JSON Schema, `endpoint` takes the call."""

    name: str
    description: str
    schema: Mapping[str, Any]  # Any: JSON
    endpoint: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] | None = None  # Any: JSON


@dataclass(frozen=True, slots=True)
class Profile:
    """One service at one address.

    The component's id is fixed, for Hermes forgets nobody: one made anew at each start leaves a
    ghost behind. `other_id` is taken while another live service stands under the first.
    """

    component_id: str
    other_id: str
    name: str
    type: str
    version: str
    endpoint: str
    capabilities: tuple[str, ...]
    metadata: Mapping[str, Any]  # Any: JSON
    tools: tuple[Tool, ...] = ()

    def under(self, component_id: str) -> "Profile":
        """The same by another id."""
        return replace(self, component_id=component_id)
