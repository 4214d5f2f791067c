"""API Gateway's model of an order, from the OpenAPI document."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

OPENAPI = Path(__file__).parent.parent / "docs" / "openapi.yaml"


@functools.cache
def order_model() -> dict[str, Any]:
    """Return the model as JSON Schema draft 4: an object with descriptions of its fields.

    The function validates the fields, because API Gateway's errors name neither the field nor the rule
    (docs/decisions/0005-request-validation.md).
    """
    document = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    order = document["components"]["schemas"]["Order"]
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "Order",
        "type": "object",
        "properties": {
            name: {"description": field["description"]} for name, field in order["properties"].items()
        },
    }
