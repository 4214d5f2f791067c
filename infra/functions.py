"""The Lambda functions: environment variables, permissions and timeout of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra import archives, iam, regions
from infra.access import Access
from infra.api import Api
from infra.backup import Backup
from infra.database import Database
from infra.database_migration import Schema
from infra.dynamodb_tables import MENU_INDEX, Tables
from infra.lambda_function import Function, FunctionArgs
from infra.messaging import Messaging
from infra.network import Network
from infra.page import Page
from infra.settings import Settings
from infra.tracking_keys import TrackingKeys

HTTP_TIMEOUT = 29  # seconds; API Gateway waits no longer
MAX_TIMEOUT = 900  # seconds; Lambda's limit


@dataclass(frozen=True, kw_only=True)
class SharedResources:
    """Settings and components that functions, alarms and outputs refer to."""

    settings: Settings
    region: str
    network: Network
    database: Database
    tables: Tables
    messaging: Messaging
    access: Access
    tracking: TrackingKeys
    backup: Backup
    functions: list[Function] = field(default_factory=list)  # filled as they are created

    @property
    def read_login(self) -> iam.Statement:
        """Return the permission to read the application user's secret."""
        return iam.read_secret(self.database.secret.arn)

    @property
    def store_variables(self) -> dict[str, pulumi.Input[str]]:
        """Return the variables with the names of the stores, and the time zone in which days are counted."""
        return {
            "DATABASE_SECRET": self.database.secret.arn,
            "ORDERS_TABLE": self.tables.orders.name,
            "MENU_TABLE": self.tables.menu.name,
            "METRICS_TABLE": self.tables.metrics.name,
            "TIME_ZONE": self.settings.time_zone,
        }

    @property
    def sqs_variables(self) -> dict[str, pulumi.Input[str]]:
        """Return the variable that selects SQS's dual-stack endpoint: the default one has no IPv6 address."""
        return {} if self.network.private_endpoints else {"SQS_DUALSTACK": "true"}

    @property
    def open_hours_variables(self) -> dict[str, pulumi.Input[str]]:
        """Return the variable with the hours for which an order counts as open."""
        return {"OPEN_HOURS": str(self.settings.open_hours)}

    @property
    def retention_variables(self) -> dict[str, pulumi.Input[str]]:
        """Return the variable with the days after which orders lose their names, if they do."""
        days = self.settings.retention_days
        return {"RETENTION_DAYS": str(days)} if days else {}

    @property
    def origin_variables(self) -> dict[str, pulumi.Input[str]]:
        """Return the variable by which functions refuse requests that bypass CloudFront, with `cidrs`."""
        secret = self.access.origin_secret_hash
        return {"ORIGIN_SECRET_SHA256": secret} if secret else {}

    @property
    def time_zone_files(self) -> archives.Files:
        """Return the time zone's data."""
        return archives.time_zone(self.settings.time_zone)

    def function(
        self,
        name: str,
        handler: str,
        *,
        environment: Mapping[str, pulumi.Input[str]],
        statements: Sequence[iam.Statement],
        timeout: int,
        uses_database: bool = True,
        files: archives.Files | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> Function:
        """Create a function; one that uses the database gets RDS's certificate and runs in the VPC."""
        certificate = regions.database_certificate(self.region) if uses_database else {}
        created = Function(
            name,
            FunctionArgs(
                handler=handler,
                files={**archives.code(handler), **certificate, **(files or {})},
                runtime=self.settings.python_runtime,
                environment=environment,
                statements=statements,
                network=self.network if uses_database else None,
                timeout=timeout,
                memory_size=self.settings.memory_size,
                log_retention_days=self.settings.log_retention_days,
                after=after,
            ),
        )
        self.functions.append(created)
        return created


def place_order(shared: SharedResources, api: Api, page: Page) -> Function:
    """Create `POST /orders`, which publishes orders; outside the VPC, which has no endpoint for SNS."""
    keys = shared.tables.idempotency
    api_key = api.orders_key_hash
    return shared.function(
        "PlaceOrder",
        "place_order",
        uses_database=False,
        environment={
            "TOPIC_ARN": shared.messaging.topic.arn,
            "IDEMPOTENCY_TABLE": keys.name,
            # For the link to the customer's page
            "TRACKING_SECRET": shared.tracking.secret.arn,
            "PAGE_ORIGIN": page.origin,
            # Clients with the API key may choose an order's id.
            **({"ORDERS_API_KEY_SHA256": api_key} if api_key else {}),
        },
        statements=[
            iam.publish(shared.messaging.topic),
            iam.put_item(keys),
            iam.read_secret(shared.tracking.secret.arn),
        ],
        timeout=20,  # two attempts each at DynamoDB and SNS
        after=[shared.tracking.version],
    )


def order_processor(shared: SharedResources, schema: Schema) -> Function:
    """Create the worker: it writes a batch of orders to MySQL, then to DynamoDB."""
    tables, recorded_within = shared.tables, shared.settings.recorded_within
    return shared.function(
        "OrderProcessor",
        "order_processor",
        files=shared.time_zone_files,
        environment={
            **shared.store_variables,
            **shared.sqs_variables,
            **shared.retention_variables,
            "QUEUE_URL": shared.messaging.queue.url,
            # CloudWatch charges for each metric, so these are published only if an alarm uses them.
            **({"RECORDED_WITHIN": str(recorded_within)} if recorded_within else {}),
        },
        statements=[
            iam.consume(shared.messaging.queue),
            iam.change_visibility(shared.messaging.queue),
            shared.read_login,
            iam.write_items(tables.orders),
            # After a restore of the database, DynamoDB may have a later state of a redelivered order.
            iam.get_items(tables.orders),
            iam.update_items(tables.menu, tables.metrics),
        ],
        timeout=shared.settings.worker_timeout,
        after=[schema.migrated],
    )


def get_order_status(shared: SharedResources, schema: Schema) -> Function:
    """Create `GET /order-status`, which reads what the page shows."""
    messaging, secret = shared.messaging, shared.database.status_secret.arn
    return shared.function(
        "GetOrderStatusLambda",
        "get_order_status",
        files=shared.time_zone_files,
        environment={
            **shared.store_variables,
            "DATABASE_SECRET": secret,
            **shared.open_hours_variables,
            **shared.sqs_variables,
            "QUEUE_URL": messaging.queue.url,
            "DEAD_LETTER_QUEUE_URL": messaging.dead_letters.url,
            "CUSTOMER_NAMES": shared.settings.customer_names,
            **shared.origin_variables,
            # A deploy that switches to `login` changes the function before the API has its authorizer.
            **({"SIGNED_IN_ONLY": "true"} if shared.access.mode == "login" else {}),
        },
        statements=[
            iam.read_secret(secret),
            # For the previous release's code, which runs until this deploy replaces it.
            shared.read_login,
            iam.get_items(shared.tables.metrics),
            iam.count_messages(messaging.queue, messaging.dead_letters),
        ],
        timeout=HTTP_TIMEOUT,
        after=[schema.migrated],
    )


def get_menu(shared: SharedResources) -> Function:
    """Create `GET /menu`, which returns the items that have a price."""
    menu = shared.tables.menu
    return shared.function(
        "GetMenu",
        "get_menu",
        uses_database=False,
        environment={"MENU_TABLE": menu.name, "MENU_INDEX": MENU_INDEX},
        statements=[iam.scan_index(menu, MENU_INDEX)],
        timeout=10,
    )


def staff_orders(shared: SharedResources, schema: Schema) -> Function:
    """Create `GET /kitchen`, and `GET` and `PATCH /orders/{id}`, by which staff read and move orders."""
    return shared.function(
        "StaffOrders",
        "staff_orders",
        environment={
            "DATABASE_SECRET": shared.database.secret.arn,
            "ORDERS_TABLE": shared.tables.orders.name,
            **shared.open_hours_variables,
            **shared.origin_variables,
        },
        statements=[shared.read_login, iam.put_item(shared.tables.orders)],
        timeout=HTTP_TIMEOUT,
        after=[schema.migrated],
    )


def public_orders(shared: SharedResources, schema: Schema) -> Function:
    """Create `GET /ready` and `GET /track`, which return pickup numbers and a customer's own order."""
    secret, tracking = shared.database.status_secret.arn, shared.tracking
    return shared.function(
        "PublicOrders",
        "public_orders",
        environment={
            "DATABASE_SECRET": secret,
            "TRACKING_SECRET": tracking.secret.arn,
            **shared.open_hours_variables,
        },
        statements=[iam.read_secret(secret), iam.read_secret(tracking.secret.arn)],
        timeout=HTTP_TIMEOUT,
        after=[schema.migrated, tracking.version],
    )


def reconcile_orders(shared: SharedResources, schema: Schema) -> Function:
    """Create the reconciler, which repairs DynamoDB by MySQL, and records the orders in `OrderDLQ`.

    A schedule runs it every minute; operators invoke it with other commands (`functions/README.md`).
    """
    tables, dead_letters = shared.tables, shared.messaging.dead_letters
    return shared.function(
        "ReconcileOrders",
        "reconcile_orders",
        files=shared.time_zone_files,
        environment={
            **shared.store_variables,
            **shared.open_hours_variables,
            **shared.sqs_variables,
            **shared.retention_variables,
            "DEAD_LETTER_QUEUE_URL": dead_letters.url,
            # CloudWatch charges for each metric, so this one is published only if an alarm uses it.
            **({"PUBLISH_OLDEST_WAITING": "true"} if shared.settings.waiting_alarm_minutes else {}),
        },
        statements=[
            shared.read_login,
            iam.write_items(tables.orders),
            iam.update_items(tables.menu, tables.metrics),
            iam.get_items(tables.orders, tables.menu, tables.metrics),
            # An audit reads all counters to find those without an order.
            iam.scan(tables.menu, tables.metrics),
            iam.take_dead_letters(dead_letters),
        ],
        timeout=MAX_TIMEOUT,  # a scheduled run takes seconds, a full audit minutes
        after=[schema.migrated],
    )


def backup_orders(shared: SharedResources, schema: Schema) -> Function:
    """Create the backup: every six hours, it copies orders to a bucket, as the database's read-only user."""
    secret, bucket = shared.database.status_secret.arn, shared.backup.bucket
    return shared.function(
        "BackupOrders",
        "backup_orders",
        environment={
            "DATABASE_SECRET": secret,
            "BACKUP_BUCKET": bucket.bucket,
            "BACKUP_DAYS": str(shared.backup.days),
        },
        statements=[iam.read_secret(secret), *iam.write_files(bucket)],
        timeout=MAX_TIMEOUT,  # the first run writes all days
        after=[schema.migrated, *shared.backup.ready],
    )


def erase_orders(shared: SharedResources, schema: Schema) -> Function:
    """Create the function that erases names: of old orders every six hours, and of others on request."""
    tables = shared.tables
    return shared.function(
        "EraseOrders",
        "erase_orders",
        files=shared.time_zone_files,
        environment={
            **shared.store_variables,
            **shared.retention_variables,
            "ERASED_ORDERS_TABLE": tables.erased.name,
        },
        statements=[
            shared.read_login,
            iam.get_items(tables.orders),
            iam.put_item(tables.orders),
            iam.scan(tables.erased),
            iam.put_items(tables.erased),
        ],
        timeout=MAX_TIMEOUT,  # a scheduled run after a change of the setting may erase years of orders
        after=[schema.migrated],
    )


def migrate_database(shared: SharedResources) -> Function:
    """Create the function that migrates the schema, and writes the first items of the tables.

    It alone logs in as the master user, since it creates the users of the others.
    """
    database, tables = shared.database, shared.tables
    return shared.function(
        "MigrateDatabase",
        "migrate_database",
        files={**shared.time_zone_files, **archives.migrations()},
        environment={
            **shared.store_variables,
            "STATUS_SECRET": database.status_secret.arn,
            "MASTER_SECRET": database.master_secret_arn,
        },
        statements=[
            *(iam.read_secret(arn) for arn in database.secret_arns),
            iam.update_items(tables.menu, tables.metrics),
        ],
        timeout=MAX_TIMEOUT,  # a large table takes minutes
    )


def worker_mapping(shared: SharedResources, worker: Function) -> aws.lambda_.EventSourceMapping:
    """Create the event source mapping from `OrderQueue` to the worker.

    It limits concurrency. Reserved concurrency would throttle the poller, and move valid orders to the DLQ.
    """
    settings = shared.settings
    return aws.lambda_.EventSourceMapping(
        "OrderQueue",
        event_source_arn=shared.messaging.queue.arn,
        function_name=worker.function.arn,
        batch_size=settings.batch_size,
        maximum_batching_window_in_seconds=settings.batch_window,
        function_response_types=["ReportBatchItemFailures"],
        scaling_config={"maximum_concurrency": settings.worker_concurrency},
        opts=pulumi.ResourceOptions(parent=worker),
    )
