"""docs/openapi.yaml, and checks of responses against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import jsonschema_rs
import pytest
import yaml

if TYPE_CHECKING:
    from schemathesis import Case

# Written in C, where it is installed: the other one takes half a second.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DOCUMENT = Path(__file__).parent.parent / "docs" / "openapi.yaml"


@cache
def read() -> dict[str, Any]:
    """Read docs/openapi.yaml."""
    document: dict[str, Any] = yaml.load(DOCUMENT.read_bytes(), Loader=LOADER)  # noqa: S506
    return document


def resolve(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, if it is one."""
    if "$ref" not in value:
        return value
    found = document
    for name in value["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def check_schema(value: object, schema: dict[str, Any], *, closed: bool = False) -> None:
    """Check a value against a schema of docs/openapi.yaml; closed: other fields than its own are invalid."""
    _validator(json.dumps(schema), closed).validate(value)


@cache
def _validator(schema: str, closed: bool) -> jsonschema_rs.Validator:
    whole = {**json.loads(schema), "components": read()["components"]}
    return jsonschema_rs.Draft202012Validator(_closed(whole) if closed else whole, validate_formats=True)


def check(verb: str, path: str, status: int, headers: Mapping[str, str], body: str) -> None:
    """Check a whole response: its status, its headers and its body are as documented."""
    document = read()
    responses = document["paths"][path][verb]["responses"]
    assert str(status) in responses, f"{verb} {path}: {status} is not documented"
    response = resolve(document, responses[str(status)])
    for name, header in response.get("headers", {}).items():
        check_schema(headers[name], resolve(document, header)["schema"])
    if "content" not in response:
        assert not body
        return
    check_schema(json.loads(body), response["content"][headers["Content-Type"]]["schema"], closed=True)


def try_everything(
    send: Callable[[Case[Any]], None], subtests: pytest.Subtests, *, examples: int, paths: str = ""
) -> None:
    """Call `send` with the edges of every field of each operation, and with generated requests.

    schemathesis's own decorator would generate them in every process, while the tests are collected.

    Parameters
    ----------
    subtests
        One for each operation.
    examples
        How many requests of each kind are generated for each operation.
    paths
        A regular expression for paths; empty for all of them.
    """
    # Only the processes that run such a test import it.
    import schemathesis
    from schemathesis.core.result import Ok
    from schemathesis.generation.hypothesis import builder

    schema = schemathesis.openapi.from_path(str(DOCUMENT)).include(path_regex=paths)
    settings = hypothesis.settings(max_examples=examples, derandomize=True)
    config = builder.HypothesisTestConfig(
        project=schema.config, modes=list(builder.HypothesisTestMode), settings=settings
    )

    def send_each(case: Case[Any]) -> None:
        send(case)

    operations = [*schema.get_all_operations()]
    assert operations
    for found in operations:
        assert isinstance(found, Ok), found
        operation = found.ok()
        with subtests.test(operation.label):
            builder.create_test(operation=operation, test_func=send_each, config=config)()


def _closed(schema: Any) -> Any:
    """Allow objects only the properties that they name."""
    match schema:
        case {"properties": dict()}:
            inner = {name: _closed(value) for name, value in schema.items()}
            return {"additionalProperties": False, **inner}
        case dict():
            return {name: _closed(value) for name, value in schema.items()}
        case list():
            return [_closed(value) for value in schema]
    return schema
