"""Copies of the table `orders` for readers without this product: one CSV file for each day of orders.

How to read them: docs/runbook.md; reasons: docs/decisions/0022-copies-of-orders.md.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain

FOLDER = "orders/"
ENDING = ".csv.gz"
LAST_COPY = "last-copy.json"  # written when the files of all days are there
UNDATED = "undated"  # in place of the day, in the name of the file of orders without a time
PIECE = 64 * 1024  # characters that are compressed at once
GZIP = zlib.MAX_WBITS | 16  # without a time in the header: the same rows make the same file
# A row is committed some time after the moment that it names, and clocks differ. A run of the function and
# one that overlaps it take half an hour at most.
MARGIN = timedelta(hours=1)
# Spreadsheets run what begins like this as a formula. With another separator they see a cell begin after each
# semicolon, tab or line break, too, and take quotation marks there for its quotes.
_FORMULA = re.compile(r"((?:\A|[;\t\r\n])(?:\x22|[^\S\t\r\n])*)(?=['=+\-@＝＋－＠])")

Day = date | None
"""A day in UTC; None stands for the orders without a time, or with one before `orders.times.EARLIEST`."""


@dataclass(frozen=True, slots=True)
class Known:
    """Days and changes of the rows in the database."""

    days: Sequence[Day]  # that a copy may be due of
    changed: Mapping[Day, datetime]  # when the last of a day's rows changed


def key(day: Day) -> str:
    """Return the name of a day's file."""
    return f"{FOLDER}{UNDATED if day is None else day.isoformat()}{ENDING}"


def days(first: date, last: date) -> list[date]:
    """Return the days of a period, both ends included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def due(known: Known, written: Mapping[str, datetime], rewrite: datetime | None = None) -> list[Day]:
    """Return the days whose files are to be written, the latest first.

    Parameters
    ----------
    written
        When each file was last written, by its name.
    rewrite
        Files from before this moment are written again, whatever changed.
    """

    def is_due(day: Day) -> bool:
        at = written.get(key(day))
        if at is None or (rewrite is not None and at < rewrite):
            return True
        changed = known.changed.get(day)
        return changed is not None and at < changed + MARGIN

    found = filter(is_due, known.days)
    return sorted(found, key=lambda day: day or date.min, reverse=True)


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
    """Write a column's value: numbers in all their digits, times in UTC, and NULL as an empty field."""
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
    """Write a text so that no spreadsheet takes a part of it for a formula, and it can be read back."""
    return _FORMULA.sub(r"\1'", text) or "'"
