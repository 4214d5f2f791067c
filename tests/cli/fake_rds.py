"""A fake of RDS with a database, its automated backups and snapshots, which advance with each request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

RUNNING = "cafe-db-dev-1234567"
EARLIEST = datetime(2026, 11, 20, 3, tzinfo=UTC)
LATEST = datetime(2026, 11, 26, 15, 55, tzinfo=UTC)


def _missing(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Describe")


class FakeRds:
    """A client of RDS.

    Attributes
    ----------
    instances, snapshots
        The coming statuses of each, the last of which stays.
    gigabytes
        Of every snapshot.
    is_active
        Whether the running database exists, or only its automated backups.
    calls
        The changes, in order.
    """

    def __init__(self) -> None:
        self.instances: dict[str, list[str]] = {RUNNING: ["available"]}
        self.snapshots: dict[str, list[str]] = {"cafe-2026-11-01": ["available"]}
        self.gigabytes = 20
        self.is_active = True
        self.calls: list[str] = []
        self.restored: dict[str, Any] = {}  # the arguments with which a database was restored

    def restore_db_instance_to_point_in_time(self, **request: Any) -> None:
        self.calls.append("restore")
        self.restored = request
        self.instances[request["TargetDBInstanceIdentifier"]] = ["creating", "backing-up", "available"]

    def create_db_snapshot(self, **request: Any) -> None:
        self.calls.append("snapshot")
        self.snapshots[request["DBSnapshotIdentifier"]] = ["creating", "available"]

    def delete_db_instance(self, **request: Any) -> None:
        self.calls.append("delete")
        assert request["SkipFinalSnapshot"] is True
        self.instances[request["DBInstanceIdentifier"]] = ["deleting"]

    def describe_db_instances(self, DBInstanceIdentifier: str = "") -> Any:  # noqa: N803
        if DBInstanceIdentifier not in {"", *self.instances}:
            raise _missing("DBInstanceNotFound")
        names = [DBInstanceIdentifier] if DBInstanceIdentifier else list(self.instances)
        return {
            "DBInstances": [
                {"DBInstanceIdentifier": name, "DBInstanceStatus": _next(self.instances[name])}
                for name in names
            ]
        }

    def describe_db_snapshots(
        self,
        DBSnapshotIdentifier: str = "",  # noqa: N803
        IncludeShared: bool = False,  # noqa: N803
        SnapshotType: str = "manual",  # noqa: N803
    ) -> Any:
        if DBSnapshotIdentifier not in {"", *self.snapshots}:
            raise _missing("DBSnapshotNotFound")
        names = [DBSnapshotIdentifier] if DBSnapshotIdentifier else list(self.snapshots)
        return {"DBSnapshots": [self._snapshot(name) for name in names]}

    def describe_db_instance_automated_backups(self) -> Any:
        window = {"EarliestTime": EARLIEST, "LatestTime": LATEST}
        backup = {
            "DbiResourceId": "db-1",
            "VpcId": "vpc-1",
            "RestoreWindow": window,
            "BackupRetentionPeriod": 7,
        }
        status = "active" if self.is_active else "retained"
        return {
            "DBInstanceAutomatedBackups": [
                backup | {"DBInstanceIdentifier": "another-shops", "Status": "active"},
                backup | {"DBInstanceIdentifier": RUNNING, "Status": status},
            ]
        }

    def describe_db_subnet_groups(self) -> Any:
        return {
            "DBSubnetGroups": [
                {"DBSubnetGroupName": "default", "VpcId": "vpc-0"},
                {"DBSubnetGroupName": "cafe-db-dev", "VpcId": "vpc-1"},
            ]
        }

    def get_paginator(self, operation: str) -> Any:
        call = getattr(self, operation)

        class Paginator:
            def paginate(self, **request: Any) -> Any:
                return [call(**request)]

        return Paginator()

    def _snapshot(self, name: str) -> dict[str, Any]:
        return {
            "DBSnapshotIdentifier": name,
            "DBInstanceIdentifier": RUNNING,
            "Status": _next(self.snapshots[name]),
            "AllocatedStorage": self.gigabytes,
            "SnapshotCreateTime": EARLIEST,
        }


def _next(statuses: list[str]) -> str:
    return statuses.pop(0) if len(statuses) > 1 else statuses[0]
