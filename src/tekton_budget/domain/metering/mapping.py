"""SDK objects as plain objects: each SDK has its own word for that."""

from collections.abc import Mapping

from .fields import faulty

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
