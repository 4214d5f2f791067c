"""Messages between the program's process and its parent: one JSON document a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """The parent's input: the program to deploy, and the services to deploy it on."""

    program: str  # directory of `__main__.py` and `Pulumi.yaml`
    gateway_port: int
    database_port: int
    administrator_password: str = field(repr=False)
    authority: str  # path of the database's CA certificate
    parameters: str  # path of the SQL that the database server runs at every start
    settings: dict[str, str]  # values in place of the project's defaults


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A service is ready."""

    service: str


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource was created."""

    type: str
    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The deployment failed; the message is for the user."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All resources exist."""

    outputs: dict[str, Any]
    database: dict[str, Any] | None  # a login for tools, see `stack.json`
    sign_in: dict[str, Any] | None  # a user of the pages and the password, if there is a user pool
    deviations: list[str]  # differences from AWS, one sentence each
    served: dict[str, Any]  # what browsers may request, see `gateway.Served`


Event = Ready | Created | Failed | Finished
_EVENTS: dict[str, type[Event]] = {event.__name__: event for event in (Ready, Created, Failed, Finished)}


def encode(event: Event) -> str:
    """Return the event as a line, without its end."""
    return json.dumps({"event": type(event).__name__, **dataclasses.asdict(event)})


def decode(line: str) -> Event | None:
    """Return the event of a line from `encode`; None for other lines, such as output of `print`."""
    try:
        fields = json.loads(line)
        return _EVENTS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
