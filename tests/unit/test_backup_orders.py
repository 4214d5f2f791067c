"""The function that copies orders to a bucket, on MariaDB or MySQL for real and a bucket of moto's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import backup_orders
from orders import copies
from orders.copies import Day
from orders.exact_json import decode
from orders.failures import StoreUnavailableError
from orders.order import Order
from orders.states import Change, Progress, State
from stores import s3
from stores.mysql import events
from stores.mysql.connection import MySql
from stores.mysql.copies import OrderTable
from stores.mysql.erasure import ErasureDatabase
from stores.mysql.login import Login
from stores.mysql.orders import NUMBER_BITS, OrdersDatabase
from stores.s3 import Files
from tests.stores import BERLIN, FixedLogin
from tests.unit.buckets import BUCKET, Breaking
from tests.unit.copied_files import original, read

NOW = datetime.now(UTC)
TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)


class Context:
    """Lambda's context: time is up after some calls."""

    def __init__(self, calls: float = float("inf")) -> None:
        self.calls = calls

    def get_remaining_time_in_millis(self) -> int:
        self.calls -= 1
        return 900_000 if self.calls >= 0 else 0


class Backup:
    """The function's table and bucket."""

    def __init__(self, mysql: MySql, client: Any) -> None:
        self.mysql = mysql
        self.client = client

    def run(self, context: Context | None = None, **event: Any) -> dict[str, Any]:
        return backup_orders.handler(event, context or Context())

    def written(self, context: Context | None = None, **event: Any) -> list[str]:
        return list(self.run(context, **event)["rows"])

    def insert(self, *orders: Order) -> None:
        OrdersDatabase(self.mysql, BERLIN).record(sorted(orders, key=lambda order: order.order_id))

    def sql(self, statement: str, *values: object) -> None:
        self.mysql.run(lambda cursor: cursor.execute(statement, values))

    def pass_time(self, hours: int = 2) -> None:
        """Let everything that was recorded and moved until now be from hours ago."""
        self.sql("UPDATE orders SET recorded_in = recorded_in - %s", hours * 3600 << NUMBER_BITS)
        self.sql("UPDATE order_events SET at = at - INTERVAL %s HOUR", hours)

    def rows(self, day: Day) -> list[dict[str, str | None]]:
        content = self.client.get_object(Bucket=BUCKET, Key=copies.key(day))["Body"].read()
        head, *rows = read(content)
        return [dict(zip(head, map(original, row), strict=True)) for row in rows]

    def names(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture
def backup(
    mysql: MySql, status_login: Login, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Backup]:
    reader = MySql(FixedLogin(status_login))
    monkeypatch.setattr(backup_orders, "table", lambda: OrderTable(reader))
    monkeypatch.setattr(backup_orders, "files", lambda: Files(BUCKET, bucket))
    # The day of the tests does not end while they run.
    monkeypatch.setattr(backup_orders, "utc_now", lambda: NOW)
    monkeypatch.setenv("BACKUP_DAYS", "30")
    yield Backup(mysql, bucket)
    reader.close()


def order(order_id: str, day: Day = TODAY, **fields: Any) -> Order:
    at = None if day is None else datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return Order(order_id, at, **{"item": "Tea", "quantity": 1, **fields})


def files(*days: Day) -> list[str]:
    return [copies.key(day) for day in days]


def test_a_file_has_all_columns_of_every_row_of_its_day_by_the_user_that_only_reads(backup: Backup) -> None:
    attributes = {"tip": Decimal("0.10"), "note": "; =1+1", "sizes": [1, -5], "table": "Ä☕"}
    backup.insert(order("-o1", item="=2+2", customer_name='"Zoë"\r\n, @home', attributes=attributes))
    backup.insert(order("o2", customer_name="'"))
    backup.sql("UPDATE orders SET customer_name = NULL, item = '', quantity = -5 WHERE order_id = 'o2'")
    assert backup.run()["rows"] == {copies.key(TODAY): 2}
    first, second = backup.rows(TODAY)
    noon = f"{TODAY}T12:00:00.000Z"
    assert first["order_id"] == "-o1"
    assert first["item"] == "=2+2"
    assert first["customer_name"] == '"Zoë"\r\n, @home'
    assert decode(first["attributes"] or "") == attributes
    assert (first["created_at"], first["state_at"], first["ready_at"]) == (noon, noon, None)
    assert (first["state"], first["state_version"]) == ("received", "1")
    assert int(first["recorded_in"] or 0) >> NUMBER_BITS >= int(NOW.timestamp())
    assert (second["item"], second["customer_name"], second["quantity"]) == ("", None, "-5")
    about = backup.client.head_object(Bucket=BUCKET, Key=copies.key(TODAY))
    assert about["Metadata"]["rows"] == "2"
    assert datetime.fromisoformat(about["Metadata"]["as-of"]) >= NOW
    assert about["ContentType"] == "application/gzip"


def test_every_order_is_in_the_file_of_its_day_in_utc(
    backup: Backup,
) -> None:
    start = datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, tzinfo=UTC)
    moments = [
        timedelta(milliseconds=-1),
        timedelta(0),
        timedelta(days=1, milliseconds=-1),
        timedelta(days=1),
    ]
    backup.insert(*(Order(f"o{n}", start + moment, "Tea", 1) for n, moment in enumerate(moments)))
    backup.insert(order("none", None))
    before = YESTERDAY - timedelta(days=1)
    assert backup.written() == files(TODAY, YESTERDAY, before, None)
    found = [[row["order_id"] for row in backup.rows(day)] for day in (before, YESTERDAY, TODAY, None)]
    assert found == [["o0"], ["o1", "o2"], ["o3"], ["none"]]


