"""The board: where the one process that speaks to Hermes tells the others how things stand."""

from pathlib import Path

import msgspec

from tekton_budget.delivery.hermes.state import HermesState

NAME = "hermes.json"


class Board:
    """A file in a directory that the processes of one server share; replaced as a whole."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / NAME

    def write(self, state: HermesState) -> None:
        """Put up the state; one process writes."""
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(state))
        new.replace(self._file)

    def state(self) -> HermesState | None:
        """What was put up last; nothing if nothing was yet."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=HermesState)
        except (OSError, msgspec.DecodeError):
            return None
