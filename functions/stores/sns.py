"""The topic that orders are published to."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orders.errors import StoreUnavailableError

QUICK = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})


class OrderTopic:
    """`OrderTopic` of SNS."""

    def __init__(self, arn: str, client: Any = None) -> None:
        self._arn = arn
        self._client = client or boto3.client("sns", config=QUICK)

    def publish(self, message: str) -> None:
        """Publish an order.

        Raises
        ------
        StoreUnavailableError
            If SNS does not take it.
        """
        try:
            self._client.publish(TopicArn=self._arn, Message=message)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"SNS: {error}") from error
