"""A provider that answers every request with the same bytes, and hangs up."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Odd:
    """Where it is, and what it says."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def work(self) -> None:
        """One connection after the other, until it is closed."""
        with suppress(OSError):
            while True:
                line, _ = self.listening.accept()
                with line, line.makefile("rb") as request:
                    size = 0
                    while (header := request.readline().strip().lower()) != b"":
                        if header.startswith(b"content-length:"):
                            size = int(header.partition(b":")[2])
                    request.read(size)
                    line.sendall(self.answer)
                    line.shutdown(socket.SHUT_WR)


@contextmanager
def answering(answer: bytes) -> Iterator[Odd]:
    """On a free port, from a thread."""
    odd = Odd(answer)
    thread = threading.Thread(target=odd.work, daemon=True)
    thread.start()
    try:
        yield odd
    finally:
        odd.listening.shutdown(socket.SHUT_RDWR)
        odd.listening.close()
        thread.join(5)
