"""Measure the local stack end to end, from publishing an order to its row: throughput, latency and memory."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pymysql

from bench.batches import Figures, Report
from bench.messages import ITEMS
from bench.subjects import ROOT, MeasurementError
from cli.stopping import Pace
from local import clients
from local.database.instance import tls_context
from local.directory import RunDirectory

CAFE = ROOT / ".venv" / "bin" / "cafe"
GROUP = 10  # messages of one call
PUBLISHERS = 4
POLL = 0.05  # seconds between two reads of the table: the precision of latencies
STUCK = 120.0  # seconds without progress
OVERLAP = 5_000  # rows that are read again, since transactions do not commit in the order of their ids
SAMPLE = 5.0  # seconds between two measurements of memory


@contextmanager
def running(directory: Path, engine: str) -> Iterator[dict[str, Any]]:
    """Run a local stack on free ports; yield its description."""
    options = ["--detach", "--port=0", "--database-port=0", "--database-server", engine]
    command = [str(CAFE), "local", "--directory", str(directory), *options]
    started = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        if started.returncode:
            raise MeasurementError(f"The local stack did not start:\n{started.stdout}{started.stderr}")
        yield json.loads((directory / "stack.json").read_text(encoding="utf-8"))
    finally:
        stop = [str(CAFE), "local", "stop", "--directory", str(directory)]
        subprocess.run(stop, capture_output=True, check=False)


@dataclass
class Watch:
    """Observes a stack while it processes orders."""

    stack: dict[str, Any]
    directory: Path
    published: dict[str, float] = field(default_factory=dict)  # when, by order id
    latencies: list[float] = field(default_factory=list)
    memory: list[tuple[float, float, float]] = field(default_factory=list)  # seconds, MiB: all, the worker
    recorded_at: float = 0.0

    def follow(self, expected: int) -> None:
        """Poll the table until all orders have a row."""
        database = self.stack["database"]
        connection = pymysql.connect(
            host=database["host"],
            port=database["port"],
            user=database["user"],
            password=database["password"],
            database=database["name"],
            ssl=tls_context(database["ca"]),
            autocommit=True,
        )
        began = moved = time.monotonic()
        sampled, last, seen = 0.0, 0, set[str]()
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT COALESCE(MAX(id), 0) FROM orders")
            last = (cursor.fetchone() or (0,))[0]
            while len(self.latencies) < expected:
                now = time.monotonic()
                if now - sampled >= SAMPLE:
                    sampled = now
                    self.memory.append((now - began, *_memory(self.directory)))
                cursor.execute("SELECT id, order_id FROM orders WHERE id > %s", (last - OVERLAP,))
                rows = list(cursor)
                last = max([last, *(row_id for row_id, _ in rows)])
                if found := {name for _, name in rows if name in self.published} - seen:
                    seen |= found
                    moved = self.recorded_at = now
                    self.latencies += [now - self.published[name] for name in found]
                elif now - moved > STUCK:
                    raise MeasurementError(f"{expected - len(self.latencies)} orders were not recorded.")
                time.sleep(POLL)
        self.memory.append((time.monotonic() - began, *_memory(self.directory)))


def measure_pipeline(
    directory: Path, engine: str, report: Report, *, burst: int, orders: int, rate: float
) -> Figures:
    """Publish some orders at once, then many at a rate."""
    report("Starting a local stack")
    with running(directory, engine) as stack:
        _publish(stack, directory, "warm", 50, None, lambda _: None)
        at_once = _publish(stack, directory, "burst", burst, None, report)
        steady = _publish(stack, directory, "steady", orders, rate, report)
        return {"burst": at_once, "steady": steady}


def _publish(
    stack: dict[str, Any], directory: Path, name: str, orders: int, rate: float | None, report: Report
) -> Figures:
    report(f"{orders:,} orders through the local stack, {f'{rate:.0f} a second' if rate else 'at once'}")
    session = clients.session(stack["region"])
    sns: Any = session.client("sns", endpoint_url=stack["endpoint"])
    watch = Watch(stack, directory)
    pace = Pace(rate, threading.Event())
    lock = threading.Lock()
    topic = stack["outputs"]["topic_arn"]

    def publish(first: int) -> None:
        with lock:
            pace.wait(GROUP)
        numbers = range(first, min(orders, first + GROUP))
        watch.published.update({f"{name}-{number}": time.monotonic() for number in numbers})
        entries = [{"Id": str(number), "Message": _order(f"{name}-{number}", number)} for number in numbers]
        if failed := sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Failed"]:
            raise MeasurementError(f"SNS refused {len(failed)} messages: {failed[0]}")

    with ThreadPoolExecutor(PUBLISHERS + 1) as pool:
        following = pool.submit(watch.follow, orders)
        began = time.monotonic()
        with ThreadPoolExecutor(PUBLISHERS) as publishers:
            list(publishers.map(publish, range(0, orders, GROUP)))
        published = time.monotonic()
        following.result()
    seconds = sorted(watch.latencies)
    return {
        "orders": orders,
        "rate": rate,
        "per_second": orders / (watch.recorded_at - began),
        "after_last": max(0.0, watch.recorded_at - published),
        "dead_letters": _dead_letters(session, stack),
        **{f"p{percent}": seconds[min(orders - 1, orders * percent // 100)] for percent in (50, 95, 99)},
        "worst": seconds[-1],
        "memory": watch.memory,
    }


def _order(order_id: str, number: int) -> str:
    return json.dumps(
        {"orderId": order_id, "item": ITEMS[number % len(ITEMS)], "quantity": 1, "customer_name": "Ann"}
    )


def _dead_letters(session: Any, stack: dict[str, Any]) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs = session.client("sqs", endpoint_url=stack["endpoint"])
    url = stack["outputs"]["dead_letter_queue_url"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[each]) for each in names)


def _memory(directory: Path) -> tuple[float, float]:
    """Return the memory of the stack's processes in MiB, and that of the workers alone."""
    holder = RunDirectory(directory).holder()
    whole = worker = 0
    if holder is not None:
        parent = psutil.Process(holder)
        for process in [parent, *parent.children(recursive=True)]:
            try:
                memory = process.memory_info().rss
                whole += memory
                if "OrderProcessor" in process.environ().get("AWS_LAMBDA_FUNCTION_NAME", ""):
                    worker += memory
            except psutil.Error:
                continue  # it has just ended
    return whole / 2**20, worker / 2**20
