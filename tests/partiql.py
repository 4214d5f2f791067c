"""PartiQL for stand-ins of DynamoDB that have UpdateItem alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from bench import expressions


def execute(update_item: Callable[..., object], statements: Sequence[Any]) -> dict[str, Any]:
    """Run UPDATEs as BatchExecuteStatement does: each succeeds or fails by itself."""
    return {"Responses": [_result(update_item, statement) for statement in statements]}


def _result(update_item: Callable[..., object], statement: Any) -> dict[str, Any]:
    try:
        update_item(**expressions.update_item(statement))
    except ClientError as error:
        item: Any = error.response.get("Item")
        code = error.response["Error"]["Code"].removesuffix("Exception")
        return {"Error": {"Code": code, **({"Item": item} if item else {})}}
    return {}
