"""Staff who move the orders of a run while things break."""

import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from chaos.figures import Figures
from chaos.plan import CUSTOMER, Plan
from cli.errors import OperationError
from cli.kitchen import Board, Kitchen, Order, RefusedError
from orders.states import CLOSED, State

PEOPLE, PEOPLE_WITHOUT_PAUSES = 2, 4
AT_ONCE = 20  # orders that one person moves between two reads of the screen
IN_A_ROW = 5  # moves of one order between two reads of the screen
OUTDATED = 0.1  # share of moves that name a version from before
RECALLED = 0.8  # share of moves of closed orders that lead where they may go
PAUSE = 0.2  # seconds after a read without a response
PACE = 0.1  # seconds between two moves of one person. With `--moves`, nobody waits.


class Staff:
    """Moves orders to random states, with current and outdated versions; repeats moves without a response.

    `confirmed` has the versions that were confirmed, by the orders' ids, but for the first one of an order.
    """

    def __init__(self, kitchen: Kitchen, plan: Plan, figures: Figures, *, without_pauses: bool) -> None:
        self._kitchen = kitchen
        self._plan = plan
        self._figures = figures
        self._people, self._pace = (PEOPLE_WITHOUT_PAUSES, 0.0) if without_pauses else (PEOPLE, PACE)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._working: list[Future[None]] = []
        self.confirmed: dict[str, set[int]] = defaultdict(set)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work while the `with` statement lasts."""
        with ThreadPoolExecutor(self._people) as pool:
            self._working = [pool.submit(self._work, number) for number in range(self._people)]
            try:
                yield
            finally:
                self._stop.set()
        self.check()

    def check(self) -> None:
        """Raise the error that ended somebody's work."""
        for person in self._working:
            if person.done():
                person.result()

    def _work(self, number: int) -> None:
        chance = self._plan.chance("staff", number)
        while not self._stop.is_set():
            try:
                board = self._kitchen.board()
            except OperationError:
                self._stop.wait(PAUSE)
                continue
            self._clear(board)
            listed = {order.order_id: order for order in board.listed}
            mine = [order for order in listed.values() if order.customer_name == self._plan.customer]
            for order in chance.sample(mine, min(AT_ONCE, len(mine))):
                self._move_on(order, chance)
            if not mine:
                self._stop.wait(PAUSE)

    def _clear(self, board: Board) -> None:
        """Take orders of earlier runs off the screen, which lists the oldest 200 of a state."""
        for order in (*board.orders, *board.delayed):
            name = order.customer_name or ""
            if self._stop.is_set():
                return
            if name.startswith(CUSTOMER) and name != self._plan.customer:
                with suppress(OperationError):
                    self._kitchen.move(order, State.COLLECTED)

    def _move_on(self, order: Order, chance: random.Random) -> None:
        """Move an order again and again, until a move is not confirmed."""
        moved: Order | None = order
        for _ in range(IN_A_ROW):
            if moved is None or self._stop.wait(self._pace):
                return
            moved = self._move(moved, chance)

    def _move(self, order: Order, chance: random.Random) -> Order | None:
        """Try to move an order once; return it after a confirmed move."""
        if chance.random() < OUTDATED:
            order = order.model_copy(update={"version": max(0, order.version - 1)})
        target, key = _target(order, chance), str(uuid.uuid4())
        for attempt in ("moves_unconfirmed", "moves_given_up"):
            try:
                moved = self._kitchen.move(order, target, "chaos", key=key)
            except RefusedError:
                self._count("moves_refused")
                return None
            except OperationError:
                self._count(attempt)
                continue
            self._confirm(moved)
            return moved
        return None

    def _confirm(self, moved: Order) -> None:
        self._count("moves_confirmed")
        with self._lock:
            versions = self.confirmed[moved.order_id]
            if moved.version > 1 and moved.version not in versions:
                versions.add(moved.version)
                self._figures.moves_made += 1

    def _count(self, figure: str) -> None:
        with self._lock:
            setattr(self._figures, figure, getattr(self._figures, figure) + 1)


def _target(order: Order, chance: random.Random) -> State:
    if order.state in CLOSED and order.recall_to and chance.random() < RECALLED:
        return order.recall_to
    return chance.choice(list(State))
