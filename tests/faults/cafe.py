"""The cafe under test: both stores, the queue, up to four workers, and what must hold."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import count
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pymysql
import pytest
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError
from pymysql.cursors import Cursor

from orders.counters import Counted, is_expired, is_projected
from orders.errors import Conflict
from orders.exact_json import decode, encode
from orders.states import pickup_number
from stores.dynamodb.client import Item
from stores.mysql.login import Login
from tests.faults.faults import Boundary, Fault, Place
from tests.faults.messages import Kept, Said, envelope, with_identity
from tests.faults.queue import MAX_RECEIVES, Message, Queue
from tests.faults.tables import Tables as DynamoDbTables
from tests.faults.worker import LOCK_TIMEOUT, Audit, Process, Reconciliation, Run
from tests.stores import Server
from tests.waiting import eventually

T = TypeVar("T")

WORKERS = 4
# Midnight in Berlin, the change to winter time and an hour that comes twice are all close.
OPENING = datetime(2026, 10, 24, 21, 15, 0, 123000, tzinfo=UTC)
BETWEEN_MESSAGES = timedelta(minutes=25)
ZONE = ZoneInfo("Europe/Berlin")
Row = tuple[Any, ...]
DESERIALIZE = TypeDeserializer().deserialize
_numbers = count(1)

# Each table in one value, which json parses: the fields of many rows would be most of the tests' time.
READ_TABLES = """
SELECT
  (SELECT JSON_ARRAYAGG(JSON_ARRAY(
      id, recorded_in IS NULL, order_id, created_at, item, quantity, customer_name, attributes))
    FROM orders),
  (SELECT JSON_ARRAYAGG(JSON_ARRAY(CONVERT(name USING utf8mb4), value, version))
    FROM counters WHERE name NOT LIKE 'TIME_ZONE#%%')
