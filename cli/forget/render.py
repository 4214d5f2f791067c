"""Sentences of `cafe forget`, without the name."""

from collections.abc import Iterator, Sequence

from cli.forget.backups import Backup
from cli.forget.eraser import Done, Kind
from cli.forget.plan import Plan
from cli.plurals import counted, messages, orders
from cli.terminal import plain
from cli.times import local_time

PICKUP_NUMBER = (
    "If it is a pickup number: other orders get the same one later, so nothing is erased by it. "
    "`cafe orders show` prints the order's id."
)
NAMES = {Kind.CUSTOMER: "this customer", Kind.ORDER: "this id", Kind.STAFF: "this user in their histories"}


def preview(plan: Plan, waiting: int, backups: Sequence[Backup]) -> Iterator[str]:
    """Yield what would be erased, and what stays; `waiting` messages are in `OrderQueue`."""
    yield from _orders(plan)
    yield from _letters(plan)
    if plan.is_unrecorded:
        yield "The order is not recorded: its id is kept, so that it arrives without a name."
    if plan.has_pickup_number:
        yield PICKUP_NUMBER
    if plan.subject.kind is Kind.CUSTOMER and waiting:
        yield (
            f"{messages(waiting)} in OrderQueue: if this customer's order is among them, repeat the command "
            "once it is recorded."
        )
    if backups:
        yield "These stay unchanged, and have the data:"
        yield from (f"  {each.sentence}" for each in backups)
    if any(each.is_rewritten for each in backups):
        yield "`cafe backup now` replaces the copies; otherwise the schedule does so within six hours."


def unclear(message_id: str) -> str:
    """Return a sentence about a message that has the text, but no valid order of the subject."""
    return (
        f"Dead letter {plain(message_id)} contains this text in another way, and stays unchanged: see "
        "`cafe dlq show`, then correct it by `cafe dlq edit`, or delete it by `cafe dlq purge --id`."
    )


def question(plan: Plan, stack: str) -> str:
    """Return the question before anything is erased."""
    if plan.is_unrecorded:
        return f"Keep this id, so that stack {stack} never records a name with it?"
    if not plan.found.orders:
        return f"Erase the name in {counted(plan.letter_count, 'dead letter')} of stack {stack} for good?"
    found = orders(plan.found.orders)
    if plan.subject.kind is Kind.STAFF:
        return f"Erase this user from the histories of {found} of stack {stack} for good?"
    return f"Erase names, further fields and histories of {found} of stack {stack} for good?"


def erased(plan: Plan, done: Done) -> str:
    """Return what was erased in the stores."""
    if plan.is_unrecorded:
        return "The id is kept: no name is ever recorded with it."
    if plan.subject.kind is Kind.STAFF:
        return f"Erased in {counted(done.orders, 'move')} of orders; all counts stay."
    return f"{orders(done.orders)} erased; all counts stay."


def _orders(plan: Plan) -> Iterator[str]:
    found, fields = plan.found, plan.found.fields
    sent = ""
    if found.first and found.last:
        first, last = local_time(found.first), local_time(found.last)
        sent = f", sent {first}" if first == last else f", sent from {first} to {last}"
    have = "has" if found.orders == 1 else "have"
    if found.orders or not found.already_erased:
        yield f"{orders(found.orders)} {have} {NAMES[plan.subject.kind]}{sent}."
    if found.already_erased:
        yield f"{orders(found.already_erased)} with {NAMES[plan.subject.kind]}: erased already."
    parts = [
        ("customer", counted(fields["customer"], "name")),
        ("attributes", f"the further fields of {orders(fields['attributes'])}"),
        ("history", f"who made {counted(fields['history'], 'move')} of orders, and why"),
    ]
    if erasable := [part for name, part in parts if fields[name]]:
        yield f"To erase: {'; '.join(erasable)}."


def _letters(plan: Plan) -> Iterator[str]:
    for queue, each in plan.letters.items():
        if each.recorded:
            yield f"Dead letters in “{queue}” of recorded orders, to be deleted: {len(each.recorded):,}."
        if each.bodies:
            yield (
                f"Dead letters in “{queue}” to be sent to the worker without the name and further fields: "
                f"{len(each.bodies):,}."
            )
    yield from map(unclear, plan.unclear)
    if plan.held_by_others:
        yield (
            f"Another receiver holds {messages(plan.held_by_others)}, not searched: repeat the command later."
        )
