"""Orders that DynamoDB has and a restored database lacks: they are sent to the worker again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cli import aws, replay, times
from cli.queues import Send, groups
from cli.reconciler import Reconciler

AT_ONCE = 2000  # orders that the function looks up in one call
POLL = 2.0  # seconds
ARRIVAL_TIMEOUT = 300.0  # seconds without an arrival; a failed message is retried within this time


@dataclass(kw_only=True)
class Sent:
    """Orders that were sent again: versions by id, and reasons by id for those that could not be sent."""

    missing: dict[str, int] = field(default_factory=dict)  # in the database
    older: dict[str, int] = field(default_factory=dict)  # in the database
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Lost:
    """The orders of one stack."""

    dynamodb: aws.DynamoDBClient
    table: str
    reconciler: Reconciler
    send: Send
    sleep: Callable[[float], None] = time.sleep

    def send_again(self, stop: threading.Event, advance: Callable[[int], object]) -> Sent:
        """Send the orders again that the database lacks or has in an older state, until Ctrl-C."""
        sent = Sent()
        for page in replay.all_items(self.dynamodb, self.table, ConsistentRead=True):
            if stop.is_set():
                break
            items = {str(item["orderId"]): item for item in page}
            missing, older = self._behind({order_id: _version(item) for order_id, item in items.items()})
            sent.missing |= missing
            sent.older |= older
            behind = [items[order_id] for order_id in missing | older]
            sent.failures |= replay.replay([behind], _body, self.send, stop=stop).failures
            advance(len(page))
        return sent

    def wait(self, sent: Sent, update: Callable[[str], None]) -> list[str]:
        """Wait until the database has the orders; return the ids of those that do not arrive."""
        waiting = {
            order_id: version
            for order_id, version in (sent.missing | sent.older).items()
            if order_id not in sent.failures
        }
        last_arrival = time.monotonic()
        while left := self._left(waiting):
            if len(left) < len(waiting):
                last_arrival = time.monotonic()
            elif time.monotonic() - last_arrival > ARRIVAL_TIMEOUT:
                break
            waiting = left
            update(f"The worker records them: {len(waiting):,} to go")
            self.sleep(POLL)
        return sorted({*left, *sent.failures})

    def _left(self, versions: dict[str, int]) -> dict[str, int]:
        missing, older = self._behind(versions)
        return missing | older

    def _behind(self, versions: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return which of these states of orders the database lacks, and of which it has an older one."""
        missing: dict[str, int] = {}
        older: dict[str, int] = {}
        for some in groups(versions, AT_ONCE):
            behind = self.reconciler.behind({order_id: versions[order_id] for order_id in some})
            missing |= {order_id: versions[order_id] for order_id in behind.missing}
            older |= {order_id: versions[order_id] for order_id in behind.older}
        return missing, older


def _version(item: dict[str, Any]) -> int:
    """Return the version of an order's state; 0 without a valid one."""
    version = item.get("state_version", 0)
    return int(version) if str(version).isdigit() else 0


def _body(order: dict[str, Any]) -> str:
    """Return an order's message: in an envelope with its time, if it has one."""
    return replay.in_envelope(order) if times.parse_utc(order.get("created_at")) else replay.bare(order)
