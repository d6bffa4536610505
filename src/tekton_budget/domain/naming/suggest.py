"""Suggestions: the known names most like an unknown one, in bounded time for any input."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import nlargest

SUGGESTIONS_MAX = 3

_GRAM = 3
_READ_MAX = 60  # characters that are compared: enough for any real name
_COMPARED_MAX = 24  # names that are compared letter by letter
_LIKENESS_MIN = 600  # per mille

Key = tuple[str, str]


class Suggester:
    """Finds keys by the groups of three letters they share; the index is built at first use."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = sorted(keys)  # the order in which they came changes no answer
        self._index: dict[str, list[int]] | None = None

    def nearest(self, name: str, preferred: Sequence[str] = ()) -> list[Key]:
        """At most three keys, those of the preferred providers first, then by likeness."""
        read = name.lower()[:_READ_MAX]
        shared = Counter[int]()
        index = self._grams()
        for gram in _grams(read):
            shared.update(index.get(gram, ()))
        most = nlargest(_COMPARED_MAX, shared, key=lambda at: self._overlap(at, shared[at], read))
        own = [at for at in shared if self._keys[at][0] in preferred] if preferred else []
        most += nlargest(_COMPARED_MAX, own, key=lambda at: self._overlap(at, shared[at], read))
        ranked = sorted(
            (key[0] not in preferred, -likeness, key)
            for key in {self._keys[at] for at in most}
            if (likeness := _likeness(read, key[1])) >= _LIKENESS_MIN
        )
        return [key for _, _, key in ranked[:SUGGESTIONS_MAX]]

    def _overlap(self, at: int, shared: int, read: str) -> tuple[int, int]:
        return 2000 * shared // (len(self._keys[at][1]) + len(read)), -at

    def _grams(self) -> dict[str, list[int]]:
        if self._index is None:
            index: dict[str, list[int]] = {}
            for at, (_, model) in enumerate(self._keys):
                for gram in _grams(model.lower()[:_READ_MAX]):
                    index.setdefault(gram, []).append(at)
            self._index = index
        return self._index


def _grams(text: str) -> Iterable[str]:
    padded = f" {text} "
    return {padded[at : at + _GRAM] for at in range(len(padded) - _GRAM + 1)}


def _likeness(read: str, model: str) -> int:
    """The share of letters that both have in the same order, per mille."""
    model = model.lower()[:_READ_MAX]
    blocks = difflib.SequenceMatcher(None, model, read, autojunk=False).get_matching_blocks()
    return 2000 * sum(block.size for block in blocks) // (len(model) + len(read))
