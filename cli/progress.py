"""Progress on standard error: live in a terminal, and every few seconds in a file."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cli.terminal import err, is_live, note

FILE_INTERVAL = 10.0  # seconds between two lines in a file


class RateColumn(ProgressColumn):
    """Orders a second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last seconds, and at the end that of the whole run."""
        return Text(f"{task.finished_speed or task.speed or 0:.0f} per second")


def bar(label: str, **options: Any) -> Progress:
    """Return a bar with the number of orders, their rate, and the time."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, **options)


@contextmanager
def counting(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar; yield the function that advances it."""
    with bar(label, transient=True, disable=total == 1 or not is_live(err)) as progress:
        task = progress.add_task(label, total=total)
        yield lambda number: progress.advance(task, number)


@contextmanager
def waiting(label: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner; yield the function that sets its text."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not is_live(err)) as bar:
        task = bar.add_task(label)
        yield lambda text: bar.update(task, description=text)


@contextmanager
def updating() -> Iterator[Callable[[str], None]]:
    """Show a line that changes; in a file, print it every few seconds. Yield the function that sets it."""
    if is_live(err):
        with Live(Text(""), console=err, transient=True, auto_refresh=False) as live:
            yield lambda text: live.update(Text(text), refresh=True)
        return
    began = written = time.monotonic()

    def write(text: str) -> None:
        nonlocal written
        if time.monotonic() - written >= FILE_INTERVAL:
            written = time.monotonic()
            note(f"{written - began:7.1f} s  {text}")

    yield write
