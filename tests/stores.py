"""Stores for tests: DynamoDB in the process, MariaDB or MySQL for real."""

from __future__ import annotations

import dataclasses
import functools
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pymysql
import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from pymysql.constants import CLIENT

import stores.mysql.connection
from local import ports, process_groups
from local.database import certificates
from local.database import server as database_server
from local.database.instance import Database, tls_context
from orders.failures import StoreUnavailableError
from orders.ledger import Ledger
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql import migrations, users
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from stores.mysql.orders import OrdersDatabase
from tests import database_engine, partiql
from tests.dynamodb import KEYS, NAMES, DynamoDbTables, ValidatingClient
from tests.moto_state import make_or_copy
from tests.waiting import LIMIT

BERLIN = ZoneInfo("Europe/Berlin")
MENU_INDEX = "menu"
MENU_BY_PRICE: Any = {
    "IndexName": MENU_INDEX,
    "KeySchema": [{"AttributeName": "price", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
MIGRATIONS = Path(__file__).parent.parent / "functions" / "migrations"


@functools.cache
def moto_client(service: str) -> Any:
    """Return a client for moto, created once: reading the service's description takes longer than a test."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    return session.client(service)  # type: ignore[call-overload]


def _make_tables() -> None:
    client = moto_client("dynamodb")
    for table, key in KEYS.items():
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    # The items with a price.
    client.update_table(
        TableName=NAMES.menu,
        AttributeDefinitions=[
            {"AttributeName": "item", "AttributeType": "S"},
            {"AttributeName": "price", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexUpdates=[{"Create": MENU_BY_PRICE}],
    )


@contextmanager
def aws_in_process() -> Iterator[None]:
    """Run AWS's services in this process, by moto."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield


@contextmanager
def dynamodb_in_process() -> Iterator[Any]:
    """Run DynamoDB with the three tables in this process, by moto."""
    client = moto_client("dynamodb")
    with pytest.MonkeyPatch.context() as patch, aws_in_process():
        make_or_copy(_make_tables, "us-east-1", "dynamodb")
        # moto's own updates items on other conditions than DynamoDB, and does not parse every statement.
        patch.setattr(DynamoDBBackend, "batch_execute_statement", staticmethod(partial(_execute, client)))
        yield client


def _execute(client: Any, statements: Sequence[Any]) -> Any:
    return partiql.execute(client.update_item, statements)["Responses"]


@pytest.fixture
def aws() -> Iterator[None]:
    """AWS's services by moto."""
    with aws_in_process():
        yield


@pytest.fixture
def moto_dynamodb() -> Iterator[Any]:
    """DynamoDB with the three tables, by moto: for tests of requests that `dynamodb` does not support."""
    with dynamodb_in_process() as client:
        yield client


@pytest.fixture
def dynamodb() -> Any:
    """DynamoDB with the three tables, in memory."""
    return ValidatingClient(DynamoDbTables(), moto_client("dynamodb"))


@pytest.fixture
def projection(dynamodb: Any) -> Projection:
    """Orders and counters in DynamoDB."""
    return Projection(DynamoDb(client=dynamodb), NAMES, BERLIN)


# Many tests create a schema, and no data has to survive a crash of the machine.
FAST_SCHEMA_CHANGES = "--innodb-flush-method=nosync --innodb-doublewrite=OFF"
TABLES = ("orders", "order_events", "counters")
SCHEMA = (
    "SHOW TABLES",
    *(f"SHOW CREATE TABLE {table}" for table in TABLES),
    "SELECT number FROM schema_migrations",
)


def _all(*statements: str) -> Callable[[pymysql.cursors.Cursor], tuple[Any, ...]]:
    """Return work that runs statements, and returns all rows."""

    def execute(cursor: pymysql.cursors.Cursor) -> tuple[Any, ...]:
        rows: list[Any] = []
        for statement in statements:
            cursor.execute(statement)
            rows += cursor.fetchall()
        return tuple(rows)

    return execute


@dataclasses.dataclass
class Server:
    """A running database server and its administrator."""

    login: Login
    authority: Path
    _schema: tuple[Any, ...] = ()  # of the migrated database, once there is one
    _worker: tuple[Any, ...] = ()  # the worker's rights and password, once they are set up

    @functools.cached_property
    def administrator(self) -> MySql:
        """A connection with all rights."""
        return MySql(FixedLogin(self.login), client_flag=CLIENT.MULTI_STATEMENTS)

    def empty_database(self) -> None:
        """Create `cafe_db` again, without a schema."""
        self.administrator.read(_all("DROP DATABASE cafe_db", "CREATE DATABASE cafe_db", "USE cafe_db"))

    def empty_tables(self) -> None:
        """Remove all rows; migrate an empty database where a test has changed the schema."""
        if self._is_migrated():
            return
        self.empty_database()
        migrations.migrate(self.administrator, migrations.read(MIGRATIONS))
        self._schema = self.administrator.read(_all(*SCHEMA))

    def set_up_worker(self) -> Login:
        """Give the worker's user its rights and its password, if they are others; return its login."""
        login = dataclasses.replace(self.login, username="cafe_user", password="a password")
        state = _all("SHOW CREATE USER cafe_user@'%'", "SHOW GRANTS FOR cafe_user@'%'")
        if not self._worker or self.administrator.read(state) != self._worker:
            users.set_up_worker(self.administrator, login)
            self._worker = self.administrator.read(state)
        return login

    def _is_migrated(self) -> bool:
        """Remove all rows, and return whether the schema is the migrated one."""
        if not self._schema:
            return False
        read = self.administrator.read
        try:
            found = read(_all("DELETE FROM counters", "DELETE FROM order_events", *SCHEMA))
            # A table that has had rows continues their ids: a new one begins at 1.
            if found != self._schema:
                found = read(_all("TRUNCATE TABLE orders", *SCHEMA))
        except StoreUnavailableError:  # a table is missing
            return False
        return found == self._schema

    def connect(
        self, database: str | None = None, client_flag: int = 0
    ) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """Connect as the administrator, to read and prepare data."""
        login = self.login
        return pymysql.connect(
            host=login.host,
            port=login.port,
            user=login.username,
            password=login.password,
            database=database,
            ssl=tls_context(self.authority),
            autocommit=True,
            client_flag=client_flag,
        )


@contextmanager
def running_server(directory: Path) -> Iterator[Server]:
    """Run a database server of its own in a directory, over TLS as on AWS."""
    tls = certificates.create(directory / "tls")
    administrator = database_server.Administrator()
    port = ports.choose(0, "")
    server = database_engine.chosen().installed()
    *shell, script = database_server.first_command(server, directory, port, administrator, tls)
    command = [*shell, f"{script} {FAST_SCHEMA_CHANGES}"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, start_new_session=True)
    try:
        Database(port=port, administrator=administrator, authority=tls.authority).wait(LIMIT)
        login = Login("127.0.0.1", port, administrator.user, administrator.password, "cafe_db")
        running = Server(login, tls.authority)
        with running.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE cafe_db")
        yield running
    finally:
        process_groups.kill([process.pid])
        process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database server that tests share."""
    with running_server(tmp_path_factory.mktemp("database")) as running:
        yield running


def number_of(database: OrdersDatabase) -> int:
    """Count all orders."""
    return database._mysql.read(_count)


def _count(cursor: pymysql.cursors.Cursor) -> int:
    cursor.execute("SELECT COUNT(*) FROM orders")
    return int((cursor.fetchone() or (0,))[0])


class FixedLogin:
    """A login that does not change, and counts the calls of `forget`."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.forgotten = 0

    def get(self) -> Login:
        return self.login

    def forget(self) -> None:
        self.forgotten += 1


class CachedContexts:
    """Stands in for `ssl`: reading an authority takes as long as connecting."""

    create_default_context = staticmethod(functools.cache(ssl.create_default_context))


@pytest.fixture
def administrator(server: Server, monkeypatch: pytest.MonkeyPatch) -> MySql:
    """A connection that may change everything; it stays open from test to test."""
    monkeypatch.setattr(stores.mysql.connection, "CERTIFICATE_AUTHORITY", server.authority)
    monkeypatch.setattr(stores.mysql.connection, "ssl", CachedContexts)
    return server.administrator


@pytest.fixture
def empty_database(server: Server, administrator: MySql) -> Server:
    """The server with an empty `cafe_db`; what needs the schema takes `mysql` instead."""
    server.empty_database()
    return server


@pytest.fixture
def master(empty_database: Server, administrator: MySql) -> MySql:
    """A connection that may change the schema, to an empty database."""
    return administrator


@pytest.fixture
def mysql(server: Server, administrator: MySql) -> Iterator[MySql]:
    """A connection as the application's user, to a schema that is up to date and has no rows."""
    server.empty_tables()
    mysql = MySql(FixedLogin(server.set_up_worker()))
    yield mysql
    mysql.close()


@pytest.fixture
def new_mysql(mysql: MySql) -> Iterator[Callable[[], MySql]]:
    """Opens further connections as the application's user."""
    opened: list[MySql] = []

    def open_another() -> MySql:
        opened.append(MySql(mysql._login))
        return opened[-1]

    yield open_another
    for each in opened:
        each.close()


@pytest.fixture
def database(mysql: MySql) -> OrdersDatabase:
    """Orders and counters in MySQL."""
    return OrdersDatabase(mysql, BERLIN)


@pytest.fixture
def ledger(database: OrdersDatabase, projection: Projection) -> Ledger:
    """Both stores."""
    return Ledger(database, projection, BERLIN)
