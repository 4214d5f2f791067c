"""The functions of two releases in one process, on the same stores."""

from __future__ import annotations

import importlib
import json
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
CURRENT = HERE.parent.parent / "functions"
# `functions/` of the release before the counters and of the one before the states, without the certificates.
PREVIOUS = HERE / "previous_release.zip"
WITHOUT_STATES = HERE / "release_without_states.zip"
HANDLERS = (
    "migrate_database",
    "order_processor",
    "reconcile_orders",
    "get_order_status",
    "staff_orders",
    "erase_orders",
)


class Context:
    """Lambda's context of an invocation."""

    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Return enough time."""
        return 300_000


class Release:
    """The functions of one release, with modules of their own.

    Parameters
    ----------
    source
        The folder of its modules.
    authority
        The certificate that the database's is signed with.
    """

    def __init__(self, source: Path, authority: Path) -> None:
        self._modules = _load(source)
        for module in self._modules.values():
            if hasattr(module, "CERTIFICATE_AUTHORITY"):
                module.CERTIFICATE_AUTHORITY = authority  # type: ignore[attr-defined]
            # No worker is between the two stores, so nothing waits for one.
            if hasattr(module, "GRACE"):
                module.GRACE = timedelta(0)  # type: ignore[attr-defined]

    def deploy(self) -> dict[str, Any]:
        """Bring the database up to date, as a deploy of this release does."""
        return self._call("migrate_database", {"menu": {"Latte": "5"}})

    def work(self, orders: Iterable[dict[str, Any]]) -> None:
        """Process messages by its worker; each must succeed."""
        records = [_record(order) for order in orders]
        assert self._call("order_processor", {"Records": records}) == {"batchItemFailures": []}

    def refuse(self, order: dict[str, Any]) -> None:
        """Process a message by its worker that must fail."""
        assert self._call("order_processor", {"Records": [_record(order)]})["batchItemFailures"]

    def erase(self, **selector: str) -> None:
        """Erase orders; without a selector, run what the schedule runs."""
        self._call("erase_orders", {"action": "erase" if selector else "retention", **selector})

    def reconcile(self, command: str | None = None) -> dict[str, Any]:
        """Compare, as the schedule does or as an operator."""
        return self._call("reconcile_orders", {"command": command} if command else {})

    def status(self) -> dict[str, Any]:
        """Return the status that its page shows."""
        response = self._call("get_order_status", {})
        assert response["statusCode"] == 200
        status: dict[str, Any] = json.loads(response["body"])
        return status

    def move(self, order_id: str, state: str, version: int = 1) -> int:
        """Move an order, as an operator; return the response's status."""
        event = {
            "httpMethod": "PATCH",
            "resource": "/orders/{id}",
            "pathParameters": {"id": order_id},
            "headers": {"If-Match": f'"{version}"'},
            "body": json.dumps({"state": state}),
        }
        return int(self._call("staff_orders", event)["statusCode"])

    def record_in_mysql_alone(self, orders: Sequence[dict[str, Any]]) -> None:
        """Stop as a worker that is killed between the two stores."""
        ledger = self._modules["order_processor"].ledger()
        received, _ = self._modules["orders.message"].parse_batch([_record(order) for order in orders])
        database, parsed = (
            ledger._database,
            sorted((m.order for m in received), key=lambda o: str(o.order_id)),
        )
        (database.insert if hasattr(database, "insert") else database.record)(parsed)

    def _call(self, handler: str, event: dict[str, Any]) -> dict[str, Any]:
        response: dict[str, Any] = self._modules[handler].handler(event, Context())
        return response


def _load(source: Path) -> dict[str, ModuleType]:
    """Import a release's modules beside those of the same names that are there already."""
    roots = {path.stem for each in (CURRENT, source) for path in each.glob("*.py")} | {"orders", "stores"}
    others = {name: module for name, module in sys.modules.items() if name.split(".")[0] in roots}
    for name in others:
        del sys.modules[name]
    sys.path.insert(0, str(source))
    importlib.invalidate_caches()
    try:
        for handler in HANDLERS:
            if (source / f"{handler}.py").exists():
                importlib.import_module(handler)
        return {name: module for name, module in sys.modules.items() if name.split(".")[0] in roots}
    finally:
        sys.path.remove(str(source))
        for name in [name for name in sys.modules if name.split(".")[0] in roots]:
            del sys.modules[name]
        sys.modules.update(others)


def _record(order: dict[str, Any]) -> dict[str, Any]:
    """Return a message of `OrderQueue` with an order, sent now."""
    message_id = str(uuid.uuid4())
    return {
        "messageId": message_id,
        "receiptHandle": message_id,
        "body": json.dumps(order),
        "attributes": {
            "SentTimestamp": str(int(datetime.now(UTC).timestamp() * 1000)),
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": "0",
        },
        "messageAttributes": {},
    }
