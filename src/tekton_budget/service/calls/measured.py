"""How long inputs really were: what a provider counted bounds the calls that go on from there."""

from collections import OrderedDict
from collections.abc import Sequence

from tekton_budget.domain.call import Boundary

KEPT_MAX = 20_000
Owner = tuple[str, str, str]  # whose conversation it is, provider, model


class Measured:
    """Counts of earlier calls by the digest of all that they sent; the oldest are forgotten.

    Messages are parted by tokens of their own, so what was counted of a beginning is exactly what
    it counts for again.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Owner, bytes], int] = OrderedDict()

    def learn(self, owner: Owner, boundary: Boundary, tokens: int) -> None:
        """A provider counted `tokens` for all up to here."""
        key = owner, boundary.digest
        self._known[key] = tokens
        self._known.move_to_end(key)
        if len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)

    def knows(self, owner: Owner, boundaries: Sequence[Boundary]) -> bool:
        """Whether the very same input was counted."""
        return bool(boundaries) and (owner, boundaries[-1].digest) in self._known

    def bound(self, owner: Owner, boundaries: Sequence[Boundary], whole: int) -> int | None:
        """The tightest bound of an input of `whole` tokens at most; `None`: nothing is known.

        After the last boundary come constants alone, which the count of the very same input has.
        """
        least: int | None = None
        for boundary in boundaries:
            counted = self._known.get((owner, boundary.digest))
            if counted is not None:
                rest = 0 if boundary is boundaries[-1] else max(0, whole - boundary.tokens)
                least = counted + rest if least is None else min(least, counted + rest)
        return least
