"""The database's schema and the tables' first items, brought up to date at each deploy that changes them."""

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
    """What the migration needs from outside."""

    migrate: Function
    migrations: Files
    menu: Mapping[str, Decimal]
    time_zone: str  # in which days are counted: with another one they are counted again
    database: Database

    @classmethod
    def of(cls, settings: Settings, migrate: Function, database: Database) -> SchemaArgs:
        """Take the menu from the stack's settings, and the migrations from their directory."""
        return cls(
            migrate=migrate,
            migrations=archives.migrations(),
            menu=settings.menu,
            time_zone=settings.time_zone,
            database=database,
        )


class Schema(pulumi.ComponentResource):
    """One run of `MigrateDatabase` per change of a migration, the menu, a login or the database itself.

    What uses the database depends on `migrated`, so that no code runs before its schema is there.
    """

    migrated: aws.lambda_.Invocation

    def __init__(self, name: str, args: SchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Schema", name, None, opts)
        # The answer of a function is part of the stack's state: it names migrations and nothing secret.
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
    """Hash files' names and contents, so that any change of one shows."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()