def test_a_day_without_orders_between_others_has_an_empty_file(backup: Backup) -> None:
    backup.insert(order("o1", TODAY - timedelta(days=2)))
    assert backup.written() == files(TODAY, YESTERDAY, TODAY - timedelta(days=2))
    assert backup.rows(YESTERDAY) == []


def test_unchanged_files_are_not_written_again(backup: Backup) -> None:
    backup.insert(order("o1", YESTERDAY), order("o2"))
    backup.pass_time()
    assert backup.written() == files(TODAY, YESTERDAY)
    assert backup.written() == []
    assert "last-copy.json" in backup.names()


def late_order(backup: Backup) -> None:
    backup.insert(order("late", YESTERDAY))


def uncounted_order(backup: Backup) -> None:
    noon = f"{YESTERDAY} 12:00"
    backup.sql("INSERT INTO orders (order_id, created_at, item, quantity) VALUES ('u', %s, 'Tea', 1)", noon)


def moved_order(backup: Backup) -> None:
    at = NOW.replace(microsecond=0)
    seen, moved = Progress(State.RECEIVED, 1, at), Progress(State.CANCELLED, 2, at)

    def move(cursor: Any) -> None:
        cursor.execute("SELECT id FROM orders WHERE order_id = 'o1'")
        ((row_id,),) = cursor.fetchall()
        event = Change(2, State.RECEIVED, State.CANCELLED, at, "ada")
        assert events.move(cursor, row_id, seen, moved, event)

    backup.mysql.run(move)


@pytest.mark.parametrize("change", [late_order, uncounted_order, moved_order])
def test_the_file_of_a_day_is_written_again_when_an_order_arrives_late_or_is_moved(
    backup: Backup, change: Callable[[Backup], None]
) -> None:
    backup.insert(order("o1", YESTERDAY), order("o2"))
    backup.pass_time()
    backup.run()
    change(backup)
    assert backup.written() == files(YESTERDAY)
    rows = backup.rows(YESTERDAY)
    assert len(rows) == 2 or rows[0]["state"] == "cancelled"


def test_the_file_of_a_day_is_written_again_without_the_name_when_an_order_is_erased(backup: Backup) -> None:
    backup.insert(order("o1", YESTERDAY, customer_name="Ada"), order("o2"))
    backup.pass_time()
    backup.run()
    ErasureDatabase(backup.mysql, BERLIN).erase(["o1"])
    assert backup.written() == files(YESTERDAY)
    assert backup.rows(YESTERDAY)[0]["customer_name"] == ""


def test_an_order_committed_after_a_file_was_read_is_in_the_next_one(backup: Backup) -> None:
    """Its number is from before the file: the transaction waited."""
    backup.insert(order("o1"))
    backup.run()
    backup.insert(order("o2"))
    backup.sql("UPDATE orders SET recorded_in = recorded_in - %s", 600 << NUMBER_BITS)
    assert backup.written() == files(TODAY)
    assert len(backup.rows(TODAY)) == 2


