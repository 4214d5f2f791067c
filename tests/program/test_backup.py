"""The bucket with copies of the orders, and the function that writes them."""

from __future__ import annotations

from collections.abc import Callable

from tests.program.conftest import Program, Resource
from tests.program.setting_values import CHANGED

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


def test_the_bucket_is_private_encrypted_and_versioned(program: Program) -> None:
    access = of(program, "BucketPublicAccessBlock").inputs
    assert {access[key] for key in access if key != "bucket"} == {True}
    assert len(access) == 5
    (rule,) = of(program, "BucketServerSideEncryptionConfiguration").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    assert of(program, "BucketVersioning").inputs["versioningConfiguration"] == {"status": "Enabled"}


def test_the_bucket_requires_tls_and_grants_nothing(program: Program) -> None:
    (statement,) = of(program, "BucketPolicy").policy()
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == ["arn:Bucket.orders-backup", "arn:Bucket.orders-backup/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_files_older_versions_and_incomplete_uploads_expire(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    files, leftovers = of(dev, "BucketLifecycleConfiguration").inputs["rules"]
    # The record of the last copy has another prefix, and does not expire.
    assert (files["filter"], files["expiration"]) == ({"prefix": "orders/"}, {"days": 365})
    assert leftovers["filter"] == {"prefix": ""}
    assert leftovers["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert leftovers["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 1}
    assert leftovers["expiration"] == {"expiredObjectDeleteMarker": True}
    assert {files["status"], leftovers["status"]} == {"Enabled"}

    short = with_settings(**CHANGED)
    files, leftovers = of(short, "BucketLifecycleConfiguration").inputs["rules"]
    assert files["expiration"] == {"days": 7}
    assert leftovers["noncurrentVersionExpiration"] == {"noncurrentDays": 7}
    function = short.one("lambda/function:Function", "BackupOrders")
    assert function.inputs["environment"]["variables"]["BACKUP_DAYS"] == "7"


def test_a_destroy_retains_the_bucket_with_its_configuration_unless_backups_are_declined(
    dev: Program, prod: Program, with_settings: Callable[..., Program]
) -> None:
    """Also after the protection was removed, which a destroy requires."""
    unprotected = with_settings(deletionProtection="false", databaseFinalSnapshot="true")
    for program, is_retained in ((dev, False), (prod, True), (unprotected, True)):
        assert {part.retained for part in parts(program).values()} == {is_retained}
        assert of(program, "Bucket").inputs["forceDestroy"] is not is_retained


def test_copies_are_written_every_six_hours_once_the_bucket_is_configured(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "BackupOrders")
    assert rule.inputs["scheduleExpression"] == "rate(6 hours)"
    target = program.one("cloudwatch/eventTarget:EventTarget", "BackupOrders")
    assert target.inputs["arn"] == "arn:Function.BackupOrders"
    function = program.one("lambda/function:Function", "BackupOrders")
    assert {part.urn for part in parts(program).values()} <= set(function.depends_on)
    assert function.inputs["environment"]["variables"]["BACKUP_BUCKET"] == "Bucket.orders-backup"


def test_a_failed_run_raises_an_alarm_until_one_succeeds(program: Program) -> None:
    alarm = program.one("cloudwatch/metricAlarm:MetricAlarm", "OrdersNotCopied").inputs
    assert (alarm["metricName"], alarm["statistic"], alarm["threshold"]) == ("Errors", "Sum", 0)
    assert (alarm["datapointsToAlarm"], alarm["treatMissingData"]) == (1, "ignore")
