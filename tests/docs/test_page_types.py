"""The types of the pages' scripts describe the API's responses as docs/openapi.yaml does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests import openapi

TYPES = Path(__file__).parents[2] / "scripts" / "js" / "types.d.ts"
INTERFACE = re.compile(r"^  interface (\w+) \{\n(.*?)^  \}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^    (\w+)(\??): (.*);$", re.MULTILINE)
# No screen lists an order without a state.
NEVER_NULL = {"StaffOrder.state", "StaffOrder.state_at"}


def may_be_null(schema: dict[str, Any]) -> bool:
    found = openapi.resolve(openapi.read(), schema)
    return "null" in found.get("type", ()) or any(may_be_null(choice) for choice in found.get("anyOf", ()))


def test_each_type_has_the_fields_of_its_schema_with_the_same_optional_and_null_values() -> None:
    interfaces = INTERFACE.findall(TYPES.read_text(encoding="utf-8"))
    assert {"OrderStatus", "StaffOrder", "Track"} <= {name for name, _ in interfaces}
    for name, body in interfaces:
        schema = openapi.read()["components"]["schemas"][name]
        for field, optional, type_ in FIELD.findall(body):
            found = schema["properties"][field]
            assert (optional == "?") == (field not in schema["required"]), f"{name}.{field}"
            is_null = f"{name}.{field}" not in NEVER_NULL and may_be_null(found)
            assert ("null" in type_ or type_ == "Count") == is_null, f"{name}.{field}"
