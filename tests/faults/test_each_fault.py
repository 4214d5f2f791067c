"""Every fault at every boundary of a batch, and every order of two workers' steps: none left out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tests.faults.cafe import Cafe, Street
from tests.faults.faults import Boundary, Fault, Place, after, before, each
from tests.faults.messages import Form, Said

FIRST, SECOND = 1, 0  # in quiet times the second is served first, and finds what the first has left

# How often a batch comes by: the session, the transaction's four statements and the reading of counters. The
# reconciler reads DynamoDB: which orders are missing, again after a while, and counters.
TIMES = {Place.STATEMENT: 6, Place.PUT: 2, Place.UPDATE: 2, Place.READ: 3}
INSERT = 3  # which of the statements inserts


def fill(cafe: Cafe) -> None:
    """Put on the queue what makes a batch come by every boundary, some of them twice."""
    earlier = cafe.publish(Said("A1", "Tea", 2, attributes={"table_number": 4}))
    cafe.receive(SECOND, [earlier])
    cafe.deliver_again(earlier)
    cafe.publish(Said("A1", "Latte", 3))  # a conflict
    cafe.publish(Said(None, "Mocha", form=Form.BARE))
    cafe.deliver_again(cafe.publish(Said(None, "Latte", form=Form.ENVELOPE_TWICE)))
    cafe.publish(Said("a1", "Tea", form=Form.BARE_TWICE))


def each_time() -> Iterator[tuple[Boundary, Fault, int]]:
    """List every fault at every boundary, each time that the batch comes by."""
    for boundary, fault in each():
        for time in range(1, TIMES.get(boundary.place, 1) + 1):
            yield boundary, fault, time


def hit(cafe: Cafe, boundary: Boundary, fault: Fault, time: int) -> None:
    """Let a fault hit the first worker when it comes by a boundary for the nth time."""
    if boundary.place is Place.READ:
        hit_reconciler(cafe, boundary, fault, time)
        return
    start = before(Place.BATCH)
    cafe.receive(FIRST, cafe.queue.visible, start, fault if boundary == start else None)
    if boundary.place is Place.ROLLBACK:
        for number in range(1, INSERT + 1):
            cafe.work(FIRST, before(Place.STATEMENT), Fault.DEADLOCK if number == INSERT else None)
    if boundary != start:
        for number in range(1, time + 1):
            cafe.work(FIRST, boundary, fault if number == time else None)
    assert FIRST in cafe.standing, f"the batch does not come by {time} times"
    cafe.work(FIRST)


def hit_reconciler(cafe: Cafe, boundary: Boundary, fault: Fault, time: int) -> None:
    """Let a fault hit the reconciler, which finds what a worker has recorded and not shown."""
    cafe.receive(FIRST, cafe.queue.visible, after(Place.COMMIT), Fault.PROCESS_GONE)
    cafe.work(FIRST)
    cafe.reconcile(SECOND, boundary, fault if time == 1 else None)
    for number in range(2, time + 1):
        cafe.work(SECOND, boundary, fault if number == time else None)
    assert SECOND in cafe.standing, f"the reconciler does not come by {time} times"
    cafe.work(SECOND)


def test_after_any_single_fault_everything_is_recorded_once(street: Street) -> None:
    for boundary, fault, time in each_time():
        with street.cafe() as cafe:
            fill(cafe)
            hit(cafe, boundary, fault, time)
            cafe.recover()


def test_two_workers_record_two_forms_of_one_order_once_in_whatever_order_they_work(street: Street) -> None:
    stops = [before(Place.COMMIT), after(Place.COMMIT), before(Place.UPDATE), None]
    moves = 2 * len(stops)
    for turns_of_first in combinations(range(moves), len(stops)):
        with street.cafe() as cafe:
            shared = cafe.publish(Said("A1", "Tea", 2))
            other = cafe.publish(Said("A1", "Latte", 3, attributes={"table_number": 4}))
            batches = {
                FIRST: [shared, cafe.publish(Said(None, "Mocha"))],
                SECOND: [other, cafe.publish(Said("a1", "Mocha"))],
            }
            ahead = {FIRST: iter(stops), SECOND: iter(stops)}
            for move in range(moves):
                worker = FIRST if move in turns_of_first else SECOND
                stop = next(ahead[worker])
                if batches[worker]:
                    cafe.receive(worker, batches[worker], stop)
                    batches[worker] = []
                elif worker in cafe.standing:
                    cafe.work(worker, stop)
            cafe.recover()
