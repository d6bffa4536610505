"""Tokens of a text as Rhetor counts them."""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any


def count_tokens(text: str, model: str) -> int:
    """By litellm's tokenizers where that is installed, else by words and characters.

    The latter counts too many of English, by about a half.
    """
    if not text:
        return 0
    counter = _counter()
    if counter is not None:
        return int(counter(model=model, text=text))
    return len(text.split()) + len(text) // 4


@cache
def _counter() -> Callable[..., Any] | None:  # Any: litellm is untyped
    """Loaded with the first text, for it takes its time."""
    if importlib.util.find_spec("litellm") is None:
        return None
    found: Callable[..., Any] = importlib.import_module("litellm").token_counter
    return found
