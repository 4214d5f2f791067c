"""Items of `CafeOrderMetrics`: counters, and the results of `ReconcileOrders`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orders.counters import DEAD_LETTERS, RDS_ORDERS
from orders.sync import DeadLetterCounts, RdsOrders
from stores.dynamodb.client import DynamoDb, Item, integer


class Metrics:
    """Counters by name, and the items `RDS_ORDERS` and `DEAD_LETTERS`."""

    def __init__(self, dynamodb: DynamoDb, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, names: Sequence[str]) -> tuple[dict[str, int], RdsOrders, DeadLetterCounts | None]:
        """Read counters, 0 for missing ones, and the last results, eventually consistently."""
        items = self._items([*names, RDS_ORDERS, DEAD_LETTERS])
        numbers = {name: integer(items.get(name, {}), "count") for name in names}
        return numbers, _rds_orders(items.get(RDS_ORDERS, {})), _dead_letters(items.get(DEAD_LETTERS))

    def rds_orders(self) -> RdsOrders:
        """Read the result of the last comparison."""
        return _rds_orders(self._items([RDS_ORDERS], consistent=True).get(RDS_ORDERS, {}))

    def save(self, found: RdsOrders) -> None:
        """Write the result of a comparison, and clear `unknown_since` and `unknown_reason`."""
        self._update(
            RDS_ORDERS,
            # The last four attributes are for an earlier release, after a rollback.
            "SET #count = :count, as_of = :as_of, drift = :drift, drift_since = :since,"
            " compared_until = :until, settled_id = if_not_exists(settled_id, :zero),"
            " settled_count = if_not_exists(settled_count, :zero), marks = if_not_exists(marks, :empty),"
            " version = if_not_exists(version, :zero) + :one"
            " REMOVE unknown_since, unknown_reason",
            {
                ":count": {"N": str(found.count)},
                ":as_of": {"S": _text(found.as_of)},
                ":drift": {"N": str(found.drift)},
                ":since": {"S": _text(found.drift_since)},
                ":until": {"S": _text(found.compared_until)},
                ":zero": {"N": "0"},
                ":one": {"N": "1"},
                ":empty": {"L": []},
            },
            ExpressionAttributeNames={"#count": "count"},
        )

    def save_unknown(self, reason: str, now: datetime, compared_until: datetime | None = None) -> None:
        """Write that no complete comparison was possible; keep the last result."""
        update = "SET unknown_since = if_not_exists(unknown_since, :now), unknown_reason = :reason"
        values = {":now": {"S": _text(now)}, ":reason": {"S": reason}}
        if compared_until:
            update += ", compared_until = :until"
            values[":until"] = {"S": _text(compared_until)}
        self._update(RDS_ORDERS, update, values)

    def save_dead_letters(self, found: DeadLetterCounts) -> None:
        """Write the result of a sweep."""
        self._update(
            DEAD_LETTERS,
            "SET rejected = :rejected, conflicting = :conflicting, waiting = :waiting, as_of = :as_of",
            {
                ":rejected": {"N": str(found.rejected)},
                ":conflicting": {"N": str(found.conflicting)},
                ":waiting": {"N": str(found.waiting)},
                ":as_of": {"S": _text(found.as_of)},
            },
        )

    def _update(self, metric: str, update: str, values: Mapping[str, Item], **options: Any) -> None:
        key = {"metric": {"S": metric}}
        self._dynamodb.update(self._table, key, update, values, **options)

    def _items(self, names: Sequence[str], *, consistent: bool = False) -> dict[str, Item]:
        keys = [{"metric": {"S": name}} for name in dict.fromkeys(names)]
        items = self._dynamodb.get(self._table, keys, consistent=consistent)
        return {item["metric"]["S"]: item for item in items}


def _rds_orders(item: Item) -> RdsOrders:
    return RdsOrders(
        count=integer(item, "count"),
        as_of=_moment(item, "as_of"),
        drift=integer(item, "drift"),
        drift_since=_moment(item, "drift_since"),
        compared_until=_moment(item, "compared_until"),
        unknown_since=_moment(item, "unknown_since"),
        unknown_reason=item.get("unknown_reason", {}).get("S"),
    )


def _dead_letters(item: Item | None) -> DeadLetterCounts | None:
    if item is None:
        return None
    return DeadLetterCounts(
        rejected=integer(item, "rejected"),
        conflicting=integer(item, "conflicting"),
        waiting=integer(item, "waiting"),
        as_of=datetime.fromisoformat(item["as_of"]["S"]),
    )


def _moment(item: Item, name: str) -> datetime | None:
    """Return a time, None for an empty text."""
    text = item.get(name, {}).get("S")
    return datetime.fromisoformat(text) if text else None


def _text(moment: datetime | None) -> str:
    return moment.isoformat(timespec="milliseconds") if moment else ""
