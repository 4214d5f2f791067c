"""How many orders are on their way: the depths of the queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orders.ledger import StoreUnavailableError

QUICK = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass(frozen=True, slots=True)
class Depths:
    """Messages on their way, as SQS estimates them."""

    waiting: int
    in_flight: int
    dead_lettered: int


class OrderQueues:
    """`OrderQueue` and `OrderDLQ`."""

    def __init__(self, queue_url: str, dead_letter_queue_url: str, client: Any = None) -> None:
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._client: Any = client or boto3.client("sqs", config=QUICK)

    def depths(self) -> Depths:
        """Count messages.

        Raises
        ------
        StoreUnavailableError
            If SQS does not answer.
        """
        try:
            waiting, in_flight = self._depth(self._queue_url)
            return Depths(waiting, in_flight, sum(self._depth(self._dead_letter_queue_url)))
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"SQS: {error}") from error

    def _depth(self, url: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])
