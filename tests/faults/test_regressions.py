"""Regressions that the other tests of this directory found, in the fewest steps."""

from __future__ import annotations

from tests.faults.faults import Fault, Place, after
from tests.faults.messages import NewOrder
from tests.faults.simulation import Simulation


def test_a_login_that_is_refused_after_a_lost_connection_is_fetched_again(simulation: Simulation) -> None:
    simulation.receive(0, [simulation.publish(NewOrder("A1"))])
    simulation.rotate(update_secret=True)
    simulation.cut_connections()
    # Lost first, refused next: three such receives would dead-letter the order.
    order = simulation.publish(NewOrder("A2"))
    simulation.receive(0, [order])
    assert order in simulation.queue.deleted
    simulation.check()


def test_an_unexpected_error_leaves_no_lock_behind_in_a_process_that_lives_on(simulation: Simulation) -> None:
    order = simulation.publish(NewOrder("A1"))
    simulation.receive(0, [order], after(Place.STATEMENT), Fault.EXCEPTION)
    simulation.resume(0)
    simulation.receive(1, [order])
    assert not simulation.runs, "it waits for the idle worker's transaction"
    simulation.check()
