"""Checks of a resource's outputs: reading one that local mode does not set is an error.

Pulumi resolves a missing output to `None`, which would silently become an input of another resource. So each
missing output gets a mark, a string with its name that is found in the inputs that it reaches.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pulumi import _types
from pulumi.type_token import get_type_token

_MARK = re.compile(r"\(\(no local output (\S+) of (\S+) ([^()]*)\)\)")


class OutputError(Exception):
    """A handler returned an empty id or output, or an output that it does not set was read."""


def checked(identifier: str, outputs: Mapping[str, Any]) -> None:
    """Refuse an empty identifier and empty outputs.

    Raises
    ------
    OutputError
        One is empty; the message names it.
    """
    if not identifier:
        raise OutputError("was created without an id")
    for key, value in outputs.items():
        if value is None or value == "":
            raise OutputError(f"was created without a value for its output {key}")


def marks(type_token: str, name: str, known: Mapping[str, Any]) -> dict[str, str]:
    """Return marks for all outputs of a resource that are not in `known`."""
    return {
        key: f"((no local output {key} of {type_token} {name}))"
        for key in _output_names(type_token)
        if key not in known
    }


def refuse_marks(value: Any, reader: str) -> None:
    """Refuse a value with the mark of an output, which `reader` has read.

    Raises
    ------
    OutputError
        The value holds a mark; the message names the output, its resource and the reader.
    """
    for text in _texts(value):
        if found := _MARK.search(text):
            output, type_token, name = found.groups()
            raise OutputError(
                f"{reader} reads the output {output} of {type_token} {name!r}, which local mode does not set"
            )


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield from _texts(key)
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
        case pulumi.StringAsset():
            yield value.text
        case pulumi.AssetArchive():
            yield from _texts(dict(value.assets))


def _output_names(type_token: str) -> list[str]:
    """Return the provider's names of a type's outputs; the program has imported its class."""
    package, module, name = type_token.split(":")
    service = module.partition("/")[0]
    path = f"pulumi_{package}" if service == "index" else f"pulumi_{package}.{service}"
    # Modules whose name is a keyword, such as `lambda`, end in an underscore.
    found = getattr(sys.modules.get(path) or sys.modules.get(f"{path}_"), name, None)
    if isinstance(found, type) and get_type_token(found) == type_token:
        return list(_types.resource_pulumi_to_py_names(found))
    return []
