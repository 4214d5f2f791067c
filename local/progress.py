"""What the program's process is told by the one that started it, and tells it: a JSON document a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What to deploy, and on what."""

    program: str  # directory of `__main__.py` and `Pulumi.yaml`
    gateway_port: int
    database_port: int
    administrator_password: str = field(repr=False)
    authority: str  # path of the certificate of the database's authority
    parameters: str  # path of what the database server reads at every start
    settings: dict[str, str]  # in which this stack differs from the project's defaults, as a person chose


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A service answers."""

    service: str


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource exists."""

    type: str
    name: str
    seconds: float  # how long it took


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The program cannot be deployed; the message is for a person."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All resources exist."""

    outputs: dict[str, Any]
    database: dict[str, Any] | None  # a login for tools, see `stack.json`
    sign_in: dict[str, Any] | None  # who may sign in to the page, if anybody has to
    deviations: list[str]  # what differs from AWS, a sentence each
    served: dict[str, Any]  # what the gateway lets browsers reach, see `gateway.Served`


Event = Ready | Created | Failed | Finished
_EVENTS: dict[str, type[Event]] = {event.__name__: event for event in (Ready, Created, Failed, Finished)}


def encode(event: Event) -> str:
    """Return the event's line, without its end."""
    return json.dumps({"event": type(event).__name__, **dataclasses.asdict(event)})


def decode(line: str) -> Event | None:
    """Return the event of a line that `encode` made; None for any other line, such as one of `print`."""
    try:
        fields = json.loads(line)
        return _EVENTS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
