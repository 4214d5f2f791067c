"""Each protection, in the fewest steps in which no other one helps; without it, its test fails."""

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
import tests.faults.simulation
from orders.failures import OrderRefusedError, Refused
from orders.ledger import Ledger, Recorded
from orders.order import Order
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.orders import OrdersDatabase
from tests.faults import process
from tests.faults.faults import THROTTLES, Fault, Place, after, before
from tests.faults.messages import MALFORMED, Form, NewOrder
from tests.faults.simulation import Simulation
from tests.faults.simulations import Simulations
from tests.waiting import LIMIT

HOUR = 3600 * 1_000_000  # microseconds


def test_the_unique_key_keeps_an_order_from_being_inserted_twice(simulation: Simulation) -> None:
    order = simulation.publish(NewOrder("A1"))
    simulation.receive(0, [order], before(Place.PUT), Fault.PROCESS_GONE)
    simulation.resume(0)
    simulation.receive(1, [order])
    simulation.check()


def test_the_transaction_counts_an_order_with_its_row_or_not_at_all(
    simulation: Simulation,
) -> None:
    order = simulation.publish(NewOrder("A1"))
    simulation.receive(0, [order], after(Place.STATEMENT))
    while 0 in simulation.paused:
        simulation.resume(0, after(Place.STATEMENT))
    simulation.check()


def test_the_recording_number_keeps_an_order_from_being_counted_twice(simulation: Simulation) -> None:
    order = simulation.publish(NewOrder("A1", quantity=2))
    simulation.receive(0, [order], after(Place.COMMIT), Fault.PROCESS_GONE)
    simulation.resume(0)
    simulation.receive(1, [order, simulation.publish(NewOrder("B1"))])
    simulation.check()


def test_a_number_for_each_attempt_counts_once_when_the_response_to_a_commit_is_lost(
    simulation: Simulation,
) -> None:
    order = simulation.publish(NewOrder("A1", quantity=2))
    simulation.receive(0, [order], after(Place.COMMIT), Fault.SERVER_LOST)
    simulation.resume(0)
    simulation.check()


def test_the_mark_of_uncounted_rows_counts_those_of_the_previous_release_once(
    simulation: Simulation,
) -> None:
    order = simulation.publish(NewOrder("A1", quantity=2))
    simulation.record_as_previous_release(order)
    simulation.receive(0, [order, simulation.publish(NewOrder("B1"))])
    simulation.reconcile(0)
    simulation.check()


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_reading_back_reports_a_second_order_under_an_id(simulation: Simulation, in_one_batch: bool) -> None:
    tea = simulation.publish(NewOrder("A1", "Tea", 2))
    others = [
        simulation.publish(NewOrder("A1", "Latte", 2)),
        simulation.publish(NewOrder("A1", "Tea", 3)),
        simulation.publish(NewOrder("A1", "Tea", 2, customer_name="Zoë")),
    ]
    if in_one_batch:
        simulation.receive(0, [tea, *others])
    else:
        simulation.receive(0, [tea], before(Place.PUT))
        simulation.receive(1, others)
        simulation.resume(0)
    assert simulation.queue.deleted == [tea]
    simulation.recover()
    assert simulation.queue.dead == others


def test_reading_back_gives_dynamodb_the_order_that_mysql_has(simulation: Simulation) -> None:
    first = simulation.publish(NewOrder("A1", attributes={"table_number": 4}))
    again = simulation.publish(NewOrder("A1", attributes={"table_number": 5}))
    simulation.receive(0, [first], after(Place.COMMIT), Fault.PROCESS_GONE)
    simulation.resume(0)
    simulation.receive(1, [again])
    simulation.recover()


def test_the_condition_keeps_a_late_write_from_decreasing_a_counter(simulation: Simulation) -> None:
    simulation.receive(0, [simulation.publish(NewOrder("A1"))], before(Place.UPDATE), Fault.LATE)
    simulation.resume(0)
    simulation.receive(1, [simulation.publish(NewOrder("B1"))])
    simulation.deliver_late_write()
    simulation.recover()


def test_the_version_changes_with_its_counter(simulation: Simulation) -> None:
    for order_id in ("A1", "B1"):
        simulation.receive(0, [simulation.publish(NewOrder(order_id))])
    simulation.check()


