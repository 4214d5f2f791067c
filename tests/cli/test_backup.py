"""`cafe backup`, and the doctor's check of the copies, on a bucket in moto."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import copies
from tests.cli.conftest import Cafe
from tests.cli.stand_in import BUCKET, FakeAws, FakeFunctions, administrator

DEV = ("--stack", "dev")
AS_OF = "2026-11-26T18:00:00.000Z"


@pytest.fixture
def s3(dev: FakeAws, quick_clients: None) -> Any:
    return dev.make_bucket()


def put(s3: Any, day: str, rows: int | None) -> None:
    about = {} if rows is None else {"rows": str(rows)}
    s3.put_object(Bucket=BUCKET, Key=f"orders/{day}.csv.gz", Body=b"x" * 1500, Metadata=about)


def complete(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="last-copy.json", Body=b"{}")


def test_the_copies_are_listed_the_latest_days_first_with_their_rows(cafe: Cafe, s3: Any) -> None:
    for day, rows in {"2026-11-24": 3, "2026-11-26": 1200, "2026-11-25": None, "undated": 7}.items():
        put(s3, day, rows)
    complete(s3)
    document = json.loads(cafe("backup", "list", "--limit", "3", "--json", *DEV).stdout)
    assert [(each["day"], each["rows"], each["bytes"]) for each in document["copies"]] == [
        ("undated", 7, 1500),
        ("2026-11-26", 1200, 1500),
        ("2026-11-25", None, 1500),
    ]
    assert (document["days"], document["bucket"]) == (4, BUCKET)
    assert datetime.fromisoformat(document["last_copy_at"]) <= datetime.now(UTC)

    printed = cafe("backup", "list", *DEV).stdout
    assert "2026-11-26 │ 1,200 │ 1.5" in printed
    assert f"4 days in bucket {BUCKET}.\nComplete as of " in printed


def test_an_empty_bucket_names_the_command_that_copies(cafe: Cafe, s3: Any) -> None:
    result = cafe("backup", "list", *DEV)
    assert result.exit_code == 0
    assert f"0 days in bucket {BUCKET}." in result.stdout
    assert "No copy is complete yet: `cafe backup now`" in result.stderr


class Rds:
    """Responses of RDS, in pages."""

    def get_paginator(self, operation: str) -> Rds:
        self.operation = operation
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        if self.operation == "describe_db_snapshots":
            return [
                {"DBSnapshots": [snapshot("cafe-orders-dev-1", "cafe-db-dev-1111111")]},
                {"DBSnapshots": [snapshot("other", "cafe-db-development-1")]},
            ]
        window = {"EarliestTime": moment(1), "LatestTime": moment(9)}
        gone = {"DBInstanceIdentifier": "cafe-db-dev-1111111", "DbiResourceId": "db-1", "Status": "retained"}
        return [{"DBInstanceAutomatedBackups": [gone | {"RestoreWindow": window}]}]


def moment(hour: int) -> datetime:
    return datetime(2026, 11, 26, hour, tzinfo=UTC)


def snapshot(name: str, instance: str) -> dict[str, Any]:
    return {
        "DBSnapshotIdentifier": name,
        "DBInstanceIdentifier": instance,
        "SnapshotCreateTime": moment(12),
        "AllocatedStorage": 20,
        "Status": "available",
    }


def test_backups_of_existing_and_deleted_databases_are_listed(
    cafe: Cafe, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administrator(), "rds", Rds())
    document = json.loads(cafe("backup", "list", "--json", *DEV).stdout)
    assert [each["name"] for each in document["snapshots"]] == ["cafe-orders-dev-1"]
    window = {"from": "2026-11-26T01:00:00.000Z", "to": "2026-11-26T09:00:00.000Z"}
    assert document["automated_backups"] == [{"database": "cafe-db-dev-1111111", **window}]
    printed = cafe("backup", "list", *DEV).stdout
    assert "Database cafe-db-dev-1111111: automated backups from 2026-11-26" in printed
    assert "Snapshot cafe-orders-dev-1: available, 20 GB, made 2026-11-26" in printed


def test_a_bucket_that_cannot_be_listed_is_an_error(
    cafe: Cafe, dev: FakeAws, quick_clients: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = cafe("backup", "list", *DEV)
    assert result.exit_code == 1
    assert "NoSuchBucket" in result.stderr


# now


def response(rows: dict[str, int], *left: str, rewrite: str | None = None) -> dict[str, Any]:
    return {"as_of": AS_OF, "rows": rows, "left": list(left), "rewrite": rewrite}


def test_the_orders_are_copied_in_as_many_runs_as_it_takes(cafe: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [response({"orders/b": 2}, "orders/a"), response({"orders/a": 1})]
    result = cafe("backup", "now", *DEV)
    assert result.stdout == "2 files written, with 3 orders; all days have a copy.\n"
    assert functions.events == [{}, {}]


def test_all_files_are_written_again_from_the_moment_of_the_first_run(
    cafe: Cafe, functions: FakeFunctions
) -> None:
    functions.responses = [response({"orders/b": 2}, "orders/a", rewrite=AS_OF), response({}, rewrite=AS_OF)]
    document = json.loads(cafe("backup", "now", "--all", "--json", *DEV).stdout)
    assert document == {"stack": "dev", "as_of": AS_OF, "rows": {"orders/b": 2}}
    assert functions.events == [{"command": "all"}, {"command": "all", "rewrite": AS_OF}]


@pytest.mark.parametrize(
    ("responses", "reason"),
    [
        ([{"errorType": "StoreUnavailableError", "errorMessage": "S3: SlowDown"}], "S3: SlowDown"),
        ([response({}, "orders/a")], "had no time to write orders/a"),
    ],
)
def test_a_failing_run_reports_the_reason(
    cafe: Cafe, functions: FakeFunctions, responses: list[Any], reason: str
) -> None:
    functions.responses = responses
    result = cafe("backup", "now", *DEV)
    assert result.exit_code == 1
    assert reason in result.stderr


# The doctor


def line(cafe: Cafe) -> tuple[str, str, str | None]:
    found = json.loads(cafe("doctor", "--json", *DEV).stdout)["findings"]
    (mine,) = (finding for finding in found if finding["name"] == "backup")
    return mine["state"], mine["detail"], mine["next"]


def test_a_copy_of_today_is_ok(cafe: Cafe, functions: FakeFunctions, s3: Any) -> None:
    complete(s3)
    state, detail, command = line(cafe)
    assert (state, command) == ("ok", None)
    assert detail.startswith("complete as of ")


@pytest.mark.parametrize(("minutes", "state"), [(0, "ok"), (1, "bad")])
def test_a_copy_is_too_old_after_two_days(
    cafe: Cafe,
    functions: FakeFunctions,
    s3: Any,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    state: str,
) -> None:
    # S3's times have no fraction.
    at = datetime.now(UTC) - timedelta(days=2, minutes=minutes) + timedelta(seconds=30)
    monkeypatch.setattr(copies, "last_at", lambda *_: at)
    assert line(cafe)[0] == state
    assert (line(cafe)[2] == "cafe backup now --stack dev") == (state == "bad")


def test_a_missing_copy_is_a_failure_in_an_old_stack_only(
    cafe: Cafe, dev: FakeAws, functions: FakeFunctions, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line(cafe)[0] == "ok"
    monkeypatch.setattr(copies, "MAX_AGE", timedelta(0))
    assert line(cafe) == ("bad", "none has ever been completed", "cafe backup now --stack dev")
    monkeypatch.undo()


def test_a_bucket_that_cannot_be_read_is_a_failure(
    cafe: Cafe, functions: FakeFunctions, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        denied = {"Error": {"Code": "AccessDenied", "Message": "no"}}
        raise ClientError(denied, "ListObjectsV2")  # type: ignore[arg-type]

    monkeypatch.setattr(copies, "last_at", refuse)
    state, detail, command = line(cafe)
    assert (state, command) == ("bad", "cafe backup list --stack dev")
    assert detail == "could not check: ListObjectsV2: AccessDenied: no: your credentials need s3:ListBucket"


def test_a_missing_bucket_is_deployed_again(cafe: Cafe, functions: FakeFunctions) -> None:
    assert line(cafe)[::2] == ("bad", "make deploy STACK=dev ARGS=--refresh")
