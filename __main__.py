"""A cafe's order system on AWS, in the order in which an order travels."""

import pulumi
import pulumi_aws as aws

from infra import functions, packages, settings
from infra.api import Api, ApiArgs
from infra.database import Database, DatabaseArgs
from infra.messaging import Messaging, MessagingArgs
from infra.network import Network, NetworkArgs
from infra.page import Page, PageArgs
from infra.schema import Schema, SchemaArgs
from infra.tables import Tables, TablesArgs
from infra.tags import tag_everything

cafe = settings.load()
tag_everything({"Project": pulumi.get_project(), "Stack": pulumi.get_stack()})
region = aws.get_region().region
zones = aws.get_availability_zones(filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}])

network = Network("network", NetworkArgs(region=region, zones=zones.names[:2], cidr=cafe.network_cidr))
database = Database("database", DatabaseArgs.of(cafe, network))
tables = Tables("tables", TablesArgs(deletion_protection=cafe.deletion_protection))
messaging = Messaging("messaging", MessagingArgs.of(cafe))

given = functions.Surroundings(
    settings=cafe, region=region, network=network, database=database, tables=tables, messaging=messaging
)
place_order = functions.place_order(given)
order_processor = functions.order_processor(given)
get_order_status = functions.get_order_status(given)
migrate_database = functions.migrate_database(given)

schema = Schema(
    "schema",
    SchemaArgs(
        migrate=migrate_database,
        migrations=packages.migrations(),
        menu=cafe.menu,
        database=database,
        network=network,
    ),
)
functions.start_worker(given, order_processor, schema)

api = Api("api", ApiArgs.of(cafe, place_order, get_order_status))
page = Page("page", PageArgs(rest_api_id=api.rest_api.id, region=region, stage=cafe.api_stage))

pulumi.export("page_url", page.url)
pulumi.export("api_url", api.stage.invoke_url)
pulumi.export("orders_url", api.url("/orders"))
pulumi.export("order_status_url", api.url("/order-status"))
pulumi.export("topic_arn", messaging.topic.arn)
pulumi.export("queue_url", messaging.queue.url)
pulumi.export("dead_letter_queue_url", messaging.dead_letters.url)
pulumi.export("orders_table", tables.orders.name)
pulumi.export("menu_table", tables.menu.name)
pulumi.export("metrics_table", tables.metrics.name)
pulumi.export("worker_log_group", order_processor.log_group.name)
