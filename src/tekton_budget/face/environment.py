"""What clients read from their environment: where the service is, by which key, for whom."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.scope import checked_labels


@dataclass(frozen=True, slots=True)
class Environment:
    """`BUDGET_URL`, `BUDGET_KEY`, and the labels of `BUDGET_LABELS` and `BUDGET_RUN`."""

    url: str | None
    key: str | None
    labels: Mapping[str, str]


def environment(variables: Mapping[str, str] | None = None) -> Environment:
    """The variables as they are now; empty ones are not set."""
    found = os.environ if variables is None else variables
    labels = labels_from_text(found.get("BUDGET_LABELS", ""), "BUDGET_LABELS")
    run = found.get("BUDGET_RUN")
    if run:
        labels["run"] = run
    return Environment(found.get("BUDGET_URL") or None, found.get("BUDGET_KEY") or None, labels)


def labels_from_text(text: str, field: str = "labels") -> dict[str, str]:
    """`team=a,user=b` → labels."""
    labels: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise invalid(field, f'"{part}" is no label: write LABEL=VALUE, several with commas')
        labels[name.strip()] = value
    return checked_labels(labels)
