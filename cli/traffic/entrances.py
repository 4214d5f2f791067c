"""Sending to the entrances of a stack: `POST /orders`, `OrderTopic` and `OrderQueue`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from cli import queues
from cli.aws import Clients
from cli.errors import OperationError
from cli.queues import Outgoing
from cli.traffic.client import OrderClient
from cli.traffic.plan import Entrance, Sending


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Result of a sending: the order's id, if it is known, or the error."""

    order_id: str | None = None
    problem: OperationError | None = None


@dataclass(frozen=True)
class Sender:
    """Sends to one entrance, up to `batch` at once; without retries after `close`."""

    batch: int
    send: Callable[[Sequence[Sending]], list[Sent]]
    close: Callable[[], None] = lambda: None


def http_sender(client: OrderClient) -> Sender:
    """Return a sender that places each order until it is accepted or refused."""

    def place(sending: Sending) -> Sent:
        try:
            return Sent(order_id=client.place(sending.body, sending.order_id))
        except OperationError as error:
            return Sent(problem=error)

    return Sender(1, lambda sendings: [place(sending) for sending in sendings], client.close)


def batch_sender(send: queues.Send, rate: float | None = None) -> Sender:
    """Return a sender to the topic or the queue; boto3 retries."""

    def send_batch(sendings: Sequence[Sending]) -> list[Sent]:
        results = send([Outgoing(body=sending.body, attributes={}) for sending in sendings])
        return [
            Sent(order_id=sending.order_id, problem=OperationError(sent.problem) if sent.problem else None)
            for sending, sent in zip(sendings, results, strict=True)
        ]

    return Sender(queues.step(rate), send_batch)


def senders(clients: Clients, client: httpx.Client, rate: float | None = None) -> dict[Entrance, Sender]:
    """Return a sender for each entrance; at a low rate the batches are smaller."""
    topic, queue = clients.stack.output("topic_arn"), clients.stack.output("queue_url")
    http = OrderClient(client, clients.stack.output("orders_url"), api_key=clients.stack.orders_api_key)
    return {
        Entrance.HTTP: http_sender(http),
        Entrance.TOPIC: batch_sender(lambda messages: queues.publish(clients.sns, topic, messages), rate),
        Entrance.QUEUE: batch_sender(lambda messages: queues.send(clients.sqs, queue, messages), rate),
    }
