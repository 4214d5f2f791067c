"""Record of a restore that is under way.

It is an item of the table `CafeOrderMetrics`, so that the restore can be continued on any machine. Its
progress follows from the states in AWS; the record has the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from cli import aws, times
from cli.errors import OperationError
from cli.stack import Stack

KEY: Any = {"metric": {"S": "RESTORE"}}  # of the item; not a counter, like `RDS_ORDERS`
DOCUMENT = "document"


class Record(BaseModel):
    """A restore."""

    snapshot: str  # from which the database is made
    to: datetime | None = None  # as of which the snapshot is made, from a database beside the running one
    source: str  # the database's identifier when the restore began
    protected: bool  # whether `deletionProtection` was on
    started_at: datetime
    paused_at: datetime | None = None
    resumed_at: datetime | None = None
    orders: int = 0  # restored from DynamoDB
    states: int = 0  # newer ones, restored from DynamoDB
    lost: list[str] | None = None  # ids of orders that could not be restored

    @property
    def what(self) -> str:
        """Return the source of the restored database, for people."""
        return f"as of {times.local_time(self.to)}" if self.to else f"from snapshot {self.snapshot}"

    @property
    def paused_seconds(self) -> float:
        """Return the seconds for which the worker was paused so far."""
        if self.paused_at is None:
            return 0.0
        return ((self.resumed_at or datetime.now(UTC)) - self.paused_at).total_seconds()


class Records:
    """The record of a stack, of which there is one at a time; methods raise what boto3 does."""

    def __init__(self, dynamodb: aws.DynamoDBClient, stack: Stack) -> None:
        self._dynamodb = dynamodb
        self._table = stack.output("metrics_table")

    def load(self) -> Record | None:
        """Return the restore that is under way."""
        item = self._dynamodb.get_item(TableName=self._table, Key=KEY, ConsistentRead=True).get("Item")
        return Record.model_validate_json(item[DOCUMENT]["S"]) if item else None

    def begin(self, record: Record) -> None:
        """Store a new record; raise OperationError if another restore has begun since `load` found none."""
        try:
            self.save(record, ConditionExpression="attribute_not_exists(metric)")
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise OperationError("Another restore of this stack has just begun.") from error

    def save(self, record: Record, **condition: Any) -> None:
        """Store the record."""
        item = KEY | {DOCUMENT: {"S": record.model_dump_json()}}
        self._dynamodb.put_item(TableName=self._table, Item=item, **condition)

    def delete(self) -> None:
        """Delete the record of a restore that has ended."""
        self._dynamodb.delete_item(TableName=self._table, Key=KEY)