def test_a_deleted_file_is_written_again(backup: Backup) -> None:
    backup.insert(order("o1", YESTERDAY))
    backup.pass_time()
    backup.run()
    backup.client.delete_object(Bucket=BUCKET, Key=copies.key(YESTERDAY))
    assert backup.written() == files(YESTERDAY)


def test_days_beyond_the_retention_of_copies_have_no_file(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_DAYS", "2")
    backup.insert(order("o1", TODAY - timedelta(days=2)), order("o2", YESTERDAY), order("o3", None))
    assert backup.written() == files(TODAY, YESTERDAY, None)


def test_orders_dated_in_the_future_have_files_for_their_days(backup: Backup) -> None:
    future = date(2037, 12, 31)
    backup.insert(order("o1", future))
    assert backup.written() == files(future)
    assert backup.run()["left"] == []


def test_rows_with_an_invalid_time_are_in_the_undated_file(backup: Backup) -> None:
    backup.insert(order("o1"), order("o2"))
    backup.sql("SET SESSION sql_mode = ''")
    backup.sql("UPDATE orders SET created_at = IF(order_id = 'o1', 0, '1970-01-01 00:00:01')")
    assert backup.written() == files(None)
    found = [row["created_at"] for row in backup.rows(None)]
    assert found == ["0000-00-00 00:00:00.000", "1970-01-01T00:00:01.000Z"]


def test_no_query_reads_the_whole_table_when_nothing_changed(backup: Backup) -> None:
    backup.insert(*(order(f"o{number}", YESTERDAY) for number in range(200)))
    backup.pass_time()
    backup.run()
    backup.sql("ANALYZE TABLE orders")
    read_before = handler_reads(backup)
    backup.run()
    assert handler_reads(backup) - read_before < 20


def test_columns_of_an_earlier_system_are_copied_too(backup: Backup, administrator: MySql) -> None:
    backup.insert(order("o1"))
    administrator.read(
        lambda cursor: cursor.execute(
            "ALTER TABLE cafe_db.orders ADD COLUMN table_number INT NULL DEFAULT 7, "
            "ADD COLUMN paid DECIMAL(40, 4) NULL DEFAULT '0.1000', "
            "ADD COLUMN code VARBINARY(4) DEFAULT 0x3D00"
        )
    )
    backup.run()
    (row,) = backup.rows(TODAY)
    assert (row["table_number"], row["paid"], row["code"]) == ("7", "0.1000", "3d00")


def test_an_operator_can_have_all_files_written_again(backup: Backup) -> None:
    """After rows were edited or deleted by SQL, which leaves no trace."""
    backup.insert(order("o1", YESTERDAY), order("o2"))
    backup.pass_time()
    backup.run()
    backup.sql("UPDATE orders SET item = 'Mocha'")
    assert backup.run(command="all", rewrite="2100-01-01T00:00:00Z")["rows"] == {
        copies.key(TODAY): 1,
        copies.key(YESTERDAY): 1,
    }
    assert [row["item"] for row in backup.rows(YESTERDAY)] == ["Mocha"]


def test_files_left_when_time_is_up_are_written_by_the_next_run(backup: Backup) -> None:
    backup.insert(order("o1", YESTERDAY), order("o2"))
    backup.pass_time()
    # The time is read at the start, before a file, and for its only piece.
    first = backup.run(Context(calls=3))
    assert (list(first["rows"]), first["left"]) == (files(TODAY), files(YESTERDAY))
    assert "last-copy.json" not in backup.names()
    assert backup.written() == files(YESTERDAY)
    assert "last-copy.json" in backup.names()


class Ending(Context):
    """The context of a run that has used most of its time when its second file begins."""

    def get_remaining_time_in_millis(self) -> int:
        self.calls += 1
        return {1: 900_000, 2: 900_000, 3: 800_000, 4: 100_000}.get(int(self.calls), 0)


def test_a_file_begun_too_late_is_written_by_the_next_run(backup: Backup) -> None:
    backup.insert(order("o1", YESTERDAY), order("o2"))
    backup.pass_time()
    first = backup.run(Ending(calls=0))
    assert (list(first["rows"]), first["left"]) == (files(TODAY), files(YESTERDAY))
    assert backup.names() == files(TODAY)
    assert backup.written() == files(YESTERDAY)


def test_all_files_are_written_again_over_several_runs_each_once(backup: Backup) -> None:
    backup.insert(order("o1", YESTERDAY), order("o2"))
    first = backup.run(Context(calls=3), command="all")
    assert first["left"] == files(YESTERDAY)
    assert backup.written(command="all", rewrite=first["rewrite"]) in (
        files(YESTERDAY),
        # S3 counts in seconds: within the second of the first run, a file may be written twice.
        files(TODAY, YESTERDAY),
    )


def test_an_unknown_command_changes_nothing(backup: Backup) -> None:
    with pytest.raises(ValueError, match="Unknown command 'some'"):
        backup.run(command="some")
    assert backup.names() == []


def handler_reads(backup: Backup) -> int:
    """Return how many rows of tables and indexes the server has read for anybody."""

    def count(cursor: Any) -> int:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Handler_read_next'")
        return int(cursor.fetchall()[0][1])

    return backup.mysql.read(count)


# Failures


def test_without_a_bucket_the_run_fails_with_the_reason(
    backup: Backup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(backup_orders, "files", lambda: Files(BUCKET, Breaking(None, "list_objects_v2")))
    with pytest.raises(StoreUnavailableError, match="S3: SlowDown"):
        backup.run()
    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["message"]) == ("ERROR", "Orders not copied")
    assert line["reason"] == "S3: SlowDown"


def test_without_a_database_the_run_fails_and_writes_nothing(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = MySql(FixedLogin(Login("127.0.0.1", 1, "cafe_status", "a password", "cafe_db")))
    monkeypatch.setattr(backup_orders, "table", lambda: OrderTable(away))
    with pytest.raises(StoreUnavailableError, match="MySQL error 2003"):
        backup.run()
    assert backup.names() == []


def test_a_file_that_cannot_be_written_leaves_the_previous_one(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.insert(order("o1"))
    backup.run()
    backup.insert(order("o2"))
    breaking = Breaking(backup.client, "put_object")
    monkeypatch.setattr(backup_orders, "files", lambda: Files(BUCKET, breaking))
    with pytest.raises(StoreUnavailableError, match="S3: SlowDown"):
        backup.run()
    assert len(backup.rows(TODAY)) == 1
    breaking.names.clear()
    backup.run()
    assert len(backup.rows(TODAY)) == 2


class Meanwhile:
    """A client of S3 that calls a function before it writes the first file."""

    def __init__(self, client: Any, something: Callable[[], None]) -> None:
        self._client = client
        self._something = [something]

    def __getattr__(self, name: str) -> Any:
        if name == "put_object" and self._something:
            self._something.pop()()
        return getattr(self._client, name)


def test_a_file_that_a_concurrent_run_overwrote_with_older_rows_is_written_again(
    backup: Backup, status_login: Login, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.insert(order("o1"))
    other = MySql(FixedLogin(status_login))

    def run_beside() -> None:
        backup.insert(order("o2"))
        with monkeypatch.context() as patch:
            patch.setattr(backup_orders, "table", lambda: OrderTable(other))
            patch.setattr(backup_orders, "files", lambda: Files(BUCKET, bucket))
            assert backup.run()["rows"] == {copies.key(TODAY): 2}

    with monkeypatch.context() as patch:
        slow = Files(BUCKET, Meanwhile(bucket, run_beside))
        patch.setattr(backup_orders, "files", lambda: slow)
        assert backup.run()["rows"] == {copies.key(TODAY): 1}
    other.close()
    assert len(backup.rows(TODAY)) == 1
    assert backup.written() == files(TODAY)
    assert len(backup.rows(TODAY)) == 2


def test_a_large_day_without_enough_time_leaves_no_partial_file(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "PIECE", 1)
    monkeypatch.setattr(s3, "PART", 1)
    backup.insert(*(order(f"o{number}") for number in range(5)))
    with pytest.raises(StoreUnavailableError, match="Time is up"):
        backup.run(Context(calls=5))
    assert backup.names() == []
    assert "Uploads" not in backup.client.list_multipart_uploads(Bucket=BUCKET)
