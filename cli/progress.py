"""Progress bars on standard error, where a person sees them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

from cli.terminal import err, is_live


class RateColumn(ProgressColumn):
    """Orders a second."""

    def render(self, task: Task) -> Text:
        """Return the rate of the last seconds, and at the end that of the whole run."""
        return Text(f"{task.finished_speed or task.speed or 0:.0f} per second")


@contextmanager
def counting(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar for `total` things, if that is known; give the function that counts on."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=total == 1 or not is_live(err)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda number: bar.advance(task, number)


@contextmanager
def sending(count: int) -> Iterator[Callable[[], None]]:
    """Show a bar; give the function to call for each accepted order."""
    with counting("Sent", count) as advance:
        yield lambda: advance(1)


@contextmanager
def waiting(label: str) -> Iterator[Callable[[str], None]]:
    """Show that something is under way; give the function that says how far it is."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not is_live(err)) as bar:
        task = bar.add_task(label)
        yield lambda text: bar.update(task, description=text)
