"""The functions: what each is given, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import archives, iam
from infra.access import Access
from infra.api import Api
from infra.backup import Backup
from infra.database import Database
from infra.database_migration import Schema
from infra.dynamodb_tables import MENU_INDEX, Tables
from infra.lambda_function import Function, FunctionArgs, FunctionDefaults
from infra.messaging import Messaging
from infra.network import Network
from infra.page import Page
from infra.settings import Settings
from infra.tracking_keys import TrackingKeys


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The parts that functions work with."""

    settings: Settings
    region: str
    network: Network
    database: Database
    tables: Tables
    messaging: Messaging
    access: Access
    tracking: TrackingKeys
    backup: Backup

    @property
    def defaults(self) -> FunctionDefaults:
        """What all functions share."""
        return FunctionDefaults(
            runtime=self.settings.python_runtime,
            memory_size=self.settings.memory_size,
            log_retention_days=self.settings.log_retention_days,
        )

    @property
    def login(self) -> iam.Statement:
        """Read the application user's secret."""
        return iam.read_secret(self.database.secret.arn)

    @property
    def names(self) -> dict[str, pulumi.Input[str]]:
        """Where the stores are, and whose days are counted."""
        return {
            "DATABASE_SECRET": self.database.secret.arn,
            "ORDERS_TABLE": self.tables.orders.name,
            "MENU_TABLE": self.tables.menu.name,
            "METRICS_TABLE": self.tables.metrics.name,
            "TIME_ZONE": self.settings.time_zone,
        }

    @property
    def queue_client(self) -> dict[str, pulumi.Input[str]]:
        """By which of SQS's names functions in the VPC reach it: its plain name has no IPv6 address."""
        return {} if self.network.private_endpoints else {"SQS_DUALSTACK": "true"}

    @property
    def open_orders(self) -> dict[str, pulumi.Input[str]]:
        """For how long an order that nobody closed is an open one."""
        return {"OPEN_HOURS": str(self.settings.open_hours)}

    @property
    def through_cloudfront(self) -> dict[str, pulumi.Input[str]]:
        """Accept only requests that came through CloudFront, where networks are limited."""
        secret = self.access.origin_secret_hash
        return {"ORIGIN_SECRET_SHA256": secret} if secret else {}

    def files(self, handler: str) -> archives.Files:
        """Collect the archive of a function that talks to the database and counts days."""
        return {
            **archives.code(handler),
            **archives.database_certificate(self.region),
            **archives.time_zone(self.settings.time_zone),
        }


def place_order(given: Surroundings, api: Api, page: Page) -> Function:
    """`POST /orders`: check the order, publish it. Outside the VPC, where SNS needs no endpoint."""
    keys = given.tables.idempotency
    api_key = api.orders_key_hash
    return Function(
        "PlaceOrder",
        FunctionArgs(
            handler="place_order",
            files=archives.code("place_order"),
            defaults=given.defaults,
            environment={
                "TOPIC_ARN": given.messaging.topic.arn,
                "IDEMPOTENCY_TABLE": keys.name,
                # For the link to the customer's page.
                "TRACKING_SECRET": given.tracking.secret.arn,
                "PAGE_ORIGIN": page.origin,
                # Who has the API key may choose an order's id.
                **({"ORDERS_API_KEY_SHA256": api_key} if api_key else {}),
            },
            statements=[
                iam.publish(given.messaging.topic),
                iam.put_item(keys),
                iam.read_secret(given.tracking.secret.arn),
            ],
            timeout=20,  # two attempts each at DynamoDB and SNS
            after=[given.tracking.version],
        ),
    )


def order_processor(given: Surroundings, schema: Schema) -> Function:
    """The worker: write a batch of orders to MySQL, then to DynamoDB."""
    tables = given.tables
    return Function(
        "OrderProcessor",
        FunctionArgs(
            handler="order_processor",
            files=given.files("order_processor"),
            defaults=given.defaults,
            environment={
                **given.names,
                **given.queue_client,
                "QUEUE_URL": given.messaging.queue.url,
            },
            statements=[
                iam.consume(given.messaging.queue),
                iam.back_off(given.messaging.queue),
                given.login,
                iam.write_items(tables.orders),
                # An order that was sent long ago may have been moved before the database was restored.
                iam.get_items(tables.orders),
                iam.update_items(tables.menu, tables.metrics),
            ],
            network=given.network,
            timeout=given.settings.worker_timeout,
            after=[schema.migrated],
        ),
    )


def get_order_status(given: Surroundings, schema: Schema) -> Function:
    """`GET /order-status`: read what the page shows, and change nothing."""
    messaging = given.messaging
    return Function(
        "GetOrderStatusLambda",
        FunctionArgs(
            handler="get_order_status",
            files=given.files("get_order_status"),
            defaults=given.defaults,
            environment={
                **given.names,
                "DATABASE_SECRET": given.database.status_secret.arn,
                **given.open_orders,
                **given.queue_client,
                "QUEUE_URL": messaging.queue.url,
                "DEAD_LETTER_QUEUE_URL": messaging.dead_letters.url,
                "CUSTOMER_NAMES": given.settings.customer_names,
                **given.through_cloudfront,
                # Where people sign in, a deploy opens nothing before the API has its authorizer.
                **({"SIGNED_IN_ONLY": "true"} if given.access.mode == "login" else {}),
            },
            statements=[
                iam.read_secret(given.database.status_secret.arn),
                # For one release: the previous one's code logs in with it until its own successor is there.
                given.login,
                iam.get_items(given.tables.metrics),
                iam.count_messages(messaging.queue, messaging.dead_letters),
            ],
            network=given.network,
            timeout=29,  # what API Gateway waits
            after=[schema.migrated],
        ),
    )


