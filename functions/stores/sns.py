"""The topic to which orders are published."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.failures import StoreUnavailableError
from stores import aws


class OrderTopic:
    """`OrderTopic` of SNS."""

    def __init__(self, arn: str, client: Any = None) -> None:
        self._arn = arn
        self._client = client or aws.client("sns", aws.FOR_REQUESTS)

    def publish(self, message: str) -> None:
        """Publish an order."""
        try:
            self._client.publish(TopicArn=self._arn, Message=message)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"SNS: {error}") from error
