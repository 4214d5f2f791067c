"""An order id that is used twice, on the whole system: it is reported, and resolved with another id."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tests.end_to_end.operations import (
    NewId,
    Operator,
    created_at,
    findings,
    json_of,
    listed,
    logged,
    reconcile,
    wait_for_log,
)
from tests.system import System
from tests.waiting import eventually


def test_an_order_under_a_used_id_is_reported_and_recorded_once_it_has_another_id(
    cafe: System, operator: Operator, new_id: NewId
) -> None:
    order_id, taken_id, free_id, item = new_id(), new_id(), new_id(), new_id()
    first: dict[str, Any] = {"orderId": order_id, "item": item, "quantity": 1}
    cafe.publish(json.dumps(first))
    cafe.publish(json.dumps({"orderId": taken_id, "item": "Tea", "quantity": 1}))
    eventually(lambda: cafe.is_recorded(order_id) and cafe.is_recorded(taken_id))
    message_id = cafe.send(json.dumps({**first, "quantity": 2}))
    cafe.send(json.dumps(first))  # the same order: silent

    # Dead-lettered at once, not after visibility timeouts.
    letter = listed(operator, message_id)
    assert letter["state"] == "conflicting"
    assert letter["state_reason"] == f"orderId {order_id} belongs to another order, with another quantity"
    assert (letter["belongs_to"]["item"], letter["belongs_to"]["quantity"]) == (item, 1)
    wait_for_log(cafe, first, "Order not processed")
    assert logged(cafe, order_id, '"conflict": true')
    assert logged(cafe, order_id, '"ConflictingOrders": 1')
    assert not logged(cafe, order_id, '"FailedOrders"')

    # It stays in the queue after sweeps and redrives, and is not counted as invalid.
    found = eventually(lambda: (report := reconcile(cafe))["conflicting"] and report)
    assert found["left"] == found["rejected"] + found["conflicting"] + found["waiting"]
    assert found["conflicting_reason"]
    assert cafe.status()["sync"]["dead_letters"]["conflicting"] >= 1
    assert findings(operator)["conflicts"]["state"] == "bad"
    assert message_id in json_of(operator("dlq", "redrive", "--json"))["left"]
    assert (cafe.ordered(item), len(cafe.rows("SELECT id FROM orders WHERE item = %s", item))) == (1, 1)

    edit = ("dlq", "edit", message_id, "--yes", "--json", "--order-id")
    eventually(lambda: f"The orderId {taken_id} is in use" in operator(*edit, taken_id).stderr)
    result = eventually(lambda: found if (found := operator(*edit, free_id)).exit_code == 0 else None)
    assert json.loads(result.stdout)["order_id"] == free_id
    eventually(lambda: cafe.is_recorded(free_id))
    assert created_at(cafe, free_id) == datetime.fromisoformat(letter["sent_at"])
    assert cafe.rows("SELECT order_id, quantity FROM orders WHERE item = %s ORDER BY id", item) == [
        (order_id, 1),
        (free_id, 2),
    ]
    eventually(lambda: cafe.ordered(item) == 3)
