"""A resource's outputs: those that a handler does not know are marked, and reading a mark is an error.

Pulumi resolves an output that a resource lacks to `None`, which would travel on silently into whatever reads
it. A mark cannot: it is a text that names the output, and it is found in the inputs that it reaches.
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
    """A handler gave an empty output or identifier, or an output that it does not give was read."""


def checked(identifier: str, outputs: Mapping[str, Any]) -> None:
    """Refuse an empty identifier and empty outputs.

    Raises
    ------
    OutputError
        With the name of the output.
    """
    if not identifier:
        raise OutputError("was created without an id")
    for key, value in outputs.items():
        if value is None or value == "":
            raise OutputError(f"was created without a value for its output {key}")


def marks(type_token: str, name: str, known: Mapping[str, Any]) -> dict[str, str]:
    """Return marks for all outputs of a resource that are not among `known`."""
    return {
        key: f"((no local output {key} of {type_token} {name}))"
        for key in _output_names(type_token)
        if key not in known
    }


def refuse_marks(value: Any, reader: str) -> None:
    """Refuse a value in which `reader` has read an output that is not known.

    Raises
    ------
    OutputError
        With the names of the output, of its resource and of the reader.
    """
    for text in _texts(value):
        if found := _MARK.search(text):
            output, type_token, name = found.groups()
            raise OutputError(
                f"{reader} reads the output {output} of {type_token} {name!r}, which local mode does not give"
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
    """Return the provider's names of a type's outputs, from its class, which the program has imported."""
    package = f"pulumi_{type_token.partition(':')[0]}"
    modules = [module for name, module in sys.modules.items() if name.split(".", 1)[0] == package]
    for module in modules:
        for item in list(vars(module).values()):
            if isinstance(item, type) and get_type_token(item) == type_token:
                return list(_types.resource_pulumi_to_py_names(item))
    return []
