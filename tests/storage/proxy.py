"""A wire to PostgreSQL that can be cut: at once, or around a commit."""

import contextlib
import socket
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Listens on a port of its own and passes on all that is said, until told otherwise.

    `cuts` says what happens to the next connections that send a commit: `before` it reaches the
    server, or `after` the server has done it and before it can say so.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._database = parts.path.lstrip("/")
        query = parse_qs(parts.query)
        self._server: object = (parts.hostname, parts.port or 5432)
        if "host" in query:
            port = query.get("port", ["5432"])[0]
            self._server = str(Path(query["host"][0]) / f".s.PGSQL.{port}")
        self._user = parts.username or "postgres"
        self._password = parts.password or ""
        self.cuts: list[str] = []
        self.is_down = False
        self.commits_cut = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        credentials = f"{self._user}:{self._password}" if self._password else self._user
        return f"postgresql://{credentials}@127.0.0.1:{port}/{self._database}?sslmode=disable"

    def down(self) -> None:
        """Cut every connection and take no more."""
        self.is_down = True
        self.cut_all()

    def up(self) -> None:
        self.is_down = False

    def cut_all(self) -> None:
        for one in list(self._open):
            _cut(one)

    def close(self) -> None:
        self.down()
        _cut(self._listener)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            if isinstance(self._server, str):
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
            else:
                server = socket.create_connection(self._server)
            self._open |= {client, server}
            state: dict[str, bool] = {}
            for source, target, from_client in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pass_on, args=(source, target, state, from_client), daemon=True
                ).start()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        state: dict[str, bool],
        from_client: bool,
    ) -> None:
        try:
            while data := source.recv(1 << 20):
                if from_client and b"COMMIT" in data and self.cuts:
                    self.commits_cut += 1
                    if self.cuts.pop(0) == "before":
                        break
                    state["mute"] = True
                elif not from_client and state.get("mute"):
                    if b"COMMIT" in data:  # the server's word for having done it
                        break
                    continue
                target.sendall(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                _cut(one)
                one.close()
                self._open.discard(one)


def _cut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
