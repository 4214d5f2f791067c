"""A stack's stores, and the functions of the previous and of the current release on them."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from orders.counters import is_projected
from tests.dynamodb import ERASED, NAMES
from tests.stores import Server, moto_client
from tests.upgrade.releases import CURRENT, PREVIOUS, WITHOUT_STATES, Release


@dataclass(frozen=True)
class Stores:
    """The stack's stores."""

    server: Server
    dynamodb: Any

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with self.server.connect("cafe_db") as connection, connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(statement)
            return list(cursor.fetchall())

    @property
    def counted(self) -> dict[str, int]:
        """Return MySQL's counters that DynamoDB has, too."""
        found = {bytes(name).decode(): value for name, value in self.sql("SELECT name, value FROM counters")}
        return {name: value for name, value in found.items() if value and is_projected(name)}

    @property
    def projected(self) -> dict[str, int]:
        """Return DynamoDB's counters."""
        counters = {f"ITEM#{item['item']['S']}": item.get("orders") for item in self._scan(NAMES.menu)}
        counters |= {item["metric"]["S"]: item.get("count") for item in self._scan(NAMES.metrics)}
        return {
            name: int(value["N"])
            for name, value in counters.items()
            if value and value["N"] != "0" and name not in {"RDS_ORDERS", "DEAD_LETTERS"}
        }

    @property
    def items(self) -> set[str]:
        """Return the ids of the orders in DynamoDB."""
        return {item["orderId"]["S"] for item in self._scan(NAMES.orders)}

    @property
    def names(self) -> dict[str, tuple[str, str | None]]:
        """Return the name of each recorded order in MySQL and in DynamoDB."""
        found = self._scan(NAMES.orders)
        items = {item["orderId"]["S"]: item.get("customer_name", {}).get("S") for item in found}
        rows = self.sql("SELECT order_id, customer_name FROM orders WHERE recorded_in > 0")
        return {order_id: (name, items[order_id]) for order_id, name in rows}

    @property
    def states(self) -> dict[str, str]:
        """Return the states of the orders in DynamoDB."""
        items = [item for item in self._scan(NAMES.orders) if "order_state" in item]
        return {item["orderId"]["S"]: item["order_state"]["S"] for item in items}

    def let_seconds_pass(self) -> None:
        """Make recorded orders old enough to be compared."""
        self.sql("UPDATE orders SET recorded_in = recorded_in - (2 << 31) WHERE recorded_in > 0")

    @property
    def rows(self) -> dict[str, int]:
        """Return the totals of the table's rows, in all and by item."""
        found = self.sql("SELECT item, COUNT(*), SUM(quantity) FROM orders GROUP BY item")
        total = Counter({f"ITEM#{item}": int(quantity) for item, _, quantity in found})
        total["TOTAL_ORDERS"] = sum(orders for _, orders, _ in found)
        return dict(total)

    def add(self, table: str, key: str, name: str, attribute: str, number: int) -> None:
        """Add a number to a counter in DynamoDB."""
        self.dynamodb.update_item(
            TableName=table,
            Key={key: {"S": name}},
            UpdateExpression="ADD #counter :number",
            ExpressionAttributeNames={"#counter": attribute},
            ExpressionAttributeValues={":number": {"N": str(number)}},
        )

    def assert_exact(self) -> None:
        """Check that every order is counted once, in both stores, and that none is missing."""
        ids = {order_id for (order_id,) in self.sql("SELECT order_id FROM orders")}
        assert self.items == ids
        assert self.sql("SELECT COUNT(*) FROM orders WHERE recorded_in IS NULL") == [(0,)]
        assert {name: value for name, value in self.counted.items() if "#2" not in name} == self.rows
        days = [
            value for name, value in self.counted.items() if name.startswith("ORDERS#") and "T" not in name
        ]
        timed = self.sql("SELECT COUNT(*) FROM orders WHERE created_at IS NOT NULL")
        assert [(sum(days),)] == timed
        assert self.projected == self.counted

    def _scan(self, table: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=table)["Items"]
        return items


@pytest.fixture(scope="module", autouse=True)
def _shared_clients() -> Iterator[None]:
    """Share clients of AWS between the releases of all tests: creating one takes longer than most calls."""
    create, clients = Session.create_client, dict[str, Any]()

    def create_once(session: Session, service: str, **options: Any) -> Any:
        config = vars(options["config"]) if options.get("config") else {}
        name = f"{service} { ({**options, 'config': config}) }"
        if name not in clients:
            clients[name] = create(session, service, **options)
        return clients[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "create_client", create_once)
        yield


@pytest.fixture
def stores(empty_database: Server, moto_dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """Empty stores, and the environment of the functions."""
    login = empty_database.login
    secrets = moto_client("secretsmanager")
    place = {"host": login.host, "port": login.port, "dbname": "cafe_db"}
    logins = {
        "CafeDevDBSM": {"username": "cafe_user", "password": "p4ssw0rd", **place},
        "CafeStatusDBSM": {"username": "cafe_status", "password": "p4ssw0rd", **place},
        "master": {"username": login.username, "password": login.password},
    }
    for name, values in logins.items():
        secrets.create_secret(Name=name, SecretString=json.dumps(values))
    sqs = moto_client("sqs")
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "DATABASE_SECRET": "CafeDevDBSM",
        "STATUS_SECRET": "CafeStatusDBSM",
        "MASTER_SECRET": "master",
        "ORDERS_TABLE": NAMES.orders,
        "MENU_TABLE": NAMES.menu,
        "METRICS_TABLE": NAMES.metrics,
        "ERASED_ORDERS_TABLE": ERASED,
        "TIME_ZONE": "Europe/Berlin",
        "OPEN_HOURS": "6",
        "QUEUE_URL": sqs.create_queue(QueueName="OrderQueue")["QueueUrl"],
        "DEAD_LETTER_QUEUE_URL": sqs.create_queue(QueueName="OrderDLQ")["QueueUrl"],
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Stores(empty_database, moto_dynamodb)


def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the modules of a release."""
    directory = tmp_path_factory.mktemp(archive.stem)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(directory)
    return directory


@pytest.fixture(scope="session")
def previous_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules of the release before the counters."""
    return unpacked(PREVIOUS, tmp_path_factory)


@pytest.fixture
def previous(stores: Stores, previous_release: Path) -> Release:
    """The release before the counters, deployed."""
    release = Release(previous_release, stores.server.authority)
    release.deploy()
    return release


@pytest.fixture
def without_states(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release before the states, deployed."""
    release = Release(unpacked(WITHOUT_STATES, tmp_path_factory), stores.server.authority)
    release.deploy()
    return release


@pytest.fixture
def current(stores: Stores) -> Release:
    """This release, not deployed yet."""
    return Release(CURRENT, stores.server.authority)
