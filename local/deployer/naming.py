"""Names generated from the project's pattern, as by Pulumi's engine; mocks receive none."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from local.errors import LocalError

_PART = re.compile(r"\$\{(\w+)(?:\((\d+)\))?\}")


@dataclass(frozen=True, kw_only=True)
class Naming:
    """Names of resources that the program does not name."""

    pattern: str  # such as `${name}-${stack}-${hex(7)}`
    project: str
    stack: str

    def physical_name(self, logical_name: str) -> str:
        """Return a new name for a resource.

        Raises
        ------
        LocalError
            The pattern has an unknown part.
        """
        parts: dict[str, Callable[[int], str]] = {
            "name": lambda _: logical_name,
            "project": lambda _: self.project,
            "stack": lambda _: self.stack,
            "hex": lambda length: secrets.token_hex(length)[:length],
        }

        def replaced(part: re.Match[str]) -> str:
            if part[1] not in parts:
                raise LocalError(
                    f"Local mode does not support {part[0]} in the pattern of pulumi:autonaming."
                )
            return parts[part[1]](int(part[2] or 0))

        return _PART.sub(replaced, self.pattern)

    def lower_case_name(self, logical_name: str) -> str:
        """Return a new name of lower-case letters, digits and hyphens, as S3 and RDS require."""
        return re.sub(r"[^a-z0-9-]+", "-", self.physical_name(logical_name).lower()).strip("-")
