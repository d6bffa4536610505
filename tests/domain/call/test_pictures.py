"""The size of a picture is read from its head."""

import base64
import struct

import pytest
from tests.domain.call.test_bounds import png

from tekton_budget.domain.call.pictures import data_of, size_of


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments)


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


FRAME = segment(0xC2, struct.pack(">BHH", 8, 480, 640) + b"\x03" * 10)


def webp(kind: bytes, data: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I4s4sI", 100, b"WEBP", kind, 50) + data + b"\0" * 20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (png(640, 480), (640, 480)),
        (png(640, 480)[:20] + "\n" + png(640, 480)[20:], (640, 480)),
        (encoded(b"GIF89a" + struct.pack("<HH", 640, 480) + b"\0" * 9), (640, 480)),
        (encoded(jpeg(segment(0xE0, b"JFIF"), FRAME)), (640, 480)),
        (encoded(jpeg(segment(0xE1, b"\0" * 60_000), segment(0xC4, b"\0\0"), FRAME)), (640, 480)),
        (encoded(jpeg(segment(0xE0, b"JFIF"), b"\xff", FRAME)), (640, 480)),
        (encoded(webp(b"VP8X", b"\0" * 4 + b"\x7f\x02\0\xdf\x01\0")), (640, 480)),
        (encoded(webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14))), (640, 480)),
        (encoded(webp(b"VP8 ", b"\0" * 6 + struct.pack("<HH", 640, 480))), (640, 480)),
        (encoded(webp(b"ALPH", b"")), None),
        (png(0, 480), None),
        (png(640, 480)[:20], None),
        (encoded(jpeg(segment(0xE0, b"JFIF"))), None),
        (encoded(jpeg(segment(0xE0, b"JFIF"), b"\0" * 20)), None),
        (encoded(b"BM" + b"\0" * 40), None),
        ("", None),
        ("ünïcode", None),
    ],
)
def test_a_size_is_read(text: str, size: tuple[int, int] | None) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("data:image/PNG;base64,AAAA", ("image/png", "AAAA")),
        ("data:,A", ("", "A")),
        ("data:image/png", None),
        ("https://a/b.png", None),
    ],
)
def test_a_data_url_is_taken_apart(url: str, found: tuple[str, str] | None) -> None:
    assert data_of(url) == found
