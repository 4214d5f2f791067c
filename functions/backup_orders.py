"""Back up the table `orders` to a bucket, with a file for each day of orders.

A schedule runs it every six hours, to write the files of days whose orders changed. An operator may invoke it
at any time, with `{"command": "all"}` to write all files again (functions/README.md).
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
from orders.failures import StoreUnavailableError
from orders.times import iso
from stores.mysql.connection import MySql
from stores.mysql.copies import OrderTable
from stores.mysql.login import LoginSecret
from stores.s3 import Files

RESERVE = 30.0  # seconds of the function's time, reserved for the last steps of a run
STATEMENT_TIMEOUT = 60  # seconds; the first run reads the whole table


def utc_now() -> datetime:
    """Return the current time; tests replace it."""
    return datetime.now(UTC)


@cache
def table() -> OrderTable:
    """Return the table, opened once per process by the read-only user."""
    return OrderTable(MySql(LoginSecret(environment.database_secret()), timeout=STATEMENT_TIMEOUT))


@cache
def files() -> Files:
    """Return the bucket, opened once per process."""
    return Files(environment.backup_bucket())


class TimeIsUpError(StoreUnavailableError):
    """A run has too little time left for a file."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Result of a run."""

    as_of: datetime  # the files have all changes until then, if none are left
    rows: dict[str, int] = field(default_factory=dict)  # by the file's name
    left: list[str] = field(default_factory=list)  # names of files that are not written yet


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Write the files that are due; return `as_of`, `rows` of each written file, `left` and `rewrite`.

    When time is up, files are `left` for the next run; with `all`, the next call passes `rewrite` to
    continue. Raises StoreUnavailableError if a store is unavailable; files that are written by then stay.
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
        _copy_days(copied, lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE, rewrite)
    except StoreUnavailableError as error:
        log("ERROR", "Orders not copied", reason=str(error), written=len(copied.rows))
        raise
    level, message = ("WARNING", "Not all orders copied") if copied.left else ("INFO", "Orders copied")
    log(level, message, written=len(copied.rows), rows=sum(copied.rows.values()), left=len(copied.left))
    return {"as_of": iso(now), "rows": copied.rows, "left": copied.left, "rewrite": rewrite and iso(rewrite)}


def _copy_days(copied: Copied, seconds_left: Callable[[], float], rewrite: datetime | None) -> None:
    """Write the files that are due, and list them in `copied`; with `rewrite`, all older ones are due."""
    written = files().written()
    today = copied.as_of.date()
    # The files of the last complete run have all earlier changes.
    complete_until = written.get(LAST_COPY) or min(written.values(), default=copied.as_of)
    first_day = today - timedelta(days=environment.backup_days() - 1)
    changed = table().changed(complete_until - MARGIN)
    due = copies.due(table().days(first_day, today), changed, written, rewrite)
    seconds_at_start = seconds_left()
    for day in due:
        seconds = seconds_left()
        if seconds <= 0:
            copied.left.append(copies.key(day))
            continue
        try:
            copied.rows[copies.key(day)] = _write(day, seconds_left)
        except TimeIsUpError:
            # The next run has more time for the file; but one that had more than half of a run is too large.
            if seconds > seconds_at_start / 2:
                raise
            copied.left.append(copies.key(day))
    if not copied.left:
        summary = json.dumps({"as_of": iso(copied.as_of), "files": len(copied.rows)})
        files().write(LAST_COPY, [summary.encode()], "application/json", {})


def _write(day: Day, seconds_left: Callable[[], float]) -> int:
    """Write the file of a day, and return its number of rows."""

    def write(columns: Sequence[str], count: int, rows: Iterable[Sequence[object]]) -> int:
        metadata = {"rows": str(count), "as-of": iso(datetime.now(UTC)) or ""}
        pieces = _in_time(copies.compressed(columns, rows), seconds_left)
        files().write(copies.key(day), pieces, "application/gzip", metadata)
        return count

    return table().copy(day, write)


def _in_time(pieces: Iterable[bytes], seconds_left: Callable[[], float]) -> Iterator[bytes]:
    """Yield the pieces; raise TimeIsUpError once no time is left."""
    for piece in pieces:
        if seconds_left() <= 0:
            raise TimeIsUpError("Time is up: the orders of one day are too many for a run")
        yield piece
