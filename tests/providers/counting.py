"""The mock's tokenizer: four bytes of UTF-8 are a token, begun ones count, plus what templates add.

Never more than a token for each byte of text, plus the constants below, which are the size of those
of the real APIs. Pictures count by the rules that the providers publish.
"""

import base64
import math
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

PER_MESSAGE = 3
PER_REQUEST = 3
PER_TOOL = 8
CLAUDE_TOOLS = 346  # the system prompt that tools bring along
PDF_PAGE = 1_500

# Said about text, or referring to something: not read by the model.
_NOT_READ = {
    "type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "signature", "cache_control",
    "thoughtSignature", "encrypted_content", "detail", "mimeType", "mime_type", "media_type",
    "status", "file_id", "annotations", "object", "index",
}  # fmt: skip


class Tokenizer:
    """bytes_per_token: 4, or as a scenario says."""

    def __init__(self, bytes_per_token: int, provider: str) -> None:
        self._bytes, self._provider = bytes_per_token, provider

    def text(self, text: str) -> int:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return -(-size // self._bytes)

    def json(self, value: object) -> int:
        return -(-len(msgspec.json.encode(value)) // self._bytes)

    def read(self, value: Any) -> int:  # Any: JSON
        """All text in it, pictures and documents by their rule."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return sum(self.read(item) for item in value)
        if isinstance(value, dict):
            picture = self.picture(value)
            if picture is not None:
                return picture
            return sum(self.read(item) for key, item in value.items() if key not in _NOT_READ)
        return 0 if value is None else 1

    def picture(self, part: dict[str, Any]) -> int | None:  # Any: JSON
        found = _attachment(part)
        if found is None:
            return None
        kind, data, detail = found
        if kind.endswith("pdf"):
            return PDF_PAGE * max(1, data.count(b"/Type /Page") + data.count(b"/Type/Page"))
        size = _size_of(data)
        return _RULES[self._provider](*size, detail)


def _attachment(part: dict[str, Any]) -> tuple[str, bytes, str] | None:  # Any: JSON
    """(media type, data, detail) of a picture or document in any API's words."""
    kind = part.get("type")
    if kind in {"image_url", "input_image"}:
        asked = part["image_url"]
        url = asked["url"] if isinstance(asked, dict) else asked
        detail = (asked if isinstance(asked, dict) else part).get("detail") or "auto"
        return _from_url(url, detail)
    if kind in {"image", "document"} and isinstance(part.get("source"), dict):
        source = part["source"]
        if source.get("type") == "base64":
            return source["media_type"], _decoded(source["data"]), "auto"
        return ("image", b"", "auto") if source.get("type") == "url" else None
    inline = part.get("inlineData") or part.get("inline_data")
    if isinstance(inline, dict):
        media = inline.get("mimeType") or inline.get("mime_type") or "image"
        return media, _decoded(inline["data"]), "auto"
    if kind in {"file", "input_file"}:
        inside = part.get("file", part)
        return _from_url(inside.get("file_data") or "data:application/pdf;base64,", "auto")
    return None


def _from_url(url: str, detail: str) -> tuple[str, bytes, str]:
    if url.startswith("data:"):
        head, _, data = url.partition(",")
        return head[5:].partition(";")[0], _decoded(data), detail
    return "image", b"", detail


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=False)
    except ValueError:
        return b""


def _size_of(data: bytes) -> tuple[int, int]:
    """Width and height; of what cannot be told, 1024 × 1024."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:3] == b"GIF" and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    for at, marker in _jpeg_markers(data):
        if marker in {0xC0, 0xC1, 0xC2}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
    return 1024, 1024


def _jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        yield at, data[at + 1]
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]


def _openai(width: int, height: int, detail: str) -> int:
    if detail == "low":
        return 85
    shrink = min(1.0, 2048 / max(width, height))
    width, height = int(width * shrink), int(height * shrink)
    shrink = min(1.0, 768 / max(1, min(width, height)))
    width, height = int(width * shrink), int(height * shrink)
    return 85 + 170 * max(1, math.ceil(width / 512)) * max(1, math.ceil(height / 512))


def _anthropic(width: int, height: int, _: str) -> int:
    return min(1_600, math.ceil(width * height / 750))


def _gemini(width: int, height: int, _: str) -> int:
    if max(width, height) <= 384:
        return 258
    crop = max(256, min(768, int(min(width, height) / 1.5)))
    return 258 * math.ceil(width / crop) * math.ceil(height / crop)


_RULES = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}
