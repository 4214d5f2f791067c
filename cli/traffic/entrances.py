"""Sending to the entrances of a stack: `POST /orders`, `OrderTopic` and `OrderQueue`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cli import queues
from cli.errors import AnswerError
from cli.queues import Outgoing
from cli.traffic.client import OrderClient
from cli.traffic.plan import Entrance, Sending

if TYPE_CHECKING:
    import httpx

    from cli.aws import Clients
    from cli.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Result of a sending: the order's id, if it is known, and why it was not accepted, if it was not."""

    order_id: str | None = None
    problem: AnswerError | None = None


class Sender(Protocol):
    """Sends to one entrance, `batch` at once."""

    batch: int

    def send(self, sendings: Sequence[Sending]) -> list[Sent]:
        """Send up to `batch`, and return the result of each."""

    def close(self) -> None:
        """Send nothing again."""


class HttpSender:
    """`POST /orders`, one order at a time."""

    batch = 1

    def __init__(self, client: OrderClient) -> None:
        self._client = client

    def send(self, sendings: Sequence[Sending]) -> list[Sent]:
        """Send each until it is accepted or refused."""
        return [self._place(sending) for sending in sendings]

    def close(self) -> None:
        """Send nothing again."""
        self._client.close()

    def _place(self, sending: Sending) -> Sent:
        try:
            return Sent(order_id=self._client.place(sending.body, sending.order_id).order_id)
        except AnswerError as error:
            return Sent(problem=error)


class BatchSender:
    """The topic or the queue, which take batches."""

    def __init__(self, send: queues.Send, rate: float | None = None) -> None:
        self._send = send
        self.batch = queues.step(rate)

    def send(self, sendings: Sequence[Sending]) -> list[Sent]:
        """Send a batch; boto3 sends again what fails."""
        results = self._send([Outgoing(body=sending.body, attributes={}) for sending in sendings])
        return [
            Sent(order_id=sending.order_id, problem=AnswerError(sent.problem) if sent.problem else None)
            for sending, sent in zip(sendings, results, strict=True)
        ]

    def close(self) -> None:
        """Do nothing: boto3's attempts end by themselves."""


def senders(
    stack: Stack, clients: Clients, client: httpx.Client, rate: float | None = None
) -> dict[Entrance, Sender]:
    """Return a sender for each entrance; at a low rate the batches are smaller."""
    topic, queue = stack.output("topic_arn"), stack.output("queue_url")
    http = OrderClient(client, stack.output("orders_url"), api_key=stack.orders_api_key)
    return {
        Entrance.HTTP: HttpSender(http),
        Entrance.TOPIC: BatchSender(lambda messages: queues.publish(clients.sns, topic, messages), rate),
        Entrance.QUEUE: BatchSender(lambda messages: queues.send(clients.sqs, queue, messages), rate),
    }
