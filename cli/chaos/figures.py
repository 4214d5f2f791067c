"""What goes on in a run of `cafe chaos`, and what was done and seen in the end."""

from dataclasses import dataclass, field

from cli.chaos.orders import Door

FIRST_PHASE = "Waiting until the stack is quiet"


@dataclass(kw_only=True)
class Progress:
    """What is going on just now; read while others write.

    Attributes
    ----------
    states
        The phases and faults so far, in the order in which they began: a fault may end before it is shown.
    """

    phase: str = FIRST_PHASE
    states: list[str] = field(default_factory=lambda: [FIRST_PHASE])
    messages: int = 0
    sent: int = 0
    broken: str | None = None
    waiting: int = 0
    dead: int = 0

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self.states.append(phase)

    def set_broken(self, sentence: str | None) -> None:
        """Note what is broken, or that it is repaired."""
        self.broken = sentence
        self.states.append(sentence or self.phase)


@dataclass(kw_only=True)
class Figures:
    """What was done and seen.

    Attributes
    ----------
    doors
        Messages by the way they were sent.
    faults
        How often each fault was made, and for how many seconds in all.
    dead_at_most
        The longest that `OrderDLQ` was seen.
    brought_back
        Good orders that `ReconcileOrders` recorded from `OrderDLQ`.
    repaired
        Orders that it found in RDS and not in DynamoDB.
    moves_confirmed, moves_refused
        What staff did with orders: moves that were done, or not allowed.
    moves_unconfirmed, moves_given_up
        Moves without an answer, which were sent again, and those that had none the second time either.
    dead_in_outage
        How many messages were in `OrderDLQ` when the database came back, in a run with an outage.
    memory
        The most that this process held, in MiB.
    """

    doors: dict[Door, int] = field(default_factory=lambda: {"topic": 0, "queue": 0, "http": 0})
    refused_at_door: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    broken_seconds: dict[str, float] = field(default_factory=dict)
    workers_killed: int = 0
    databases_killed: int = 0
    calls_refused: int = 0
    answers_lost: int = 0
    dead_at_most: int = 0
    reconciliations: int = 0
    brought_back: int = 0
    repaired: int = 0
    moves_confirmed: int = 0
    moves_refused: int = 0
    moves_unconfirmed: int = 0
    moves_given_up: int = 0
    dead_in_outage: int | None = None
    outage_seconds: float | None = None
    sending_seconds: float = 0.0
    settling_seconds: float = 0.0
    audit_seconds: float = 0.0
    memory: float = 0.0
