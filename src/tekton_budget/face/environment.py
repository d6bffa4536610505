"""What clients read from their environment: where the service is, by which key, for whom."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.scope import checked_labels

_UPSTREAM = "BUDGET_UPSTREAM_"
_UPSTREAM_KEY = "BUDGET_UPSTREAM_KEY_"


@dataclass(frozen=True, slots=True)
class Environment:
    """`BUDGET_URL`, `BUDGET_KEY`, and the labels of `BUDGET_LABELS` and `BUDGET_RUN`.

    Beside the addresses of providers that are no known ones: `BUDGET_UPSTREAM_<NAME>`.
    """

    url: str | None
    key: str | None
    labels: Mapping[str, str]
    upstreams: Mapping[str, str] = field(default_factory=dict)


def environment(variables: Mapping[str, str] | None = None) -> Environment:
    """The variables as they are now; empty ones are not set."""
    found = os.environ if variables is None else variables
    labels = labels_from_text(found.get("BUDGET_LABELS", ""), "BUDGET_LABELS")
    run = found.get("BUDGET_RUN")
    if run:
        labels["run"] = run
    upstreams = {
        name.removeprefix(_UPSTREAM).lower(): value
        for name, value in found.items()
        if value and name.startswith(_UPSTREAM) and not name.startswith(_UPSTREAM_KEY)
    }
    url, key = found.get("BUDGET_URL"), found.get("BUDGET_KEY")
    return Environment(url or None, key or None, labels, upstreams)


def labels_from_text(text: str, field: str = "labels") -> dict[str, str]:
    """`team=a,user=b` → labels."""
    labels: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise invalid(field, f'"{part}" is no label: write LABEL=VALUE, several with commas')
        labels[name.strip()] = value
    return checked_labels(labels)
