"""Record of a restore that is under way, kept beside the stack's figures.

It is an item of the table `CafeOrderMetrics`, so that anybody can continue the restore, on any machine. How
far the restore is follows from what AWS shows; only what nothing else shows is kept here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from cli import aws, times
from cli.errors import AnswerError
from cli.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = "RESTORE"  # no counter, like `RDS_ORDERS`
DOCUMENT = "document"


@dataclass(kw_only=True)
class Record:
    """A restore.

    Attributes
    ----------
    snapshot
        What the database is made from.
    to
        The moment to which a database is restored beside the running one, to make that snapshot; None where
        the snapshot was there.
    source
        The database's identifier when the restore began.
    protected
        Whether `deletionProtection` was on.
    paused_at, resumed_at
        When the worker was paused and resumed.
    orders, states
        How many orders came back from DynamoDB, and how many came back in a newer state.
    lost
        Ids of orders that did not come back; None until that is known.
    """

    snapshot: str
    to: datetime | None = None
    source: str
    protected: bool
    started_at: datetime
    paused_at: datetime | None = None
    resumed_at: datetime | None = None
    orders: int = 0
    states: int = 0
    lost: list[str] | None = None

    @property
    def is_pausing(self) -> bool:
        """Return whether orders wait for the restore."""
        return self.paused_at is not None and self.resumed_at is None

    @property
    def what(self) -> str:
        """Return from what the database is restored, for people."""
        return f"as of {times.spoken(self.to)}" if self.to else f"from snapshot {self.snapshot}"

    @property
    def paused_seconds(self) -> float:
        """Return for how long the worker was paused, so far."""
        if self.paused_at is None:
            return 0.0
        return ((self.resumed_at or datetime.now(UTC)) - self.paused_at).total_seconds()


CODEC = TypeAdapter(Record)


class Records:
    """The record of a stack, of which there is one at a time."""

    def __init__(self, dynamodb: DynamoDBClient, stack: Stack) -> None:
        self._dynamodb = dynamodb
        self._table = stack.output("metrics_table")

    def load(self) -> Record | None:
        """Return the restore that is under way."""
        with aws.asking():
            item = self._dynamodb.get_item(
                TableName=self._table, Key={"metric": {"S": KEY}}, ConsistentRead=True
            ).get("Item")
        return CODEC.validate_json(item[DOCUMENT]["S"]) if item else None

    def begin(self, record: Record) -> None:
        """Store a new record.

        Raises
        ------
        AnswerError
            Somebody else has begun a restore since `load` found none.
        """
        with aws.asking():
            try:
                self._put(record, ConditionExpression="attribute_not_exists(metric)")
            except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
                raise AnswerError("Somebody else has just begun a restore of this stack.") from error

    def save(self, record: Record) -> None:
        """Store the record again."""
        with aws.asking():
            self._put(record)

    def delete(self) -> None:
        """Delete the record of a restore that has ended."""
        with aws.asking():
            self._dynamodb.delete_item(TableName=self._table, Key={"metric": {"S": KEY}})

    def _put(self, record: Record, **condition: Any) -> None:
        item = {"metric": {"S": KEY}, DOCUMENT: {"S": CODEC.dump_json(record).decode()}}
        self._dynamodb.put_item(TableName=self._table, Item=item, **condition)
