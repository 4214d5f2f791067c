"""Backups of a stack's database: the periods of its automated backups, and its snapshots."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic import AliasPath, BaseModel, Field

from cli.errors import OperationError
from cli.terminal import plain
from cli.times import local_time

POLL = 15.0  # seconds
# Statuses of an instance or a snapshot that will not become available.
FAILED = re.compile(r"failed|incompatible-.*|inaccessible-.*|restore-error|storage-full|stopped|deleting")
INSTANCE = re.compile(r"(.+)-[0-9a-f]{7}")  # Pulumi's names


class Automated(BaseModel):
    """The automated backups of an instance, which may be deleted."""

    identifier: str = Field(alias="DBInstanceIdentifier")
    resource_id: str = Field(alias="DbiResourceId")
    vpc: str = Field(alias="VpcId", default="")
    status: str = Field(alias="Status")
    earliest: datetime = Field(validation_alias=AliasPath("RestoreWindow", "EarliestTime"))
    latest: datetime = Field(validation_alias=AliasPath("RestoreWindow", "LatestTime"))
    days: int = Field(alias="BackupRetentionPeriod", default=0)  # until they expire

    @property
    def is_active(self) -> bool:
        """Return whether the instance exists."""
        return self.status == "active"

    def document(self) -> dict[str, Any]:
        """Return the period, for programs."""
        return {"database": self.identifier, "from": self.earliest, "to": self.latest}


class Snapshot(BaseModel):
    """A manual snapshot."""

    name: str = Field(alias="DBSnapshotIdentifier")
    status: str = Field(alias="Status")
    taken_at: datetime | None = Field(alias="SnapshotCreateTime", default=None)
    gigabytes: int = Field(alias="AllocatedStorage")


class Backups:
    """Backups of a database, and of its predecessors, whose identifiers differ in their last part.

    Methods raise what boto3 does.
    """

    def __init__(self, rds: Any, identifier: str) -> None:
        self._rds = rds
        self._identifier = identifier
        match = INSTANCE.fullmatch(identifier)
        self._family = match[1] if match else identifier
        self._ours = re.compile(rf"{re.escape(self._family)}-([0-9a-f]{{7}}|to-\d{{8}}t\d{{6}})")

    def automated(self) -> list[Automated]:
        """Return the automated backups of the database and of its predecessors, the database's first."""
        pages = self._all("describe_db_instance_automated_backups", "DBInstanceAutomatedBackups")
        found = [
            Automated.model_validate(each)
            for each in pages
            if self._is_ours(each["DBInstanceIdentifier"]) and "LatestTime" in each.get("RestoreWindow", {})
        ]
        return sorted(found, key=lambda each: (each.identifier != self._identifier, -each.latest.timestamp()))

    def manual(self) -> list[Snapshot]:
        """Return the manual snapshots, the latest first."""
        found = self._all("describe_db_snapshots", "DBSnapshots", SnapshotType="manual")
        ours = [
            Snapshot.model_validate(each) for each in found if self._is_ours(each["DBInstanceIdentifier"])
        ]
        return sorted(ours, key=lambda each: each.taken_at or datetime.now(UTC), reverse=True)

    def snapshot(self, name: str) -> Snapshot | None:
        """Return a snapshot by its name, or a shared one by its ARN; None if it does not exist."""
        found = self._one(
            "describe_db_snapshots",
            "DBSnapshots",
            DBSnapshotIdentifier=name,
            IncludeShared=name.startswith("arn:"),
        )
        return Snapshot.model_validate(found) if found else None

    def is_replaced(self) -> bool:
        """Return whether the stack has another instance than the database."""
        instances = self._all("describe_db_instances", "DBInstances")
        others = {each["DBInstanceIdentifier"] for each in instances} - {self._identifier}
        return any(self._is_ours(name) and INSTANCE.fullmatch(name) for name in others)

    def at(self, moment: datetime) -> Automated:
        """Return the backups with a moment; raise OperationError if it is in no period of backups."""
        backups = self.automated()
        for backup in backups:
            if backup.earliest <= moment <= backup.latest:
                return backup
        periods = " or ".join(f"{local_time(each.earliest)} to {local_time(each.latest)}" for each in backups)
        known = f"--to takes a time from {periods}" if periods else "this database has none"
        raise OperationError(f"No automated backup has {local_time(moment)}: {known}.")

    def name_of(self, moment: datetime) -> str:
        """Return the name of a snapshot as of a moment, and of the instance from which it is made."""
        return f"{self._family}-to-{moment.astimezone(UTC):%Y%m%dt%H%M%S}"

    def make_snapshot(self, moment: datetime, instance_class: str, update: Callable[[str], None]) -> None:
        """Make a manual snapshot as of a moment, from an instance that is restored and deleted again.

        The next step follows from the states in AWS, so that it can be called again after an interruption.
        """
        name = self.name_of(moment)
        while (snapshot := self.snapshot(name)) is None or snapshot.status != "available":
            instance = self._instance(name)
            status = str(instance["DBInstanceStatus"]) if instance else "missing"
            if snapshot is not None:
                _refuse_failure(f"Snapshot {name}", snapshot.status)
                update(f"Snapshot {name}: {snapshot.status}")
            elif instance is None:
                self._restore_beside(name, moment, instance_class)
            elif status == "available":
                self._rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=name)
            else:
                _refuse_failure(f"Instance {name}", status)
                update(f"Instance {name}: {status}")
            time.sleep(POLL)
        self.delete_beside(name)

    def delete_beside(self, name: str) -> None:
        """Delete the instance from which a snapshot is made, if it exists."""
        instance = self._instance(name)
        if instance and instance["DBInstanceStatus"] != "deleting":
            self._rds.delete_db_instance(
                DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )

    def _restore_beside(self, name: str, moment: datetime, instance_class: str) -> None:
        backup = self.at(moment)
        source = {"SourceDBInstanceIdentifier": backup.identifier}
        if not backup.is_active:
            source = {"SourceDbiResourceId": backup.resource_id}
        groups = self._all("describe_db_subnet_groups", "DBSubnetGroups")
        group = next((each["DBSubnetGroupName"] for each in groups if each["VpcId"] == backup.vpc), None)
        self._rds.restore_db_instance_to_point_in_time(
            **source,
            TargetDBInstanceIdentifier=name,
            RestoreTime=moment,
            DBInstanceClass=instance_class,
            **({"DBSubnetGroupName": group} if group else {}),
            PubliclyAccessible=False,
            MultiAZ=False,
            DeletionProtection=False,
            CopyTagsToSnapshot=True,
        )

    def _instance(self, name: str) -> dict[str, Any] | None:
        return self._one("describe_db_instances", "DBInstances", DBInstanceIdentifier=name)

    def _one(self, operation: str, key: str, **request: object) -> dict[str, Any] | None:
        try:
            found = getattr(self._rds, operation)(**request)[key]
        except ClientError as error:
            if error.response["Error"]["Code"] in {"DBInstanceNotFound", "DBSnapshotNotFound"}:
                return None
            raise
        return dict(found[0]) if found else None

    def _all(self, operation: str, key: str, **request: object) -> list[dict[str, Any]]:
        pages = self._rds.get_paginator(operation).paginate(**request)
        return [each for page in pages for each in page[key]]

    def _is_ours(self, name: str) -> bool:
        return name == self._identifier or self._ours.fullmatch(name) is not None


def sentences(automated: Sequence[Automated], snapshots: Sequence[Snapshot]) -> Iterator[str]:
    """Yield a sentence for each backup, or one without backups."""
    for backup in automated:
        period = f"from {local_time(backup.earliest)} to {local_time(backup.latest)}"
        yield f"Database {plain(backup.identifier)}: automated backups {period}."
    for each in snapshots:
        made = f"made {local_time(each.taken_at)}" if each.taken_at else "not made yet"
        yield f"Snapshot {plain(each.name)}: {each.status}, {each.gigabytes:,} GB, {made}."
    if not automated and not snapshots:
        yield "The database has neither automated backups nor snapshots."


def _refuse_failure(what: str, status: str) -> None:
    if FAILED.fullmatch(status):
        raise OperationError(f"{what} is {status}: read its events in the RDS console, and delete it.")
