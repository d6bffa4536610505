"""Server-sent events, as bytes: cut out of the stream whole, passed on as they came."""

DONE = b"[DONE]"
FRAME_MAX = 16 << 20  # what has no end by then is handed on as it is


class Frames:
    """Cuts a stream into its events. A frame is kept with the blank line that ends it."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._looked = 0  # how far no end was found

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are complete now."""
        data: bytes | bytearray = chunk
        looked = 0
        if self._rest:
            self._rest += chunk
            data, looked = self._rest, self._looked
        found: list[bytes] = []
        begin = 0
        while (end := _end(data, looked)) >= 0:
            found.append(bytes(data[begin:end]))
            begin = looked = end
        self._rest = bytearray(data[begin:]) if begin or data is chunk else self._rest
        self._looked = max(0, len(self._rest) - 3)
        if len(self._rest) > FRAME_MAX:
            found.append(self.rest())
        return found

    def rest(self) -> bytes:
        """What came after the last whole event; nothing more will."""
        rest, self._rest = bytes(self._rest), bytearray()
        self._looked = 0
        return rest


def _end(data: bytes | bytearray, begin: int) -> int:
    """Where the first event ends that ends after `begin`; below 0 if none does yet."""
    plain = data.find(b"\n\n", begin)
    other = data.find(b"\r\n\r\n", begin, len(data) if plain < 0 else plain + 2)
    if other >= 0:
        return other + 4
    return plain + 2 if plain >= 0 else -1


def data_of(frame: bytes) -> bytes:
    """The data of an event: of several lines, all of them."""
    if frame.startswith(b"data:") and frame.find(b"\n", 0, -2) < 0:
        return frame[5:].strip()
    lines = [line[5:].strip() for line in frame.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def frame_of(data: bytes, event: bytes | None = None) -> bytes:
    """An event of our own."""
    head = b"" if event is None else b"event: " + event + b"\n"
    return head + b"data: " + data + b"\n\n"
