"""The board: where the one process that speaks to Hermes tells the others how things stand."""

from pathlib import Path

import msgspec

from tekton_budget.delivery.hermes.state import HermesState

NAME = "hermes.json"


class Board:
    """A file in a directory that the processes of one server share; replaced as a whole."""

    def __init__(self, directory: Path, url: str) -> None:
        self._file = directory / NAME
        self._url = url

    def write(self, state: HermesState) -> None:
        """Put up the state; one process writes."""
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(state))
        new.replace(self._file)

    def state(self) -> HermesState:
        """What was put up last."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=HermesState)
        except (OSError, msgspec.DecodeError):  # nothing was yet
            return HermesState(self._url, "")

    def start(self) -> None:
        """The process that writes has begun by itself."""

    def stop(self) -> None:
        """The process that writes ends by itself."""
