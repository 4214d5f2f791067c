"""The cafe under test: both stores, the queue, up to four workers, and what must hold."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pymysql
from boto3.dynamodb.types import TypeDeserializer
from moto.backends import get_backend
from pymysql.cursors import Cursor

from orders.exact_json import decode, encode
from stores.mysql.secret import Login
from tests.faults.faults import Boundary, Fault, Place
from tests.faults.messages import Kept, Said, envelope, with_identity
from tests.faults.queue import MAX_RECEIVES, Message, Queue
from tests.faults.worker import Process, Run
from tests.stores import NAMES, Server

WORKERS = 4
# Midnight in Berlin, the change to winter time and an hour that comes twice are all close.
OPENING = datetime(2026, 10, 24, 21, 15, 0, 123000, tzinfo=UTC)
BETWEEN_MESSAGES = timedelta(minutes=25)
ZONE = ZoneInfo("Europe/Berlin")
Row = tuple[Any, ...]
_numbers = count(1)


class Cafe:
    """One cafe, from its opening until everything was recorded.

    Parameters
    ----------
    administrator, watcher
        Connections to the database: one for looking and cutting, one for looking while a run is at work.
    dynamodb
        The client of moto's DynamoDB.
    login
        The application's.
    """

    def __init__(
        self,
        administrator: pymysql.Connection[Cursor],
        watcher: pymysql.Connection[Cursor],
        dynamodb: Any,
        login: Login,
    ) -> None:
        self._administrator = administrator
        self._watcher = watcher
        self.dynamodb = dynamodb
        self.login = login
        self.zone = ZONE
        self.names = NAMES
        self.queue = Queue()
        self.now = OPENING
        self.weather: dict[Place, Fault] = {}
        self.late: list[Callable[[], object]] = []
        self.story: list[str] = []
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
        self._written = False
        self._set_up()

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
        self.tell(f"{message.message_id} is sent: {said}")
        return message

    def publish_poison(self, body: str) -> Message:
        """Send something that is no order."""
        message = self.queue.send(body, self.now)
        self._expect(message, None)
        self.tell(f"{message.message_id} is sent: poison {body[:60]}")
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
        self.tell(f"{copy.message_id} is sent: {message.message_id} again")
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
        self.tell(f"{copy.message_id} is {message.message_id} redriven{', which stays' * interrupted}")
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
    ) -> None:
        """Give a worker a batch, and let it work on it to a boundary or to the end.

        What is shared can be received again at once: it is delivered twice, or its visibility time-out
        runs out while the worker is at work.
        """
        batch = self.queue.receive(messages)
        if not batch:
            return
        if worker not in self.processes:
            self.processes[worker] = Process(self)
        run = Run(f"worker {worker}", self, self.processes[worker], batch)
        self.tell(f"{run.name} receives {[message.message_id for message in batch]}{', shared' * shared}")
        for message in batch:
            message.holder = None if shared else run
        self.runs[worker] = run
        self._move(run, stop, then)

    def work(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Let a standing worker work on, to a boundary or to the end."""
        self._move(self.runs[worker], stop, then)

    def kill(self, worker: int) -> None:
        """End a worker's process wherever it is, even where it waits for the database."""
        self.tell(f"worker {worker} is killed")
        run = self.runs.get(worker)
        if run is not None:
            run.kill()
        self.processes.pop(worker).end()
        self._settle()

    def _move(self, run: Run, stop: Boundary | None, then: Fault | None) -> None:
        run.go(stop, then)
        self._settle()
        if self._written:
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
        if run.response is None:
            self.tell(f"{run.name} ended without a response")
            return
        failures = run.response["batchItemFailures"]
        failed = {failure["itemIdentifier"] for failure in failures}
        self.tell(f"{run.name} is done, but for {sorted(failed)}")
        received = {message.message_id for message in run.batch}
        assert failed <= received, "Lambda takes a response with a strange message id for a failure of all"
        done = [message for message in run.batch if message.message_id not in failed]
        self._check_done(done)
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
        """Tell whether a connection's statement waits for somebody else's transaction."""
        with self._watcher.cursor() as cursor:
            cursor.execute("SHOW ENGINE INNODB STATUS")
            _, _, status = cursor.fetchone() or ("", "", "")
        thread = re.compile(rf"thread id {connection_id},")
        return any("LOCK WAIT" in part and thread.search(part) for part in status.split("---TRANSACTION"))

    def break_down(self, place: Place, fault: Fault) -> None:
        """Let something happen to everybody from now on, each time before such a place."""
        self.tell(f"from now on, {place.value}: {fault.name}")
        self.weather[place] = fault

    def mend(self) -> None:
        """Let what broke down work again."""
        self.tell("everything works again")
        self.weather.clear()

    def cut_connections(self) -> None:
        """Cut every worker's connection, as a restart of the database does."""
        self.tell("the database is restarted")
        for process in self.processes.values():
            if process.line is not None and process.line.open:
                self.cut(process.line.connection_id)
        self._settle()

    def rotate(self, *, secret_follows: bool) -> None:
        """Change the application's password; the secret follows now or later."""
        self._next_password = f"password {next(_numbers)}"
        self._change_password(self._next_password)
        self.tell("the login is rotated" + (", the secret not yet" if not secret_follows else ""))
        if secret_follows:
            self.let_secret_follow()

    def _change_password(self, password: str) -> None:
        self._ask("ALTER USER %s@'%%' IDENTIFIED BY %s REQUIRE SSL", self.login.username, password)

    def let_secret_follow(self) -> None:
        """Write the password of the last rotation into the secret."""
        if self._next_password is not None:
            self.login = dataclasses.replace(self.login, password=self._next_password)

    def let_arrive(self) -> None:
        """Let a write arrive whose sender has given up on it."""
        self.tell("a late write arrives")
        self._arrive(self.late.pop(0))
        self.check_stores()

    def _arrive(self, write: Callable[[], object]) -> None:
        try:
            write()
        except self.dynamodb.exceptions.TransactionCanceledException:
            self.tell("... and is refused")

    # --- the end --------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Let all faults end, the queue run dry, the operator redrive; then all must be there, once."""
        self.mend()
        self.let_secret_follow()
        self._finish_runs()
        for turn in count():
            assert turn < 99, "the queue does not run dry"
            for message in [dead for dead in self.queue.dead if self.orders_in[dead.message_id] is not None]:
                self.redrive(message)
            if not self.queue.messages:
                break
            self._serve(turn % WORKERS, self.queue.visible[:10])
        # Whoever is still there must be of use: one order more for each.
        for worker in sorted(self.processes):
            self._serve(worker, [self.publish(Said(f"probe-{worker}", "Tea"))])
        while self.late:
            self.let_arrive()
        self.check()

    def _finish_runs(self) -> None:
        for run in self.runs.values():
            run.clear_up()
        while self.runs:
            assert self.standing, "everybody waits for a lock that nobody at work holds"
            self.work(self.standing[0])

    def _serve(self, worker: int, messages: Sequence[Message]) -> None:
        """Give a batch to a worker in quiet times: every order in it must go through at once."""
        orders = [message for message in messages if self.orders_in[message.message_id] is not None]
        fresh = [message for message in orders if message.receives < MAX_RECEIVES]
        self.receive(worker, messages)
        assert worker not in self.runs, "it waits for a lock that nobody at work holds"
        left = {id(message) for message in self.queue.messages}
        stuck = [message.message_id for message in fresh if id(message) in left]
        assert not stuck, f"nothing is wrong, and {stuck} do not go through"

    def close(self) -> None:
        """End whatever is still there, and take the tables away."""
        for run in self.runs.values():
            run.kill()
        for process in self.processes.values():
            process.end()
        if self._next_password is not None:
            self._change_password(self._first_password)

    # --- what must hold -------------------------------------------------------------------------------

    def check_stores(self) -> None:
        """Check what holds at any moment, whatever is half-way: nothing is counted that is not in both."""
        self._written = False
        items, rows = self._items(), self._rows()
        extra = items.keys() - rows.keys()
        assert not extra, f"DynamoDB has {extra}, which the source of truth lacks"
        self._check_counters(list(items.values()))

    def check(self) -> None:
        """Check the three invariants, to the unit, when everything was recorded."""
        rows, items = self._rows(), self._items()
        assert rows.keys() == self.said.keys()
        assert items.keys() == self.said.keys()
        for order_id, said in self.said.items():
            assert rows[order_id] == items[order_id], "the stores keep different orders"
            assert rows[order_id] in said, "this is not what was said"
        self._check_counters(list(rows.values()))
        assert not self.queue.messages
        assert all(self.orders_in[message.message_id] is None for message in self.queue.dead)
        poison = {message_id for message_id, kept in self.orders_in.items() if kept is None}
        poison -= self._redriven
        assert poison == {message.message_id for message in self.queue.dead}

    def _check_done(self, done: Sequence[Message]) -> None:
        """Check that what leaves the queue is in both stores."""
        rows, items = self._rows(), self._items()
        for message in done:
            kept = self.orders_in[message.message_id]
            assert kept is not None, f"{message.message_id} holds no order, and passes for done"
            assert kept.order_id in rows, f"{message.message_id} passes for done, and MySQL does not have it"
            assert kept.order_id in items, (
                f"{message.message_id} passes for done, and DynamoDB does not have it"
            )

    def _check_counters(self, orders: Sequence[Kept]) -> None:
        metrics: Counter[str] = Counter()
        menu: Counter[str] = Counter()
        for order in orders:
            local = order.created_at.astimezone(ZONE)
            metrics["TOTAL_ORDERS"] += 1
            metrics[f"ORDERS#{local.date().isoformat()}"] += 1
            metrics[f"ORDERS#{local.date().isoformat()}T{local.hour:02}"] += 1
            menu[order.item] += order.quantity
        assert self._counters(self.names.metrics, "metric", "count") == metrics
        assert self._counters(self.names.menu, "item", "orders") == menu

    def _rows(self) -> dict[str, Kept]:
        rows = self._ask("SELECT order_id, created_at, item, quantity, customer_name, attributes FROM orders")
        assert len({row[0] for row in rows}) == len(rows), "an order has two rows"
        return {
            order_id: Kept(
                order_id,
                created_at.replace(tzinfo=UTC),
                item,
                quantity,
                customer_name,
                encode(decode(attributes or "{}"), sort_keys=True),
            )
            for order_id, created_at, item, quantity, customer_name, attributes in rows
        }

    def _items(self) -> dict[str, Kept]:
        deserialize = TypeDeserializer().deserialize
        orders = {}
        for item in self._scan(self.names.orders):
            said = {name: deserialize(value) for name, value in item.items()}
            order_id, created_at = said.pop("orderId"), datetime.fromisoformat(said.pop("created_at"))
            orders[order_id] = Kept(
                order_id,
                created_at,
                said.pop("item"),
                int(said.pop("quantity")),
                said.pop("customer_name"),
                encode(said, sort_keys=True),
            )
        return orders

    def _counters(self, table: str, key: str, value: str) -> Counter[str]:
        found = Counter(
            {item[key]["S"]: int(item[value]["N"]) for item in self._scan(table) if value in item}
        )
        return Counter({name: number for name, number in found.items() if number})

    def _scan(self, table: str) -> list[dict[str, Any]]:
        return [item.to_json()["Attributes"] for item in _items(table).values()]

    def _ask(self, statement: str, *values: object) -> list[Row]:
        with self._administrator.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _set_up(self) -> None:
        self._ask("DELETE FROM orders")
        for name in dataclasses.astuple(self.names):
            _items(name).clear()

    def has_written(self) -> None:
        """Take note that DynamoDB may have changed."""
        self._written = True

    def tell(self, line: str) -> None:
        """Write down what happened, for whoever has to understand a failure."""
        self.story.append(line)


def _items(table: str) -> dict[str, Any]:
    """Open moto's own table: calls of `scan` would be most of the tests' time."""
    items: dict[str, Any] = get_backend("dynamodb")["123456789012"]["us-east-1"].tables[table].items
    return items


class Street:
    """Where cafes open one after the other, with the same database."""

    def __init__(self, server: Server, dynamodb: Any, login: Login) -> None:
        self._administrator = server.connect(login.database)
        self._watcher = server.connect(login.database)
        self._dynamodb = dynamodb
        self._login = login

    @contextmanager
    def cafe(self) -> Iterator[Cafe]:
        """Open a cafe, and close it in the end; what fails in it comes with the cafe's story."""
        cafe = Cafe(self._administrator, self._watcher, self._dynamodb, self._login)
        try:
            yield cafe
        except AssertionError as error:
            error.add_note("\n".join(cafe.story))
            raise
        finally:
            cafe.close()

    def close(self) -> None:
        """Let the connections go."""
        self._administrator.close()
        self._watcher.close()
