"""Options and queues that the sub-commands of `cafe dlq` share."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from cli.dlq.dead_letters import DeadLetters
from cli.options import Target, rate_option
from cli.stopping import stopping


class QueueName(StrEnum):
    """The dead-letter queues."""

    ORDERS = "orders"
    SUBSCRIPTION = "subscription"


OUTPUTS = {
    QueueName.ORDERS: "dead_letter_queue_url",
    QueueName.SUBSCRIPTION: "subscription_dead_letter_queue_url",
}

WhichQueue = Annotated[
    QueueName,
    typer.Option(
        "--queue", help="`orders`: not processed by the worker. `subscription`: not delivered by SNS."
    ),
]
MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id, or its beginning.")]
OneMessage = Annotated[str | None, typer.Option("--id", help="Only the message with this id, or beginning.")]
Rate = Annotated[float | None, rate_option("Messages")]


@contextmanager
def opened(target: Target, queue: QueueName) -> Iterator[DeadLetters]:
    """Open a stack's dead-letter queue; Ctrl-C stops the work with it after the current step."""
    with stopping() as stop:
        yield DeadLetters.of(target.clients, OUTPUTS[queue], stop)
