"""One line of JSON per thing that happened. Never a customer's name, never a secret."""

from __future__ import annotations

import json


def log(level: str, message: str, **fields: object) -> None:
    """Write a line to the function's log.

    Parameters
    ----------
    level
        `INFO` or `ERROR`.
    message
        What happened, the same words each time, so that it can be searched for.
    fields
        Which order, which message, why.
    """
    print(json.dumps({"level": level, "message": message, **fields}, default=str), flush=True)
