"""Dead letters on the screen and in JSON documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.plurals import messages
from cli.tables import Column, Kind, Table
from cli.terminal import plain
from cli.times import duration, iso, spoken

if TYPE_CHECKING:
    from cli.dlq.dead_letters import Moved
    from cli.dlq.states import State
    from cli.messages import Message
    from orders.order import Order

BODY = 200  # characters of a body in the list
SHORT_ID = 8  # characters of an id in a narrow terminal
WIDE = 120  # columns from which on ids are shown whole
COLUMNS = (
    Column("Message", Kind.WHOLE),
    Column("Age", Kind.WHOLE),
    Column("Receives", Kind.NUMBER),
    Column("Reason and body"),
)


def table(messages: list[Message], width: int, states: Mapping[str, State]) -> Table:
    """Return a list of messages for a terminal of so many columns."""
    # Where there is little room, it is for what is wrong; the beginning of an id is as good as the whole.
    id_length = None if width >= WIDE else SHORT_ID
    lines = Table("Dead letters", COLUMNS, expand=True)
    for message in messages:
        lines.add_row(
            plain(message.message_id)[:id_length],
            _age(message),
            str(message.receives),
            Group(
                Text(plain(states[message.message_id].sentence)),
                Text(plain(message.text[:BODY]), style="dim", no_wrap=True, overflow="ellipsis"),
            ),
        )
    return lines


def document(message: Message, state: State | None = None) -> dict[str, Any]:
    """Return a message as programs read it."""
    from cli.dlq import files

    known: dict[str, Any] = {"state": state.kind.value, "state_reason": state.reason} if state else {}
    if state and state.other:
        known["belongs_to"] = _fields(state.other)
    return (
        files.document(message)
        | known
        | {
            "age_seconds": round(_seconds(message)),
            "ignored_time": message.ignored_time,
        }
    )


def _fields(order: Order) -> dict[str, Any]:
    return {
        "item": order.item,
        "quantity": order.quantity,
        "customer_name": order.customer_name,
        "created_at": iso(order.created_at) if order.created_at else None,
    }


def ignored(time: str, message: Message) -> str:
    """Say which time an order does not get, and which one instead."""
    return f"{time} is in the future; the order gets {spoken(message.ordered_at)} instead."


def before_sending(message: Message, corrected: Message) -> Iterator[str]:
    """Yield what a person reads before a corrected order is sent."""
    yield f"Order {corrected.identity} of {spoken(corrected.ordered_at)}:"
    if message.ignored_time is not None:
        yield ignored(message.ignored_time, message)
    yield corrected.editable().rstrip("\n")


def _age(message: Message) -> str:
    return duration(_seconds(message))


def _seconds(message: Message) -> float:
    return max(0.0, (datetime.now(UTC) - message.sent).total_seconds())


def first(reasons: dict[str, str]) -> str:
    """Return the first of several reasons."""
    return next(iter(reasons.values()))


def held_by_others(count: int, so: str) -> str:
    """Say what was out of reach."""
    return f"Somebody else holds {messages(count)} just now: {so}."


def facts(message: Message, state: State, logged: str | None) -> Iterator[tuple[str, str]]:
    """Yield what is known of a message: a name and a value each."""
    yield "Message", message.message_id
    yield "Order", message.order.order_id if message.order else f"would be {message.identity}"
    yield "Sent", f"{message.sent.astimezone():%Y-%m-%d %H:%M:%S} ({_age(message)} ago)"
    if message.ignored_time is not None:
        yield "Time", ignored(message.ignored_time, message)
    yield "Receives", str(message.receives)
    yield "Reason", state.sentence
    if other := state.other:
        when = f", sent {spoken(other.created_at)}" if other.created_at else ""
        yield "Belongs to", f"{other.quantity} × {other.item} for {other.customer_name}{when}"
    if logged:
        yield "Logged", logged
    for name, attribute in message.attributes.items():
        yield f"“{name}”", str(attribute.get("StringValue", "binary"))


def purge_question(chosen: list[Message], queue: str) -> str:
    """Ask for what cannot be undone, with the numbers."""
    orders = sum(message.order is not None for message in chosen)
    lost = (
        f"{orders:,} of them with an order, lost unless it is recorded" if orders else "none of them an order"
    )
    return f"Delete {messages(len(chosen))} from “{queue}” for good, {lost}?"


def moved_document(moved: Moved) -> dict[str, Any]:
    """Return what became of messages, as programs read it."""
    return {
        "sent": moved.sent,
        "left": moved.left,
        "failures": moved.failures,
        "undeleted": moved.undeleted,
        "interrupted": moved.interrupted,
        "seconds": round(moved.seconds, 3),
        **({"error": moved.problem} if moved.problem else {}),
    }


def troubles(moved: Moved) -> Iterator[tuple[str, str]]:
    """Yield a sentence and its style for each thing that was not done."""
    if moved.interrupted:
        yield f"Stopped: {messages(moved.sent)} sent again; the others are where they were.", ""
    if moved.left:
        why = f": {first(moved.left)}" if len(moved.left) == 1 else ""
        yield (
            f"{messages(len(moved.left))} left, which cannot be recorded as it is{why} "
            "(`cafe dlq list` shows why, `cafe dlq edit ID` corrects it, `--all` sends it as it is).",
            "yellow",
        )
    if moved.undeleted:
        yield (
            f"{messages(len(moved.undeleted))} sent, but not deleted here: {first(moved.undeleted)} "
            "It is counted once all the same; another redrive removes it.",
            "yellow",
        )
    if moved.failures:
        yield f"{messages(len(moved.failures))} not sent: {first(moved.failures)}", "red"
    if moved.problem:
        yield f"Ended early: {moved.problem}. What was not sent is where it was.", "red"
