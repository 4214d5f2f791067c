"""A cafe's order system on AWS, in the order in which an order travels."""

import pulumi
import pulumi_aws as aws

from infra import functions, outputs, settings
from infra.alarms import Alarms, AlarmsArgs
from infra.api import Api, ApiArgs
from infra.database import Database, DatabaseArgs
from infra.messaging import Messaging, MessagingArgs
from infra.network import Network, NetworkArgs
from infra.page import Page, PageArgs
from infra.schedule import Schedule, ScheduleArgs
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
reconcile_orders = functions.reconcile_orders(given)
migrate_database = functions.migrate_database(given)

schema = Schema("schema", SchemaArgs.of(cafe, migrate_database, database, network))
mapping = functions.start_worker(given, order_processor, schema)
Schedule("ReconcileOrders", ScheduleArgs(function=reconcile_orders, rate="rate(1 minute)", schema=schema))

api = Api("api", ApiArgs.of(cafe, place_order, get_order_status))
page = Page("page", PageArgs(rest_api_id=api.rest_api.id, region=region, stage=cafe.api_stage))

alarms = Alarms("alarms", AlarmsArgs.of(given, order_processor, reconcile_orders, api))
outputs.export(given, page, api, alarms, worker=order_processor, mapping=mapping, reconciler=reconcile_orders)
