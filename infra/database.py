"""MySQL on RDS: the source of truth for orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra.network import MYSQL, Network
from infra.settings import Settings

DATABASE_NAME = "cafe_db"
APPLICATION_USER = "cafe_user"
STATUS_USER = "cafe_status"  # It reads, by a few connections: the page is public.
MASTER_USER = "cafe_admin"
ENGINE_VERSION = "8.4"
CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"
# Otherwise RDS keeps a version whose support has ended, for 0.1 US dollars an hour and processor. It can only
# be set on a new instance: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html
LIFECYCLE = "open-source-rds-extended-support-disabled"
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
MAX_STORAGE = 65_536  # gigabytes
GROWTH = 80  # gigabytes; 9 US dollars a month
LEAST_GROWTH = 1.1  # times the storage: less is refused
QUIET_GROWTH = 1.26  # times the storage: from less on, RDS warns that the limit is near


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """What the database needs from outside."""

    network: Network
    instance_class: str
    storage: int  # gigabytes
    multi_az: bool
    backup_days: int
    deletion_protection: bool
    snapshot: str  # what the database is made from; empty for a new one
    final_snapshot: bool  # whether one stays after a destroy
    keeps_backups: bool  # whether automated backups stay after the instance is gone

    @classmethod
    def of(cls, settings: Settings, network: Network) -> DatabaseArgs:
        """Take them from the stack's settings."""
        return cls(
            network=network,
            instance_class=settings.database_instance_class,
            storage=settings.database_storage,
            multi_az=settings.database_multi_az,
            backup_days=settings.database_backup_days,
            deletion_protection=settings.deletion_protection,
            snapshot=settings.database_snapshot,
            final_snapshot=settings.database_final_snapshot,
            keeps_backups=settings.keeps_backups,
        )


class Database(pulumi.ComponentResource):
    """An encrypted MySQL in private subnets that takes TLS connections only, and the functions' login.

    RDS makes, keeps and rotates the master user's password itself; the stack's state never holds it.
    """

    instance: aws.rds.Instance
    secret: aws.secretsmanager.Secret
    """`CafeDevDBSM`: what the functions log in with."""
    login: aws.secretsmanager.SecretVersion
    status_secret: aws.secretsmanager.Secret
    """`CafeStatusDBSM`: what `GetOrderStatusLambda` logs in with."""
    status_login: aws.secretsmanager.SecretVersion
    master_secret_arn: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        subnets = aws.rds.SubnetGroup(
            "cafe-db",
            subnet_ids=args.network.subnet_ids,
            # In place, RDS refuses the subnets of another network, half-way through a deploy.
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["subnetIds"]),
        )
        parameters = aws.rds.ParameterGroup(
            "cafe-db",
            family=f"mysql{ENGINE_VERSION}",
            parameters=[{"name": "require_secure_transport", "value": "1"}],
            opts=child,
        )
        # Another one for a database that takes this one's place: a snapshot's name can be used once.
        last = random.RandomId(
            "final-snapshot",
            byte_length=4,
            keepers={"snapshot": args.snapshot, "subnets": subnets.name},
            opts=child,
        )
        self.instance = aws.rds.Instance(
            "cafe-db",
            engine="mysql",
            engine_version=ENGINE_VERSION,
            engine_lifecycle_support=LIFECYCLE,
            instance_class=args.instance_class,
            allocated_storage=args.storage,
            max_allocated_storage=storage_limit(args.storage),
            storage_type="gp3",
            storage_encrypted=True,
            snapshot_identifier=args.snapshot or None,
            db_name=DATABASE_NAME,
            username=MASTER_USER,
            manage_master_user_password=True,
            port=MYSQL,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.network.database_security_group.id],
            publicly_accessible=False,
            parameter_group_name=parameters.name,
            ca_cert_identifier=CERTIFICATE_AUTHORITY,
            multi_az=args.multi_az,
            backup_retention_period=args.backup_days,
            copy_tags_to_snapshot=True,
            # A database can be restored from them to any time; they expire after `backup_days`.
            delete_automated_backups=not args.keeps_backups,
            # A deploy does what it says, and leaves nothing to a maintenance window; orders wait meanwhile.
            apply_immediately=True,
            deletion_protection=args.deletion_protection,
            skip_final_snapshot=not args.final_snapshot,
            final_snapshot_identifier=pulumi.Output.concat(
                f"{pulumi.get_project()}-{pulumi.get_stack()}-", last.hex
            ),
            # A running instance keeps its lifecycle, and cannot move to another network: RDS refuses both.
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["engineLifecycleSupport"],
                replace_on_changes=["dbSubnetGroupName"],
            ),
        )
        self.master_secret_arn = self.instance.identifier.apply(
            lambda identifier: self.instance.master_user_secrets.apply(partial(managed_secret, identifier))
        )

        days = 7 if args.deletion_protection else 0
        self.secret, self.login = self._login("CafeDevDBSM", APPLICATION_USER, "application-user", days)
        # Not protected: the previous release does not know it, and the way back to it would be refused.
        self.status_secret, self.status_login = self._login(
            "CafeStatusDBSM", STATUS_USER, "status-user", days, protect=False
        )
        self.register_outputs({})

    @property
    def secret_arns(self) -> list[pulumi.Output[str]]:
        """The logins of the functions' and of the master user."""
        return [self.secret.arn, self.status_secret.arn, self.master_secret_arn]

    def _login(
        self, name: str, user: str, password_name: str, recovery_days: int, *, protect: bool | None = None
    ) -> tuple[aws.secretsmanager.Secret, aws.secretsmanager.SecretVersion]:
        """Make a user's password, and keep it in a secret with where the database is."""
        child = pulumi.ResourceOptions(parent=self)
        password = random.RandomPassword(password_name, length=32, special=False, opts=child)
        secret = aws.secretsmanager.Secret(
            name,
            description=f"How functions log in to the database as {user}",
            recovery_window_in_days=recovery_days,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        login = aws.secretsmanager.SecretVersion(
            name,
            secret_id=secret.id,
            secret_string=pulumi.Output.json_dumps(
                {
                    "host": self.instance.address,
                    "port": self.instance.port,
                    "username": user,
                    "password": password.result,
                    "dbname": DATABASE_NAME,
                }
            ),
            opts=child,
        )
        return secret, login


def managed_secret(identifier: str, secrets: Sequence[Any] | None) -> str:
    """Return the ARN of the secret that RDS keeps the master user's password in.

    Raises
    ------
    pulumi.RunError
        The instance has none: its restore failed before RDS made it, or it was restored outside Pulumi.
    """
    if secrets:
        return str(secrets[0].secret_arn)
    raise pulumi.RunError(
        f"Database {identifier} has no secret of its master user, which RDS makes and no deploy adds later. "
        f"Type `aws rds modify-db-instance --db-instance-identifier {identifier} "
        "--manage-master-user-password --apply-immediately`, wait until it is available, and deploy with "
        "ARGS=--refresh."
    )


def storage_limit(storage: int) -> int | None:
    """Return to how many gigabytes the storage may grow by itself; None if it is too large to grow."""
    if storage * LEAST_GROWTH > MAX_STORAGE:
        return None
    return min(max(storage + GROWTH, math.ceil(storage * QUIET_GROWTH)), MAX_STORAGE)
