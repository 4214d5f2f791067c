"""Each protection by itself, in the fewest steps in which it is all that helps."""

from __future__ import annotations

import pytest

from tests.faults.cafe import Cafe
from tests.faults.faults import THROTTLES, Boundary, Fault, Place, after, before
from tests.faults.messages import POISON, Form, Said


def test_the_condition_an_order_that_is_counted_is_not_counted_again(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1", quantity=2))
    cafe.receive(0, [order], after(Place.WRITE), Fault.PROCESS_GONE)
    cafe.work(0)
    cafe.receive(1, [order])
    cafe.check()


def test_the_unique_key_an_order_that_is_inserted_is_not_inserted_again(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], after(Place.COMMIT), Fault.SERVER_LOST)
    cafe.work(0)
    cafe.check()


@pytest.mark.parametrize("boundary", [before(Place.WRITE), after(Place.WRITE)], ids=str)
@pytest.mark.parametrize("fault", [Fault.PROCESS_GONE, Fault.NO_ANSWER], ids=str)
def test_the_single_transaction_an_order_is_counted_with_its_item_or_not_at_all(
    cafe: Cafe, boundary: Boundary, fault: Fault
) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], boundary, fault)
    cafe.work(0)
    cafe.check_stores()
    cafe.receive(1, [order])
    cafe.check()


def test_the_order_of_the_stores_what_is_counted_is_in_the_source_of_truth(cafe: Cafe) -> None:
    cafe.break_down(Place.CONNECT, Fault.UNREACHABLE)
    cafe.receive(0, [cafe.publish(Said("A1", "Tea"))])
    cafe.check_stores()
    cafe.mend()
    # Another order under the same name comes first to MySQL: it is the one that counts.
    cafe.receive(0, [cafe.publish(Said("A1", "Latte"))])
    cafe.recover()


def test_the_partial_response_what_holds_no_order_is_dead_and_its_neighbours_are_done(cafe: Cafe) -> None:
    for body in POISON.values():
        cafe.publish_poison(body)
    orders = [cafe.publish(Said(None, form=form)) for form in Form]
    cafe.receive(0, cafe.queue.visible)
    assert cafe.queue.deleted == orders
    cafe.recover()


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_the_reading_back_two_orders_of_one_name_count_as_the_one_that_was_kept(
    cafe: Cafe, in_one_batch: bool
) -> None:
    tea = cafe.publish(Said("A1", "Tea", 2, attributes={"table_number": 4}))
    latte = cafe.publish(Said("A1", "Latte", 3))
    if in_one_batch:
        cafe.receive(0, [tea, latte])
    else:
        cafe.receive(0, [tea], before(Place.WRITE))
        cafe.receive(1, [latte])
        cafe.work(0)
    cafe.check()


def test_the_fresh_secret_a_rotation_costs_no_receive(cafe: Cafe) -> None:
    cafe.receive(0, [cafe.publish(Said("A1"))])
    cafe.cut_connections()
    cafe.rotate(secret_follows=True)
    order = cafe.publish(Said("A2"))
    cafe.receive(0, [order])
    assert order in cafe.queue.deleted
    cafe.check()


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        (Place.STATEMENT, Fault.DEADLOCK),
        (Place.STATEMENT, Fault.LOCK_WAIT_TIMEOUT),
        *((Place.WRITE, throttle) for throttle in THROTTLES),
    ],
    ids=str,
)
def test_the_patience_what_passes_costs_no_receive(cafe: Cafe, place: Place, fault: Fault) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], before(place), fault)
    cafe.work(0)
    assert order in cafe.queue.deleted
    cafe.check()


def test_the_identity_a_redrive_is_the_same_order_on_the_same_day(cafe: Cafe) -> None:
    bare = cafe.publish(Said(None, form=Form.BARE))
    notified = cafe.publish(Said(None, form=Form.ENVELOPE_TWICE))
    cafe.break_down(Place.WRITE, Fault.THROTTLED)
    for _ in range(4):
        cafe.receive(0, [bare, notified])
    cafe.mend()
    cafe.redrive(bare, interrupted=True)
    cafe.recover()


def test_a_write_that_arrives_after_its_sender_gave_up_counts_nothing_twice(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], before(Place.WRITE), Fault.LATE)
    cafe.work(0)
    cafe.receive(1, [order])
    cafe.let_arrive()
    cafe.check()
