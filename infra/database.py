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
STATUS_USER = "cafe_status"  # read-only with few connections, since public pages use it
MASTER_USER = "cafe_admin"
ENGINE_VERSION = "8.4"
CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"
# RDS charges 0.10 US dollars per vCPU and hour for Extended Support of a version, which is on by default and
# can be declined for new instances only: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html
LIFECYCLE = "open-source-rds-extended-support-disabled"
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
MAX_STORAGE = 65_536  # gigabytes
GROWTH = 80  # gigabytes; 9 US dollars a month
MIN_LIMIT = 1.1  # times the storage; RDS refuses a lower limit
MIN_LIMIT_WITHOUT_WARNING = 1.26  # times the storage; RDS reports a lower limit as nearly reached


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """Inputs of Database."""

    network: Network
    instance_class: str
    storage: int  # gigabytes
    multi_az: bool
    backup_days: int
    deletion_protection: bool
    snapshot: str  # to restore from; empty for a new database
    final_snapshot: bool  # take one at a destroy
    keeps_backups: bool  # keep automated backups of a deleted instance

    @classmethod
    def of(cls, settings: Settings, network: Network) -> DatabaseArgs:
        """Read the inputs from the settings."""
        return cls(
            network=network,
            instance_class=settings.database_instance_class,
            storage=settings.database_storage,
            multi_az=settings.database_multi_az,
            backup_days=settings.within_retention(settings.database_backup_days),
            deletion_protection=settings.deletion_protection,
            snapshot=settings.database_snapshot,
            final_snapshot=settings.database_final_snapshot,
            keeps_backups=settings.keeps_backups,
        )


class Database(pulumi.ComponentResource):
    """An encrypted MySQL instance in private subnets that requires TLS, and the functions' logins.

    RDS manages the master user's password in a secret of its own, so it is not in the stack's state.
    """

    instance: aws.rds.Instance
    secret: aws.secretsmanager.Secret
    """`CafeDevDBSM`: the login of the application user."""
    login: aws.secretsmanager.SecretVersion
    status_secret: aws.secretsmanager.Secret
    """`CafeStatusDBSM`: the login of the read-only user."""
    status_login: aws.secretsmanager.SecretVersion
    master_secret_arn: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        subnets = aws.rds.SubnetGroup(
            "cafe-db",
            subnet_ids=args.network.subnet_ids,
            # The provider updates it in place, but RDS refuses subnets of another VPC during the deploy.
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["subnetIds"]),
        )
        parameters = aws.rds.ParameterGroup(
            "cafe-db",
            family=f"mysql{ENGINE_VERSION}",
            parameters=[{"name": "require_secure_transport", "value": "1"}],
            opts=child,
        )
        # A snapshot's name is unique, so each replacement of the instance gets a new one.
        suffix = random.RandomId(
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
            # For a restore to a point in time; they expire after `backup_days`.
            delete_automated_backups=not args.keeps_backups,
            # Without it, changes wait for the maintenance window, and every preview until then shows them.
            apply_immediately=True,
            deletion_protection=args.deletion_protection,
            skip_final_snapshot=not args.final_snapshot,
            final_snapshot_identifier=pulumi.Output.concat(
                f"{pulumi.get_project()}-{pulumi.get_stack()}-", suffix.hex
            ),
            # RDS can change neither the support lifecycle nor the VPC of a running instance.
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
        # Not protected: a rollback to a release without this secret would be refused.
        self.status_secret, self.status_login = self._login(
            "CafeStatusDBSM", STATUS_USER, "status-user", days, protect=False
        )
        self.register_outputs({})

    @property
    def secret_arns(self) -> list[pulumi.Output[str]]:
        """Return the ARNs of the secrets of the application, the read-only and the master user."""
        return [self.secret.arn, self.status_secret.arn, self.master_secret_arn]

    def _login(
        self, name: str, user: str, password_name: str, recovery_days: int, *, protect: bool | None = None
    ) -> tuple[aws.secretsmanager.Secret, aws.secretsmanager.SecretVersion]:
        """Create a user's password, and a secret with it and the address of the database."""
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
    """Return the ARN of the secret with the master user's password.

    Raises
    ------
    pulumi.RunError
        The instance has no such secret: its restore was interrupted, or made outside Pulumi.
    """
    if secrets:
        return str(secrets[0].secret_arn)
    raise pulumi.RunError(
        f"Database {identifier} has no secret of its master user, and no deploy can add it. Run "
        f"`aws rds modify-db-instance --db-instance-identifier {identifier} "
        "--manage-master-user-password --apply-immediately`, wait until it is available, and deploy with "
        "ARGS=--refresh."
    )


def max_connections(instance_class: str) -> int:
    """Return about how many connections RDS accepts by default, at least: `{DBInstanceClassMemory/12582880}`.

    That is the memory without what RDS and the system need. AWS documents about 1,300 with 16 GiB; users
    reported 66 with 1 GiB, 150 with 2, 312 with 4 and 648 with 8.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
    """
    return int((memory(instance_class) * 0.9 - 0.25) * 1024**3 / 12_582_880)


def memory(instance_class: str) -> int:
    """Return the memory of an instance class in GiB; a class of twice the size has twice the memory.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
    """
    family, size = instance_class.split(".")[1:]
    burstable = {"micro": 1, "small": 2, "medium": 4}
    if size in burstable:
        return burstable[size]
    of_large = {"t": 8, "m": 8, "r": 16}.get(family[0]) or {"x2g": 32, "x2iedn": 64}[family]
    return of_large if size == "large" else 2 * of_large * int(size.removesuffix("xlarge") or 1)


def storage_limit(storage: int) -> int | None:
    """Return the limit in gigabytes for storage autoscaling; None if the storage is too large for one."""
    if storage * MIN_LIMIT > MAX_STORAGE:
        return None
    return min(max(storage + GROWTH, math.ceil(storage * MIN_LIMIT_WITHOUT_WARNING)), MAX_STORAGE)