"""


@dataclasses.dataclass(frozen=True)
class Tables:
    """Contents of MySQL's tables.

    Attributes
    ----------
    rows
        The orders by their ids.
    uncounted
        The ids of those that nobody has counted.
    numbers
        Their pick-up numbers by their ids.
    counters
        The counters by name.
    """

    rows: Mapping[str, Kept]
    uncounted: frozenset[str]
    numbers: Mapping[str, str]
    counters: Mapping[str, Counted]

    @classmethod
    @lru_cache(maxsize=1)  # most steps change neither of the stores
    def of(cls, orders: str | None, counters: str | None) -> Tables:
        """Parse what `READ_TABLES` returns."""
        found = json.loads(orders or "[]")
        rows = {
            order_id: Kept(
                order_id,
                datetime.fromisoformat(created_at).replace(tzinfo=UTC),
                item,
                quantity,
                customer_name,
                encode(decode(attributes or "{}"), sort_keys=True),
            )
            for _, _, order_id, created_at, item, quantity, customer_name, attributes in found
        }
        assert len(rows) == len(found), "an order has two rows"
        return cls(
            rows=rows,
            uncounted=frozenset(order_id for _, is_uncounted, order_id, *_ in found if is_uncounted),
            numbers={order_id: pickup_number(row_id) for row_id, _, order_id, *_ in found},
            counters={name: Counted(*numbers) for name, *numbers in json.loads(counters or "[]")},
        )


class Cafe:
    """One cafe, from its opening until everything was recorded.

    Parameters
    ----------
    administrator, watcher
        Connections to the database: one for reading and cutting, one for reading while a run is at work.
    dynamodb
        DynamoDB's tables.
    login
        The application's.
    """

    def __init__(
        self,
        administrator: pymysql.Connection[Cursor],
        watcher: pymysql.Connection[Cursor],
        dynamodb: DynamoDbTables,
        login: Login,
    ) -> None:
        self._administrator = administrator
        self._watcher = watcher
        self.dynamodb = dynamodb
        self.login = login
        self.zone = ZONE
        self.names = dynamodb.names
        self.queue = Queue()
        self.now = OPENING
        self.session_timeout = 2 * LOCK_TIMEOUT
        self.faults: dict[Place, Fault] = {}
        self.refused: set[str] = set()
        self.late: list[Callable[[], object]] = []
        self.history: list[str] = []
        self.said: dict[str, list[Kept]] = {}
        """What was sent, by order id."""
        self.orders_in: dict[str, Kept | None] = {}
        """The order in each message, by SQS's message id; None where there is none."""
        self.runs: dict[int, Run] = {}
        self.processes: dict[int, Process] = {}
        self._first_password = login.password
        self._next_password: str | None = None
        self._redriven: set[str] = set()
        self._envelopes = 0
        self._values: dict[str, dict[int, int]] = defaultdict(dict)
        """The values that MySQL's counters had, by name and version."""
        self._shown: dict[str, int] = {}
        """The versions that DynamoDB's counters had last, by name."""
        self._errors: Counter[str] = Counter()
        """By how much MySQL's counters are wrong, by name."""
        self._parsed: dict[str, tuple[Item, Kept, str | None]] = {}
        """DynamoDB's orders as they were last, each with the order in it and its pick-up number, by id."""
        self._counted_at: dict[str, dict[str, int]] = {}
        """The versions that an order's counters had when it was counted, by order id and name."""
        self._ask("DELETE FROM orders")
        self._ask("DELETE FROM counters")
        dynamodb.items.clear()

    # --- messages -------------------------------------------------------------------------------------

    def publish(self, said: Said) -> Message:
        """Send an order the way that its form says."""
        self.now += BETWEEN_MESSAGES
        body = said.message()
        order_id = said.order_id
        if said.form.in_envelope:
            self._envelopes += 1
            order_id = order_id or f"sns-{self._envelopes}"
            body = envelope(body, f"sns-{self._envelopes}", self.now)
        message = self.queue.send(body, self.now)
        self._expect(message, Kept.of(said, order_id or message.message_id, self.now))
        self.note(f"{message.message_id} is sent: {said}")
        return message

    def publish_poison(self, body: str) -> Message:
        """Send something that is no order."""
        message = self.queue.send(body, self.now)
        self._expect(message, None)
        self.note(f"{message.message_id} is sent: poison {body[:60]}")
        return message

    def deliver_again(self, message: Message) -> Message:
        """Deliver as SNS may: the same notification in another message; a bare one is its sender's again."""
        self.now += BETWEEN_MESSAGES
        copy = self.queue.send(message.body, self.now)
        kept = self.orders_in[message.message_id]
        if kept is not None and "Notification" not in message.body:
            named = kept.order_id != message.message_id
            kept = dataclasses.replace(
                kept, created_at=self.now, order_id=kept.order_id if named else copy.message_id
            )
        self._expect(copy, kept)
        self.note(f"{copy.message_id} is sent: {message.message_id} again")
        return copy

    def redrive(self, message: Message, *, interrupted: bool = False) -> Message:
        """Send a dead message again as an operator does: a new message that carries its identity.

        Interrupted, the copy is sent and the dead one is not deleted yet.
        """
        self.now += timedelta(days=1)
        copy = self.queue.send(with_identity(message.body, message.message_id, message.sent_at), self.now)
        self._expect(copy, self.orders_in[message.message_id])
        if not interrupted:
            self.queue.dead.remove(message)
            self._redriven.add(message.message_id)
        self.note(f"{copy.message_id} is {message.message_id} redriven{', which stays' * interrupted}")
        return copy

    def _expect(self, message: Message, kept: Kept | None) -> None:
        self.orders_in[message.message_id] = kept
        if kept is not None:
            self.said.setdefault(kept.order_id, []).append(kept)

    # --- workers --------------------------------------------------------------------------------------

    @property
    def idle(self) -> list[int]:
        """The workers that could take a batch."""
        return [number for number in range(WORKERS) if number not in self.runs]

    @property
    def standing(self) -> list[int]:
        """The workers that stand at a boundary."""
        return [number for number, run in sorted(self.runs.items()) if not run.waits]

    def receive(
        self,
        worker: int,
        messages: Sequence[Message],
        stop: Boundary | None = None,
        then: Fault | None = None,
        *,
        shared: bool = False,
        counters_first: bool = False,
    ) -> None:
        """Give a worker a batch, and let it work on it to a boundary or to the end.

        What is shared can be received again at once: it is delivered twice, or its visibility time-out
        runs out while the worker is at work. DynamoDB's writes run in any order, such as counters first.
        """
        batch = self.queue.receive(messages)
        if not batch:
            return
        run = Run(f"worker {worker}", self, self._process(worker), batch, counters_first=counters_first)
        self.note(f"{run.name} receives {[message.message_id for message in batch]}{', shared' * shared}")
        for message in batch:
            message.holder = None if shared else run
        self.runs[worker] = run
        self._move(run, stop, then)

    def reconcile(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Run the reconciler in a worker's process, to a boundary or to the end."""
        run = Reconciliation(f"reconciler {worker}", self, self._process(worker), [])
        tables = self._read_tables()
        run.counted = tables.rows.keys() - tables.uncounted
        self.runs[worker] = run
        self._move(run, stop, then)

    def audit(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Run the audit in a worker's process, to a boundary or to the end."""
        self.runs[worker] = Audit(f"audit {worker}", self, self._process(worker), [])
        self._move(self.runs[worker], stop, then)

    def miscount(self, name: str, by: int) -> None:
        """Make a counter in MySQL wrong."""
        self.note(f"{name} is wrong by {by}")
        self._ask("UPDATE counters SET value = value + %s, version = version + 1 WHERE name = %s", by, name)
        self._errors[name] += by
        self.check_stores()

    def expect_corrected(self) -> None:
        """Take no counter for wrong after the next step."""
        self._errors.clear()

    def record_as_previous_release(self, message: Message) -> None:
        """Insert the order of a message as a worker that knows no counters, and stop there."""
        kept = self.orders_in[message.message_id]
        if kept is not None:
            self.note(f"the previous release inserts {message.message_id}")
            self._ask(
                "INSERT IGNORE INTO orders (order_id, created_at, item, quantity, customer_name, attributes)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                *(kept.order_id, kept.created_at.replace(tzinfo=None)),
                *(kept.item, kept.quantity, kept.customer_name, kept.attributes),
            )

    def _process(self, worker: int) -> Process:
        if worker not in self.processes:
            self.processes[worker] = Process(self)
        return self.processes[worker]

    def work(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Let a standing worker work on, to a boundary or to the end."""
        self._move(self.runs[worker], stop, then)

    def gets_its_lock(self, worker: int, limit: float) -> bool:
        """Return whether a worker that waits for a lock gets it in time."""

        def has_lock() -> bool:
            self._settle()
            return worker in self.standing

        try:
            return bool(eventually(has_lock, limit))
        except pytest.fail.Exception:
            return False

    def kill(self, worker: int) -> None:
        """End a worker's process wherever it is, even where it waits for the database."""
        self.note(f"worker {worker} is killed")
        run = self.runs.get(worker)
        if run is not None:
            run.kill()
        self.processes.pop(worker).end()
        self._settle()

    def _move(self, run: Run, stop: Boundary | None, then: Fault | None) -> None:
        run.go(stop, then)
        self._settle()
        self.check_stores()

    def _settle(self) -> None:
        """Wait for those who went on because somebody's locks are gone; end what has ended."""
        for worker, run in sorted(self.runs.items()):
            if run.waits:
                run.settle()
            if run.ended:
                self._end(worker, self.runs.pop(worker))

    def _end(self, worker: int, run: Run) -> None:
        if run.error is not None:
            raise AssertionError(f"{run.name}: the handler let an error out") from run.error
        if run.gone:
            self.processes.pop(worker, None)
        self.queue.release(run)
        if isinstance(run, Reconciliation):
            self._check_outcome(run)
        if run.response is None:
            self.note(f"{run.name} ended without a response")
            return
        failures = run.response["batchItemFailures"]
        failed = {failure["itemIdentifier"] for failure in failures}
        self.note(f"{run.name} is done, but for {sorted(failed)}")
        received = {message.message_id for message in run.batch}
        assert failed <= received, "Lambda takes a response with a strange message id for a failure of all"
        done = self._check_response(run, failed, self.check_stores())
        for message in done[:: 2 if run.deletes_half else 1]:
            self.queue.delete(message)

    # --- what goes wrong ------------------------------------------------------------------------------

    def cut(self, connection_id: int) -> None:
        """End a connection and whatever transaction it had, and see that it is gone."""
        with self._administrator.cursor() as cursor:
            try:
                cursor.execute(f"KILL {connection_id}")
            except pymysql.Error:  # it is gone already
                return
            while cursor.execute(
                "SELECT 1 FROM information_schema.processlist WHERE id = %s", (connection_id,)
            ):
                pass

    def waits_for_lock(self, connection_id: int) -> bool:
        """Return whether a connection's statement waits for somebody else's transaction."""
        with self._watcher.cursor() as cursor:
            cursor.execute("SHOW ENGINE INNODB STATUS")
            _, _, status = cursor.fetchone() or ("", "", "")
        thread = re.compile(rf"thread id {connection_id},")
        return any("LOCK WAIT" in part and thread.search(part) for part in status.split("---TRANSACTION"))

    def break_down(self, place: Place, fault: Fault) -> None:
        """Let something happen to everybody from now on, each time before such a place."""
        self.note(f"from now on, {place.value}: {fault.name}")
        self.faults[place] = fault

    def refuse(self, order_id: str) -> None:
        """Have DynamoDB refuse an order from now on."""
        self.note(f"from now on, DynamoDB refuses {order_id}")
        self.refused.add(order_id)

    def mend(self) -> None:
        """End all faults that last."""
        self.note("everything works again")
        self.faults.clear()
        self.refused.clear()

    def cut_connections(self) -> None:
        """Cut every worker's connection, as a restart of the database does."""
        self.note("the database is restarted")
        for process in self.processes.values():
            if process.connection is not None and process.connection.open:
                self.cut(process.connection.connection_id)
        self._settle()

    def rotate(self, *, secret_follows: bool) -> None:
        """Change the application's password; the secret follows now or later."""
        self._next_password = f"password {next(_numbers)}"
        self._change_password(self._next_password)
        self.note("the login is rotated" + (", the secret not yet" if not secret_follows else ""))
        if secret_follows:
            self.let_secret_follow()

    def _change_password(self, password: str) -> None:
        self._ask("ALTER USER %s@'%%' IDENTIFIED BY %s REQUIRE SSL", self.login.username, password)

    def let_secret_follow(self) -> None:
        """Write the password of the last rotation into the secret."""
        if self._next_password is not None:
            self.login = dataclasses.replace(self.login, password=self._next_password)

    def change_versions(self, microseconds: int) -> None:
        """Move the versions of MySQL's counters, as if the server's clock had been put forward or back."""
        self.note(f"versions are moved by {microseconds} microseconds")
        self._ask("UPDATE counters SET version = version + %s", microseconds)
        self.check_stores()

    def let_arrive(self) -> None:
        """Let a write arrive whose sender has given up on it."""
        self.note("a late write arrives")
        self._arrive(self.late.pop(0))
        self.check_stores()

    def _arrive(self, write: Callable[[], object]) -> None:
        try:
            write()
        except ClientError:
            self.note("... and is refused")

    # --- the end --------------------------------------------------------------------------------------

    def recover(self) -> None:
        """End all faults, empty the queue, redrive what can be recorded: everything must be there once."""
        self.mend()
        self.let_secret_follow()
        self._finish_runs()
        for turn in count():
            assert turn < 99, "the queue is never empty"
            for message in [dead for dead in self.queue.dead if self._is_recordable(dead)]:
                self.redrive(message)
            if not self.queue.messages:
                break
            self._serve(turn % WORKERS, self.queue.visible[:10])
        # Each process that is left must be of use: one order more for each.
        for worker in sorted(self.processes):
            self._serve(worker, [self.publish(Said(f"probe-{worker}", "Tea"))])
        while self.late:
            self.let_arrive()
        self.reconcile(0)
        self.check()

    def _finish_runs(self) -> None:
        for run in self.runs.values():
            run.clear_up()
        while self.runs:
            self._settle_all()
            if self.standing:
                self.work(self.standing[0])

    def _settle_all(self) -> None:
        """Wait until a run that has got its lock stands: the server may need a moment to let it go on."""

        def is_settled() -> bool:
            self._settle()
            return bool(self.standing) or not self.runs

        eventually(is_settled, limit=20)

    def _serve(self, worker: int, messages: Sequence[Message]) -> None:
        """Give a batch to a worker while nothing is wrong: every order in it must be recorded at once."""
        fresh = [message for message in messages if message.receives < MAX_RECEIVES]
        self.receive(worker, messages)
        assert worker not in self.runs, "it waits for a lock that no run holds"
        left = {id(message) for message in self.queue.messages}
        stuck = [message for message in fresh if id(message) in left and self._is_recordable(message)]
        assert not stuck, f"nothing is wrong, and {[m.message_id for m in stuck]} are not recorded"

    def _is_recordable(self, message: Message) -> bool:
        """Return whether a message holds an order whose id belongs to no other."""
        kept = self.orders_in[message.message_id]
        return kept is not None and not self._conflicts(kept)

    def _conflicts(self, kept: Kept) -> bool:
        there = self._read_tables().rows.get(kept.order_id)
        return there is not None and not kept.is_same_order(there)

    def close(self) -> None:
        """End every run and process, and restore the password."""
        for run in self.runs.values():
            run.kill()
        for process in self.processes.values():
            process.end()
        if self._next_password is not None:
            self._change_password(self._first_password)

    # --- what must hold -------------------------------------------------------------------------------

    def check_stores(self) -> Tables:
        """Check what holds at any moment: MySQL is consistent, and DynamoDB has nothing that MySQL lacks.

        Returns
        -------
        Tables
            What is in MySQL.
        """
        tables = self._read_tables()
        rows = tables.rows
        counted = self._check_counters(
            tables, {order_id: row for order_id, row in rows.items() if order_id not in tables.uncounted}
        )
        for order_id in rows.keys() - self._counted_at.keys():
            names = self._tally([rows[order_id]])
            self._counted_at[order_id] = {name: counted[name].version for name in names if name in counted}
        for order_id, item in self._items(tables).items():
            assert order_id in rows, f"DynamoDB has {order_id}, which MySQL lacks"
            assert item == rows[order_id], "the stores have different orders"
        for name, shown in self._read_shown().items():
            assert self._values[name].get(shown.version) == shown.value, (
                f"DynamoDB's {name} is {shown}, which MySQL's never was"
            )
            assert shown.version >= self._shown.get(name, 0), f"DynamoDB's {name} has gone back"
            self._shown[name] = shown.version
        return tables

    def _check_counters(self, tables: Tables, rows: Mapping[str, Kept]) -> dict[str, Counted]:
        """Check that MySQL's counters are what its counted rows add up to, and that versions grow."""
        counted = self._unexpired(tables.counters)
        values = {name: counter.value for name, counter in counted.items()}
        expected = self._tally(rows.values())
        expected.update(self._errors)
        assert values == expected, "MySQL's counters are not what its rows add up to"
        for name, counter in counted.items():
            seen = self._values[name]
            assert counter.version >= max(seen, default=0), f"MySQL's {name} has an older version"
            assert seen.setdefault(counter.version, counter.value) == counter.value, (
                f"MySQL's {name} has changed, and its version has not"
            )
        return counted

    def check(self) -> None:
        """Check that everything was recorded, and that DynamoDB shows what MySQL has, to the version."""
        tables = self.check_stores()
        rows = tables.rows
        assert rows.keys() == self.said.keys(), "MySQL has not what was sent"
        assert self._items(tables).keys() == self.said.keys(), "DynamoDB has not what was sent"
        for order_id, said in self.said.items():
            assert rows[order_id] in said, "this is not what was said"
        counted = self._check_counters(tables, rows)
        shown = {name: counter for name, counter in counted.items() if is_projected(name)}
        assert self._unexpired(self._read_shown()) == shown, "DynamoDB does not show what MySQL has"
        assert not self.queue.messages
        left = {
            message_id
            for message_id, kept in self.orders_in.items()
            if kept is None or not kept.is_same_order(rows[kept.order_id])
        }
        assert {message.message_id for message in self.queue.dead} == left - self._redriven

    def shown(self, name: str) -> int:
        """Return the value of a counter in DynamoDB."""
        return self._read_shown()[name].value

    def _check_response(self, run: Run, failed: set[str], tables: Tables) -> list[Message]:
        """Check what leaves the queue, and what is reported as a conflict; return what leaves it."""
        done = [message for message in run.batch if message.message_id not in failed]
        rows, items, shown = tables.rows, self._items(tables), self._read_shown()
        for message in done:
            kept = self.orders_in[message.message_id]
            assert kept is not None, f"{message.message_id} holds no order, and passes for done"
            assert kept.order_id in rows, f"{message.message_id} passes for done, and MySQL does not have it"
            assert kept.is_same_order(rows[kept.order_id]), (
                f"{message.message_id} passes for done, and MySQL has another order under its id"
            )
            assert kept.order_id in items, (
                f"{message.message_id} passes for done, and DynamoDB does not have it"
            )
            for name, version in self._unexpired(self._counted_at[kept.order_id]).items():
                assert not is_projected(name) or shown[name].version >= version, (
                    f"{message.message_id} passes for done, and DynamoDB's {name} does not have it"
                )
        for message_id, reason in run.reasons.items():
            kept = self.orders_in[message_id]
            if isinstance(reason, Conflict):
                assert kept is not None
                assert not kept.is_same_order(rows[kept.order_id]), f"{message_id} is no conflict"
        return done

    def _check_outcome(self, run: Reconciliation) -> None:
        """Check that what a comparison calls in sync is."""
        if run.outcome.rds_orders is None or run.outcome.unchecked or run.outcome.reason:
            return
        lacking = run.counted - self._items(self._read_tables()).keys()
        assert not lacking, f"{run.name} calls the stores in sync, and DynamoDB lacks {lacking}"

    def _tally(self, orders: Iterable[Kept]) -> Counter[str]:
        """Return what orders add up to, counted without the code that is tested."""
        counted: Counter[str] = Counter()
        for order in orders:
            utc, local = order.created_at, order.created_at.astimezone(ZONE)
            counted["TOTAL_ORDERS"] += 1
            counted[f"ORDERS#{local:%Y-%m-%d}"] += 1
            counted[f"ORDERS#{local:%Y-%m-%dT%H}"] += 1
            counted[f"QUARTER#{utc:%Y-%m-%dT%H}:{utc.minute // 15 * 15:02}"] += 1
            counted[f"ITEM#{order.item}"] += order.quantity
            counted[f"ITEM_HOUR#{utc:%Y-%m-%dT%H}#{order.item}"] += order.quantity
        return Counter(self._unexpired(counted))

    def _unexpired(self, counters: Mapping[str, T]) -> dict[str, T]:
        return {name: value for name, value in counters.items() if not is_expired(name, ZONE, self.now)}

    def _read_tables(self) -> Tables:
        return Tables.of(*self._ask(READ_TABLES)[0])

    def _items(self, tables: Tables) -> dict[str, Kept]:
        """Return the orders in DynamoDB by their ids, each with the pick-up number that MySQL has."""
        found = self.dynamodb.of(self.names.orders)
        self._parsed = {item["orderId"]["S"]: self._parse(item) for item in found}
        for order_id, (_, _, number) in self._parsed.items():
            assert number in (None, tables.numbers.get(order_id))
        return {order_id: kept for order_id, (_, kept, _) in self._parsed.items()}

    def _parse(self, item: Item) -> tuple[Item, Kept, str | None]:
        """Return an item with the order in it and its pick-up number."""
        parsed = self._parsed.get(item["orderId"]["S"])
        if parsed is not None and parsed[0] is item:  # a write makes another item
            return parsed
        fields = {name: DESERIALIZE(value) for name, value in item.items()}
        order_id, created_at = fields.pop("orderId"), datetime.fromisoformat(fields.pop("created_at"))
        # Not yet there in what the previous release has recorded.
        if "order_state" in fields:
            assert fields.pop("state_at") == created_at.isoformat(timespec="milliseconds")
            assert (fields.pop("order_state"), fields.pop("state_version")) == ("received", 1)
        number = fields.pop("pickup_number", None)
        kept = Kept(
            order_id,
            created_at,
            fields.pop("item"),
            int(fields.pop("quantity")),
            fields.pop("customer_name"),
            encode(fields, sort_keys=True),
        )
        return item, kept, number

    def _read_shown(self) -> dict[str, Counted]:
        metrics = self.dynamodb.of(self.names.metrics)
        menu = self.dynamodb.of(self.names.menu)
        return {
            **{item["metric"]["S"]: _counted(item, "count") for item in metrics},
            **{f"ITEM#{item['item']['S']}": _counted(item, "orders") for item in menu},
        }

    def _ask(self, statement: str, *values: object) -> list[Row]:
        with self._administrator.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def note(self, line: str) -> None:
        """Add a line to the history, which explains a failure."""
        self.history.append(line)


def _counted(item: dict[str, Any], counter: str) -> Counted:
    return Counted(int(item[counter]["N"]), int(item["version"]["N"]))


class Street:
    """Where cafes open one after the other, with the same database."""

    def __init__(self, server: Server, dynamodb: DynamoDbTables, login: Login) -> None:
        self._administrator = server.connect(login.database)
        self.ask(f"SET SESSION group_concat_max_len = {2**23}")  # MariaDB's limit of JSON_ARRAYAGG
        self._watcher = server.connect(login.database)
        self._dynamodb = dynamodb
        self._login = login
        self._cafe: Cafe | None = None

    @contextmanager
    def cafe(self) -> Iterator[Cafe]:
        """Open a cafe, and close it in the end; what fails in it comes with the cafe's history."""
        cafe = self._cafe = Cafe(self._administrator, self._watcher, self._dynamodb, self._login)
        try:
            yield cafe
        except AssertionError as error:
            error.add_note("\n".join(cafe.history))
            raise
        finally:
            cafe.close()

    @contextmanager
    def changed_schema(self) -> Iterator[None]:
        """Restore the unique key in the end, if it is gone then."""
        try:
            yield
        finally:
            if not self.ask("SHOW INDEX FROM orders WHERE Key_name = 'orders_order_id'"):
                self.ask("DELETE FROM orders")
                self.ask("ALTER TABLE orders ADD UNIQUE INDEX orders_order_id (order_id)")

    def ask(self, statement: str) -> list[Row]:
        """Send a statement to the database."""
        with self._administrator.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def now(self, zone: tzinfo) -> datetime:
        """Return the time in the cafe, in place of `datetime.now`."""
        assert self._cafe is not None
        return self._cafe.now.astimezone(zone)

    def timestamp(self) -> float:
        """Return the time in the cafe, in place of `time.time`."""
        return self.now(UTC).timestamp()

    def close(self) -> None:
        """Close the connections."""
        self._administrator.close()
        self._watcher.close()
