"""Parts of a message in OpenAI's formats: text, pictures, sounds, files."""

from typing import Any

from ..draft import Draft, wrong
from ..image_rules import openai_image
from ..pictures import data_of, size_of
from ..rows import items, kind_of, mapping, only, text
from ..sizes import bytes_of, json_bytes
from ..sounds import sound_tokens

PART = 8  # what a template sets around a part
_TEXT_FIELDS = {"type": True, "text": True}
_IMAGE_FIELDS = {"type", "image_url", "file_id", "detail"}
_CACHE_FIELDS = {"cache_control", "prompt_cache_breakpoint"}


def content_tokens(draft: Draft, content: Any, path: str) -> int:  # Any: JSON
    """The most tokens of what a message says: a text, or a list of parts."""
    if type(content) is str:
        return bytes_of(content)
    return sum(
        _part_tokens(draft, part, f"{path}.{index}")
        for index, part in enumerate(items(content, path))
    )


def _part_tokens(draft: Draft, part: Any, path: str) -> int:  # Any: JSON
    if type(part) is str:  # Mistral takes bare texts
        return PART + bytes_of(part)
    kind = kind_of(part, path)
    words = part.get("text")
    if kind in _TEXTS and type(words) is str and part.keys() == _TEXT_FIELDS.keys():
        return PART + bytes_of(words)
    if part.keys() & _CACHE_FIELDS:
        _read_cache(draft, part)
        part = {name: value for name, value in part.items() if name not in _CACHE_FIELDS}
    if kind in _TEXTS:
        return PART + json_bytes(part)
    read = _PARTS.get(kind)
    if read is None:
        draft.unknown(f"{path}.type", f"{kind!r} is no part whose tokens can be bounded")
        return PART + json_bytes(part)
    return PART + read(draft, part, path)


_TEXTS = frozenset(
    {"text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text", "thinking"}
    | {"redacted_thinking"}
)


def _read_cache(draft: Draft, part: dict[str, Any]) -> None:  # Any: JSON
    for name in _CACHE_FIELDS:
        if part.get(name) is not None:
            draft.writes_cache(mapping(part[name], name).get("ttl"))


def _image(draft: Draft, part: dict[str, Any], path: str) -> int:  # Any: JSON
    only(part, _IMAGE_FIELDS, draft, path)
    place = part.get("image_url")
    if not isinstance(place, dict):
        return image_tokens(draft, place, part.get("detail"), path)
    only(place, {"url", "detail", "format"}, draft, f"{path}.image_url")
    return image_tokens(draft, place.get("url", ""), place.get("detail"), path)


def image_tokens(draft: Draft, place: Any, detail: Any, path: str) -> int:  # Any: JSON
    """The most tokens of a picture at a URL, in a `data:` URL, or of a file (no place)."""
    draft.wants.add("image")
    data = None if place is None else data_of(text(place, f"{path}.image_url"))
    found = openai_image(draft.model, size_of(data[1]) if data else None, detail)
    if found is None:
        draft.window = True
        return 0
    return found


def _audio(draft: Draft, part: dict[str, Any], path: str) -> int:  # Any: JSON
    only(part, {"type", "input_audio"}, draft, path)
    sound = mapping(part.get("input_audio"), f"{path}.input_audio")
    only(sound, {"data", "format"}, draft, f"{path}.input_audio")
    kind = text(sound.get("format"), f"{path}.input_audio.format")
    draft.wants.add("audio")
    data = text(sound.get("data"), f"{path}.input_audio.data")
    draft.add_units("input_audio", sound_tokens(data, kind.lower()))
    return 0


_FILE_FIELDS = frozenset(
    {"type", "file", "file_data", "file_id", "file_url", "filename", "detail", "format"}
)


def _file(draft: Draft, part: dict[str, Any], path: str) -> int:  # Any: JSON
    """A document becomes its text and a picture of each page: anything up to the window."""
    only(part, _FILE_FIELDS, draft, path)
    inner = part.get("file")
    if inner is not None:
        only(mapping(inner, f"{path}.file"), _FILE_FIELDS, draft, f"{path}.file")
    draft.wants.add("pdf")
    draft.window = True
    return 0


def _spoken_before(draft: Draft, _part: dict[str, Any], path: str) -> int:  # Any: JSON
    draft.unknown(path, "sound made before has no bound; send its transcript as text")
    return 0


_PARTS = {
    "image_url": _image,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_audio": _audio,
    "file": _file,
    "input_file": _file,
    "audio": _spoken_before,
}


def tool_call_tokens(calls: Any) -> int:  # Any: JSON
    """The most tokens of calls of tools as a model made them."""
    if not isinstance(calls, list):
        raise wrong("tool_calls", "must be a list")
    return json_bytes(calls) + PART * len(calls)
