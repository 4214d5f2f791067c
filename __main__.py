"""The cafe's order system on AWS; components appear in the order in which data flows."""

import pulumi
import pulumi_aws as aws

from infra import domain, functions, outputs, schedule, settings
from infra.access import Access, AccessArgs
from infra.alarms import Alarms, AlarmsArgs
from infra.api import Api, ApiArgs
from infra.backup import Backup, BackupArgs
from infra.dashboard import Dashboard, DashboardArgs
from infra.database import Database, DatabaseArgs
from infra.database_migration import Schema, SchemaArgs
from infra.dynamodb_tables import Tables, TablesArgs
from infra.lambda_function import Functions
from infra.messaging import Messaging, MessagingArgs
from infra.network import Network, NetworkArgs, available_zones
from infra.page import Page, PageArgs
from infra.permissions_boundary import limit_roles
from infra.protection import Protection
from infra.tags import tag_everything
from infra.tracking_keys import TrackingKeys, TrackingKeysArgs

cafe = settings.load()
own_domain = domain.DomainArgs.of(cafe)  # before any resource, since a wrong zone stops the program
tag_everything(pulumi.get_project(), pulumi.get_stack())
limit_roles(cafe.permissions_boundary)
protection = Protection("protection", enabled=cafe.deletion_protection)
region = aws.get_region().region

network = Network("network", NetworkArgs.of(cafe, available_zones()))
database = Database("database", DatabaseArgs.of(cafe, network))
tables = Tables("tables", TablesArgs.of(cafe))
messaging = Messaging("messaging", MessagingArgs.of(cafe))
tracking = TrackingKeys("tracking", TrackingKeysArgs.of(cafe))
backup = Backup("backup", BackupArgs.of(cafe))
secrets = [*database.secret_arns, tracking.secret.arn]
network.connect_services(region, tables.arns, messaging.queue_arns, secrets, backup.arns)
access = Access("access", AccessArgs.of(cafe, region))
api = Api("api", ApiArgs.of(cafe))
page = Page("page", PageArgs.of(cafe, region, own_domain, access, api))

shared = functions.SharedResources(
    settings=cafe,
    region=region,
    network=network,
    database=database,
    tables=tables,
    messaging=messaging,
    access=access,
    tracking=tracking,
    backup=backup,
)
migrate_database = functions.migrate_database(shared)
schema = Schema("schema", SchemaArgs.of(cafe, migrate_database, database))
lambdas = Functions(
    migrate_database=migrate_database,
    place_order=functions.place_order(shared, api, page),
    order_processor=functions.order_processor(shared, schema),
    get_order_status=functions.get_order_status(shared, schema),
    get_menu=functions.get_menu(shared),
    staff_orders=functions.staff_orders(shared, schema),
    public_orders=functions.public_orders(shared, schema),
    reconcile_orders=functions.reconcile_orders(shared, schema),
    backup_orders=functions.backup_orders(shared, schema),
    erase_orders=functions.erase_orders(shared, schema),
)
mapping = functions.worker_mapping(shared, lambdas.order_processor)
schedule.start(lambdas)
api.add_routes(access, lambdas)

observed = AlarmsArgs(shared=shared, api=api, functions=lambdas)
alarms = Alarms("alarms", observed)
dashboard = Dashboard("dashboard", DashboardArgs(observed=observed, alarms=alarms))
outputs.export(shared, page, api, alarms, dashboard, lambdas, mapping)
protection.complete()
