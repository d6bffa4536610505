"""Where the messages of a request end: what a later request of the same conversation extends."""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

_DIGEST_BYTES = 16
_LEFT_OUT = "cache_control"  # moves from message to message, and changes no count
_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Trail:
    """The messages of a request with their sizes; digests are made when first asked for."""

    __slots__ = ("_before", "_found", "_head", "_messages", "_tokens")

    def __init__(
        self,
        head: Mapping[str, Any],  # Any: JSON
        messages: Sequence[Any],  # Any: JSON
        before: int,
        tokens: Sequence[int],
    ) -> None:
        self._head = head
        self._messages = messages
        self._before = before  # the tokens of the head
        self._tokens = tokens  # after each message, of the messages up to there
        self._found: list[tuple[bytes, int]] | None = None

    def marks(self) -> list[tuple[bytes, int]]:
        """For each message the digest of all up to its end, and the bound of its tokens."""
        if self._found is None:
            try:
                self._found = self._made()
            except RecursionError:  # nested so deep that no later request is worth a comparison
                self._found = []
        return self._found

    def _made(self) -> list[tuple[bytes, int]]:
        state = blake2b(canonical(self._head).encode(), digest_size=_DIGEST_BYTES)
        found = []
        for message, tokens in zip(self._messages, self._tokens, strict=True):
            state.update(b"\n" + canonical(message).encode())
            found.append((state.digest(), self._before + tokens))
        return found


NO_TRAIL = Trail({}, (), 0, ())


def canonical(value: Any) -> str:  # Any: JSON
    """One text for one meaning: names in order, without what may move between requests.

    A message that is marked for the cache has its text in a block, and afterwards bare.
    """
    if isinstance(value, dict) and _is_one_text(value.get("content")):
        value = {**value, "content": value["content"][0]["text"]}
    text = _dumps(value)
    return _dumps(_stripped(value)) if f'"{_LEFT_OUT}"' in text else text


def _is_one_text(content: Any) -> bool:  # Any: JSON
    return (
        isinstance(content, list)
        and len(content) == 1
        and isinstance(content[0], dict)
        and content[0].keys() - {_LEFT_OUT} == {"type", "text"}
        and content[0]["type"] == "text"
    )


def _stripped(value: Any) -> Any:  # Any: JSON
    if isinstance(value, dict):
        return {name: _stripped(inner) for name, inner in value.items() if name != _LEFT_OUT}
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value
