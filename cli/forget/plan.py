"""Plan what to erase of a subject, and erase it: in the stores first, then in dead letters."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cli.dlq import states
from cli.dlq.dead_letters import DeadLetters
from cli.errors import OperationError
from cli.forget.eraser import Done, Eraser, Kind, Slice, Subject
from cli.forget.letters import Matching, matching
from cli.kitchen import NUMBER
from cli.options import Target
from cli.plurals import counted, orders
from cli.users import Users
from orders.order import RECORDED_ID
from orders.states import ERASED_ACTOR, RESTORED

FIELDS = ("customer", "attributes", "history")  # of personal data
RESERVED = {RESTORED, ERASED_ACTOR}  # actors that stand for no person


@dataclass(kw_only=True)
class Plan:
    """Data of a subject that is to be erased."""

    subject: Subject
    found: Slice
    letters: dict[str, Matching]  # by queue

    @property
    def is_empty(self) -> bool:
        """Return whether neither a store nor a dead letter has it."""
        return not (self.found.orders or self.found.already_erased or self.letter_count)

    @property
    def is_unrecorded(self) -> bool:
        """Return whether it is the id of an order that is not recorded yet."""
        recorded = self.found.orders or self.found.already_erased
        return self.subject.kind is Kind.ORDER and not recorded

    @property
    def has_pickup_number(self) -> bool:
        """Return whether the order's id is probably a pickup number, by which nothing is erased."""
        return self.is_unrecorded and bool(NUMBER.fullmatch(self.subject.values[0].upper()))

    @property
    def has_work(self) -> bool:
        """Return whether something is to be erased or kept; a repetition only checks that it is."""
        return bool(self.found.orders or self.letter_count or self.is_unrecorded)

    @property
    def letter_count(self) -> int:
        """Return the number of dead letters to delete or to send."""
        return sum(each.count for each in self.letters.values())

    @property
    def unclear(self) -> list[str]:
        """Return the ids of messages that a person has to look at."""
        return [name for each in self.letters.values() for name in each.unclear]

    @property
    def held_by_others(self) -> int:
        """Return the number of messages that could not be searched."""
        return sum(each.held_by_others for each in self.letters.values())

    def document(self) -> dict[str, Any]:
        """Return the plan without the name, for programs."""
        return {
            "as": self.subject.kind.value,
            "orders": self.found.orders,
            "already_erased": self.found.already_erased,
            "first": self.found.first,
            "last": self.found.last,
            "fields": {name: self.found.fields[name] for name in FIELDS},
            "dead_letters": self.letter_count,
            "unclear_dead_letters": self.unclear,
            "dead_letters_not_searched": self.held_by_others,
        }


def plans(
    target: Target, queues: Mapping[str, DeadLetters], name: str, kind: Kind | None, stop: threading.Event
) -> Iterator[Plan]:
    """Yield what is to be erased of a name as one kind, or as each that it can be."""
    eraser = Eraser.of(target.clients)
    recorded = partial(states.recorded, target.clients)
    listings = {queue: letters.listed(None) for queue, letters in queues.items()}
    for subject in _subjects(target, name, kind):
        yield Plan(
            subject=subject,
            found=eraser.find(subject, stop),
            letters={queue: matching(each, subject, recorded) for queue, each in listings.items()},
        )


def carry_out(
    target: Target,
    queues: Mapping[str, DeadLetters],
    plan: Plan,
    stop: threading.Event,
    advance: Callable[[int], object],
) -> Done:
    """Erase until nothing is left, something fails or Ctrl-C is typed; a new plan continues."""
    eraser = Eraser.of(target.clients)
    done = Done()
    eraser.erase(plan.subject, done, stop, advance)
    # The ids of orders that are not recorded yet are kept, so that no other copy brings the name back.
    for order_id in sorted({name for each in plan.letters.values() for name in each.order_ids}):
        if not done.ended_early:
            eraser.erase(Subject(kind=Kind.ORDER, values=(order_id,)), done, stop)
    if not done.ended_early:
        for queue, each in plan.letters.items():
            _clean(queues[queue], each, done)
    if failed := done.failed:
        done.problems.append(
            f"{orders(len(failed))} not erased in DynamoDB yet, since they kept changing: the schedule does "
            f"so within six hours, `cafe forget {failed[0]}` does so at once."
        )
    return done


def _clean(letters: DeadLetters, matching: Matching, done: Done) -> None:
    """Delete the messages of recorded orders, and send the others without personal data."""
    missed = matching.count
    try:
        if matching.recorded:
            purged = letters.purge(matching.recorded)
            done.deleted += purged.deleted
            done.problems += purged.failures.values()
            missed -= purged.deleted + len(purged.failures)
        if matching.bodies:
            moved = letters.rewrite(matching.bodies)
            done.sent += moved.sent
            done.problems += [*moved.failures.values(), *moved.undeleted.values()]
            missed -= moved.sent + len(moved.failures)
    except OperationError as error:
        done.problems.append(str(error))
        return
    if letters.stop.is_set():
        done.interrupted = True
    elif missed:
        missing = counted(missed, "dead letter")
        done.problems.append(
            f"{missing} no longer found, since another receiver holds them: repeat the command."
        )


def _subjects(target: Target, name: str, kind: Kind | None) -> Iterator[Subject]:
    if kind in {None, Kind.CUSTOMER}:
        yield Subject(kind=Kind.CUSTOMER, values=(name,))
    if kind is Kind.ORDER or (kind is None and RECORDED_ID.fullmatch(name)):
        yield Subject(kind=Kind.ORDER, values=(name,))
    if kind in {None, Kind.STAFF} and name not in RESERVED:
        # Histories have the names of accounts, not their addresses.
        users = Users(target.clients).all() if "@" in name else []
        accounts = {user.name for user in users if user.email.lower() == name.lower()} - {name}
        yield Subject(kind=Kind.STAFF, values=(name, *sorted(accounts)))
