"""Stand-in for AWS in the worker's own process: DynamoDB with latencies, and some calls of other services.

It replaces botocore's HTTP session below the client, so that serializing, signing and parsing are measured,
and sockets are not; it is never the bottleneck. Workers share counters and the menu (`SharedItems`), but not
orders, since each order has one worker.
"""

from __future__ import annotations

import io
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.httpsession
from botocore.awsrequest import AWSResponse

from bench.expressions import Expressions, update_item
from bench.shared_items import Item, SharedItems

KEYS = {"Orders": "orderId", "CafeMenu": "item", "CafeOrderMetrics": "metric", "IdempotencyKeys": "key"}
UNSHARED = "Orders"
WRITE_UNIT, READ_UNIT = 1024, 4096  # bytes


class RefusedError(Exception):
    """Error response of DynamoDB, with its code and further fields."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


@dataclass(slots=True)
class Latency:
    """Durations of calls, in seconds."""

    call: float = 0.0
    transaction: float = 0.0


class Usage:
    """Counts of calls and billed units, thread-safe."""

    def __init__(self) -> None:
        self.calls = Counter[str]()
        self.figures = Counter[str]()
        self._lock = threading.Lock()

    def called(self, operation: str) -> None:
        """Count a call."""
        with self._lock:
            self.calls[operation] += 1

    def add(self, **figures: float) -> None:
        """Add to `write_units`, `read_units`, `conflicts`, `conditions_failed`."""
        with self._lock:
            self.figures.update(figures)


class StandIn:
    """DynamoDB, Secrets Manager and SQS for one process.

    A transaction holds its items while it runs. As in DynamoDB, another transaction or a plain write of a
    held item fails; plain writes do not conflict with each other.
    """

    def __init__(self, shared: SharedItems, secrets: Mapping[str, Mapping[str, Any]]) -> None:
        self._shared = shared
        self._secrets = secrets
        self._orders: dict[str, Item] = {}
        self._operations: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "DeleteItem": self._delete_item,
            "BatchWriteItem": self._batch_write_item,
            "BatchExecuteStatement": self._batch_execute_statement,
            "TransactWriteItems": self._transact_write_items,
            "GetItem": self._get_item,
            "BatchGetItem": self._batch_get_item,
            "Scan": self._scan,
            "GetSecretValue": self._get_secret_value,
            "GetQueueAttributes": self._get_queue_attributes,
            "ReceiveMessage": self._receive_message,
            "ChangeMessageVisibilityBatch": self._change_message_visibility_batch,
        }
        self.latency = Latency()
        self.usage = Usage()

    def install(self) -> None:
        """Respond to every request of the botocore clients of this process."""

        def send(_session: object, request: Any) -> AWSResponse:
            return self._respond(request)

        botocore.httpsession.URLLib3Session.send = send  # type: ignore[method-assign, assignment]

    def reset(self) -> None:
        """Remove the orders and the counts; shared items stay."""
        self._orders.clear()
        self.usage = Usage()

    def _respond(self, request: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        self.usage.called(operation)
        is_transaction = operation == "TransactWriteItems"
        try:
            response = self._operations[operation](json.loads(request.body))
            status = 200
        except RefusedError as error:
            status = 400
            response = {"__type": f"com.amazonaws.dynamodb.v20120810#{error.code}", **error.details}
        if not is_transaction:
            _pause(self.latency.call)
        content = json.dumps(response).encode()
        headers: Any = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "bench"}
        return AWSResponse(request.url, status, headers, _Raw(content))

    # --- Writes ------------------------------------------------------------------------------------------

    def _put_item(self, request: dict[str, Any]) -> dict[str, Any]:
        self._write(request, _replaced(request["Item"]))
        return {}

    def _update_item(self, request: dict[str, Any]) -> dict[str, Any]:
        self._write(request, _updated(request))
        return {}

    def _delete_item(self, request: dict[str, Any]) -> dict[str, Any]:
        self._write(request, _replaced(None))
        return {}

    def _batch_write_item(self, request: dict[str, Any]) -> dict[str, Any]:
        units = 0
        for table, writes in request["RequestItems"].items():
            for write in writes:
                ((_, content),) = write.items()
                single = {"TableName": table, **content}
                if table == UNSHARED:
                    units += self._replace(_key(single), content.get("Item"))
                else:
                    self._write(single, _replaced(content.get("Item")))
        self.usage.add(write_units=units)
        return {"UnprocessedItems": {}}

    def _batch_execute_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Responses": [self._execute(update_item(each)) for each in request["Statements"]]}

    def _execute(self, update: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._update_item(update)
        except RefusedError as error:
            return {"Error": {"Code": error.code.removesuffix("Exception"), **error.details}}

    def _transact_write_items(self, request: dict[str, Any]) -> dict[str, Any]:
        actions = [next(iter(action.items())) for action in request["TransactItems"]]
        keys = [_key(action) for _, action in actions]
        self._hold(keys)
        try:
            _pause(self.latency.transaction)
            with self._shared.locked():
                items = [self._get(key) for key in keys]
                wrong = [
                    not Expressions(action).holds(action.get("ConditionExpression"), item)
                    for (_, action), item in zip(actions, items, strict=True)
                ]
                if any(wrong):
                    self.usage.add(conditions_failed=1)
                    raise _cancelled("ConditionalCheckFailed" if is_wrong else "None" for is_wrong in wrong)
                for (kind, action), key, item in zip(actions, keys, items, strict=True):
                    new = action["Item"] if kind == "Put" else _updated(action)(item)
                    self._put(key, new)
                    self.usage.add(write_units=2 * _units(item, new))
        finally:
            with self._shared.locked():
                self._shared.put("held", {"keys": [k for k in self._held() if k not in keys]})
        return {}

    def _hold(self, keys: list[str]) -> None:
        shared = [key for key in keys if not key.startswith(UNSHARED)]
        with self._shared.locked():
            held = self._held()
            met = [key in held for key in keys]
            if not any(met):
                self._shared.put("held", {"keys": [*held, *shared]})
                return
        self.usage.add(conflicts=1)
        _pause(self.latency.transaction / 2)
        raise _cancelled("TransactionConflict" if is_held else "None" for is_held in met)

    def _held(self) -> list[str]:
        return (self._shared.get("held") or {"keys": []})["keys"]  # type: ignore[no-any-return]

    def _write(self, request: dict[str, Any], change: Callable[[Item | None], Item | None]) -> None:
        key = _key(request)
        if key.startswith(UNSHARED):
            self._apply(key, request, change)
            return
        with self._shared.locked():
            if key in self._held():
                self.usage.add(conflicts=1)
                raise RefusedError("TransactionConflictException")
            self._apply(key, request, change)

    def _apply(self, key: str, request: dict[str, Any], change: Callable[[Item | None], Item | None]) -> None:
        item = self._get(key)
        if not Expressions(request).holds(request.get("ConditionExpression"), item):
            self.usage.add(conditions_failed=1, write_units=_units(item))
            is_wanted = item and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            found = {"Item": item} if is_wanted else {}
            raise RefusedError("ConditionalCheckFailedException", **found)
        self.usage.add(write_units=self._replace(key, change(item)))

    def _replace(self, key: str, new: Item | None) -> int:
        """Replace an item; return the write units that it takes."""
        old = self._get(key)
        self._put(key, new)
        return _units(old, new)

    # --- Reads -------------------------------------------------------------------------------------------

    def _get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._shared.locked():
            item = self._get(_key(request))
        self._read(item, consistent=request.get("ConsistentRead", False))
        return {"Item": item} if item else {}

    def _batch_get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        responses = {}
        with self._shared.locked():
            for table, wanted in request["RequestItems"].items():
                found = [self._get(_key({"TableName": table, "Key": key})) for key in wanted["Keys"]]
                for item in found:
                    self._read(item, consistent=wanted.get("ConsistentRead", False))
                responses[table] = [item for item in found if item]
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _scan(self, request: dict[str, Any]) -> dict[str, Any]:
        prefix = f"{request['TableName']}/"
        with self._shared.locked():
            items = [item for key, item in self._shared.items().items() if key.startswith(prefix)]
        self.usage.add(read_units=math.ceil(sum(map(_size, items)) / READ_UNIT) / 2)
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def _read(self, item: Item | None, *, consistent: bool) -> None:
        units = max(1, math.ceil(_size(item or {}) / READ_UNIT))
        self.usage.add(read_units=units if consistent else units / 2)

    # --- Other services ----------------------------------------------------------------------------------

    def _get_secret_value(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"SecretString": json.dumps(self._secrets[request["SecretId"]])}

    def _get_queue_attributes(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Attributes": dict.fromkeys(request["AttributeNames"], "0")}

    def _receive_message(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _change_message_visibility_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    # --- Items -------------------------------------------------------------------------------------------

    def _get(self, key: str) -> Item | None:
        return self._orders.get(key) if key.startswith(UNSHARED) else self._shared.get(key)

    def _put(self, key: str, item: Item | None) -> None:
        if not key.startswith(UNSHARED):
            self._shared.put(key, item)
        elif item is None:
            self._orders.pop(key, None)
        else:
            self._orders[key] = item


class _Raw(io.BytesIO):
    """Body of a response, as urllib3 returns it."""

    def stream(self, **_: Any) -> Iterable[bytes]:
        """Yield the content in one piece."""
        yield self.read()


def _pause(seconds: float) -> None:
    """Sleep, unless the time is 0: `time.sleep(0)` would yield to other processes."""
    if seconds:
        time.sleep(seconds)


def _replaced(new: Item | None) -> Callable[[Item | None], Item | None]:
    return lambda _: new


def _updated(request: Mapping[str, Any]) -> Callable[[Item | None], Item]:
    key: Item = request["Key"]
    return lambda item: Expressions(request).update(request["UpdateExpression"], item or key)


def _key(request: Mapping[str, Any]) -> str:
    """Return the key of a request's item in the stand-in."""
    table = request["TableName"]
    item: Item = request.get("Key") or request["Item"]
    return f"{table}/{item[KEYS[table]]['S']}"


def _cancelled(reasons: Iterable[str]) -> RefusedError:
    codes = [{"Code": reason} for reason in reasons]
    names = ", ".join(code["Code"] for code in codes)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{names}]"
    return RefusedError("TransactionCanceledException", Message=message, CancellationReasons=codes)


def _units(*items: Item | None) -> int:
    """Return the write units of a change: those of the larger item, before or after."""
    text = str(items)
    if len(text) <= WRITE_UNIT and text.isascii():
        return 1  # its text is longer than the item in DynamoDB
    return max((math.ceil(_size(item) / WRITE_UNIT) for item in items if item), default=1)


def _size(item: Item) -> int:
    """Return an item's size in bytes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content.strip("-0.")) + 1) // 2 + 1
        case "L":
            return 3 + sum(1 + _value_size(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in content.items())
    return 1