def get_menu(given: Surroundings) -> Function:
    """`GET /menu`: what can be ordered, and for how much. It needs no database, and so no VPC."""
    menu = given.tables.menu
    return Function(
        "GetMenu",
        FunctionArgs(
            handler="get_menu",
            files=archives.code("get_menu"),
            defaults=given.defaults,
            environment={"MENU_TABLE": menu.name, "MENU_INDEX": MENU_INDEX},
            statements=[iam.scan_index(menu, MENU_INDEX)],
            timeout=10,
        ),
    )


def staff_orders(given: Surroundings, schema: Schema) -> Function:
    """`GET /kitchen`, `GET` and `PATCH /orders/{id}`: show orders to staff, and change their states."""
    return Function(
        "StaffOrders",
        FunctionArgs(
            handler="staff_orders",
            files={**archives.code("staff_orders"), **archives.database_certificate(given.region)},
            defaults=given.defaults,
            environment={
                "DATABASE_SECRET": given.database.secret.arn,
                "ORDERS_TABLE": given.tables.orders.name,
                **given.open_orders,
                **given.through_cloudfront,
            },
            statements=[given.login, iam.put_item(given.tables.orders)],
            network=given.network,
            timeout=29,  # what API Gateway waits
            after=[schema.migrated],
        ),
    )


def public_orders(given: Surroundings, schema: Schema) -> Function:
    """`GET /ready` and `GET /track`: show everybody the pickup numbers, and customers their own order."""
    secret = given.database.status_secret.arn
    return Function(
        "PublicOrders",
        FunctionArgs(
            handler="public_orders",
            files={**archives.code("public_orders"), **archives.database_certificate(given.region)},
            defaults=given.defaults,
            environment={
                "DATABASE_SECRET": secret,
                "TRACKING_SECRET": given.tracking.secret.arn,
                **given.open_orders,
            },
            statements=[iam.read_secret(secret), iam.read_secret(given.tracking.secret.arn)],
            network=given.network,
            timeout=29,  # what API Gateway waits
            after=[schema.migrated, given.tracking.version],
        ),
    )


def reconcile_orders(given: Surroundings, schema: Schema) -> Function:
    """Compare MySQL with DynamoDB, repair what DynamoDB lacks, and record the orders in `OrderDLQ`.

    Scheduled every minute; operators call it for more (`functions/README.md`).
    """
    tables = given.tables
    is_alarmed = given.settings.waiting_alarm_minutes > 0
    return Function(
        "ReconcileOrders",
        FunctionArgs(
            handler="reconcile_orders",
            files=given.files("reconcile_orders"),
            defaults=given.defaults,
            environment={
                **given.names,
                **given.open_orders,
                **given.queue_client,
                "DEAD_LETTER_QUEUE_URL": given.messaging.dead_letters.url,
                # CloudWatch charges for each metric: this one is published where an alarm watches it.
                **({"PUBLISH_OLDEST_WAITING": "true"} if is_alarmed else {}),
            },
            statements=[
                given.login,
                iam.write_items(tables.orders),
                iam.update_items(tables.menu, tables.metrics),
                iam.get_items(tables.orders, tables.menu, tables.metrics),
                # An audit finds counters that no order stands for by reading all of them.
                iam.scan(tables.menu, tables.metrics),
                iam.sweep(given.messaging.dead_letters),
            ],
            network=given.network,
            timeout=900,  # the most that there is; the scheduled run takes seconds
            after=[schema.migrated],
        ),
    )


def backup_orders(given: Surroundings, schema: Schema) -> Function:
    """Copy the orders of each day to a bucket, as the user that only reads; scheduled every six hours."""
    secret, bucket = given.database.status_secret.arn, given.backup.bucket
    return Function(
        "BackupOrders",
        FunctionArgs(
            handler="backup_orders",
            files={**archives.code("backup_orders"), **archives.database_certificate(given.region)},
            defaults=given.defaults,
            environment={
                "DATABASE_SECRET": secret,
                "BACKUP_BUCKET": bucket.bucket,
                "BACKUP_DAYS": str(given.settings.orders_backup_days),
            },
            statements=[iam.read_secret(secret), *iam.write_files(bucket)],
            network=given.network,
            timeout=900,  # the most that there is; the first run writes all days
            after=[schema.migrated, *given.backup.ready],
        ),
    )


def migrate_database(given: Surroundings) -> Function:
    """Bring the schema and the tables' first items up to date.

    The only one that logs in as the master user: it is the one who makes the functions' users.
    """
    tables = given.tables
    return Function(
        "MigrateDatabase",
        FunctionArgs(
            handler="migrate_database",
            files={**given.files("migrate_database"), **archives.migrations()},
            defaults=given.defaults,
            environment={
                **given.names,
                "STATUS_SECRET": given.database.status_secret.arn,
                "MASTER_SECRET": given.database.master_secret_arn,
            },
            statements=[
                given.login,
                iam.read_secret(given.database.status_secret.arn),
                iam.read_secret(given.database.master_secret_arn),
                iam.update_items(tables.menu, tables.metrics),
            ],
            network=given.network,
            timeout=900,  # the most that there is; a large table takes minutes
        ),
    )


def start_worker(given: Surroundings, worker: Function) -> aws.lambda_.EventSourceMapping:
    """Let the worker take messages off the queue.

    Never by reserved concurrency: a throttled poller would send good orders to the dead-letter queue.
    """
    settings = given.settings
    return aws.lambda_.EventSourceMapping(
        "OrderQueue",
        event_source_arn=given.messaging.queue.arn,
        function_name=worker.function.arn,
        batch_size=settings.batch_size,
        maximum_batching_window_in_seconds=settings.batch_window,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config={"maximum_concurrency": settings.worker_concurrency},
        opts=pulumi.ResourceOptions(parent=worker),
    )
