"""Tables that are complete in a narrow terminal.

Names wrap, ids are cut with "…", times and numbers are not broken. If that does not fit, each row is printed
as lines of `Column: value`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

MIN_WIDTH = 10  # columns into which a name may be wrapped
FRAME = 3  # columns that a column's border and padding take


class Kind(Enum):
    """Kinds of columns, by how they are wrapped."""

    NAME = "name"
    ID = "id"
    WHOLE = "whole"  # a time, for example
    NUMBER = "number"


@dataclass
class Table:
    """Rows under a title, for Rich to print."""

    title: str
    columns: Mapping[str, Kind]
    expand: bool = False
    rows: list[tuple[RenderableType, ...]] = field(default_factory=list)

    def add_row(self, *cells: RenderableType) -> None:
        """Add a row; strings are not parsed as Rich's markup."""
        self.rows.append(tuple(Text(cell) if isinstance(cell, str) else cell for cell in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or its rows line by line."""
        if self._min_width() <= options.max_width:
            yield self._framed()
        else:
            yield from self._lines()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the smallest and largest width."""
        if self._min_width() <= options.max_width:
            return Measurement.get(console, options, self._framed())
        return Measurement(1, options.max_width)

    def _framed(self) -> RichTable:
        table = RichTable(title=self.title, title_justify="left", title_style="bold", expand=self.expand)
        for name, kind in self.columns.items():
            table.add_column(
                name,
                justify="right" if kind is Kind.NUMBER else "left",
                overflow="ellipsis" if kind is Kind.ID else "fold",
                no_wrap=kind in (Kind.WHOLE, Kind.NUMBER),
            )
        for row in self.rows:
            table.add_row(*row)
        return table

    def _lines(self) -> RenderResult:
        yield Text(self.title, style="bold", overflow="fold")
        for row in self.rows:
            yield Text()
            for name, cell in zip(self.columns, row, strict=True):
                label = Text(f"{name}: ", overflow="fold")
                if isinstance(cell, Text):
                    yield label.append_text(cell)
                else:
                    yield from (label, cell)
        yield Text()

    def _min_width(self) -> int:
        columns = zip(self.columns.items(), *self.rows, strict=True)
        return 1 + sum(FRAME + _min_width(name, kind, cells) for (name, kind), *cells in columns)


def _min_width(name: str, kind: Kind, cells: list[RenderableType]) -> int:
    """Return the width that a column needs."""
    longest = max(
        (cell_len(cell.plain) if isinstance(cell, Text) else MIN_WIDTH for cell in cells), default=0
    )
    if kind in (Kind.WHOLE, Kind.NUMBER):
        return max(cell_len(name), longest)
    return max(*map(cell_len, name.split()), min(MIN_WIDTH, longest))
