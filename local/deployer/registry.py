"""Which function creates which type of resource, and which answers which invoke."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs

# A handler gives the resource's id, and the outputs that are not among its inputs.
Result = tuple[str, dict[str, Any]]
Handler = Callable[[Cloud, str, Inputs], Result]
Invoke = Callable[[Cloud, Inputs], dict[str, Any]]

# Inputs of any type that have no meaning on one machine, with the reason.
WITHOUT_MEANING = {"tags": "labels, for the bill and for searching an account"}


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A type of resource that local mode knows."""

    create: Handler
    without_meaning: Mapping[str, str]

    def ignores(self, path: str) -> bool:
        """Whether the input, or a structure that it is in, is known to have no meaning locally."""
        known = {**WITHOUT_MEANING, **self.without_meaning}
        return any(path == key or path.startswith(f"{key}.") for key in known)


RESOURCES: dict[str, ResourceType] = {}
INVOKES: dict[str, Invoke] = {}


def resource(
    type_token: str, without_meaning: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Handler], Handler]:
    """Register a handler for a type; `without_meaning` are inputs of no effect here, and why."""

    def register(handler: Handler) -> Handler:
        if type_token in RESOURCES:
            raise ValueError(f"{type_token} has a handler already")
        RESOURCES[type_token] = ResourceType(create=handler, without_meaning=without_meaning)
        return handler

    return register


def invoke(token: str) -> Callable[[Invoke], Invoke]:
    """Register a handler for an invoke (a `get_…` function of the provider)."""

    def register(handler: Invoke) -> Invoke:
        if token in INVOKES:
            raise ValueError(f"{token} has a handler already")
        INVOKES[token] = handler
        return handler

    return register
