"""`OrderQueue` and `OrderDLQ`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import environment
from orders.failures import StoreUnavailableError
from orders.sync import Depths
from stores import aws
from stores.parallel import batches, call_in_parallel

MAX_BATCH = 10  # messages of a call
PARALLEL = 8  # calls


def sqs_client(config: aws.ClientConfig = aws.FOR_REQUESTS) -> Any:
    """Create a client for the endpoint that the function's network can reach.

    Only `sqs.REGION.api.aws` has IPv6 addresses, and only `sqs.REGION.amazonaws.com` is the name of a
    private endpoint. https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
    """
    return aws.client("sqs", config, dual_stack=environment.sqs_has_ipv6())


class OrderQueues:
    """Both queues, for the order status."""

    def __init__(self, queue_url: str, dead_letter_queue_url: str, client: Any = None) -> None:
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._client: Any = client or sqs_client()

    def depths(self) -> Depths:
        """Return the numbers of messages."""
        try:
            waiting, in_flight = self._depth(self._queue_url)
            return Depths(waiting, in_flight, sum(self._depth(self._dead_letter_queue_url)))
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"SQS: {error}") from error

    def _depth(self, url: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])


class OrderQueue:
    """`OrderQueue`, for the worker."""

    def __init__(self, url: str, client: Any = None) -> None:
        self._url = url
        self._client: Any = client or sqs_client(aws.BEST_EFFORT)

    def visibility_timeout(self) -> int:
        """Return the queue's own visibility timeout in seconds."""
        name = "VisibilityTimeout"
        response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(response["Attributes"][name])

    def set_visibility(self, seconds: Mapping[str, int], seconds_left: Callable[[], float]) -> str | None:
        """Set for how many seconds messages stay invisible, by receipt handle, in this order.

        Calls start in parallel while there are `seconds_left`. Return the reason and number of messages whose
        visibility was not set, None if all were.
        """
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": timeout}
            for number, (receipt, timeout) in enumerate(seconds.items())
        ]
        groups = batches(entries, MAX_BATCH)
        with ThreadPoolExecutor(PARALLEL) as threads:
            problems = [
                why for found in threads.map(lambda g: self._set(g, seconds_left), groups) for why in found
            ]
        return f"{problems[0]}, {len(problems)} messages" if problems else None

    def _set(self, entries: Sequence[Mapping[str, Any]], seconds_left: Callable[[], float]) -> list[str]:
        """Return a reason for each message that keeps its visibility."""
        if seconds_left() <= 0:
            return ["no time is left"] * len(entries)
        try:
            response = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            return [f"SQS: {error}"] * len(entries)
        return [f"SQS: {entry['Code']}" for entry in response.get("Failed", [])]


class DeadLetters:
    """`OrderDLQ`, for the sweep; a received message is invisible for `hidden` seconds."""

    def __init__(self, url: str, hidden: int = 60, client: Any = None) -> None:
        self._url = url
        self._hidden = hidden
        self._client: Any = client or sqs_client()
        self._receipts: dict[str, str] = {}
        self._threads = ThreadPoolExecutor(PARALLEL)

    def receive(self) -> list[dict[str, Any]]:
        """Receive messages as records of an SQS event, by parallel calls.

        An empty result usually means that there are no more: a receive queries a few of SQS's servers only.
        """
        found = call_in_parallel(self._threads, self._receive, range(PARALLEL))
        messages = [message for received in found for message in received]
        self._receipts |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        return [
            {"messageId": m["MessageId"], "body": m["Body"], "attributes": m.get("Attributes", {})}
            for m in messages
        ]

    def delete(self, message_ids: Sequence[str]) -> None:
        """Delete received messages; one that cannot be deleted is received again."""
        self._call_in_batches("delete_message_batch", message_ids)

    def release(self, message_ids: Sequence[str]) -> None:
        """Make received messages visible again."""
        self._call_in_batches("change_message_visibility_batch", message_ids, VisibilityTimeout=0)

    def _receive(self, _number: int) -> list[dict[str, Any]]:
        response = self._call(
            "receive_message",
            MaxNumberOfMessages=MAX_BATCH,
            VisibilityTimeout=self._hidden,
            AttributeNames=["SentTimestamp"],
        )
        messages: list[dict[str, Any]] = response.get("Messages", [])
        return messages

    def _call_in_batches(self, operation: str, message_ids: Sequence[str], **request: Any) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": self._receipts.pop(message_id), **request}
            for number, message_id in enumerate(message_ids)
        ]
        groups = batches(entries, MAX_BATCH)
        call_in_parallel(self._threads, lambda group: self._call(operation, Entries=group), groups)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, operation)(QueueUrl=self._url, **request)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"SQS: {error}") from error
        return response
