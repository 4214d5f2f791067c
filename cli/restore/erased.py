"""Erase orders again that were erased since the backup: their ids are in DynamoDB."""

from __future__ import annotations

from pydantic import BaseModel

from cli.functions import Function


class Response(BaseModel):
    """Response of a run of `EraseOrders`; `cursor` is where the next one continues."""

    erased: int = 0
    cursor: str | None = None


def apply(function: Function) -> int:
    """Erase every order whose id is kept; return how many had a name."""
    erased, event = 0, {"action": "apply"}
    while True:
        response = function.call(event, Response)
        erased += response.erased
        if response.cursor is None:
            return erased
        event = {"action": "apply", "cursor": response.cursor}
