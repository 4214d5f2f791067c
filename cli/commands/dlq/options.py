"""What the sub-commands of `cafe dlq` share."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import stack
from cli.options import MOST, finite

if TYPE_CHECKING:
    from cli.dlq.dead_letters import DeadLetters


class QueueName(StrEnum):
    """The dead-letter queues, and what leads to each."""

    ORDERS = "orders"
    SUBSCRIPTION = "subscription"


OUTPUTS = {
    QueueName.ORDERS: "dead_letter_queue_url",
    QueueName.SUBSCRIPTION: "subscription_dead_letter_queue_url",
}

WhichQueue = Annotated[
    QueueName,
    typer.Option(
        "--queue", help="`orders`: what the worker gave up on. `subscription`: what SNS could not deliver."
    ),
]
MessageId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The message's id, or its beginning.", show_default=False),
]
Rate = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=MOST,
        callback=finite,
        help="Messages a second, at most; as fast as it goes unless given.",
        show_default=False,
    ),
]


@contextmanager
def opened(stack_name: str, directory: Path | None, queue: QueueName) -> Iterator["DeadLetters"]:
    """Open one of a stack's dead-letter queues; Ctrl-C stops the work with it after the step under way."""
    from cli import aws
    from cli.dlq.dead_letters import DeadLetters
    from cli.stopping import stopping

    target = stack.load(stack_name, directory)
    url, target_url = target.output(OUTPUTS[queue]), target.output("queue_url")
    with stopping() as stop:
        yield DeadLetters(sqs=aws.Clients(target).sqs, url=url, target_url=target_url, stop=stop)
