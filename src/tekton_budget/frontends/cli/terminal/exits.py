"""How commands end: one number for each kind of outcome, and errors on standard error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tekton_budget.domain.errors import (
    BudgetError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from tekton_budget.face.refusals import BudgetExceeded

EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "a check failed: `verify` found a difference, `proof` a promise broken, `prices` that a "
    "case of a file does not come out as the file expects, or `import` that both sides differ or "
    "that something of the store could not be taken over",
    2: "the command line is wrong: an option or argument that is not known or missing",
    3: "what was given cannot be used: an invalid value, or a conflict with what is there",
    4: "over budget: the call may not be made",
    5: "the named thing does not exist, or is not this key's to see",
    6: "not allowed: a key is needed, is not valid, or may not do this",
    7: "not possible now: no server answers, or the store is away or of another version",
    8: "a fault of the program itself",
    75: "of `run`: its command failed after a call was refused, or was stopped at its cap",
    76: "of `run --strict`: no call came through the gateway",
    124: "of `run --wall`: its time was up",
    126: "of `run`: the command cannot be run",
    127: "of `run`: there is no such command",
    130: "interrupted",
}

FAILED, USAGE, REFUSED, OVER_BUDGET, NOT_FOUND, NOT_ALLOWED, UNAVAILABLE, FAULT = range(1, 9)
INTERRUPTED = 130

_KINDS: tuple[tuple[type[BudgetError], int], ...] = (
    (BudgetExceeded, OVER_BUDGET),
    (InvalidInput, REFUSED),
    (Conflict, REFUSED),
    (NotFound, NOT_FOUND),
    (Unauthenticated, NOT_ALLOWED),
    (Forbidden, NOT_ALLOWED),
    (Unavailable, UNAVAILABLE),
)
_CODES = {"schema_old": UNAVAILABLE, "schema_new": UNAVAILABLE, "schema_foreign": UNAVAILABLE}


def exit_code(error: BudgetError) -> int:
    """The number for a refusal."""
    if error.code in _CODES:
        return _CODES[error.code]
    return next((number for kind, number in _KINDS if isinstance(error, kind)), FAULT)


@contextmanager
def told() -> Iterator[None]:
    """Refusals become a line on standard error and their number; faults of ours stay tracebacks."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BudgetError as error:
        complain(error)
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has read enough; nothing more may be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def complain(error: BudgetError) -> None:
    """The detail for people, with the code for machines; choices and faulty fields below it."""
    print(f"{error.code}: {error.detail}", file=sys.stderr)
    for fault in error.fields if len(error.fields) > 1 else ():
        print(f"  {fault.field}: {fault.message}", file=sys.stderr)
    suggestions = [str(one) for one in error.extra.get("suggestions") or ()]
    if not all(one in error.detail for one in suggestions):
        print(f"  Did you mean {', '.join(suggestions)}?", file=sys.stderr)
