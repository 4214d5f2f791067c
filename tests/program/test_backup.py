"""The bucket with copies of `orders`, and what writes them."""

from __future__ import annotations

from collections.abc import Callable

from tests.program.conftest import Program, Resource

KINDS = {
    "s3/bucket:Bucket",
    "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "s3/bucketPolicy:BucketPolicy",
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "s3/bucketVersioning:BucketVersioning",
}


def parts(program: Program) -> dict[str, Resource]:
    return {kind: program.one(kind, "orders-backup") for kind in KINDS}


def of(program: Program, name: str) -> Resource:
    (kind,) = (kind for kind in KINDS if kind.endswith(f":{name}"))
    return program.one(kind, "orders-backup")


def test_the_bucket_is_closed_encrypted_and_keeps_older_versions(program: Program) -> None:
    closed = of(program, "BucketPublicAccessBlock").inputs
    assert {closed[key] for key in closed if key != "bucket"} == {True}
    assert len(closed) == 5
    (rule,) = of(program, "BucketServerSideEncryptionConfiguration").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    assert of(program, "BucketVersioning").inputs["versioningConfiguration"] == {"status": "Enabled"}


def test_the_bucket_refuses_plain_http_and_lets_nobody_in(program: Program) -> None:
    (statement,) = of(program, "BucketPolicy").policy()
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == ["arn:Bucket.orders-backup", "arn:Bucket.orders-backup/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_files_expire_and_so_do_their_older_versions_and_what_was_never_finished(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    files, leftovers = of(dev, "BucketLifecycleConfiguration").inputs["rules"]
    # The note of the last copy, which has another name, stays.
    assert (files["filter"], files["expiration"]) == ({"prefix": "orders/"}, {"days": 365})
    assert leftovers["filter"] == {"prefix": ""}
    assert leftovers["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert leftovers["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 1}
    assert leftovers["expiration"] == {"expiredObjectDeleteMarker": True}
    assert {files["status"], leftovers["status"]} == {"Enabled"}

    short = with_settings(ordersBackupDays="7")
    files, leftovers = of(short, "BucketLifecycleConfiguration").inputs["rules"]
    assert files["expiration"] == {"days": 7}
    assert leftovers["noncurrentVersionExpiration"] == {"noncurrentDays": 7}
    function = short.one("lambda/function:Function", "BackupOrders")
    assert function.inputs["environment"]["variables"]["BACKUP_DAYS"] == "7"


def test_copies_outlive_their_stack_with_all_that_guards_them_unless_backups_are_declined(
    dev: Program, prod: Program, with_settings: Callable[..., Program]
) -> None:
    """Also where the protection was taken off, without which no destroy works."""
    unprotected = with_settings(deletionProtection="false", databaseFinalSnapshot="true")
    for program, is_kept in ((dev, False), (prod, True), (unprotected, True)):
        assert {part.retained for part in parts(program).values()} == {is_kept}
        assert of(program, "Bucket").inputs["forceDestroy"] is not is_kept


def test_copies_are_written_every_six_hours_into_a_bucket_that_is_ready(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "BackupOrders")
    assert rule.inputs["scheduleExpression"] == "rate(6 hours)"
    target = program.one("cloudwatch/eventTarget:EventTarget", "BackupOrders")
    assert target.inputs["arn"] == "arn:Function.BackupOrders"
    function = program.one("lambda/function:Function", "BackupOrders")
    assert {part.urn for part in parts(program).values()} <= set(function.depends_on)
    assert function.inputs["environment"]["variables"]["BACKUP_BUCKET"] == "Bucket.orders-backup"


def test_a_run_that_failed_is_an_alarm_until_one_succeeds(program: Program) -> None:
    alarm = program.one("cloudwatch/metricAlarm:MetricAlarm", "OrdersNotCopied").inputs
    assert (alarm["metricName"], alarm["statistic"], alarm["threshold"]) == ("Errors", "Sum", 0)
    assert (alarm["datapointsToAlarm"], alarm["treatMissingData"]) == (1, "ignore")