def test_the_version_increases_when_the_clock_goes_back(simulation: Simulation) -> None:
    simulation.receive(0, [simulation.publish(NewOrder("A1"))])
    simulation.change_versions(HOUR)
    simulation.receive(0, [simulation.publish(NewOrder("B1"))])
    simulation.recover()


@pytest.mark.parametrize("lost", [False, True], ids=["two audits", "a lost response"])
def test_the_number_of_corrections_corrects_a_counter_once(simulation: Simulation, lost: bool) -> None:
    simulation.receive(0, [simulation.publish(NewOrder("A1"))])
    simulation.miscount("TOTAL_ORDERS", -1)
    simulation.miscount("ITEM#Latte", 5)
    simulation.audit(0, after(Place.COMMIT))  # of the snapshot
    simulation.audit(1, after(Place.COMMIT))
    simulation.receive(2, [simulation.publish(NewOrder("B1"))])
    simulation.expect_corrected()
    simulation.resume(0, after(Place.COMMIT), Fault.SERVER_LOST if lost else None)
    simulation.resume(0)
    simulation.resume(1)
    simulation.receive(2, [simulation.publish(NewOrder("C1"))])
    simulation.recover()


def test_the_order_of_the_stores_keeps_out_of_dynamodb_what_mysql_lacks(
    simulation: Simulation,
) -> None:
    simulation.inject(Place.CONNECT, Fault.UNREACHABLE)
    simulation.receive(0, [simulation.publish(NewOrder("A1", "Tea"))])
    simulation.end_faults()
    # Another order under the same id reaches MySQL first: that one is recorded.
    simulation.receive(0, [simulation.publish(NewOrder("A1", "Latte"))])
    simulation.recover()


@pytest.mark.parametrize("place", [Place.PUT, Place.UPDATE])
def test_a_message_stays_on_the_queue_until_both_stores_have_its_order(
    simulation: Simulation, place: Place
) -> None:
    order = simulation.publish(NewOrder("A1"))
    simulation.inject(place, Fault.NO_ROUTE)
    simulation.receive(0, [order])
    assert simulation.queue.messages == [order]
    simulation.recover()


def test_the_partial_response_dead_letters_malformed_messages_alone(
    simulation: Simulation,
) -> None:
    for body in MALFORMED.values():
        simulation.publish_malformed(body)
    orders = [simulation.publish(NewOrder(None, form=form)) for form in Form]
    simulation.receive(0, simulation.queue.visible)
    assert simulation.queue.deleted == orders
    simulation.recover()


def test_halving_fails_only_the_order_that_dynamodb_refuses(
    simulation: Simulation,
) -> None:
    orders = {
        order_id: simulation.publish(NewOrder(order_id, quantity=2)) for order_id in ("A1", "B1", "C1", "D1")
    }
    simulation.refuse("B1")
    simulation.receive(0, list(orders.values()))
    assert simulation.queue.messages == [orders["B1"]]
    assert simulation.projected("TOTAL_ORDERS") == 4
    simulation.recover()


def test_a_fresh_secret_saves_a_receive_after_a_rotation(simulation: Simulation) -> None:
    simulation.receive(0, [simulation.publish(NewOrder("A1"))])
    simulation.cut_connections()
    simulation.rotate(update_secret=True)
    order = simulation.publish(NewOrder("A2"))
    simulation.receive(0, [order])
    assert order in simulation.queue.deleted
    simulation.check()


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
def test_a_retry_saves_a_receive_after_a_brief_fault(
    simulation: Simulation, place: Place, fault: Fault
) -> None:
    order = simulation.publish(NewOrder("A1"))
    simulation.receive(0, [order], before(place), fault)
    simulation.resume(0)
    assert order in simulation.queue.deleted
    simulation.check()


def test_the_identity_makes_a_redriven_message_the_same_order_on_the_same_day(simulation: Simulation) -> None:
    bare = simulation.publish(NewOrder(None, form=Form.BARE))
    notified = simulation.publish(NewOrder(None, form=Form.ENVELOPE_TWICE))
    simulation.inject(Place.PUT, Fault.THROTTLED)
    for _ in range(4):
        simulation.receive(0, [bare, notified])
    simulation.end_faults()
    simulation.redrive(bare, interrupted=True)
    simulation.recover()


