"""The API's description, and what is made of it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

DESCRIPTION = Path(__file__).parent.parent / "docs" / "openapi.yaml"


@functools.cache
def order_model(description: Path = DESCRIPTION) -> dict[str, Any]:
    """Make API Gateway's model of an order, in the draft 4 of JSON Schema that it knows.

    Its shape and its fields' descriptions only. What is wrong with a field, the function says better than
    API Gateway, which names neither the field nor what is allowed
    (docs/decisions/0005-request-validation.md).
    """
    document = yaml.safe_load(description.read_text(encoding="utf-8"))
    order = document["components"]["schemas"]["Order"]
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Order",
        "type": "object",
        "properties": {
            name: {"description": field["description"]} for name, field in order["properties"].items()
        },
    }
