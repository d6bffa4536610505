"""Parts of Gemini's contents: text, pictures, sounds, films, files, calls of functions."""

from collections.abc import Callable
from typing import Any

from ..draft import Draft
from ..image_rules import gemini_image
from ..pictures import size_of
from ..rows import items, mapping, only, text
from ..sizes import bytes_of, json_bytes
from ..sounds import SOUND_MAX, VIDEO_SOUND_MAX, sound_tokens

PART = 8  # what a template sets around a part
_CALL = 32  # the frame of a call of a function or of its result
_ARGUMENT = 8  # the frame of one argument of a call


def content_tokens(draft: Draft, content: Any, path: str) -> int:  # Any: JSON
    """The most tokens of a content, which is parts of one role; a text stands for one part."""
    if isinstance(content, str):
        return PART + bytes_of(content)
    only(mapping(content, path), {"role", "parts"}, draft, path)
    parts = content.get("parts") or []
    if isinstance(parts, dict):  # a single one is taken, too
        parts = [parts]
    return sum(
        _part_tokens(draft, part, f"{path}.parts.{index}")
        for index, part in enumerate(items(parts, f"{path}.parts"))
    )


def _part_tokens(draft: Draft, part: Any, path: str) -> int:  # Any: JSON
    tokens = PART
    for name, value in mapping(part, path).items():
        if name == "text" and type(value) is str:
            tokens += bytes_of(value)
        elif value is not None:
            read = _PARTS.get(name)
            if read is None:
                draft.unknown(f"{path}.{name}")
                read = _written
            tokens += read(draft, value, f"{path}.{name}")
    return tokens


def _written(_draft: Draft, value: Any, _path: str) -> int:  # Any: JSON
    return json_bytes(value)


def _free(_draft: Draft, _value: Any, _path: str) -> int:  # Any: JSON
    return 0


_BLOB = {"data", "mimeType", "mime_type", "displayName", "display_name"}
_FILE = {"fileUri", "file_uri", "mimeType", "mime_type", "displayName", "display_name"}


def _blob(draft: Draft, value: Any, path: str) -> int:  # Any: JSON
    only(mapping(value, path), _BLOB, draft, path)
    data = text(value.get("data"), f"{path}.data")
    kind, subtype = _kind_of(value)
    if kind == "image":
        draft.wants.add("image")
        return gemini_image(size_of(data))
    if kind == "audio":
        draft.wants.add("audio")
        draft.add_units("input_audio", sound_tokens(data, subtype))
        return 0
    if kind == "text":
        return len(data)  # of which the text is three quarters
    return _unbounded(draft, kind)


def _file(draft: Draft, value: Any, path: str) -> int:  # Any: JSON
    """What is in a file is not in the request; a picture has its maximum all the same."""
    only(mapping(value, path), _FILE, draft, path)
    kind, _ = _kind_of(value)
    if kind == "image":
        draft.wants.add("image")
        return gemini_image(None)
    if kind in ("audio", ""):
        draft.wants.add("audio")
        draft.add_units("input_audio", SOUND_MAX)
    return _unbounded(draft, kind)


def _unbounded(draft: Draft, kind: str) -> int:
    draft.window = True
    if kind == "video":
        draft.wants.add("video")
        draft.add_units("input_audio", VIDEO_SOUND_MAX)
    elif kind == "application":
        draft.wants.add("pdf")
    return 0


def _kind_of(value: dict[str, Any]) -> tuple[str, str]:  # Any: JSON
    named = value.get("mimeType") or value.get("mime_type")
    kind, _, subtype = str(named or "").lower().partition(";")[0].partition("/")
    return kind, subtype


def _call(_draft: Draft, value: Any, path: str) -> int:  # Any: JSON
    arguments = mapping(value, path).get("args")
    count = len(arguments) if isinstance(arguments, dict) else 0
    return _CALL + json_bytes(value) + _ARGUMENT * count


def _response(draft: Draft, value: Any, path: str) -> int:  # Any: JSON
    """What a function gave back, with pictures and files beside it."""
    parts = mapping(value, path).get("parts")
    rest = {name: inner for name, inner in value.items() if name != "parts"}
    tokens = _CALL + json_bytes(rest)
    return tokens if parts is None else tokens + content_tokens(draft, {"parts": parts}, path)


_READERS: dict[str, Callable[[Draft, Any, str], int]] = {  # Any: JSON
    "inlineData": _blob,
    "fileData": _file,
    "functionCall": _call,
    "functionResponse": _response,
    "thoughtSignature": _written,
    "executableCode": _written,
    "codeExecutionResult": _written,
    "toolCall": _written,
    "toolResponse": _written,
    "partMetadata": _free,
    "videoMetadata": _free,
    "mediaResolution": _free,
    "mediaProcessing": _free,
    "documentMetadata": _free,
    "spreadsheetMetadata": _free,
    "audioMetadata": _free,
    "speechMetadata": _written,
    "audioTranscription": _written,
    "thought": _free,
    "text": _written,
}
_PARTS = _READERS | {
    "".join(f"_{c.lower()}" if c.isupper() else c for c in name): read
    for name, read in _READERS.items()
}
