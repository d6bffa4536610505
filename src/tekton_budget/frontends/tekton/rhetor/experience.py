"""How large calls of a model were lately: what a check holds, where its estimate is too small.

Rhetor estimates every answer at 500 characters. Held at that, many long calls at once would end far
above a hard limit; so a check holds what the largest of the last calls of that model took.
"""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from decimal import Decimal

from tekton_budget.frontends.tekton.rhetor.holds import Model

CALLS = 20
_MODELS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """Of a call, at least."""

    output_tokens: int
    cost: Decimal  # USD


class Experience:
    """Of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[Model, deque[Size]] = OrderedDict()

    def note(self, model: Model, output_tokens: int, cost: Decimal | None) -> None:
        """A call was recorded."""
        with self._lock:
            seen = self._seen.setdefault(model, deque(maxlen=CALLS))
            seen.append(Size(output_tokens, cost or Decimal(0)))
            self._seen.move_to_end(model)
            if len(self._seen) > _MODELS_MAX:
                self._seen.popitem(last=False)

    def largest(self, model: Model) -> Size:
        """What none of the last calls passed."""
        with self._lock:
            seen = self._seen.get(model, ())
            return Size(
                max((one.output_tokens for one in seen), default=0),
                max((one.cost for one in seen), default=Decimal(0)),
            )
