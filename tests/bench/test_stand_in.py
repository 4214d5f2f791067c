"""The stand-in for DynamoDB: its rules, and its counts of billed units."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import botocore.httpsession
import botocore.session
import pytest
from botocore.exceptions import ClientError

from bench.dynamodb import Latency, StandIn
from bench.expressions import Expressions, UnknownExpressionError
from bench.shared_items import SharedItems


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A stand-in for this process's clients."""
    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", None)
    stand_in = StandIn(SharedItems(tmp_path / "items"), {"login": {"username": "ann"}})
    stand_in.install()
    return stand_in


@pytest.fixture
def client(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of DynamoDB."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return botocore.session.Session().create_client("dynamodb", region_name="us-east-1")


def set_counter(client: Any, value: int, version: int) -> None:
    """Set a counter, as the worker does."""
    client.update_item(
        TableName="CafeOrderMetrics",
        Key={"metric": {"S": "TOTAL_ORDERS"}},
        UpdateExpression="SET #counter = :value, #version = :version",
        ConditionExpression="attribute_not_exists(#version) OR #version < :version",
        ExpressionAttributeNames={"#counter": "count", "#version": "version"},
        ExpressionAttributeValues={":value": {"N": str(value)}, ":version": {"N": str(version)}},
    )


def test_a_counter_is_set_only_over_an_older_version(client: Any, stand_in: StandIn) -> None:
    set_counter(client, 1, version=1)
    set_counter(client, 2, version=2)
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        set_counter(client, 1, version=1)
    item = client.get_item(TableName="CafeOrderMetrics", Key={"metric": {"S": "TOTAL_ORDERS"}})["Item"]
    assert item["count"] == {"N": "2"}
    # A write whose condition fails is paid for.
    assert stand_in.usage.figures["write_units"] == 3
    assert stand_in.usage.figures["conditions_failed"] == 1


def test_an_order_is_put_over_no_item_and_over_versions_that_are_not_newer(client: Any) -> None:
    def put(version: int) -> None:
        client.put_item(
            TableName="Orders",
            Item={"orderId": {"S": "o1"}, "state_version": {"N": str(version)}},
            ConditionExpression="NOT state_version > :version",
            ExpressionAttributeValues={":version": {"N": str(version)}},
        )

    for version in (1, 3, 3):
        put(version)
    with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
        put(2)


def test_a_partiql_statement_updates_an_existing_item_of_an_older_version(
    client: Any, stand_in: StandIn
) -> None:
    set_counter(client, 1, version=1)
    update = {
        "Statement": 'UPDATE "CafeOrderMetrics" SET "count" = ? SET "version" = ?'
        ' WHERE "metric" = ? AND "version" < ?',
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    statements = [
        {**update, "Parameters": [{"N": "2"}, {"N": "2"}, {"S": metric}, {"N": "2"}]}
        for metric in ("TOTAL_ORDERS", "TOTAL_ORDERS", "new")
    ]
    updated, again, new = client.batch_execute_statement(Statements=statements)["Responses"]
    item = {"metric": {"S": "TOTAL_ORDERS"}, "count": {"N": "2"}, "version": {"N": "2"}}
    assert updated == {}
    assert again["Error"] == {"Code": "ConditionalCheckFailed", "Item": item}
    assert new["Error"] == {"Code": "ConditionalCheckFailed"}
    assert stand_in.usage.figures["write_units"] == 1 + 3


def add(count: int = 1) -> dict[str, Any]:
    """Return an action that counts in a transaction, as an earlier release did."""
    return {
        "Update": {
            "TableName": "CafeOrderMetrics",
            "Key": {"metric": {"S": "TOTAL_ORDERS"}},
            "UpdateExpression": "ADD #counter :number",
            "ExpressionAttributeNames": {"#counter": "count"},
            "ExpressionAttributeValues": {":number": {"N": str(count)}},
        }
    }


def test_conflicting_transactions_are_cancelled(client: Any, stand_in: StandIn) -> None:
    stand_in.latency = Latency(transaction=0.2)
    start, errors = threading.Barrier(2), []

    def transact() -> None:
        start.wait()
        try:
            client.transact_write_items(TransactItems=[add()])
        except ClientError as error:
            errors.append(error.response["CancellationReasons"])

    threads = [threading.Thread(target=transact) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [[{"Code": "TransactionConflict"}]]
    assert stand_in.usage.figures["conflicts"] == 1
    assert stand_in.usage.figures["write_units"] == 2  # twice as many as without a transaction


@pytest.mark.parametrize(("size", "units"), [(1024, 1), (1025, 2)])
def test_a_write_unit_is_a_kilobyte(client: Any, stand_in: StandIn, size: int, units: int) -> None:
    names = len("orderId") + len("note")
    item = {"orderId": {"S": "1"}, "note": {"S": "x" * (size - names - 1)}}
    client.batch_write_item(RequestItems={"Orders": [{"PutRequest": {"Item": item}}]})
    assert stand_in.usage.figures["write_units"] == units


def test_eventually_consistent_reads_cost_half(client: Any, stand_in: StandIn) -> None:
    keys = [{"metric": {"S": "TOTAL_ORDERS"}}]
    for consistent in (True, False):
        client.batch_get_item(RequestItems={"CafeOrderMetrics": {"Keys": keys, "ConsistentRead": consistent}})
    assert stand_in.usage.figures["read_units"] == 1.5


def test_an_unknown_expression_is_reported() -> None:
    with pytest.raises(UnknownExpressionError, match="begins_with"):
        Expressions({}).holds("begins_with(a, :b)", {})


def test_processes_that_open_the_same_file_share_its_items(tmp_path: Path) -> None:
    first, second = SharedItems(tmp_path / "items"), SharedItems(tmp_path / "items")
    with first.locked():
        first.put("a", {"N": "1"})
        first.put("b", {"N": "2"})
        first.put("a", None)
    with second.locked():
        assert second.items() == {"b": {"N": "2"}}
        second.clear()
    with first.locked():
        assert first.items() == {}
