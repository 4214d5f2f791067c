"""Staff who move the orders of a run while things break."""

import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from chaos.figures import Figures
from cli.errors import OperationError
from cli.kitchen import Kitchen, Order, RefusedError
from orders.states import State

WORKERS = 2  # people
AT_ONCE = 20  # orders that one person moves between two reads of the screen
OUTDATED = 0.1  # share of moves that name a version from before
PAUSE = 0.2  # seconds after a read without a response
PACE = 0.1  # seconds between two moves of one person; without it they would be most of the load


class Staff:
    """Moves orders to random states, with current and outdated versions; repeats moves without a response.

    `confirmed` has the versions that were confirmed, by the orders' ids.
    """

    def __init__(self, kitchen: Kitchen, customer: str, figures: Figures, seed: str) -> None:
        self._kitchen = kitchen
        self._customer = customer
        self._figures = figures
        self._seed = seed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.confirmed: dict[str, set[int]] = defaultdict(set)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work while the `with` statement lasts."""
        workers = [
            threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            self._stop.set()
            for worker in workers:
                worker.join()

    def _work(self, number: int) -> None:
        chance = random.Random(f"{self._seed}/staff/{number}")  # noqa: S311
        while not self._stop.is_set():
            try:
                board = self._kitchen.board()
            except OperationError:
                self._stop.wait(PAUSE)
                continue
            listed = {order.order_id: order for order in board.listed}
            mine = [order for order in listed.values() if order.customer_name == self._customer]
            for order in chance.sample(mine, min(AT_ONCE, len(mine))):
                if self._stop.wait(PACE):
                    return
                self._move(order, chance)
            if not mine:
                self._stop.wait(PAUSE)

    def _move(self, order: Order, chance: random.Random) -> None:
        if chance.random() < OUTDATED:
            order = order.model_copy(update={"version": max(0, order.version - 1)})
        target, key = chance.choice(list(State)), str(uuid.uuid4())
        for attempt in ("moves_unconfirmed", "moves_given_up"):
            try:
                moved = self._kitchen.move(order, target, "chaos", key=key)
            except RefusedError:
                self._count("moves_refused")
                return
            except OperationError:
                self._count(attempt)
                continue
            with self._lock:
                self.confirmed[order.order_id].add(moved.version)
            self._count("moves_confirmed")
            return

    def _count(self, figure: str) -> None:
        with self._lock:
            setattr(self._figures, figure, getattr(self._figures, figure) + 1)
