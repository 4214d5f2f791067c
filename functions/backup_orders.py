"""Copy the table `orders` to a bucket, each day of orders to a file of its own.

Scheduled every six hours: files of days whose orders changed are written again. An operator calls it for a
copy at once, with `{"command": "all"}` to write every file again (functions/README.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import environment
from log import log
from orders import copies
from orders.copies import LAST_COPY, MARGIN, Day
from orders.errors import StoreUnavailableError
from orders.times import iso
from stores.mysql.connection import MySql
from stores.mysql.copies import OrderTable
from stores.mysql.login import LoginSecret
from stores.s3 import Files

RESERVE = 30.0  # seconds before the function's timeout, left for an orderly end
STATEMENT_TIMEOUT = 60  # seconds; the first run looks at the whole table


def utc_now() -> datetime:
    """Return the time of a run."""
    return datetime.now(UTC)


@cache
def table() -> OrderTable:
    """Connect once per process, as the user that only reads."""
    return OrderTable(MySql(LoginSecret(environment.database_secret()), timeout=STATEMENT_TIMEOUT))


@cache
def files() -> Files:
    """Create the client once per process."""
    return Files(environment.backup_bucket())


class TimeIsUpError(StoreUnavailableError):
    """The time that was left of a run is too short for a file."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Result of a run."""

    as_of: datetime  # all changes until then are in the files, once none are left
    rows: dict[str, int] = field(default_factory=dict)  # by the file's name
    left: list[str] = field(default_factory=list)  # names of files that are still to be written


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Write the files that are due; another run writes what is left when time is up.

    Returns
    -------
    dict[str, Any]
        `as_of`, `rows` (how many each file has that was written), `left`, and `rewrite`: with `all`, what the
        next call passes for what is left.

    Raises
    ------
    StoreUnavailableError
        If the database or the bucket is unavailable; files that were written by then stay.
    """
    now = utc_now()
    match event.get("command"):
        case None:
            rewrite = None
        case "all":
            rewrite = datetime.fromisoformat(event.get("rewrite") or now.isoformat(timespec="seconds"))
        case other:
            raise ValueError(f"Unknown command {other!r}: it must be all, or missing.")
    copied = Copied(now)
    try:
        _copy(copied, lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE, rewrite)
    except StoreUnavailableError as error:
        log("ERROR", "Orders not copied", reason=str(error), written=len(copied.rows))
        raise
    level, message = ("WARNING", "Not all orders copied") if copied.left else ("INFO", "Orders copied")
    log(level, message, written=len(copied.rows), rows=sum(copied.rows.values()), left=len(copied.left))
    return {"as_of": iso(now), "rows": copied.rows, "left": copied.left, "rewrite": rewrite and iso(rewrite)}


def _copy(copied: Copied, left: Callable[[], float], rewrite: datetime | None) -> None:
    written = files().written()
    today = copied.as_of.date()
    # Before the last complete run nothing changed that is not in its files.
    since = written.get(LAST_COPY) or min(written.values(), default=copied.as_of)
    first = today - timedelta(days=environment.backup_days() - 1)
    due = copies.due(table().known(first, today, since - MARGIN), written, rewrite)
    whole = left()
    for day in due:
        rest = left()
        if rest <= 0:
            copied.left.append(copies.key(day))
            continue
        try:
            copied.rows[copies.key(day)] = _write(day, left)
        except TimeIsUpError:
            # The next run has more time for it; a file that had more than half of a run counts as too large.
            if rest > whole / 2:
                raise
            copied.left.append(copies.key(day))
    if not copied.left:
        about = json.dumps({"as_of": iso(copied.as_of), "files": len(copied.rows)})
        files().write(LAST_COPY, [about.encode()], "application/json", {})


def _write(day: Day, left: Callable[[], float]) -> int:
    """Write the file of a day, and return its number of rows."""

    def write(columns: Sequence[str], count: int, rows: Iterable[Sequence[object]]) -> int:
        about = {"rows": str(count), "as-of": iso(datetime.now(UTC)) or ""}
        pieces = _in_time(copies.compressed(columns, rows), left)
        files().write(copies.key(day), pieces, "application/gzip", about)
        return count

    return table().copy(day, write)


def _in_time(pieces: Iterable[bytes], left: Callable[[], float]) -> Iterator[bytes]:
    for piece in pieces:
        if left() <= 0:
            raise TimeIsUpError("Time is up: the orders of one day are too many for a run")
        yield piece
