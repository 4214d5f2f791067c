"""Backups and copies that still hold erased data, and until when."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli import aws
from cli.errors import OperationError
from cli.forget.eraser import Kind
from cli.options import Target
from cli.plurals import counted
from cli.restore.backups import Backups
from cli.terminal import plain
from orders.copies import ENDING, FOLDER, UNDATED

REWRITE = timedelta(hours=6)  # until the schedule writes a day's copy again, without the names
RECOVERY_DAYS = 35  # of DynamoDB's point-in-time recovery, unless the table has another period

Days = tuple[date, date]
"""The first and the last day, in UTC, on which the erased orders were sent."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup, or why some could not be listed."""

    what: str
    until: date | None = None  # None: until somebody deletes it, or unknown
    problem: str | None = None
    is_rewritten: bool = False  # by `cafe backup now`

    @property
    def sentence(self) -> str:
        """Return a sentence for the user."""
        if self.problem:
            return f"{self.what}: could not be checked: {self.problem}"
        return f"{self.what}: until {self.until or 'you delete it'}."

    def document(self) -> dict[str, str | None]:
        """Return the backup, for programs."""
        return {"what": self.what, "until": str(self.until) if self.until else None, "problem": self.problem}


def holding(target: Target, kind: Kind, days: Days) -> Iterator[Backup]:
    """Yield the backups of the orders of some days, or of their histories, which only the database has."""
    now = datetime.now(UTC)
    checks: dict[str, Callable[[], Iterator[Backup]]] = {}
    if target.stack.endpoint is None:  # a local stack has no backups
        checks["Automated backups of the database"] = lambda: _automated(target, now)
        checks["Snapshots of the database"] = lambda: _snapshots(target, days)
    if target.stack.endpoint is None and kind is not Kind.STAFF:
        checks["Backups of the DynamoDB table Orders"] = lambda: _tables(target, now)
    if kind is not Kind.STAFF:
        checks["Copies of the orders"] = lambda: _copies(target, days, now)
    for what, check in checks.items():
        try:
            with aws.translated_errors():
                yield from check()
        except OperationError as error:
            yield Backup(what=what, problem=str(error))


def _automated(target: Target, now: datetime) -> Iterator[Backup]:
    for each in Backups(target.clients.rds, target.output("database_identifier")).automated():
        until = (now if each.is_active else each.latest) + timedelta(days=each.days)
        yield Backup(what=f"Automated backups of database {plain(each.identifier)}", until=until.date())


def _snapshots(target: Target, days: Days) -> Iterator[Backup]:
    for each in Backups(target.clients.rds, target.output("database_identifier")).manual():
        if each.taken_at is None or each.taken_at.date() >= days[0]:
            yield Backup(what=f"Snapshot {plain(each.name)}")


def _tables(target: Target, now: datetime) -> Iterator[Backup]:
    dynamodb, table = target.clients.dynamodb, target.output("orders_table")
    found: Any = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = found.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        days = timedelta(days=recovery.get("RecoveryPeriodInDays", RECOVERY_DAYS))
        yield Backup(what=f"Point-in-time recovery of table {table}", until=(now + days).date())
    for page in dynamodb.get_paginator("list_backups").paginate(TableName=table):
        for each in page["BackupSummaries"]:
            expires = each.get("BackupExpiryDateTime")
            what = f"Backup {plain(each['BackupName'])} of table {table}"
            yield Backup(what=what, until=expires.date() if expires else None)


def _copies(target: Target, days: Days, now: datetime) -> Iterator[Backup]:
    """Yield all files of the days, with their earlier versions, as one backup."""
    s3, bucket = target.clients.s3, target.output("backup_bucket")
    replaced: list[datetime] = []  # when each version is or will be replaced
    for versions in _versions(s3, bucket, days):
        at = now + REWRITE
        for written, is_file in versions:
            replaced += [at] if is_file else []
            at = written
    if replaced:
        kept = _kept_after_replacement(s3, bucket)
        what = f"{counted(len(replaced), 'file')} with copies of the orders in bucket {bucket}"
        # S3 deletes a version at the midnight after its time.
        until = (max(replaced) + kept + timedelta(days=1)).date() if kept else None
        yield Backup(what=what, until=until, is_rewritten=True)


def _versions(s3: Any, bucket: str, days: Days) -> Iterable[list[tuple[datetime, bool]]]:
    """Return each file's versions, the latest first: when each was written, and whether it has content."""
    first, last = (day.isoformat() for day in days)
    found: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=FOLDER):
        for kind in ("Versions", "DeleteMarkers"):
            for entry in page.get(kind, []):
                day = entry["Key"].removeprefix(FOLDER).removesuffix(ENDING)
                if day == UNDATED or first <= day <= last:
                    found[day].append((entry["LastModified"], kind == "Versions"))
    return [sorted(versions, reverse=True) for versions in found.values()]


def _kept_after_replacement(s3: Any, bucket: str) -> timedelta | None:
    """Return how long the bucket keeps earlier versions; None if they stay, as in a local stack."""
    try:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        return None
    days = [rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays") for rule in rules]
    return timedelta(days=max(filter(None, days))) if any(days) else None
