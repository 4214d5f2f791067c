"""A progress bar on standard error while many orders are sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cli.terminal import err


class RateColumn(ProgressColumn):
    """Orders a second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last seconds, and at the end that of the whole run."""
        return Text(f"{task.finished_speed or task.speed or 0:.0f} per second")


@contextmanager
def sending(count: int) -> Iterator[Callable[[], None]]:
    """Show a bar where a person sees it; give the function to call for each accepted order."""
    columns = (TextColumn("Sent"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=count == 1 or not err.is_terminal) as bar:
        task = bar.add_task("Sent", total=count)
        yield lambda: bar.advance(task)
