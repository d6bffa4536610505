"""The width and height of a picture, read from the head of its base64 text."""

import binascii
import struct

Size = tuple[int, int]

_HEAD = 64  # characters in which every format but JPEG tells its size
_JPEG_HEAD = 700_000  # characters; colour profiles and previews may stand before the size
_NO_SIZE_MARKERS = (0xC4, 0xC8, 0xCC)  # tables, among the markers that begin a frame


def size_of(base64_text: str) -> Size | None:
    """Width and height in pixels; `None` where the format is not known or the head is damaged."""
    head = _decoded(base64_text, _HEAD)
    for begins, read in _FORMATS:
        if head.startswith(begins):
            try:
                found = read(_decoded(base64_text, _JPEG_HEAD) if read is _jpeg else head)
            except (struct.error, IndexError):
                return None
            return found if found is not None and min(found) > 0 else None
    return None


def data_of(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a `data:` URL; `None` for any other."""
    if not url.startswith("data:"):
        return None
    kind, comma, data = url[5:].partition(",")
    return (kind.partition(";")[0].lower(), data) if comma else None


def _decoded(text: str, length: int) -> bytes:
    head = "".join(text[:length].split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return binascii.a2b_base64(head[: len(head) // 4 * 4])
    except ValueError:
        return b""


def _png(head: bytes) -> Size:
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _gif(head: bytes) -> Size:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(data: bytes) -> Size | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


_FORMATS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
)
