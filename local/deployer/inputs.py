"""A resource's inputs, which record what was read: an unread input is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.runtime import rpc


class InputError(Exception):
    """An input is missing, invalid or not supported."""


def plain(value: Any) -> Any:
    """Unwrap secrets, and convert whole numbers, which gRPC sends as floats, to integers."""
    if rpc.is_rpc_secret(value):
        return plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class Inputs:
    """Plain inputs of a resource, or of an object in it, by the provider's (camel case) names."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._read: set[str] = set()
        self._sections: dict[str, list[Inputs]] = {}

    def __contains__(self, key: str) -> bool:
        """Return whether the input is set, without marking it as read."""
        return self._values.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """Read an input; `default` if it is not set."""
        self._read.add(key)
        value = self._values.get(key)
        return default if value is None else value

    def require(self, key: str) -> Any:
        """Read a required input."""
        if key not in self:
            raise InputError(f"needs the input {self._path}{key}")
        return self.get(key)

    def text(self, key: str) -> str:
        """Read a required string."""
        value = self.require(key)
        if not isinstance(value, str):
            raise InputError(f"needs a string as {self._path}{key}, not {type(value).__name__}")
        return value

    def texts(self, key: str) -> list[str]:
        """Read a list of strings, empty if it is not set."""
        return [str(item) for item in self.get(key, [])]

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Read a boolean."""
        return bool(self.get(key, default))

    def section(self, key: str) -> Inputs:
        """Return an object's inputs, none if it is not set."""
        return self._open(key, [self._values.get(key) or {}])[0]

    def sections(self, key: str) -> list[Inputs]:
        """Return the inputs of each object of a list, which is empty if it is not set."""
        return self._open(key, self._values.get(key) or [])

    def capitalized(self, *names: str) -> dict[str, Any]:
        """Read those of the inputs `names` that are set, under AWS's names, such as `CacheControl`."""
        return self.renamed({name: name[0].upper() + name[1:] for name in names})

    def renamed(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Read those of the inputs `names` that are set, under the names in the mapping."""
        return {theirs: self.get(ours) for ours, theirs in names.items() if ours in self}

    def unread(self) -> Iterator[str]:
        """Yield the paths of inputs that are set and were not read."""
        for key, value in self._values.items():
            if key in self._sections:
                for section in self._sections[key]:
                    yield from section.unread()
            elif key not in self._read and value is not None:
                yield self._path + key

    def _open(self, key: str, values: Any) -> list[Inputs]:
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise InputError(f"needs objects as {self._path}{key}")
        if key not in self._sections:
            self._sections[key] = [Inputs(value, f"{self._path}{key}.") for value in values]
        return self._sections[key]