def test_the_idle_timeout_releases_the_locks_of_a_worker_that_stops_before_its_commit(
    simulation: Simulation,
) -> None:
    stop_before_commit(simulation, LIMIT)


def stop_before_commit(simulation: Simulation, limit: float) -> None:
    simulation.session_timeout = 1
    # New ids: over deleted rows that are not purged yet, the second worker would wait for the first row.
    for worker in range(2):
        order = simulation.publish(NewOrder(f"{limit:g}-{worker}"))
        simulation.receive(worker, [order], before(Place.COMMIT))
    assert simulation.acquires_lock(1, limit)
    simulation.recover()


# --- without a protection -----------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def without_unique_key(patch: Patch, simulations: Simulations) -> None:
    simulations.database.execute("ALTER TABLE orders DROP INDEX orders_order_id")


def without_transaction(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(MySql, "run", MySql.read)


def with_one_number_for_all(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(stores.mysql.orders, "recording_number", lambda: 1)


def with_a_number_per_batch(patch: Patch, simulations: Simulations) -> None:
    """Use one number for all attempts: an order that was committed before the response was lost looks new."""
    record = OrdersDatabase.record

    def record_with_one_number(self: OrdersDatabase, batch: Sequence[Order]) -> Any:
        number = stores.mysql.orders.first_number(1)
        with pytest.MonkeyPatch.context() as attempt:
            attempt.setattr(stores.mysql.orders, "recording_number", lambda: number)
            return record(self, batch)

    patch.setattr(OrdersDatabase, "record", record_with_one_number)


def with_uncounted_rows_treated_as_counted(patch: Patch, simulations: Simulations) -> None:
    process.rewrite(patch, "recorded_in IS NULL", "FALSE")


def without_reading_back(patch: Patch, simulations: Simulations) -> None:
    record = OrdersDatabase.record

    def record_and_return_orders(self: OrdersDatabase, orders: Sequence[Order]) -> dict[str, Order]:
        record(self, orders)
        return {order.order_id: order for order in orders}

    patch.setattr(OrdersDatabase, "record", record_and_return_orders)


def without_conflicts(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(orders.ledger, "conflict", lambda *_: None)


def without_condition(patch: Patch, simulations: Simulations) -> None:
    anything = "attribute_not_exists(#version) OR attribute_exists(#version)"
    patch.setattr(stores.dynamodb.projection, "CURRENT", anything)
    patch.setattr(stores.dynamodb.projection, "OLDER", '"version" > ?')


def without_new_versions(patch: Patch, simulations: Simulations) -> None:
    process.rewrite(patch, "GREATEST(version + 1, VALUES(version))", "version")


def with_versions_by_the_clock_alone(patch: Patch, simulations: Simulations) -> None:
    process.rewrite(patch, "GREATEST(version + 1, VALUES(version))", "VALUES(version)")


def without_corrections(patch: Patch, simulations: Simulations) -> None:
    process.rewrite(patch, "corrections = VALUES(corrections) - 1", "TRUE")


def with_dynamodb_first(patch: Patch, simulations: Simulations) -> None:
    record = Ledger.record_batch

    def put_and_record(self: Ledger, orders: Mapping[str, Order]) -> Recorded:
        self._projection.write(list(orders.values()), {})
        return record(self, orders)

    patch.setattr(Ledger, "record_batch", put_and_record)


def without_waiting_for_the_projection(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(Ledger, "_project", lambda *_: {})


def without_failures(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(order_processor, "_response", lambda _: {"batchItemFailures": []})


def without_successes(patch: Patch, simulations: Simulations) -> None:
    """Report every message, as an error of the whole batch does."""
    handler = order_processor.handler

    def fail_all(event: dict[str, Any], context: Any) -> Any:
        response = handler(event, context)
        ids = [record["messageId"] for record in event["Records"]]
        return order_processor._response(ids) if response["batchItemFailures"] else response

    patch.setattr(order_processor, "handler", fail_all)


def without_halving(patch: Patch, simulations: Simulations) -> None:
    def put(self: Projection, orders: Sequence[Order], refused: dict[str, str]) -> None:
        try:
            self._orders.put(orders)
        except OrderRefusedError as error:
            refused |= {order.order_id: Refused(str(error)) for order in orders}

    patch.setattr(Projection, "_put", put)


def without_fresh_secret(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(LoginSecret, "forget", lambda _: None)


def without_retries(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(stores.mysql.connection, "CONTENDED", set())
    patch.setattr(stores.dynamodb.client, "ATTEMPTS", 1)


def without_idle_timeout(patch: Patch, simulations: Simulations) -> None:
    for_hours = stores.mysql.connection.SESSION.replace(" wait_timeout = {idle}", " wait_timeout = 28800")
    patch.setattr(stores.mysql.connection, "SESSION", for_hours)


def without_identity(patch: Patch, simulations: Simulations) -> None:
    patch.setattr(tests.faults.simulation, "with_identity", lambda body, *_: body)


@pytest.mark.parametrize(
    ("remove", "test", "arguments"),
    [
        (without_unique_key, test_the_unique_key_keeps_an_order_from_being_inserted_twice, ()),
        (without_transaction, test_the_transaction_counts_an_order_with_its_row_or_not_at_all, ()),
        (with_one_number_for_all, test_the_recording_number_keeps_an_order_from_being_counted_twice, ()),
        (
            with_a_number_per_batch,
            test_a_number_for_each_attempt_counts_once_when_the_response_to_a_commit_is_lost,
            (),
        ),
        (
            with_uncounted_rows_treated_as_counted,
            test_the_mark_of_uncounted_rows_counts_those_of_the_previous_release_once,
            (),
        ),
        (without_reading_back, test_reading_back_reports_a_second_order_under_an_id, (False,)),
        (without_conflicts, test_reading_back_reports_a_second_order_under_an_id, (True,)),
        (without_reading_back, test_reading_back_gives_dynamodb_the_order_that_mysql_has, ()),
        (without_condition, test_the_condition_keeps_a_late_write_from_decreasing_a_counter, ()),
        (without_new_versions, test_the_version_changes_with_its_counter, ()),
        (with_versions_by_the_clock_alone, test_the_version_increases_when_the_clock_goes_back, ()),
        (without_corrections, test_the_number_of_corrections_corrects_a_counter_once, (False,)),
        (without_corrections, test_the_number_of_corrections_corrects_a_counter_once, (True,)),
        (with_dynamodb_first, test_the_order_of_the_stores_keeps_out_of_dynamodb_what_mysql_lacks, ()),
        (
            without_waiting_for_the_projection,
            test_a_message_stays_on_the_queue_until_both_stores_have_its_order,
            (Place.PUT,),
        ),
        (
            without_waiting_for_the_projection,
            test_a_message_stays_on_the_queue_until_both_stores_have_its_order,
            (Place.UPDATE,),
        ),
        (without_failures, test_the_partial_response_dead_letters_malformed_messages_alone, ()),
        (without_successes, test_the_partial_response_dead_letters_malformed_messages_alone, ()),
        (without_halving, test_halving_fails_only_the_order_that_dynamodb_refuses, ()),
        (without_fresh_secret, test_a_fresh_secret_saves_a_receive_after_a_rotation, ()),
        (
            without_retries,
            test_a_retry_saves_a_receive_after_a_brief_fault,
            (Place.STATEMENT, Fault.DEADLOCK),
        ),
        (without_retries, test_a_retry_saves_a_receive_after_a_brief_fault, (Place.PUT, Fault.UNPROCESSED)),
        (without_retries, test_a_retry_saves_a_receive_after_a_brief_fault, (Place.UPDATE, Fault.THROTTLED)),
        (without_idle_timeout, stop_before_commit, (3,)),
        (without_identity, test_the_identity_makes_a_redriven_message_the_same_order_on_the_same_day, ()),
    ],
)
def test_without_a_protection_its_test_fails(
    simulations: Simulations,
    remove: Callable[[Patch, Simulations], None],
    test: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        simulations.changed_schema(),
        simulations.start() as simulation,
    ):
        remove(patch, simulations)
        with pytest.raises(AssertionError):
            test(simulation, *arguments)
