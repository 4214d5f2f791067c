"""Dead letters as tables, sentences and JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from cli.dlq.dead_letters import Moved
from cli.dlq.states import State
from cli.messages import Message
from cli.plurals import messages
from cli.tables import Kind, Table
from cli.terminal import plain
from cli.times import age, duration, local_time

MAX_BODY = 200  # characters of a body in the list
SHORT_ID = 8  # characters of an id in a narrow terminal
WIDE = 120  # columns of a terminal that shows whole ids
COLUMNS = {"Message": Kind.WHOLE, "Age": Kind.WHOLE, "Receives": Kind.NUMBER, "Reason and body": Kind.NAME}


def table(messages: list[Message], width: int, states: Mapping[str, State]) -> Table:
    """Return a list of messages for a terminal of `width` columns."""
    # The reason needs the room of a narrow terminal; the beginning of an id is enough for the commands.
    id_length = None if width >= WIDE else SHORT_ID
    lines = Table("Dead letters", COLUMNS, expand=True)
    for message in messages:
        lines.add_row(
            plain(message.message_id)[:id_length],
            duration(age(message.sent)),
            str(message.receives),
            Group(
                Text(plain(states[message.message_id].sentence)),
                Text(plain(message.text[:MAX_BODY]), style="dim", no_wrap=True, overflow="ellipsis"),
            ),
        )
    return lines


def document(message: Message, state: State) -> dict[str, Any]:
    """Return a message for `--json`."""
    from cli.dlq import files

    found = files.document(message) | {"state": state.kind.value, "state_reason": state.reason}
    if other := state.other:
        names = ("item", "quantity", "customer_name", "created_at")
        found["belongs_to"] = {name: getattr(other, name) for name in names}
    age_seconds = max(0, round(age(message.sent).total_seconds()))
    return found | {"age_seconds": age_seconds, "ignored_time": message.ignored_time}


def ignored(time: str, message: Message) -> str:
    """Return a sentence about a time that an order does not get."""
    return f"{time} is in the future; the order gets {local_time(message.ordered_at)} instead."


def first(reasons: Mapping[str, str]) -> str:
    """Return the first of several reasons."""
    return next(iter(reasons.values()))


def held_by_others(count: int, result: str) -> str:
    """Return a sentence about messages that were not visible."""
    return f"Another receiver holds {messages(count)} now: {result}."


def facts(message: Message, state: State, logged: str | None) -> Iterator[tuple[str, str]]:
    """Yield the properties of a message, each with its name."""
    yield "Message", message.message_id
    yield "Order", message.order.order_id if message.order else f"would be {message.identity}"
    yield "Sent", f"{local_time(message.sent)} ({duration(age(message.sent))} ago)"
    if message.ignored_time is not None:
        yield "Time", ignored(message.ignored_time, message)
    yield "Receives", str(message.receives)
    yield "Reason", state.sentence
    if other := state.other:
        when = f", sent {local_time(other.created_at)}" if other.created_at else ""
        customer = f" for {other.customer_name}" if other.customer_name else ""  # it may be erased
        yield "Belongs to", f"{other.quantity} × {other.item}{customer}{when}"
    if logged:
        yield "Logged", logged
    for name, attribute in message.attributes.items():
        yield f"“{name}”", str(attribute.get("StringValue", "binary"))


def moved_document(moved: Moved) -> dict[str, Any]:
    """Return the result of a redrive for `--json`."""
    names = ("sent", "left", "failures", "undeleted", "interrupted")
    found = {name: getattr(moved, name) for name in names} | {"seconds": round(moved.seconds, 3)}
    return found | ({"error": moved.problem} if moved.problem else {})


def problems(moved: Moved) -> Iterator[tuple[str, str]]:
    """Yield a sentence and its style for each kind of message that was not moved."""
    if moved.interrupted:
        yield f"Stopped: {messages(moved.sent)} sent again; the others are unchanged.", ""
    if moved.left:
        why = f": {first(moved.left)}" if len(moved.left) == 1 else ""
        yield (
            f"{messages(len(moved.left))} left, which cannot be recorded unchanged{why} "
            "(`cafe dlq list` shows why, `cafe dlq edit ID` corrects it, `--all` sends it unchanged).",
            "yellow",
        )
    if moved.undeleted:
        yield (
            f"{messages(len(moved.undeleted))} sent, but not deleted here: {first(moved.undeleted)} "
            "It is counted once; another redrive removes it.",
            "yellow",
        )
    if moved.failures:
        yield f"{messages(len(moved.failures))} not sent: {first(moved.failures)}", "red"
    if moved.problem:
        yield f"Ended early: {moved.problem}. Messages that were not sent are unchanged.", "red"
