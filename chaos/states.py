"""Audit of the states of a run's orders in both stores, against the moves that were confirmed."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from chaos.audit import READ_TIMEOUT
from chaos.plan import Plan
from cli import aws, plurals
from cli.checks import Check
from cli.local_database import connect
from cli.stack import Stack
from cli.traffic.audit import EXAMPLES

STATE = "orderId, order_state, state_version"
FIRST = ("received", 1)  # state and version before the first move
ORDERS = (
    "SELECT id, order_id, state, state_version FROM orders"
    " WHERE id > %s AND customer_name = %s ORDER BY id LIMIT %s"
)
EVENTS = (
    "SELECT order_row, version, from_state, to_state FROM order_events WHERE order_row BETWEEN %s AND %s"
    " ORDER BY order_row, version"
)


@dataclass
class Moved:
    """An order as MySQL has it, with its moves."""

    order_id: str
    state: str
    version: int
    moves: list[tuple[int, str, str]] = field(default_factory=list)  # version, from and to

    def problem(self, item: tuple[str, int] | None, confirmed: Set[int]) -> str | None:
        """Return the first error in it, None without one.

        `item` is its state and version in DynamoDB, `confirmed` has the versions in the responses to staff.
        """
        state, version = FIRST
        for number, came_from, target in self.moves:
            if came_from != state or number <= version:
                return f"{self.order_id}: {state} {version} is followed by {came_from} → {target} {number}"
            state, version = target, number
        if (state, version) != (self.state, self.version):
            found = f"its row has {self.state} {self.version}"
            return f"{self.order_id}: its moves end at {state} {version}, {found}"
        if item != (self.state, self.version):
            return f"{self.order_id}: {self.state} {self.version} in MySQL, {item} in DynamoDB"
        missing = confirmed - {number for number, _, _ in self.moves}
        return f"{self.order_id}: the confirmed version {min(missing)} is missing" if missing else None


def audit_states(
    stack: Stack, clients: aws.Clients, plan: Plan, last_id: int, confirmed: Mapping[str, Set[int]]
) -> Check:
    """Compare rows, moves, items and confirmed versions of all orders of a run."""
    orders = moves = 0
    wrong: list[str] = []
    for page in _pages(stack, plan, last_id):
        items = _items(stack, clients, [order.order_id for order in page])
        for order in page:
            orders += 1
            moves += len(order.moves)
            problem = order.problem(items.get(order.order_id), confirmed.get(order.order_id, set()))
            if problem is not None:
                wrong.append(problem)
    seen = f"{plurals.counted(moves, 'move')} of {plurals.orders(orders)}, each confirmed one among them"
    return Check(
        name="states",
        title="Every order's moves are one chain",
        ok=not wrong,
        detail="; ".join([f"{len(wrong):,} wrong", *wrong[:EXAMPLES]]) if wrong else seen,
    )


def _pages(stack: Stack, plan: Plan, last_id: int) -> Iterator[list[Moved]]:
    assert stack.database is not None  # noqa: S101 - `Audit` requires it
    with connect(stack.database, read_timeout=READ_TIMEOUT) as connection, connection.cursor() as cursor:
        while True:
            cursor.execute(ORDERS, (last_id, plan.customer, aws.MOST_KEYS))
            rows = {row: Moved(*order) for row, *order in cursor.fetchall()}
            if not rows:
                return
            last_id = max(rows)
            cursor.execute(EVENTS, (min(rows), last_id))
            for row, *move in cursor.fetchall():
                if row in rows:
                    rows[row].moves.append(tuple(move))
            yield list(rows.values())


def _items(stack: Stack, clients: aws.Clients, order_ids: list[str]) -> dict[str, tuple[str, int]]:
    table = stack.output("orders_table")
    keys: list[dict[str, Any]] = [{"orderId": {"S": each}} for each in order_ids]
    found = {}
    for item in aws.items(clients.dynamodb, table, keys, ProjectionExpression=STATE):
        state, version = item.get("order_state", {}), item.get("state_version", {})
        found[item["orderId"]["S"]] = (state.get("S", ""), int(version.get("N", 0)))
    return found
