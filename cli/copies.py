"""Copies of the orders in the backup bucket."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cli.errors import OperationError
from cli.functions import Function
from orders.copies import ENDING, FOLDER, LAST_COPY

MAX_AGE = timedelta(days=2)  # of the last copy; one is made every six hours


@dataclass(frozen=True, kw_only=True)
class Copy:
    """The file of a day's orders."""

    day: str
    written_at: datetime
    bytes: int
    rows: int | None  # None if the metadata lacks it


def last_at(s3: Any, bucket: str) -> datetime | None:
    """Return when the last complete copy was made; None without one. Raises what boto3 does."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=LAST_COPY).get("Contents", [])
    return next((entry["LastModified"] for entry in found if entry["Key"] == LAST_COPY), None)


def files(s3: Any, bucket: str, limit: int) -> tuple[int, list[Copy]]:
    """Return how many days have a file, and the files of the latest ones; raise what boto3 does."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=FOLDER)
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    latest = sorted(entries, key=lambda entry: str(entry["Key"]), reverse=True)[:limit]
    return len(entries), [_copy(s3, bucket, entry) for entry in latest]


def _copy(s3: Any, bucket: str, entry: dict[str, Any]) -> Copy:
    about = s3.head_object(Bucket=bucket, Key=entry["Key"])["Metadata"]
    return Copy(
        day=entry["Key"].removeprefix(FOLDER).removesuffix(ENDING),
        written_at=entry["LastModified"],
        bytes=entry["Size"],
        rows=int(about["rows"]) if "rows" in about else None,
    )


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Response of a run of `BackupOrders`."""

    as_of: datetime
    rows: dict[str, int]
    left: list[str]
    rewrite: str | None = None


def copy_now(function: Function, *, everything: bool, on_step: Callable[[int], object]) -> Copied:
    """Copy the orders, or also days without a known change, in as many runs as it takes.

    `on_step` is called between the runs with the number of files that are left. Raises OperationError if a
    run fails, or writes no file.
    """
    event: dict[str, Any] = {"command": "all"} if everything else {}
    rows: dict[str, int] = {}
    while True:
        copied = function.call(event, Copied)
        rows |= copied.rows
        if not copied.left:
            return Copied(as_of=copied.as_of, rows=rows, left=[])
        if not copied.rows:
            raise OperationError(f"{function.name} had no time to write {copied.left[0]}.")
        on_step(len(copied.left))
        event |= {"rewrite": copied.rewrite} if copied.rewrite else {}
