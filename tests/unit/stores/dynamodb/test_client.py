"""Calls of DynamoDB: retries, and the meaning of each error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from orders.failures import OrderRefusedError, StoreUnavailableError
from stores import aws
from stores.dynamodb.client import (
    ATTEMPTS,
    LONGEST_PAUSE,
    MAX_KEYS,
    TRANSIENT,
    ConditionFailedError,
    DynamoDb,
    Item,
    attribute,
)

THROTTLED = "ThrottlingException"


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "a customer's name"}}, "UpdateItem")


class Scripted:
    """A client whose calls return or raise scripted results, and repeat the last one."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.requests: list[dict[str, Any]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.requests.append(request)
            result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
            if isinstance(result, Exception):
                raise result
            return result

        return call


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, which are not slept; each has its maximal length."""
    paused: list[float] = []
    monkeypatch.setattr("stores.dynamodb.client.time.sleep", paused.append)
    monkeypatch.setattr("stores.dynamodb.client.random.uniform", lambda _shortest, longest: longest)
    return paused


@pytest.mark.parametrize("code", sorted(TRANSIENT))
def test_a_transient_error_is_retried(code: str, pauses: list[float]) -> None:
    client = Scripted(error(code), error(code), {"Attributes": {}})
    assert DynamoDb(client=client).call("update_item", TableName="T") == {"Attributes": {}}
    assert client.requests == [{"TableName": "T"}] * 3
    assert pauses == [0.02, 0.04]


def test_lasting_throttling_is_reported_after_the_last_attempt(pauses: list[float]) -> None:
    client = Scripted(error(THROTTLED))
    with pytest.raises(StoreUnavailableError, match=THROTTLED):
        DynamoDb(client=client).call("update_item")
    assert len(client.requests) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1
    assert max(pauses) == LONGEST_PAUSE


def test_lasting_throttling_is_reported_within_the_shortest_timeout_of_a_worker() -> None:
    # At the longest: botocore waits a second before its second attempt.
    botocores = sum(2**retry for retry in range(aws.FOR_BATCHES.attempts - 1))
    ours = sum(min(LONGEST_PAUSE, 0.02 * 2**attempt) for attempt in range(ATTEMPTS))
    assert ATTEMPTS * botocores + ours < 15  # seconds


@pytest.mark.parametrize("problem", [error("AccessDeniedException"), error("ResourceNotFoundException")])
def test_a_permanent_error_is_reported_at_once(problem: ClientError) -> None:
    client = Scripted(problem)
    with pytest.raises(StoreUnavailableError) as caught:
        DynamoDb(client=client).call("update_item")
    assert len(client.requests) == 1
    assert "customer" not in str(caught.value)


def test_a_call_without_a_response_is_not_retried_here() -> None:
    """Botocore has retried it already, and the message is received again."""
    client = Scripted(ReadTimeoutError(endpoint_url="https://dynamodb"))
    with pytest.raises(StoreUnavailableError, match="https://dynamodb"):
        DynamoDb(client=client).call("update_item")
    assert len(client.requests) == 1


@pytest.mark.parametrize("operation", ["batch_write_item", "put_item", "update_item"])
@pytest.mark.parametrize("code", ["ValidationException", "ItemCollectionSizeLimitExceededException"])
def test_an_invalid_write_is_refused(operation: str, code: str) -> None:
    with pytest.raises(OrderRefusedError, match=code):
        DynamoDb(client=Scripted(error(code))).call(operation)


def test_an_invalid_read_refuses_no_order() -> None:
    with pytest.raises(StoreUnavailableError):
        DynamoDb(client=Scripted(error("ValidationException"))).call("batch_get_item")


def test_a_failed_condition_is_a_result() -> None:
    client = Scripted(error("ConditionalCheckFailedException"))
    with pytest.raises(ConditionFailedError):
        DynamoDb(client=client).call("update_item")
    assert len(client.requests) == 1


# Several items at once.


def keys(numbers: Iterable[int]) -> list[Item]:
    return [{"key": {"S": str(number)}} for number in numbers]


def found(*numbers: int, unprocessed: Iterable[int] = ()) -> dict[str, Any]:
    left = {"T": {"Keys": keys(unprocessed), "ConsistentRead": True}} if unprocessed else {}
    return {"Responses": {"T": keys(numbers)}, "UnprocessedKeys": left}


def test_unprocessed_keys_are_read_again_after_a_pause(pauses: list[float]) -> None:
    client = Scripted(found(1, unprocessed=[2, 3]), found(2, unprocessed=[3]), found(3))
    items = DynamoDb(client=client).get("T", keys([1, 2, 3]), consistent=True)
    assert list(items) == keys([1, 2, 3])
    assert [request["RequestItems"]["T"]["Keys"] for request in client.requests] == [
        keys([1, 2, 3]),
        keys([2, 3]),
        keys([3]),
    ]
    assert pauses == [0.02, 0.04]


def test_keys_that_stay_unprocessed_are_reported() -> None:
    client = Scripted(found(unprocessed=[1]))
    with pytest.raises(StoreUnavailableError, match="throttled"):
        list(DynamoDb(client=client).get("T", keys([1]), consistent=True))
    assert len(client.requests) == ATTEMPTS


@pytest.mark.parametrize(("number", "calls"), [(0, []), (MAX_KEYS, [100]), (MAX_KEYS + 1, [100, 1])])
def test_keys_are_read_in_batches_of_the_size_that_dynamodb_accepts(number: int, calls: list[int]) -> None:
    client = Scripted({"Responses": {}})
    assert list(DynamoDb(client=client).get("T", keys(range(number)), consistent=False)) == []
    assert [len(request["RequestItems"]["T"]["Keys"]) for request in client.requests] == calls


@pytest.mark.parametrize("consistent", [True, False])
def test_a_read_has_the_consistency_that_its_caller_requests(*, consistent: bool) -> None:
    client = Scripted({"Responses": {}})
    list(DynamoDb(client=client).get("T", keys([1]), consistent=consistent, attributes="a, b"))
    (request,) = client.requests
    assert request["RequestItems"]["T"] == {
        "Keys": keys([1]),
        "ConsistentRead": consistent,
        "ProjectionExpression": "a, b",
    }


def puts(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": item}} for item in keys(numbers)]


def test_unprocessed_items_are_put_again_after_a_pause(pauses: list[float]) -> None:
    client = Scripted({"UnprocessedItems": {"T": puts([2])}}, {"UnprocessedItems": {}})
    DynamoDb(client=client).put("T", keys([1, 2]))
    assert [request["RequestItems"] for request in client.requests] == [
        {"T": puts([1, 2])},
        {"T": puts([2])},
    ]
    assert pauses == [0.02]


def test_items_that_stay_unprocessed_are_reported() -> None:
    client = Scripted({"UnprocessedItems": {"T": puts([1])}})
    with pytest.raises(StoreUnavailableError, match="throttled"):
        DynamoDb(client=client).put("T", keys([1]))
    assert len(client.requests) == ATTEMPTS


def test_a_table_of_many_pages_is_scanned_to_its_end() -> None:
    client = Scripted({"Items": keys([1]), "LastEvaluatedKey": keys([1])[0]}, {"Items": keys([2])})
    assert list(DynamoDb(client=client).scan("T", ConsistentRead=True)) == keys([1, 2])
    assert client.requests[-1] == {
        "TableName": "T",
        "ConsistentRead": True,
        "ExclusiveStartKey": keys([1])[0],
    }


def test_a_value_that_json_cannot_represent_is_a_defect() -> None:
    with pytest.raises(TypeError, match="float"):
        attribute([0.5])
