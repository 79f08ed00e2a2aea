"""A progress bar with the time left, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Update = Callable[..., None]


@contextmanager
def progress_bar(description: str) -> Iterator[Update]:
    """A bar on standard error; call it with (done, total) and, as `note=`, a word beside it."""
    columns = (
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    task = progress.add_task(description, total=None, note="")

    def update(done: int, total: int, note: str | None = None) -> None:
        # Not before: a mistake found at the start is to be one line, without a bar above it.
        progress.start()
        progress.update(task, completed=done, total=total)
        if note is not None:
            progress.update(task, note=note)

    try:
        yield update
    finally:
        progress.stop()
