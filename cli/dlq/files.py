"""Messages in a file, one JSON object per line."""

import base64
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cli import text_files, times
from cli.errors import SetUpError
from cli.messages import Message
from cli.queues import Outgoing
from orders.order import ORDER_ID
from orders.times import MAX_AHEAD, iso


class BadLineError(ValueError):
    """A line is not a message, for the reason in the message of the error."""


def document(message: Message) -> dict[str, Any]:
    """Return a message as a line has it; `import` reads `message_id`, `sent_at`, `body` and `attributes`."""
    attributes = {
        name: {
            key: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
            for key, value in attribute.items()
        }
        for name, attribute in message.attributes.items()
    }
    order = message.order
    return {
        "message_id": message.message_id,
        "sent_at": iso(message.sent),
        "order_id": order.order_id if order else None,
        "receive_count": message.receives,
        "reason": message.reason,
        "body": message.body,
        **({"attributes": attributes} if attributes else {}),
    }


def write(path: Path, messages: Iterable[Message]) -> None:
    """Write messages to a file that only its owner may read, completely or not at all."""
    path = path.resolve()  # replace the target of a symbolic link, not the link
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(document(message)) + "\n" for message in messages)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SetUpError(f"{path} cannot be written ({error.strerror}).") from error


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Messages, bad lines and ignored future times of a file, by line number."""

    messages: dict[int, Message]
    bad: dict[int, str]
    ignored_times: dict[int, str] = field(default_factory=dict)


def read(path: Path, limit: int) -> Contents:
    """Read and check all lines of a file of messages; a larger message than the limit is a bad line."""
    contents = Contents(messages={}, bad={})
    for number, line in enumerate(text_files.lines(path), start=1):
        if not line.strip():
            continue
        try:
            message, ignored = _not_in_the_future(_message(line))
            if excess := Outgoing.of(message).excess(limit):
                raise BadLineError(f"Message {message.message_id}: {excess}: shorten its body.")
        except BadLineError as error:
            contents.bad[number] = str(error)
            continue
        contents.messages[number] = message
        if ignored is not None:
            contents.ignored_times[number] = ignored
    return contents


def _not_in_the_future(message: Message) -> tuple[Message, str | None]:
    """Replace a `sent_at` in the future by the time of the import; return the time that is ignored."""
    now = time.time()
    if message.sent_at / 1000 <= now + MAX_AHEAD.total_seconds():
        return message, message.ignored_time
    dated = replace(message, sent_at=int(now * 1000))
    return dated, iso(message.sent) if dated.envelope is None else dated.ignored_time


def _message(line: bytes) -> Message:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLineError("This is not JSON.") from None
    if not isinstance(fields, dict):
        raise BadLineError("This is not a JSON object.")
    body, message_id = fields.get("body"), fields.get("message_id")
    if not isinstance(body, str) or not isinstance(message_id, str):
        raise BadLineError("`message_id` and `body` must be strings.")
    if not ORDER_ID.fullmatch(message_id):
        raise BadLineError(
            "`message_id` must be 1 to 64 letters, digits, dots, underscores, colons or hyphens."
        )
    message = Message(
        message_id=message_id,
        body=body,
        sent_at=_milliseconds(fields.get("sent_at")),
        attributes=_attributes(fields.get("attributes", {})),
    )
    if message.order is None:
        raise BadLineError(message.reason or "")
    return message


def _milliseconds(text: object) -> int:
    try:
        if datetime.fromisoformat(str(text)).tzinfo is None:
            raise ValueError(text)
        return round(times.parse_local(str(text)).timestamp() * 1000)
    except ValueError:
        raise BadLineError("`sent_at` must be a time with its zone, such as 2026-11-22T14:00:00Z.") from None


def _attributes(attributes: Any) -> dict[str, Any]:
    try:
        return {
            str(name): {
                key: base64.b64decode(value["base64"]) if isinstance(value, dict) else str(value)
                for key, value in attribute.items()
            }
            for name, attribute in attributes.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BadLineError("`attributes` must be as `cafe dlq export` writes them.") from None
