"""The bucket with copies of `orders`, readable without this product."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.settings import Settings
from orders.copies import FOLDER

OLD_VERSION_DAYS = 30  # for which a file that was overwritten or deleted can be restored
UNFINISHED_DAYS = 1  # after which parts of an unfinished upload are deleted


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """Inputs of Backup."""

    days: int  # that a file stays
    kept: bool  # whether the bucket stays, with its files, after a destroy

    @classmethod
    def of(cls, settings: Settings) -> BackupArgs:
        """Take them from the stack's settings."""
        return cls(days=settings.orders_backup_days, kept=settings.keeps_backups)


class Backup(pulumi.ComponentResource):
    """A private, encrypted bucket that keeps older versions, and where files expire.

    Where backups are kept, Pulumi deletes nothing of it: after a destroy, and after a rollback to a release
    without it, it stays as it is, and its files expire. Otherwise a destroy empties it.
    """

    bucket: aws.s3.Bucket
    ready: list[pulumi.Resource]
    """Resources that must exist before the first file."""

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Backup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, retain_on_delete=args.kept)

        # Not protected: the previous release lacks the bucket, and a rollback to it would be refused.
        self.bucket = aws.s3.Bucket(
            "orders-backup",
            force_destroy=not args.kept,
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(protect=False)),
        )
        closed = aws.s3.BucketPublicAccessBlock(
            "orders-backup",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
            "orders-backup",
            bucket=self.bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        versioned = aws.s3.BucketVersioning(
            "orders-backup",
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        expiring = aws.s3.BucketLifecycleConfiguration(
            "orders-backup",
            bucket=self.bucket.id,
            rules=_lifetimes(args.days),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[versioned])),
        )
        policy = aws.s3.BucketPolicy(
            "orders-backup",
            bucket=self.bucket.id,
            policy=iam.policy(iam.refuse_plain_http("s3", *self.arns)),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed])),
        )
        self.ready = [closed, encrypted, versioned, expiring, policy]
        self.register_outputs({})

    @property
    def arns(self) -> list[pulumi.Output[str]]:
        """The bucket and its files."""
        return [self.bucket.arn, pulumi.Output.concat(self.bucket.arn, "/*")]


def _lifetimes(days: int) -> list[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
    """Return when files, their older versions and leftovers of both are deleted."""
    return [
        {"id": "files", "status": "Enabled", "filter": {"prefix": FOLDER}, "expiration": {"days": days}},
        {
            "id": "leftovers",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": min(days, OLD_VERSION_DAYS)},
            "expiration": {"expired_object_delete_marker": True},
            "abort_incomplete_multipart_upload": {"days_after_initiation": UNFINISHED_DAYS},
        },
    ]
