"""The worker's metrics of the time from an order's acceptance until it is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import order_processor
from cli import replay
from cli.messages import Message
from orders.failures import Conflict
from orders.ledger import Failures, Recorded
from orders.order import Order
from tests.faults.messages import envelope

WITHIN = 60  # seconds, the objective
LAST = 3  # receives of a message


class LedgerStandIn:
    """A ledger to which orders are new, unless they fail, are recorded already, or end the process."""

    def __init__(self, failures: Failures, recorded: Collection[str], crash: bool) -> None:
        self.failures = failures
        self.recorded = recorded
        self.crash = crash

    def record_batch(self, orders: Mapping[str, Order]) -> Recorded:
        if self.crash:
            raise MemoryError
        ids = {key: order.order_id for key, order in orders.items()}
        failures = {
            key: self.failures[order_id] for key, order_id in ids.items() if order_id in self.failures
        }
        return Recorded(failures, frozenset(set(ids.values()) - self.failures.keys() - set(self.recorded)))


class Metrics:
    """The metrics of all lines: the values of each, and the lines."""

    def __init__(self, output: str) -> None:
        self.lines = [line for line in map(json.loads, output.splitlines()) if "_aws" in line]
        self.values: dict[str, list[float]] = {}
        for line in self.lines:
            (definition,) = line["_aws"]["CloudWatchMetrics"]
            assert definition["Namespace"] == "CafeOrders"
            for metric in definition["Metrics"]:
                value = line[metric["Name"]]
                assert metric["Unit"] == ("Seconds" if metric["Name"] == "TimeToRecord" else "Count")
                self.values.setdefault(metric["Name"], []).extend(
                    value if isinstance(value, list) else [value]
                )

    def sum(self, name: str) -> float:
        return sum(self.values.get(name, []))


Work = Callable[..., Metrics]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Work:
    """Process a batch, and return its metrics."""
    monkeypatch.setenv("RECORDED_WITHIN", str(WITHIN))
    monkeypatch.setattr(order_processor, "back_off", lambda *_, **__: None)

    def process(
        *records: dict[str, Any],
        failures: Failures | None = None,
        recorded: Collection[str] = (),
        crash: bool = False,
    ) -> Metrics:
        ledger = LedgerStandIn(failures or {}, recorded, crash)
        monkeypatch.setattr(order_processor, "ledger", lambda: ledger)
        if crash:
            with pytest.raises(MemoryError):
                order_processor.handler({"Records": list(records)}, None)
        else:
            order_processor.handler({"Records": list(records)}, None)
        metrics = Metrics(capsys.readouterr().out)
        metrics.values.pop("FailedOrders", None)
        return metrics

    return process


def before(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def accepted(order_id: str, ago: float = 1, *, receives: int = 1) -> dict[str, Any]:
    """Return a message as SNS delivers it, of an order that was accepted some seconds ago."""
    sent = before(ago)
    body = json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1})
    return on_queue(f"m-{order_id}", envelope(body, f"sns-{order_id}", sent), sent, receives)


def on_queue(message_id: str, body: str, sent: datetime, receives: int = 1) -> dict[str, Any]:
    attributes = {
        "SentTimestamp": str(round(sent.timestamp() * 1000)),
        "ApproximateReceiveCount": str(receives),
    }
    return {"messageId": message_id, "body": body, "attributes": attributes}


def test_the_time_runs_from_the_acceptance_that_is_in_the_message(work: Work) -> None:
    found = work(accepted("o1", 30), accepted("o2", 90))
    late, in_time = sorted(found.values["TimeToRecord"], reverse=True)
    assert 90 <= late < 120
    assert 30 <= in_time < 60
    assert (found.sum("OrdersInTime"), found.sum("OrdersNotInTime")) == (1, 1)


def test_the_time_of_a_message_without_an_envelope_runs_from_when_it_was_sent(work: Work) -> None:
    body = json.dumps({"orderId": "o1", "item": "Tea", "quantity": 1})
    (seconds,) = work(on_queue("m", body, before(20))).values["TimeToRecord"]
    assert 20 <= seconds < 50


def test_an_order_from_a_clock_that_is_ahead_took_no_time(work: Work) -> None:
    assert work(accepted("o1", -200)).values["TimeToRecord"] == [0]


def test_only_orders_that_this_batch_inserts_are_counted(work: Work) -> None:
    found = work(accepted("o1"), accepted("o1"), accepted("o2", 90), recorded={"o2"})
    assert len(found.values["TimeToRecord"]) == found.sum("OrdersInTime") == 1
    assert work(accepted("o2", 90), recorded={"o2"}).lines == []


def sent_again(how: str, order_id: str = "o1") -> dict[str, Any]:
    """Return a message with a new order that was sent again, in one of the possible forms."""
    sent_at = round(before(1).timestamp() * 1000)
    bare = json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1})
    if how == "replay":
        created_at = before(1).isoformat()
        body = replay.in_envelope({**json.loads(bare), "created_at": created_at})
    elif how == "redrive or import":
        body = Message(message_id="m", body=bare, sent_at=sent_at).resendable()
    elif how == "replay to the topic":
        delivered = json.loads(envelope(bare, "sns", before(1)))
        body = json.dumps({**delivered, "MessageAttributes": replay.ATTRIBUTES})
    elif how == "edit":
        body = Message(message_id="m", body="poison", sent_at=sent_at).corrected(bare).body
    else:  # a message in SNS's envelope that was moved stays as it is, an hour later
        return on_queue("m", envelope(bare, "sns", before(3600)), before(0), LAST)
    return on_queue("m", body, before(0), LAST)


@pytest.mark.parametrize("how", ["replay", "replay to the topic", "redrive or import", "edit", "the console"])
def test_an_order_that_was_sent_again_is_not_counted(work: Work, how: str) -> None:
    assert work(sent_again(how)).lines == []
    failed = work(sent_again(how), accepted("o2"), failures={"o1": "MySQL error 2003"})
    assert (failed.sum("OrdersInTime"), failed.sum("OrdersNotInTime")) == (1, 0)


@pytest.mark.parametrize("receives", [1, 2])
def test_an_order_that_will_be_tried_again_is_not_counted_yet(work: Work, receives: int) -> None:
    found = work(accepted("o1", 90, receives=receives), failures={"o1": "MySQL error 2003"})
    assert found.values == {}


def test_an_order_that_fails_at_its_last_attempt_is_not_in_time(work: Work) -> None:
    found = work(accepted("o1", receives=LAST), accepted("o2"), failures={"o1": "MySQL error 2003"})
    assert (found.sum("OrdersInTime"), found.sum("OrdersNotInTime")) == (1, 1)


def test_an_order_whose_last_attempt_crashes_is_not_in_time(work: Work) -> None:
    found = work(accepted("o1", receives=LAST), accepted("o2"), crash=True)
    assert (found.sum("OrdersInTime"), found.sum("OrdersNotInTime")) == (0, 1)


@pytest.mark.parametrize(("ago", "in_time"), [(50, 1), (90, 0)])
def test_a_last_attempt_that_succeeds_is_counted_by_its_time(work: Work, ago: float, in_time: int) -> None:
    found = work(accepted("o1", ago, receives=LAST))
    assert (found.sum("OrdersInTime"), found.sum("OrdersNotInTime")) == (in_time, 1 - in_time)


@pytest.mark.parametrize(("ago", "receives"), [(50, 2), (90, 2), (90, LAST)])
def test_an_order_that_an_earlier_attempt_wrote_to_one_store_is_counted_when_both_have_it(
    work: Work, ago: float, receives: int
) -> None:
    found = work(accepted("o1", ago, receives=receives), recorded={"o1"})
    assert len(found.values["TimeToRecord"]) == 1
    in_time = int(ago <= WITHIN)
    assert (found.sum("OrdersInTime"), found.sum("OrdersNotInTime")) == (in_time, 1 - in_time)


def test_an_order_that_is_refused_or_recorded_already_is_not_counted(work: Work) -> None:
    conflict = Conflict("orderId o1 belongs to another order")
    found = work(
        accepted("o1", receives=LAST),
        accepted("o2"),
        on_queue("m3", "poison", before(1), LAST),
        failures={"o1": conflict},
        recorded={"o2"},
    )
    assert (found.sum("OrdersInTime"), found.sum("OrdersNotInTime")) == (0, 0)
    assert "TimeToRecord" not in found.values


def test_a_line_has_at_most_a_hundred_values_and_the_counts_are_published_once(work: Work) -> None:
    found = work(*(accepted(f"o{number}", 90) for number in range(201)))
    assert [len(line["TimeToRecord"]) for line in found.lines] == [100, 100, 1]
    assert found.values["OrdersNotInTime"] == [201]


def test_without_an_objective_only_times_are_published(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECORDED_WITHIN")
    found = work(accepted("o1", receives=LAST), accepted("o2", receives=LAST), failures={"o1": "down"})
    assert set(found.values) == {"TimeToRecord"}
