"""Runs `MigrateDatabase` at each deploy that changes a migration, the menu, a login or the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pulumi
import pulumi_aws as aws

from infra import archives
from infra.archives import Files
from infra.database import Database
from infra.lambda_function import Function
from infra.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SchemaArgs:
    """Inputs of Schema."""

    migrate: Function
    migrations: Files
    menu: Mapping[str, Decimal]
    time_zone: str  # in which orders are counted by day; a change recounts them
    database: Database

    @classmethod
    def of(cls, settings: Settings, migrate: Function, database: Database) -> SchemaArgs:
        """Read the menu and time zone from the settings, and the migrations from their directory."""
        return cls(
            migrate=migrate,
            migrations=archives.migrations(),
            menu=settings.menu,
            time_zone=settings.time_zone,
            database=database,
        )


class Schema(pulumi.ComponentResource):
    """An invocation of `MigrateDatabase`.

    Functions that use the database depend on `migrated`, so that their code is deployed after its schema.
    """

    migrated: aws.lambda_.Invocation

    def __init__(self, name: str, args: SchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Schema", name, None, opts)
        # Pulumi stores the function's response in the state: it lists migrations and contains no secret.
        self.migrated = aws.lambda_.Invocation(
            "migrate",
            function_name=args.migrate.function.name,
            input=json.dumps({"menu": {item: str(price) for item, price in args.menu.items()}}),
            triggers={
                "migrations": fingerprint(args.migrations),
                "time_zone": args.time_zone,
                "database": args.database.instance.resource_id,
                "login": args.database.login.version_id,
                "status_login": args.database.status_login.version_id,
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.database.login, args.database.status_login]
            ),
        )
        self.register_outputs({})


def fingerprint(files: Files) -> str:
    """Return a hash of the files' names and contents."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()
