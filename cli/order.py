"""Place orders over HTTP, one or many, each exactly once."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from cli import http
from cli.errors import AnswerError

CONNECTIONS = 8
# With the waits below, an API that fails at once is asked for about 20 seconds. Throttling does not count.
ATTEMPTS = 8
# Seconds after which an order is not sent again, whatever the reason.
PATIENCE = 60.0
TEST_ORDER = "test_order"  # the attribute of orders that no screen shows
BACK_OFF = wait_random_exponential(multiplier=0.2, max=5)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a customer wants."""

    item: str
    quantity: int = 1
    customer_name: str | None = None
    is_test: bool = False  # shown on no screen; it is counted as any other

    def body(self) -> dict[str, object]:
        """Return the JSON object that the API takes."""
        body: dict[str, object] = {"item": self.item, "quantity": self.quantity}
        if self.customer_name is not None:
            body["customer_name"] = self.customer_name
        if self.is_test:
            body[TEST_ORDER] = True
        return body


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The API's word that an order is taken."""

    order_id: str
    message: str


class RefusedError(AnswerError):
    """The API will not take this order, however often it is sent."""

    def __init__(self, message: str, fields: dict[str, str]) -> None:
        # The sentences say it all, and mostly name their field themselves.
        lines = [sentence if name in sentence else f"{name}: {sentence}" for name, sentence in fields.items()]
        super().__init__("\n".join(lines or [message]))
        self.message = message
        self.fields = fields


class BusyError(AnswerError):
    """The API did not take the order this time; the same request may be sent again."""


class ThrottledError(BusyError):
    """Too many orders at once; there is nothing wrong, it only takes longer."""


class StopAfterFailures(stop_base):
    """Gives up after `ATTEMPTS` failures; being throttled is none."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        """Whether the last attempt was the last one."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        return retry_state.attempt_number >= ATTEMPTS and not isinstance(error, ThrottledError)


class Counter:
    """Places orders at one stack's `POST /orders`; safe to use from several threads.

    Parameters
    ----------
    client
        Keeps its connections open between orders.
    url
        The stack's `orders_url`.
    back_off
        How long to wait before an order is sent again.
    patience
        Seconds after which an order that was not taken is not sent again.
    api_key
        The stack's `orders_api_key`, if it has one.
    """

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        *,
        back_off: wait_base = BACK_OFF,
        patience: float = PATIENCE,
        api_key: str | None = None,
    ) -> None:
        self._client = client
        self._url = url
        self._headers = {"x-api-key": api_key} if api_key else {}
        self._back_off = back_off
        self._patience = patience
        self._closing = threading.Event()

    def place(self, order: Order, key: str | None = None) -> Receipt:
        """Send `order` until it is taken.

        One key goes with all attempts: an answer that got lost on the way makes no second order.

        Parameters
        ----------
        order
            The order.
        key
            The idempotency key, if the same order may be placed again later; else a new one.

        Raises
        ------
        RefusedError
            The order is wrong.
        BusyError
            Not taken in any attempt.
        """
        key = key or str(uuid.uuid4())
        attempts = Retrying(
            retry=retry_if_exception_type(BusyError),
            wait=self._back_off,
            stop=StopAfterFailures() | stop_after_delay(self._patience) | stop_when_event_set(self._closing),
            sleep=sleep_using_event(self._closing),
            reraise=True,
        )
        return attempts(self._send, order, key)

    def close(self) -> None:
        """Stop waiting and sending again; requests under way still get their answers."""
        self._closing.set()

    @property
    def closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def _send(self, order: Order, key: str) -> Receipt:
        try:
            headers = self._headers | {"Idempotency-Key": key}
            response = self._client.post(self._url, json=order.body(), headers=headers)
        except httpx.TransportError as error:
            raise BusyError(f"{self._url} was not reached: {http.problem(error)}.") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise ThrottledError(f"{self._url} answered {http.message_of(response)}.")
        if response.status_code in http.TRY_AGAIN:
            raise BusyError(f"{self._url} answered {http.message_of(response)}.")
        if not response.is_success:
            raise _refusal(self._url, response)
        return _receipt(self._url, response)


def _refusal(url: str, response: httpx.Response) -> RefusedError:
    try:
        fields = response.json()["errors"]
        message = str(response.json().get("message") or "The order was refused.")
        return RefusedError(message, {str(name): str(sentence) for name, sentence in fields.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return RefusedError(f"{url} answered {http.message_of(response)}.", {})


def _receipt(url: str, response: httpx.Response) -> Receipt:
    try:
        body = response.json()
        return Receipt(order_id=str(body["orderId"]), message=str(body.get("message", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AnswerError(f"{url} answered {http.message_of(response)}, but gave no order id.") from None


@dataclass(kw_only=True)
class Tally:
    """What became of a number of equal orders.

    Attributes
    ----------
    problem
        Why the rest was not sent, if it was not: the first order that failed for good ends the run, since
        the others are the same.
    seconds
        From the first request to the last answer.
    """

    requested: int
    order_ids: list[str] = field(default_factory=list)
    problem: AnswerError | None = None
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def accepted(self) -> int:
        """How many orders the API took."""
        return len(self.order_ids)

    @property
    def per_second(self) -> float:
        """Accepted orders a second."""
        return self.accepted / self.seconds if self.seconds else 0.0


def place_many(
    counter: Counter, order: Order, count: int, *, on_accepted: Callable[[], object] = lambda: None
) -> Tally:
    """Place `order` `count` times over a few connections, each time as an order of its own.

    Returns early, with what was done so far, when an order fails for good and when the user types Ctrl-C. Any
    other exception stops the workers and is raised.
    """
    tally = Tally(requested=count)
    turns = itertools.islice(itertools.count(), count)
    lock = threading.Lock()
    started = time.monotonic()
    hands = min(CONNECTIONS, count)
    workers: list[Future[None]] = []
    # Nobody starts before all are there: a Ctrl-C in between leaves no order that nobody waits for.
    gate = threading.Event()
    with ThreadPoolExecutor(hands) as pool:
        try:
            workers.extend(
                pool.submit(_work, gate, counter, order, turns, lock, tally, on_accepted)
                for _ in range(hands)
            )
            gate.set()
            # Short waits: Python handles a signal between two of them, whichever thread received it.
            while wait(workers, timeout=0.2).not_done:
                pass
        except BaseException as stopped_by:
            # The pool waits for its workers, whatever was raised: without this they place all the rest first.
            counter.close()
            gate.set()
            if not isinstance(stopped_by, KeyboardInterrupt):
                raise
            tally.interrupted = True
    tally.seconds = time.monotonic() - started
    problems = [error for worker in workers if isinstance(error := worker.exception(), AnswerError)]
    # A refusal says what is wrong with the order; "busy" may be only what others saw on closing.
    problems.sort(key=lambda error: not isinstance(error, RefusedError))
    tally.problem = None if tally.interrupted else next(iter(problems), None)
    for worker in workers:
        if not isinstance(worker.exception(), AnswerError | None):
            worker.result()
    return tally


def _work(
    gate: threading.Event,
    counter: Counter,
    order: Order,
    turns: Iterator[int],
    lock: threading.Lock,
    tally: Tally,
    on_accepted: Callable[[], object],
) -> None:
    gate.wait()
    try:
        while not counter.closing:
            with lock:
                if next(turns, None) is None:
                    return
            receipt = counter.place(order)
            with lock:
                tally.order_ids.append(receipt.order_id)
            on_accepted()
    except BaseException:
        counter.close()  # what stops one worker stops all
        raise
