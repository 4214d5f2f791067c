"""Backups of the table `orders` that can be read without this product: a CSV file for each day of orders.

How to read them: docs/runbook.md; reasons: docs/decisions/0022-copies-of-orders.md.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain

FOLDER = "orders/"
ENDING = ".csv.gz"
LAST_COPY = "last-copy.json"  # written when the files of all days are complete
UNDATED = "undated"  # instead of a day, in the name of the file of orders without a time
PIECE = 64 * 1024  # characters that are compressed at once
GZIP = zlib.MAX_WBITS | 16  # no time in the header, so that the same rows make the same file
# Rows are committed later than their times, and clocks differ. Two runs of the function that overlap take
# half an hour at most.
MARGIN = timedelta(hours=1)
# Spreadsheets run a cell that begins like this as a formula. A spreadsheet that splits cells at semicolons or
# tabs also sees a cell, perhaps in quotation marks, after each of these and after each line break.
_FORMULA = re.compile(r"((?:\A|[;\t\r\n])(?:\x22|[^\S\t\r\n])*)(?=['=+\-@＝＋－＠])")

Day = date | None
"""A day in UTC; None for orders without a time, or with one before `orders.times.EARLIEST`."""


def key(day: Day) -> str:
    """Return the name of a day's file."""
    return f"{FOLDER}{UNDATED if day is None else day.isoformat()}{ENDING}"


def days(first: date, last: date) -> list[date]:
    """Return the days from `first` to `last`."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def due(
    candidates: Iterable[Day],
    changed: Mapping[Day, datetime],
    written: Mapping[str, datetime],
    rewrite: datetime | None = None,
) -> list[Day]:
    """Return the days whose files must be written, the latest first.

    `changed` has the time of a day's latest change, `written` that of a file by its name; files from before
    `rewrite` are written again in any case.
    """

    def is_due(day: Day) -> bool:
        at = written.get(key(day))
        if at is None or (rewrite is not None and at < rewrite):
            return True
        return day in changed and at < changed[day] + MARGIN

    return sorted(filter(is_due, candidates), key=lambda day: day or date.min, reverse=True)


def compressed(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield a gzipped CSV file of rows, in pieces."""
    packer = zlib.compressobj(wbits=GZIP)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in chain([columns], rows):
        writer.writerow(map(field, row))
        if text.tell() > PIECE:
            yield packer.compress(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    yield packer.compress(text.getvalue().encode()) + packer.flush()


def field(value: object) -> str:
    """Format a column's value: numbers with all digits, times in UTC, NULL as an empty field."""
    match value:
        case None:
            return ""
        case Decimal():
            return format(value, "f")
        case int() | float():
            return str(value)
        case datetime():
            precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
            return value.isoformat(timespec=precision) + "Z"
        case bytes():
            return value.hex()
    return _harmless(str(value))


def _harmless(text: str) -> str:
    """Escape formulas for spreadsheets, reversibly."""
    return _FORMULA.sub(r"\1'", text) or "'"
