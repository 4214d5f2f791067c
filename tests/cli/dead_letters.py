"""Messages in `OrderDLQ`, and helpers, for the tests of `cafe dlq`."""

from __future__ import annotations

import json
import threading
from typing import Any

from typer.testing import CliRunner

from cli.dlq.dead_letters import DeadLetters
from cli.main import app
from tests.cli.stand_in import FakeAws, administrator

GOOD = '{"item": "Latte", "quantity": 2}'
OWN_ID = '{"orderId": "O-7", "item": "Tea", "quantity": 1}'
BAD = '{"orderId": "O-8", "item": "Latte", "quantity": 0}'
ENVELOPED = json.dumps(
    {"Type": "Notification", "MessageId": "m-1", "Timestamp": "2026-11-20T10:00:00.000Z", "Message": GOOD}
)


def confirming(reply: str, *words: str) -> Any:
    """Run `cafe dlq` with a reply to its confirmation."""
    return CliRunner().invoke(app, ["dlq", *words, "--stack", "dev"], input=reply)


def sent(aws: FakeAws) -> list[dict[str, Any]]:
    """Return the messages on the queue."""
    return [json.loads(body) for body in aws.bodies(aws.queue_url)]


def letters(aws: FakeAws, stop: threading.Event | None = None) -> DeadLetters:
    return DeadLetters(
        sqs=administrator().sqs,
        url=aws.dead_letter_queue_url,
        target_url=aws.queue_url,
        stop=stop or threading.Event(),
    )


TAKEN = "orderId O-7 belongs to another order, with another item, quantity"


def record(
    aws: FakeAws, order_id: str, item: str, quantity: int, customer_name: str | None = "Guest"
) -> None:
    """Record an order, as the worker writes it; None: its name is erased."""
    fields = {"orderId": order_id, "item": item}
    fields |= {"customer_name": customer_name} if customer_name else {}
    fields["created_at"] = "2026-11-22T09:30:00.000+00:00"
    typed: Any = {name: {"S": value} for name, value in fields.items()}
    aws.dynamodb.put_item(TableName="Orders-dev", Item={**typed, "quantity": {"N": str(quantity)}})


def unsent(aws: FakeAws) -> bool:
    """Return whether nothing was sent, and the message is still in the dead-letter queue."""
    return (sent(aws), len(aws.bodies(aws.dead_letter_queue_url))) == ([], 1)
