"""Progress and figures of a run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from cli.traffic.plan import Entrance


@dataclass(kw_only=True)
class Progress:
    """The current state of a run; threads of the run write it, another shows it."""

    on_change: Callable[[str], object] = lambda _: None  # called with each new phase and fault
    phase: str = ""
    messages: int = 0
    sent: int = 0
    broken: str | None = None
    waiting: int = 0
    dead: int = 0

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self.on_change(phase)

    def set_broken(self, sentence: str | None) -> None:
        """Set the current fault, or None once it is repaired."""
        self.broken = sentence
        self.on_change(sentence or self.phase)


@dataclass(kw_only=True)
class Figures:
    """Counts and times of a run."""

    # Messages by entrance, and malformed orders that the API refused.
    sent_to: dict[Entrance, int] = field(default_factory=lambda: dict.fromkeys(Entrance, 0))
    refused_by_api: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    broken_seconds: dict[str, float] = field(default_factory=dict)
    workers_killed: int = 0
    databases_killed: int = 0
    calls_refused: int = 0
    answers_lost: int = 0
    dead_at_most: int = 0  # messages in `OrderDLQ`
    reconciliations: int = 0
    brought_back: int = 0  # good orders that `ReconcileOrders` recorded from `OrderDLQ`
    repaired: int = 0  # orders that it found in RDS and not in DynamoDB
    moves_confirmed: int = 0
    moves_made: int = 0  # without those to an order's own state, and those confirmed twice
    moves_refused: int = 0
    moves_unconfirmed: int = 0  # had no response, and were sent again
    moves_given_up: int = 0  # had no second response either
    dead_in_outage: int | None = None  # when the database came back
    outage_seconds: float | None = None
    sending_seconds: float = 0.0
    settling_seconds: float = 0.0
    audit_seconds: float = 0.0
    memory: float = 0.0  # MiB, at most

    def document(self) -> dict[str, object]:
        """Return the figures for `--json`, under the names that programs know."""
        others = asdict(self)
        return {"doors": others.pop("sent_to"), "refused_at_door": others.pop("refused_by_api"), **others}
