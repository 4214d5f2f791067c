"""What the other tests of this directory found, in as few steps as it takes."""

from __future__ import annotations

from tests.faults.cafe import Cafe
from tests.faults.faults import Fault, Place, after
from tests.faults.messages import Said


def test_a_login_that_is_refused_after_a_lost_connection_is_fetched_again(cafe: Cafe) -> None:
    cafe.receive(0, [cafe.publish(Said("A1"))])
    cafe.rotate(secret_follows=True)
    cafe.cut_connections()
    # Lost first, refused next: three such workers would have brought the order to the dead-letter queue.
    order = cafe.publish(Said("A2"))
    cafe.receive(0, [order])
    assert order in cafe.queue.deleted
    cafe.check()


def test_an_unexpected_error_leaves_no_lock_behind_in_a_process_that_lives_on(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], after(Place.STATEMENT), Fault.EXCEPTION)
    cafe.work(0)
    cafe.receive(1, [order])
    assert not cafe.runs, "it waits for the idle worker's transaction"
    cafe.check()
