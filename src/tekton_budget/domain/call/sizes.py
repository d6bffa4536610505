"""How many tokens a text can be at most: byte-level tokens are never more than its UTF-8 bytes."""

import json
from typing import Any

_escaped = json.JSONEncoder(separators=(",", ":")).encode


def bytes_of(text: str) -> int:
    """The UTF-8 bytes of a text; half a character counts as the three bytes sent in its place."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def json_bytes(value: Any) -> int:  # Any: JSON
    """The bytes of a value as compact JSON, escaped: no template is known to write more."""
    return len(_escaped(value))
