"""The states of an order in both stores, against the moves that were confirmed."""

from collections.abc import Set
from dataclasses import dataclass, field

FIRST = ("received", 1)  # state and version before the first move


@dataclass
class Moved:
    """An order as MySQL has it, with its moves."""

    order_id: str
    state: str
    version: int
    moves: list[tuple[int, str, str]] = field(default_factory=list)  # version, from and to

    def problem(self, item: tuple[str, int] | None, confirmed: Set[int]) -> str | None:
        """Return the first error in it, None without one.

        `item` is its state and version in DynamoDB, `confirmed` has the versions in the responses to staff.
        """
        state, version = FIRST
        for number, came_from, target in self.moves:
            if came_from != state or number <= version:
                return f"{self.order_id}: {state} {version} is followed by {came_from} → {target} {number}"
            state, version = target, number
        if (state, version) != (self.state, self.version):
            found = f"its row has {self.state} {self.version}"
            return f"{self.order_id}: its moves end at {state} {version}, {found}"
        if item != (self.state, self.version):
            return f"{self.order_id}: {self.state} {self.version} in MySQL, {item} in DynamoDB"
        missing = confirmed - {number for number, _, _ in self.moves}
        return f"{self.order_id}: the confirmed version {min(missing)} is missing" if missing else None
