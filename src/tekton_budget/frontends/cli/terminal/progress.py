"""Progress on a terminal; on standard error, so that output stays clean."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tekton_budget.frontends.cli.terminal.output import Output


@contextmanager
def waiting(what: str, output: Output) -> Iterator[None]:
    """A sign of life, for work whose length is not known."""
    if not output.is_for_people:
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what}…"):
        yield


@contextmanager
def stages(output: Output) -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar, moved by calls with the stage, what is done and what there is in all."""
    if not output.is_for_people:
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda stage, done, total: progress.update(
            task, description=stage, completed=done, total=total
        )
