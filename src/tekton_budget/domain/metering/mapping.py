"""SDK objects as plain objects: each SDK has its own word for that."""

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real

from .fields import faulty

TEXT_MAX = 256  # what is longer was written or drawn by a model, and is on no bill

_WORDS = ("model_dump", "to_dict", "as_dict", "dict", "_asdict")


def as_mapping(response: object) -> Mapping[str, object]:
    """A response as an object of names and values, whatever SDK it came from."""
    if isinstance(response, Mapping):
        return response
    for word in _WORDS:
        convert = getattr(response, word, None)
        if callable(convert) and not isinstance(response, type):
            found = convert()
            if isinstance(found, Mapping):
                return found
    raise faulty(
        "response",
        f"is a {type(response).__name__}; send the JSON object that the provider returned, or an "
        "SDK object that can be turned into one",
    )


def slimmed(response: object) -> object:
    """A response, or the frames of its stream, without what a model wrote or drew.

    What is left says what was used: a bill need not carry the conversation over the network.
    """
    if isinstance(response, list | tuple):
        return [_slim(frame if isinstance(frame, str) else as_mapping(frame)) for frame in response]
    return _slim(as_mapping(response))


def _slim(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _slim(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_slim(inner) for inner in value]
    if value is None or isinstance(value, bool | int | Decimal):
        return value
    text = str(value)
    if isinstance(value, Real):
        return Decimal(text)
    return text if len(text) <= TEXT_MAX else ""
