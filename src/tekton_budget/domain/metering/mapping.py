"""SDK objects as plain objects: each SDK has its own word for that."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any

from .fields import faulty
from .frames import folded_or_telling

TEXT_MAX = 256  # what is longer was written or drawn by a model, and is on no bill
_LEFT_OUT = "…"
LEAST_DIGIT, MOST_DIGIT = -30, 18  # of a number on a bill, as powers of ten

_WORDS = ("model_dump", "to_dict", "as_dict", "dict", "_asdict")


def as_mapping(response: object) -> Mapping[str, object]:
    """A response as an object of names and values, whatever SDK it came from."""
    found = _converted(response)
    if found is not None:
        return found
    raise faulty(
        "response",
        f"is of type {type(response).__name__}; send the JSON object that the provider returned, "
        "an SDK object that can be turned into one, or a list of a stream's chunks",
    )


def slimmed(response: object) -> dict[str, object] | list[object]:
    """A response without what a model wrote or drew; of a stream's frames, what they tell together.

    What is left says what was used: a bill need not carry the conversation over the network. Frames
    that make no response stay a list, of those alone that say why.
    """
    if isinstance(response, list | tuple) and not hasattr(response, "_asdict"):
        frames = [frame if _is_plain(frame) else as_mapping(frame) for frame in response]
        return folded_or_telling([_slim(frame) for frame in frames])
    return _slim_object(as_mapping(response))


def _is_plain(frame: object) -> bool:
    """No object, but JSON: a reader passes it by."""
    return frame is None or isinstance(frame, str | Real | Decimal | list)


def _converted(value: object) -> Mapping[str, object] | None:
    if isinstance(value, Mapping):
        return value
    for word in _WORDS:
        convert = getattr(value, word, None)
        if callable(convert) and not isinstance(value, type):
            found = convert()
            if isinstance(found, Mapping):
                return found
    return None


def _slim_object(found: Mapping[str, object]) -> dict[str, object]:
    return {str(name): _slim(inner) for name, inner in found.items() if _is_kept(str(name))}


def _is_kept(text: str) -> bool:
    """Whether a text may be on a bill, and can be sent: half a character, cut off, cannot."""
    if len(text) > TEXT_MAX or "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _slim(value: object) -> object:
    plain = _PLAIN.get(type(value))  # JSON as it was read, which nearly all of it is
    return plain(value) if plain is not None else _slim_other(value)


def _slim_other(value: object) -> object:
    if isinstance(value, Enum):
        value = value.value  # which is what the provider sent
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if _is_kept(value) else ""
    if isinstance(value, Real | Decimal):
        return _slim_number(value)
    found = _converted(value)
    if found is not None:
        return _slim_object(found)
    if isinstance(value, list | tuple):
        return [_slim_item(inner) for inner in value]
    return ""  # a time, a picture's bytes: on no bill


def _slim_text(value: str) -> str:
    return value if _is_kept(value) else ""


def _slim_whole(value: int) -> object:
    return value if -_WHOLE_MOST < value < _WHOLE_MOST else _slim_other(value)


def _slim_list(value: Sequence[object]) -> list[object]:
    return [_slim_item(inner) for inner in value]


def _same(value: object) -> object:
    return value


_WHOLE_MOST = 10**MOST_DIGIT
# By exact type: an enumeration may be a text too, a named tuple a list.
_PLAIN: dict[type, Callable[[Any], object]] = {  # Any: the type that it stands beside
    dict: _slim_object,
    str: _slim_text,
    int: _slim_whole,
    list: _slim_list,
    bool: _same,
    type(None): _same,
}


def _slim_item(inner: object) -> object:
    """A text in a list may be one of several searches, each of which is billed: it stays one."""
    found = _slim(inner)
    return _LEFT_OUT if found == "" and isinstance(inner, str) and inner.strip() else found


def _slim_number(value: Real | Decimal) -> object:
    """The number, exact; one of no size that a bill has (a likelihood, infinity) is left out."""
    exact = value if isinstance(value, int | Decimal) else Decimal(str(value))
    size = Decimal(exact)
    usable = not size or (size.is_finite() and LEAST_DIGIT <= size.adjusted() <= MOST_DIGIT)
    return exact if usable else ""
