"""Registry of the handlers of resource types and invokes; a type without a handler is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from local.deployer.cloud import Cloud
from local.deployer.inputs import InputError, Inputs

# The resource's id, and its outputs that are not inputs.
Result = tuple[str, dict[str, Any]]
Handler = Callable[[Cloud, str, Inputs], Result]
Invoke = Callable[[Cloud, Inputs], dict[str, Any]]

# Inputs of any type that are ignored, with the reason.
IGNORED = {"tags": "labels for the bill and for searching an account"}


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A supported resource type."""

    create: Handler
    ignored: Mapping[str, str]  # inputs without effect in local mode, with the reason

    def ignores(self, path: str) -> bool:
        """Return whether an input, or an object that it is in, is ignored."""
        paths = {**IGNORED, **self.ignored}
        return any(path == key or path.startswith(f"{key}.") for key in paths)


RESOURCES: dict[str, ResourceType] = {}
INVOKES: dict[str, Invoke] = {}


def resource(
    type_token: str, ignored: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Handler], Handler]:
    """Register a handler for a type; `ignored` maps inputs without effect to the reason."""

    def register(handler: Handler) -> Handler:
        if type_token in RESOURCES:
            raise ValueError(f"{type_token} has a handler already")
        RESOURCES[type_token] = ResourceType(create=handler, ignored=ignored)
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


def resource_type(type_token: str) -> ResourceType:
    """Return a supported resource type; raise InputError for another."""
    if type_token not in RESOURCES:
        raise InputError("is of a type that local mode does not support")
    return RESOURCES[type_token]


def invoke_handler(token: str) -> Invoke:
    """Return the handler of a supported invoke; raise InputError for another."""
    if token not in INVOKES:
        raise InputError("is an invoke that local mode does not support")
    return INVOKES[token]
