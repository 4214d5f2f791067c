"""One id for two orders, on the whole system: nothing is silent, and an operator gives one another id."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.cafe import Cafe
from tests.end_to_end.test_failures import logged, wait_for_line
from tests.end_to_end.test_operator import Operator, created_at, done, findings, listed, operator
from tests.end_to_end.test_reconciler import reconcile
from tests.waiting import eventually

__all__ = ["operator"]  # a fixture


def test_an_order_under_a_used_id_is_reported_and_recorded_once_it_has_another_id(
    cafe: Cafe, operator: Operator, new_id: Callable[[], str]
) -> None:
    order_id, taken_id, free_id, item = new_id(), new_id(), new_id(), new_id()
    first: dict[str, Any] = {"orderId": order_id, "item": item, "quantity": 1}
    cafe.publish(json.dumps(first))
    cafe.publish(json.dumps({"orderId": taken_id, "item": "Tea", "quantity": 1}))
    eventually(lambda: cafe.is_recorded(order_id) and cafe.is_recorded(taken_id))
    message_id = cafe.send(json.dumps({**first, "quantity": 2}))
    cafe.send(json.dumps(first))  # the same order: silent

    # Nobody waits for the queue's visibility timeout.
    letter = listed(operator, message_id)
    assert letter["state"] == "conflicting"
    assert letter["state_reason"] == f"orderId {order_id} belongs to another order, with another quantity"
    assert (letter["belongs_to"]["item"], letter["belongs_to"]["quantity"]) == (item, 1)
    wait_for_line(cafe, first, "Order not processed")
    assert logged(cafe, order_id, '"conflict": true')
    assert logged(cafe, order_id, '"ConflictingOrders": 1')
    assert not logged(cafe, order_id, '"FailedOrders"')

    # It stays, whatever sweeps and redrives do, and is told from what is invalid.
    found = eventually(lambda: (answer := reconcile(cafe))["conflicting"] and answer)
    assert found["left"] == found["rejected"] + found["conflicting"] + found["waiting"]
    assert found["conflicting_reason"]
    assert cafe.status()["sync"]["dead_letters"]["conflicting"] >= 1
    assert findings(operator)["conflicts"]["state"] == "bad"
    assert message_id in done(operator("dlq", "redrive", "--json"))["left"]
    assert (cafe.ordered(item), len(cafe.rows("SELECT id FROM orders WHERE item = %s", item))) == (1, 1)

    edit = ("dlq", "edit", message_id, "--yes", "--json", "--order-id")
    eventually(lambda: f"The orderId {taken_id} is taken" in operator(*edit, taken_id).stderr)
    result = eventually(lambda: found if (found := operator(*edit, free_id)).exit_code == 0 else None)
    assert json.loads(result.stdout)["order_id"] == free_id
    eventually(lambda: cafe.is_recorded(free_id))
    assert created_at(cafe, free_id) == datetime.fromisoformat(letter["sent_at"])
    assert cafe.rows("SELECT order_id, quantity FROM orders WHERE item = %s ORDER BY id", item) == [
        (order_id, 1),
        (free_id, 2),
    ]
    eventually(lambda: cafe.ordered(item) == 3)
