"""Read what the stores, the queues and the functions' logs have of one order."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cli import aws, logs, queues, times
from cli.aws import Clients
from cli.dlq.dead_letters import DeadLetters, Listing
from cli.dlq.states import State, states
from cli.errors import OperationError
from cli.kitchen import Kitchen, NotRecordedError, Order
from cli.logs import Line
from cli.messages import Message
from cli.options import Target
from cli.plurals import messages
from cli.stopping import stopping
from cli.worker import is_paused
from orders.order import ORDER_ID
from orders.states import EPOCH

MYSQL, DYNAMODB, QUEUE = "MySQL", "DynamoDB", "OrderQueue"
DEAD_LETTERS, UNDELIVERED = "OrderDLQ", "OrderSubscriptionDLQ"
QUEUES = {DEAD_LETTERS: "dead_letter_queue_url", UNDELIVERED: "subscription_dead_letter_queue_url"}
API, WORKER, RECONCILER = "PlaceOrder", "OrderProcessor", "ReconcileOrders"
FUNCTIONS = (API, WORKER, RECONCILER, "StaffOrders", "EraseOrders")  # those that write an order's id
FIELDS = "order_state, state_version, created_at"  # of an item in DynamoDB
MOST_LETTERS = 1000  # that are read of each queue
BEFORE, AFTER = timedelta(minutes=10), timedelta(days=1)  # of the order's time: the log that is read


@dataclass(frozen=True, kw_only=True)
class Item:
    """The order's state in DynamoDB."""

    state: str | None
    version: int
    created_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message about the order in a dead-letter queue."""

    queue: str
    message: Message
    state: State


@dataclass(kw_only=True)
class Sources:
    """Findings about the order; `unchecked` has the reasons, by source, why a source could not be read."""

    order_id: str
    row: Order | None = None  # in MySQL
    item: Item | None = None  # in DynamoDB
    letters: list[Letter] = field(default_factory=list)
    since: datetime = EPOCH
    until: datetime = EPOCH
    lines: list[Line] = field(default_factory=list)
    queued: queues.Depth | None = None  # of OrderQueue, if the order is not recorded
    is_paused: bool = False  # the worker
    unchecked: dict[str, str] = field(default_factory=dict)

    @property
    def ordered_at(self) -> datetime | None:
        """Return the time of the order, if a store or a queue has it."""
        kept = [found.created_at for found in (self.row, self.item) if found and found.created_at]
        return next(iter(kept + sorted(letter.message.ordered_at for letter in self.letters)), None)

    @contextmanager
    def checking(self, source: str) -> Iterator[None]:
        """Record why a source could not be read."""
        self.unchecked.pop(source, None)
        try:
            with aws.translated_errors():
                yield
        except OperationError as error:
            self.unchecked[source] = str(error).rstrip(".")


def gather(target: Target, order_id: str, since: datetime | None, until: datetime | None) -> Sources:
    """Read all sources; the log by default for a day from the order's time, or else the last day.

    No source has an order whose id is invalid; its message may be in a dead-letter queue. `since` is earlier
    than `until`, and than now.
    """
    clients = target.clients
    found = Sources(order_id=order_id)
    _read_stores(target, found)
    with stopping() as stop:  # until the messages are visible again
        for queue, output in QUEUES.items():
            with found.checking(queue):
                listing = DeadLetters.of(clients, output, stop).listed(MOST_LETTERS)
                _find_letters(target, listing, queue, found)
    if stop.is_set():
        raise KeyboardInterrupt
    found.since, found.until = _period(found.ordered_at, since, until)
    identities = [order_id, *(letter.message.message_id for letter in found.letters)]
    for function, group in logs.groups(target.stack).items():
        if function in FUNCTIONS:
            with found.checking(f"the log of {function}"):
                found.lines += _lines(clients, function, group, identities, found)
    found.lines.sort(key=lambda line: line.at)
    if not (found.row and found.item):
        _read_stores(target, found)  # it may have been recorded meanwhile
    if found.row is None:
        with found.checking(QUEUE):
            found.queued = queues.depth(clients.sqs, target.output("queue_url"))
            found.is_paused = is_paused(clients.functions, target.output("worker_mapping"))
    return found


def _period(
    ordered_at: datetime | None, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """Return start and end of the log to read, the earlier one first."""
    now = datetime.now(UTC)
    end = until or (min(now, ordered_at + AFTER) if ordered_at and not since else now)
    start = since or (ordered_at - BEFORE if ordered_at else end - AFTER)
    return (start if start < end else end - AFTER), end


def _read_stores(target: Target, found: Sources) -> None:
    if not ORDER_ID.fullmatch(found.order_id):
        return
    with found.checking(MYSQL), suppress(NotRecordedError):
        found.row = Kitchen.of(target.clients).order(found.order_id)
    with found.checking(DYNAMODB):
        table, keys = target.output("orders_table"), [{"orderId": {"S": found.order_id}}]
        for item in aws.items(target.clients.dynamodb, table, keys, ProjectionExpression=FIELDS):
            found.item = Item(
                state=item.get("order_state", {}).get("S"),
                version=int(item.get("state_version", {}).get("N", 0)),
                created_at=times.parse_utc(item.get("created_at", {}).get("S")),
            )


def _find_letters(target: Target, listing: Listing, queue: str, found: Sources) -> None:
    about = [message for message in listing.messages if message.is_about(found.order_id)]
    known = states(target.clients, about)
    found.letters += [Letter(queue=queue, message=m, state=known[m.message_id]) for m in about]
    if listing.held_by_others:
        found.unchecked[queue] = (
            f"another receiver holds {messages(listing.held_by_others)}: try again in a minute"
        )
    elif not listing.complete:
        found.unchecked[queue] = f"it has more than the {len(listing.messages):,} messages that were read"


def _lines(clients: Clients, function: str, group: str, identities: list[str], found: Sources) -> list[Line]:
    """Return the lines about the order, or else about its messages: an invalid one may have no order id."""
    for identity in identities:
        lines = logs.read(clients.logs, {function: group}, found.since, found.until, identity)
        if lines:
            return lines
    return []
