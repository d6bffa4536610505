"""What an import is asked to do, checked."""

from dataclasses import dataclass
from enum import StrEnum

from tekton_budget.service.asking.commands import choice
from tekton_budget.service.importing.local_times import LocalTimes, moment_said


class Mode(StrEnum):
    """Whether imported limits judge as if (shadow) or for good; `keep` leaves known ones alone."""

    KEEP = "keep"
    SHADOW = "shadow"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Words as they were sent. `until`: usage at or after it is left out."""

    timezone: str
    dry_run: bool = False
    mode: str = Mode.KEEP.value
    until: str | None = None

    def checked(self) -> "Checked":
        """Refuses a zone, a time or a mode that is none."""
        times = LocalTimes(self.timezone)
        until_us = None if self.until is None else moment_said(self.until, times, "until")
        return Checked(times, self.dry_run, choice("mode", Mode, self.mode), until_us)


@dataclass(frozen=True, slots=True)
class Checked:
    """The same, understood."""

    times: LocalTimes
    dry_run: bool
    mode: Mode
    until_us: int | None
