"""Every fault at every boundary of a batch, and every interleaving of two workers' steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tests.faults.faults import Boundary, Fault, Place, after, before, each
from tests.faults.messages import Form, NewOrder
from tests.faults.simulation import Simulation
from tests.faults.simulations import Simulations

FIRST, SECOND = 1, 0  # `recover` uses the second one first, which finds what the first one has left

# Times that a batch passes a place: the session, the four statements of the transaction, the counters.
# The reconciler reads DynamoDB: which orders are missing, the same again after a pause, and counters.
TIMES = {Place.STATEMENT: 6, Place.PUT: 2, Place.UPDATE: 2, Place.READ: 3}
INSERT = 3  # the number of the statement that inserts


def fill(simulation: Simulation) -> None:
    """Put messages on the queue with which a batch passes every boundary, some of them twice."""
    earlier = simulation.publish(NewOrder("A1", "Tea", 2, attributes={"table_number": 4}))
    simulation.receive(SECOND, [earlier])
    simulation.deliver_again(earlier)
    simulation.publish(NewOrder("A1", "Latte", 3))  # a conflict
    simulation.publish(NewOrder(None, "Mocha", form=Form.BARE))
    simulation.deliver_again(simulation.publish(NewOrder(None, "Latte", form=Form.ENVELOPE_TWICE)))
    simulation.publish(NewOrder("a1", "Tea", form=Form.BARE_TWICE))


def each_time() -> Iterator[tuple[Boundary, Fault, int]]:
    """List every fault at every boundary, each time that the batch passes it."""
    for boundary, fault in each():
        for time in range(1, TIMES.get(boundary.place, 1) + 1):
            yield boundary, fault, time


def hit(simulation: Simulation, boundary: Boundary, fault: Fault, time: int) -> None:
    """Have a fault hit the first worker when it passes a boundary for the nth time."""
    if boundary.place is Place.READ:
        hit_reconciler(simulation, boundary, fault, time)
        return
    start = before(Place.BATCH)
    simulation.receive(FIRST, simulation.queue.visible, start, fault if boundary == start else None)
    if boundary.place is Place.ROLLBACK:
        for number in range(1, INSERT + 1):
            simulation.resume(FIRST, before(Place.STATEMENT), Fault.DEADLOCK if number == INSERT else None)
    if boundary != start:
        for number in range(1, time + 1):
            simulation.resume(FIRST, boundary, fault if number == time else None)
    assert FIRST in simulation.paused, f"the batch does not pass the boundary {time} times"
    simulation.resume(FIRST)


def hit_reconciler(simulation: Simulation, boundary: Boundary, fault: Fault, time: int) -> None:
    """Have a fault hit the reconciler, which finds what a worker has recorded in MySQL alone."""
    simulation.receive(FIRST, simulation.queue.visible, after(Place.COMMIT), Fault.PROCESS_GONE)
    simulation.resume(FIRST)
    simulation.reconcile(SECOND, boundary, fault if time == 1 else None)
    for number in range(2, time + 1):
        simulation.resume(SECOND, boundary, fault if number == time else None)
    assert SECOND in simulation.paused, f"the reconciler does not pass the boundary {time} times"
    simulation.resume(SECOND)


def test_after_any_single_fault_everything_is_recorded_once(simulations: Simulations) -> None:
    for boundary, fault, time in each_time():
        with simulations.start() as simulation:
            fill(simulation)
            hit(simulation, boundary, fault, time)
            simulation.recover()


def test_two_workers_record_one_id_once_in_every_interleaving(
    simulations: Simulations,
) -> None:
    stops = [before(Place.COMMIT), after(Place.COMMIT), before(Place.UPDATE), None]
    moves = 2 * len(stops)
    for turns_of_first in combinations(range(moves), len(stops)):
        with simulations.start() as simulation:
            shared = simulation.publish(NewOrder("A1", "Tea", 2))
            other = simulation.publish(NewOrder("A1", "Latte", 3, attributes={"table_number": 4}))
            batches = {
                FIRST: [shared, simulation.publish(NewOrder(None, "Mocha"))],
                SECOND: [other, simulation.publish(NewOrder("a1", "Mocha"))],
            }
            ahead = {FIRST: iter(stops), SECOND: iter(stops)}
            for move in range(moves):
                worker = FIRST if move in turns_of_first else SECOND
                stop = next(ahead[worker])
                if batches[worker]:
                    simulation.receive(worker, batches[worker], stop)
                    batches[worker] = []
                elif worker in simulation.paused:
                    simulation.resume(worker, stop)
            simulation.recover()
