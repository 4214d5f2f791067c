"""The bucket with daily copies of `orders`, as CSV files that are readable without this system."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.settings import Settings
from orders.copies import FOLDER

OLD_VERSION_DAYS = 30  # in which an overwritten or deleted file can be restored
INCOMPLETE_UPLOAD_DAYS = 1  # after which the parts of an incomplete upload are deleted


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """Inputs of Backup."""

    days: int  # until a file expires
    retain: bool  # keep the bucket and its files after a destroy

    @classmethod
    def of(cls, settings: Settings) -> BackupArgs:
        """Read the inputs from the settings."""
        return cls(days=settings.within_retention(settings.orders_backup_days), retain=settings.keeps_backups)


class Backup(pulumi.ComponentResource):
    """A private, encrypted, versioned bucket whose files expire.

    With `retain`, the bucket and its configuration remain in AWS after a destroy, or after a rollback to a
    release without it. Otherwise a destroy empties and deletes it.
    """

    bucket: aws.s3.Bucket
    days: int
    """Days until a file expires."""
    ready: list[pulumi.Resource]
    """Resources that must exist before the first file."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Backup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.retain)
        self.days = args.days

        # Not protected: a rollback to the previous release, which lacks the bucket, would be refused.
        self.bucket = aws.s3.Bucket(
            "orders-backup",
            force_destroy=not args.retain,
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(protect=False)),
        )
        public_access = aws.s3.BucketPublicAccessBlock(
            "orders-backup",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            "orders-backup",
            bucket=self.bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            "orders-backup",
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        lifecycle = aws.s3.BucketLifecycleConfiguration(
            "orders-backup",
            bucket=self.bucket.id,
            rules=_lifecycle_rules(args.days),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[versioning])),
        )
        policy = aws.s3.BucketPolicy(
            "orders-backup",
            bucket=self.bucket.id,
            policy=iam.policy(iam.require_tls("s3", *self.arns)),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[public_access])),
        )
        self.ready = [public_access, encryption, versioning, lifecycle, policy]
        self.register_outputs({})

    @property
    def arns(self) -> list[pulumi.Output[str]]:
        """Return the ARNs of the bucket and of its files."""
        return [self.bucket.arn, pulumi.Output.concat(self.bucket.arn, "/*")]


def _lifecycle_rules(days: int) -> list[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
    """Expire files after `days`, and older versions, delete markers and incomplete uploads."""
    return [
        {"id": "files", "status": "Enabled", "filter": {"prefix": FOLDER}, "expiration": {"days": days}},
        {
            "id": "leftovers",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": min(days, OLD_VERSION_DAYS)},
            "expiration": {"expired_object_delete_marker": True},
            "abort_incomplete_multipart_upload": {"days_after_initiation": INCOMPLETE_UPLOAD_DAYS},
        },
    ]
