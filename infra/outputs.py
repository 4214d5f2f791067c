"""The outputs of the stack: `cafe`, tests and other programs rely on their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import setting_changes
from infra.alarms import Alarms
from infra.api import Api
from infra.dashboard import Dashboard
from infra.functions import SharedResources
from infra.lambda_function import Functions
from infra.page import Page

# Pulumi Cloud renders it on the stack's page, with the outputs that it names.
README = Path(__file__).parent.parent / "Pulumi.README.md"


def export(
    shared: SharedResources,
    page: Page,
    api: Api,
    alarms: Alarms,
    dashboard: Dashboard,
    functions: Functions,
    mapping: aws.lambda_.EventSourceMapping,
) -> None:
    """Export the addresses and names of the stack's resources."""
    messaging, tables, settings = shared.messaging, shared.tables, shared.settings
    outputs: dict[str, pulumi.Input[Any]] = {
        "page_url": page.url,
        "cloudfront_url": page.cloudfront_url,
        "api_url": api.stage.invoke_url,
        "orders_url": api.url("/orders"),
        "order_status_url": api.url("/order-status"),
        "menu_url": api.url("/menu"),
        "dashboard_access": shared.access.mode,
        "user_pool_id": shared.access.user_pool.id,
        "status_function": functions.get_order_status.function.name,
        "staff_function": functions.staff_orders.function.name,
        "waiting_alarm_minutes": str(settings.waiting_alarm_minutes),
        "topic_arn": messaging.topic.arn,
        "queue_url": messaging.queue.url,
        "dead_letter_queue_url": messaging.dead_letters.url,
        "subscription_dead_letter_queue_url": messaging.undelivered.url,
        "orders_table": tables.orders.name,
        "menu_table": tables.menu.name,
        "metrics_table": tables.metrics.name,
        # By the functions' names
        "log_groups": pulumi.Output.json_dumps(
            {each.pulumi_resource_name: each.log_group.name for each in shared.functions}
        ),
        "worker_log_group": functions.order_processor.log_group.name,
        "worker_mapping": mapping.uuid,
        "reconcile_function": functions.reconcile_orders.function.name,
        "backup_function": functions.backup_orders.function.name,
        "backup_log_group": functions.backup_orders.log_group.name,
        "backup_bucket": shared.backup.bucket.bucket,
        "erase_function": functions.erase_orders.function.name,
        "erased_orders_table": tables.erased.name,
        "migrate_function": functions.migrate_database.function.name,
        "alarm_topic_arn": alarms.topic.arn,
        "dashboard_url": dashboard.url,
        "runbook_url": alarms.runbook,
        "database_identifier": shared.database.instance.identifier,
        "deployed_settings": setting_changes.deployed(settings),
        "readme": README.read_text(encoding="utf-8"),
    }
    if api.orders_key is not None:
        outputs["orders_api_key"] = api.orders_key
    if page.domain is not None and page.domain.records is not None:
        outputs["domain_records"] = page.domain.records
    for name, value in outputs.items():
        pulumi.export(name, value)
