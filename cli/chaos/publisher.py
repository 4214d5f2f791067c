"""How a run of `cafe chaos` sends its messages: by all three doors, a few batches at once."""

import json
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import httpx

from cli import aws, http
from cli.chaos.figures import Figures, Progress
from cli.chaos.orders import Door, Sending
from cli.errors import AnswerError
from cli.order import Counter, Order
from cli.plurals import messages
from cli.stack import Stack

BATCH = 10  # messages that SNS and SQS take at once
HANDS = 4  # batches under way at once


@dataclass(frozen=True, kw_only=True)
class _AnyOrder(Order):
    """An order whose body is written already."""

    text: str

    def body(self) -> dict[str, object]:
        body: dict[str, object] = json.loads(self.text)
        return body


class Publisher:
    """Sends messages by all three doors, in batches, a few at once."""

    def __init__(
        self, stack: Stack, clients: aws.Clients, client: httpx.Client, progress: Progress, figures: Figures
    ) -> None:
        self._topic = stack.output("topic_arn")
        self._queue = stack.output("queue_url")
        self._orders = stack.output("orders_url")
        self._sns, self._sqs = clients.sns, clients.sqs
        self._client = client
        self._door = Counter(client, self._orders, api_key=stack.orders_api_key)
        self._headers = {"Content-Type": "application/json"}
        if stack.orders_api_key:
            self._headers["x-api-key"] = stack.orders_api_key
        self._progress = progress
        self._figures = figures
        self._batches: dict[Door, list[str]] = {"topic": [], "queue": []}
        self._pool = ThreadPoolExecutor(HANDS)
        self._under_way: set[Future[None]] = set()
        self._lock = threading.Lock()

    def send(self, sending: Sending) -> None:
        """Send a message, perhaps a few messages later; waits while enough is under way."""
        self._figures.doors[sending.door] += 1
        if sending.door == "http":
            self._start(1, self._post, sending)
            return
        batch = self._batches[sending.door]
        batch.append(sending.body)
        if len(batch) == BATCH:
            self._send_batch(sending.door)

    def flush(self) -> None:
        """Send what is left, and wait until everything is sent."""
        for door in ("topic", "queue"):
            if self._batches[door]:
                self._send_batch(door)
        self._wait(0)

    def close(self) -> None:
        """Send nothing more; what is under way ends first."""
        self._door.close()
        self._pool.shutdown(cancel_futures=True)

    def _send_batch(self, door: Door) -> None:
        batch, self._batches[door] = self._batches[door], []
        self._start(len(batch), self._publish if door == "topic" else self._enqueue, batch)

    def _start(self, messages: int, work: Any, given: Any) -> None:
        self._wait(HANDS - 1)

        def send() -> None:
            work(given)
            with self._lock:
                self._progress.sent += messages

        self._under_way.add(self._pool.submit(send))

    def _wait(self, at_most: int) -> None:
        while len(self._under_way) > at_most:
            done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()

    def _publish(self, bodies: list[str]) -> None:
        answer = self._sns.publish_batch(
            TopicArn=self._topic,
            PublishBatchRequestEntries=[
                {"Id": str(index), "Message": body} for index, body in enumerate(bodies)
            ],
        )
        _require_all(answer.get("Failed"), "The topic")

    def _enqueue(self, bodies: list[str]) -> None:
        answer = self._sqs.send_message_batch(
            QueueUrl=self._queue,
            Entries=[{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)],
        )
        _require_all(answer.get("Failed"), "The queue")

    def _post(self, sending: Sending) -> None:
        if sending.fate == "valid":
            self._door.place(_AnyOrder(item="", text=sending.body), sending.key)
            return
        response = self._client.post(self._orders, content=sending.body.encode(), headers=self._headers)
        if response.status_code != httpx.codes.BAD_REQUEST:
            raise AnswerError(f"A malformed order was answered with {http.message_of(response)}.")
        with self._lock:
            self._figures.refused_at_door += 1


def _require_all(failed: Any, who: str) -> None:
    if failed:
        raise AnswerError(f"{who} did not take {messages(len(failed))}: {failed[0].get('Message', '?')}")
