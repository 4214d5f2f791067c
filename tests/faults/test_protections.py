"""Each protection in the fewest steps in which nothing else helps; without it, its test fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import order_processor
import orders.ledger
import stores.dynamodb.client
import stores.dynamodb.projection
import stores.mysql.connection
import stores.mysql.orders
import tests.faults.cafe
from orders.errors import OrderRefusedError, Refused
from orders.ledger import Ledger
from orders.order import Order
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.orders import OrdersDatabase
from tests.faults import worker
from tests.faults.cafe import Cafe, Street
from tests.faults.faults import THROTTLES, Fault, Place, after, before
from tests.faults.messages import POISON, Form, Said
from tests.waiting import LIMIT

HOUR = 3600 * 1_000_000  # microseconds


def test_the_unique_key_an_order_that_is_inserted_is_not_inserted_again(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], before(Place.PUT), Fault.PROCESS_GONE)
    cafe.work(0)
    cafe.receive(1, [order])
    cafe.check()


def test_the_single_transaction_an_order_is_counted_with_its_row_or_not_at_all(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], after(Place.STATEMENT))
    while 0 in cafe.standing:
        cafe.work(0, after(Place.STATEMENT))
    cafe.check()


def test_the_recording_number_an_order_that_is_counted_is_not_counted_again(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1", quantity=2))
    cafe.receive(0, [order], after(Place.COMMIT), Fault.PROCESS_GONE)
    cafe.work(0)
    cafe.receive(1, [order, cafe.publish(Said("B1"))])
    cafe.check()


def test_another_number_for_each_attempt_a_commit_whose_answer_is_lost_counts_once(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1", quantity=2))
    cafe.receive(0, [order], after(Place.COMMIT), Fault.SERVER_LOST)
    cafe.work(0)
    cafe.check()


def test_the_mark_of_uncounted_rows_what_the_previous_release_inserts_is_counted_once(cafe: Cafe) -> None:
    order = cafe.publish(Said("A1", quantity=2))
    cafe.record_as_previous_release(order)
    cafe.receive(0, [order, cafe.publish(Said("B1"))])
    cafe.reconcile(0)
    cafe.check()


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_the_reading_back_a_second_order_under_an_id_is_a_conflict(cafe: Cafe, in_one_batch: bool) -> None:
    tea = cafe.publish(Said("A1", "Tea", 2))
    others = [
        cafe.publish(Said("A1", "Latte", 2)),
        cafe.publish(Said("A1", "Tea", 3)),
        cafe.publish(Said("A1", "Tea", 2, customer_name="Zoë")),
    ]
    if in_one_batch:
        cafe.receive(0, [tea, *others])
    else:
        cafe.receive(0, [tea], before(Place.PUT))
        cafe.receive(1, others)
        cafe.work(0)
    assert cafe.queue.deleted == [tea]
    cafe.recover()
    assert cafe.queue.dead == others


def test_the_reading_back_dynamodb_has_an_order_as_mysql_has_it(cafe: Cafe) -> None:
    first = cafe.publish(Said("A1", attributes={"table_number": 4}))
    again = cafe.publish(Said("A1", attributes={"table_number": 5}))
    cafe.receive(0, [first], after(Place.COMMIT), Fault.PROCESS_GONE)
    cafe.work(0)
    cafe.receive(1, [again])
    cafe.recover()


def test_the_condition_a_counter_that_arrives_late_does_not_go_back(cafe: Cafe) -> None:
    cafe.receive(0, [cafe.publish(Said("A1"))], before(Place.UPDATE), Fault.LATE)
    cafe.work(0)
    cafe.receive(1, [cafe.publish(Said("B1"))])
    cafe.let_arrive()
    cafe.recover()


def test_the_version_a_counter_that_changes_has_another_version(cafe: Cafe) -> None:
    for order_id in ("A1", "B1"):
        cafe.receive(0, [cafe.publish(Said(order_id))])
    cafe.check()


def test_the_version_never_goes_backwards_when_the_clock_does(cafe: Cafe) -> None:
    cafe.receive(0, [cafe.publish(Said("A1"))])
    cafe.change_versions(HOUR)
    cafe.receive(0, [cafe.publish(Said("B1"))])
    cafe.recover()


@pytest.mark.parametrize("lost", [False, True], ids=["two audits", "a lost answer"])
def test_the_corrections_a_counter_that_is_wrong_is_corrected_once(cafe: Cafe, lost: bool) -> None:
    cafe.receive(0, [cafe.publish(Said("A1"))])
    cafe.miscount("TOTAL_ORDERS", -1)
    cafe.miscount("ITEM#Latte", 5)
    cafe.audit(0, after(Place.COMMIT))  # of the snapshot
    cafe.audit(1, after(Place.COMMIT))
    cafe.receive(2, [cafe.publish(Said("B1"))])
    cafe.expect_corrected()
    cafe.work(0, after(Place.COMMIT), Fault.SERVER_LOST if lost else None)
    cafe.work(0)
    cafe.work(1)
    cafe.receive(2, [cafe.publish(Said("C1"))])
    cafe.recover()


def test_the_order_of_the_stores_dynamodb_shows_nothing_that_mysql_lacks(cafe: Cafe) -> None:
    cafe.break_down(Place.CONNECT, Fault.UNREACHABLE)
    cafe.receive(0, [cafe.publish(Said("A1", "Tea"))])
    cafe.mend()
    # Another order under the same id comes first to MySQL: it is the one that counts.
    cafe.receive(0, [cafe.publish(Said("A1", "Latte"))])
    cafe.recover()


@pytest.mark.parametrize("place", [Place.PUT, Place.UPDATE])
def test_the_projection_before_the_response_a_message_stays_until_both_stores_have_it(
    cafe: Cafe, place: Place
) -> None:
    order = cafe.publish(Said("A1"))
    cafe.break_down(place, Fault.NO_ROUTE)
    cafe.receive(0, [order])
    assert cafe.queue.messages == [order]
    cafe.recover()


def test_the_partial_response_what_holds_no_order_is_dead_and_its_neighbours_are_done(cafe: Cafe) -> None:
    for body in POISON.values():
        cafe.publish_poison(body)
    orders = [cafe.publish(Said(None, form=form)) for form in Form]
    cafe.receive(0, cafe.queue.visible)
    assert cafe.queue.deleted == orders
    cafe.recover()


def test_the_halving_an_order_that_dynamodb_refuses_fails_alone_and_is_counted(cafe: Cafe) -> None:
    orders = {order_id: cafe.publish(Said(order_id, quantity=2)) for order_id in ("A1", "B1", "C1", "D1")}
    cafe.refuse("B1")
    cafe.receive(0, list(orders.values()))
    assert cafe.queue.messages == [orders["B1"]]
    assert cafe.shown("TOTAL_ORDERS") == 4
    cafe.recover()


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
        (Place.PUT, Fault.UNPROCESSED),
        *((place, throttle) for place in (Place.PUT, Place.UPDATE) for throttle in THROTTLES),
        (Place.UPDATE, Fault.CONFLICT),
    ],
    ids=str,
)
def test_the_retry_what_passes_costs_no_receive(cafe: Cafe, place: Place, fault: Fault) -> None:
    order = cafe.publish(Said("A1"))
    cafe.receive(0, [order], before(place), fault)
    cafe.work(0)
    assert order in cafe.queue.deleted
    cafe.check()


def test_the_identity_a_redrive_is_the_same_order_on_the_same_day(cafe: Cafe) -> None:
    bare = cafe.publish(Said(None, form=Form.BARE))
    notified = cafe.publish(Said(None, form=Form.ENVELOPE_TWICE))
    cafe.break_down(Place.PUT, Fault.THROTTLED)
    for _ in range(4):
        cafe.receive(0, [bare, notified])
    cafe.mend()
    cafe.redrive(bare, interrupted=True)
    cafe.recover()


def test_the_idle_timeout_a_worker_that_stands_before_its_commit_loses_its_locks(cafe: Cafe) -> None:
    stand_before_commit(cafe, LIMIT)


def stand_before_commit(cafe: Cafe, limit: float) -> None:
    cafe.session_timeout = 1
    for number, order_id in enumerate(("A1", "B1")):
        cafe.receive(number, [cafe.publish(Said(order_id))], before(Place.COMMIT))
    if not cafe.runs[1].waits:  # it waited for a moment, and not for the counters
        cafe.work(1, before(Place.COMMIT))
    assert cafe.gets_its_lock(1, limit)
    cafe.recover()


# --- without a protection -----------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def without_unique_key(patch: Patch, street: Street) -> None:
    street.ask("ALTER TABLE orders DROP INDEX orders_order_id")


def without_transaction(patch: Patch, street: Street) -> None:
    patch.setattr(MySql, "run", MySql.read)


def with_one_number_for_all(patch: Patch, street: Street) -> None:
    patch.setattr(stores.mysql.orders, "recording_number", lambda: 1)


def with_a_number_per_batch(patch: Patch, street: Street) -> None:
    """Not one per attempt: what committed before its answer was lost looks new."""
    record = OrdersDatabase.record

    def record_with_one_number(self: OrdersDatabase, batch: Sequence[Order]) -> Any:
        number = stores.mysql.orders.first_number(1)
        with pytest.MonkeyPatch.context() as attempt:
            attempt.setattr(stores.mysql.orders, "recording_number", lambda: number)
            return record(self, batch)

    patch.setattr(OrdersDatabase, "record", record_with_one_number)


def with_uncounted_rows_taken_for_counted(patch: Patch, street: Street) -> None:
    worker.rewrite(patch, "recorded_in IS NULL", "FALSE")


def without_reading_back(patch: Patch, street: Street) -> None:
    record = OrdersDatabase.record

    def record_and_return_orders(self: OrdersDatabase, orders: Sequence[Order]) -> dict[str, Order]:
        record(self, orders)
        return {order.order_id: order for order in orders}

    patch.setattr(OrdersDatabase, "record", record_and_return_orders)


def without_conflicts(patch: Patch, street: Street) -> None:
    patch.setattr(orders.ledger, "conflict", lambda *_: None)


def without_condition(patch: Patch, street: Street) -> None:
    anything = "attribute_not_exists(#version) OR attribute_exists(#version)"
    patch.setattr(stores.dynamodb.projection, "CURRENT", anything)
    patch.setattr(stores.dynamodb.projection, "OLDER", '"version" > ?')


def without_new_versions(patch: Patch, street: Street) -> None:
    worker.rewrite(patch, "GREATEST(version + 1, VALUES(version))", "version")


def with_versions_by_the_clock_alone(patch: Patch, street: Street) -> None:
    worker.rewrite(patch, "GREATEST(version + 1, VALUES(version))", "VALUES(version)")


def without_corrections(patch: Patch, street: Street) -> None:
    worker.rewrite(patch, "corrections = VALUES(corrections) - 1", "TRUE")


def with_dynamodb_first(patch: Patch, street: Street) -> None:
    record = Ledger.record

    def put_and_record(self: Ledger, orders: Mapping[str, Order]) -> dict[str, str]:
        self._projection.write(list(orders.values()), {})
        return record(self, orders)

    patch.setattr(Ledger, "record", put_and_record)


def without_waiting_for_the_projection(patch: Patch, street: Street) -> None:
    patch.setattr(Ledger, "_show", lambda *_: {})


def without_failures(patch: Patch, street: Street) -> None:
    patch.setattr(order_processor, "_response", lambda _: {"batchItemFailures": []})


def without_successes(patch: Patch, street: Street) -> None:
    """Report every message, as an error of the whole batch does."""
    handler = order_processor.handler

    def fail_all(event: dict[str, Any], context: Any) -> Any:
        response = handler(event, context)
        ids = [record["messageId"] for record in event["Records"]]
        return order_processor._response(ids) if response["batchItemFailures"] else response

    patch.setattr(order_processor, "handler", fail_all)


def without_halving(patch: Patch, street: Street) -> None:
    def put(self: Projection, orders: Sequence[Order], refused: dict[str, str]) -> None:
        try:
            self._orders.put(orders)
        except OrderRefusedError as error:
            refused |= {order.order_id: Refused(str(error)) for order in orders}

    patch.setattr(Projection, "_put", put)


def without_fresh_secret(patch: Patch, street: Street) -> None:
    patch.setattr(LoginSecret, "forget", lambda _: None)


def without_retries(patch: Patch, street: Street) -> None:
    patch.setattr(stores.mysql.connection, "CONTENDED", set())
    patch.setattr(stores.dynamodb.client, "ATTEMPTS", 1)


def without_idle_timeout(patch: Patch, street: Street) -> None:
    for_hours = stores.mysql.connection.SESSION.replace(" wait_timeout = {idle}", " wait_timeout = 28800")
    patch.setattr(stores.mysql.connection, "SESSION", for_hours)


def without_identity(patch: Patch, street: Street) -> None:
    patch.setattr(tests.faults.cafe, "with_identity", lambda body, *_: body)


@pytest.mark.parametrize(
    ("take_out", "test"),
    [
        (without_unique_key, test_the_unique_key_an_order_that_is_inserted_is_not_inserted_again),
        (without_transaction, test_the_single_transaction_an_order_is_counted_with_its_row_or_not_at_all),
        (with_one_number_for_all, test_the_recording_number_an_order_that_is_counted_is_not_counted_again),
        (
            with_a_number_per_batch,
            test_another_number_for_each_attempt_a_commit_whose_answer_is_lost_counts_once,
        ),
        (
            with_uncounted_rows_taken_for_counted,
            test_the_mark_of_uncounted_rows_what_the_previous_release_inserts_is_counted_once,
        ),
        (
            without_reading_back,
            lambda cafe: test_the_reading_back_a_second_order_under_an_id_is_a_conflict(cafe, False),
        ),
        (
            without_conflicts,
            lambda cafe: test_the_reading_back_a_second_order_under_an_id_is_a_conflict(cafe, True),
        ),
        (without_reading_back, test_the_reading_back_dynamodb_has_an_order_as_mysql_has_it),
        (without_condition, test_the_condition_a_counter_that_arrives_late_does_not_go_back),
        (without_new_versions, test_the_version_a_counter_that_changes_has_another_version),
        (with_versions_by_the_clock_alone, test_the_version_never_goes_backwards_when_the_clock_does),
        *(
            (
                without_corrections,
                lambda cafe, lost=lost: test_the_corrections_a_counter_that_is_wrong_is_corrected_once(
                    cafe, lost
                ),
            )
            for lost in (False, True)
        ),
        (with_dynamodb_first, test_the_order_of_the_stores_dynamodb_shows_nothing_that_mysql_lacks),
        *(
            (
                without_waiting_for_the_projection,
                lambda cafe, place=place: (
                    test_the_projection_before_the_response_a_message_stays_until_both_stores_have_it(
                        cafe, place
                    )
                ),
            )
            for place in (Place.PUT, Place.UPDATE)
        ),
        (
            without_failures,
            test_the_partial_response_what_holds_no_order_is_dead_and_its_neighbours_are_done,
        ),
        (
            without_successes,
            test_the_partial_response_what_holds_no_order_is_dead_and_its_neighbours_are_done,
        ),
        (without_halving, test_the_halving_an_order_that_dynamodb_refuses_fails_alone_and_is_counted),
        (without_fresh_secret, test_the_fresh_secret_a_rotation_costs_no_receive),
        *(
            (
                without_retries,
                lambda cafe, place=place, fault=fault: test_the_retry_what_passes_costs_no_receive(
                    cafe, place, fault
                ),
            )
            for place, fault in [
                (Place.STATEMENT, Fault.DEADLOCK),
                (Place.PUT, Fault.UNPROCESSED),
                (Place.UPDATE, Fault.THROTTLED),
            ]
        ),
        (
            without_idle_timeout,
            lambda cafe: stand_before_commit(cafe, limit=3),
        ),
        (without_identity, test_the_identity_a_redrive_is_the_same_order_on_the_same_day),
    ],
)
def test_without_a_protection_its_test_fails(
    street: Street, take_out: Callable[[Patch, Street], None], test: Callable[[Cafe], None]
) -> None:
    with pytest.MonkeyPatch.context() as patch, street.changed_schema(), street.cafe() as cafe:
        take_out(patch, street)
        with pytest.raises(AssertionError):
            test(cafe)
