"""A cafe's order system on AWS, in the order in which an order travels."""

import pulumi
import pulumi_aws as aws

from infra import functions, outputs, settings
from infra.access import Access, AccessArgs
from infra.alarms import Alarms, AlarmsArgs
from infra.api import Api, ApiArgs
from infra.database import Database, DatabaseArgs
from infra.messaging import Messaging, MessagingArgs
from infra.network import Network, NetworkArgs, available_zones
from infra.page import Page, PageArgs
from infra.protection import Protection
from infra.schedule import RECONCILE_RUNS, Schedule, ScheduleArgs
from infra.schema import Schema, SchemaArgs
from infra.tables import Tables, TablesArgs
from infra.tags import tag_everything
from infra.tracking import TrackingKeys, TrackingKeysArgs

cafe = settings.load()
tag_everything(pulumi.get_project(), pulumi.get_stack())
protection = Protection("protection", enabled=cafe.deletion_protection)
region = aws.get_region().region

network = Network("network", NetworkArgs.of(cafe, available_zones()))
database = Database("database", DatabaseArgs.of(cafe, network))
tables = Tables("tables", TablesArgs(deletion_protection=cafe.deletion_protection))
messaging = Messaging("messaging", MessagingArgs.of(cafe))
tracking = TrackingKeys("tracking", TrackingKeysArgs.of(cafe))
secrets = [*database.secret_arns, tracking.secret.arn]
network.connect_services(region, tables.arns, messaging.queue_arns, secrets)
access = Access("access", AccessArgs.of(cafe, region))
api = Api("api", ApiArgs.of(cafe))

given = functions.Surroundings(
    settings=cafe,
    region=region,
    network=network,
    database=database,
    tables=tables,
    messaging=messaging,
    access=access,
    tracking=tracking,
)
page = Page("page", PageArgs.of(cafe, region, access, api))
migrate_database = functions.migrate_database(given)
schema = Schema("schema", SchemaArgs.of(cafe, migrate_database, database))

place_order = functions.place_order(given, api, page)
order_processor = functions.order_processor(given, schema)
get_order_status = functions.get_order_status(given, schema)
get_menu = functions.get_menu(given)
staff_orders = functions.staff_orders(given, schema)
public_orders = functions.public_orders(given, schema)
reconcile_orders = functions.reconcile_orders(given, schema)
mapping = functions.start_worker(given, order_processor)
Schedule("ReconcileOrders", ScheduleArgs(function=reconcile_orders, runs=RECONCILE_RUNS))

api.open(
    access,
    place_order=place_order,
    get_order_status=get_order_status,
    get_menu=get_menu,
    staff_orders=staff_orders,
    public_orders=public_orders,
)

alarms = Alarms("alarms", AlarmsArgs.of(given, order_processor, reconcile_orders, api))
roles = {
    "worker": order_processor,
    "reconciler": reconcile_orders,
    "status": get_order_status,
    "staff": staff_orders,
}
outputs.export(given, page, api, alarms, mapping=mapping, migrator=migrate_database, **roles)
protection.complete()
