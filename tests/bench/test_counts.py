"""Counts of statements, calls and units, which do not depend on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import batches, subjects
from bench.batches import Figures
from bench.database import Server
from bench.subjects import EARLIER, Child, MeasurementError, Subject
from tests import stores

ITEMS = 4
# The total, the day, the hour, and each item.
COUNTERS = 3 + ITEMS


@pytest.fixture(scope="module")
def database(server: stores.Server) -> Iterator[Server]:
    """The database server that tests share."""
    login = server.login
    yield Server(
        product="", port=login.port, user=login.username, password=login.password, authority=server.authority
    )
    with server.connect() as connection, connection.cursor() as cursor:
        for name in ("cafe_ours", EARLIER):
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture(scope="module")
def ours(database: Server, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The functions of the work tree."""
    return subjects.ours(database, tmp_path_factory.mktemp("bench") / "ours")


@pytest.fixture(scope="module")
def worker(ours: Subject) -> Iterator[Child]:
    """A worker with an open connection."""
    with ours.processes(ours.worker) as (child,):
        batches.run(ours, [child], 10, 10)
        yield child


def measured(subject: Subject, child: Child, batch: int, number: int = 3) -> Figures:
    """Record batches; each order must be counted once."""
    figures = batches.run(subject, [child], number * batch, batch)
    assert figures["failed"] == 0
    return figures


@pytest.mark.parametrize(("batch", "puts"), [(1, 1), (10, 1), (25, 1), (26, 2), (100, 4), (1000, 40)])
def test_a_batch_takes_five_statements_a_call_per_25_orders_and_one_for_the_counters(
    ours: Subject, worker: Child, batch: int, puts: int
) -> None:
    figures = measured(ours, worker, batch)
    counters = 3 + min(batch, ITEMS)
    assert figures["statements"] == 3 * 5  # begin, insert, count, commit, read the counters
    assert figures["connections"] == 0
    new = 3 + min(3 * batch, ITEMS)  # a call creates each counter
    assert figures["calls"] == {"BatchWriteItem": 3 * puts, "BatchExecuteStatement": 3, "UpdateItem": new}
    assert figures["write_units"] == 3 * (batch + counters) + new


def test_an_order_costs_at_most_1_8_write_units_in_batches_of_ten(ours: Subject, worker: Child) -> None:
    figures = measured(ours, worker, 10, number=30)
    new = COUNTERS  # which the first batch creates
    assert figures["write_units"] == 30 * (10 + COUNTERS) + new <= 1.8 * figures["orders"]


def test_four_workers_at_once_count_every_order_once_for_no_more_write_units(ours: Subject) -> None:
    with ours.processes(ours.worker, 4) as children:
        figures = batches.run(ours, children, 100, 10)
    assert figures["failed"] == figures["conflicts"] == 0
    assert figures["write_units"] / figures["orders"] <= 1.8


def test_the_limit_repeats_the_calls_of_the_last_batches(ours: Subject, worker: Child) -> None:
    figures, limit = batches.run_with_limit(ours, worker, 30, 10)
    assert limit["calls"] == figures["calls"]
    assert len(limit["seconds"]) == 3
    batches.check(ours, 30)


def test_an_order_that_is_not_counted_ends_the_measurement(ours: Subject, worker: Child) -> None:
    batches.run(ours, [worker], 10, 10)
    with pytest.raises(MeasurementError, match="Of 11 orders in cafe_ours, these were counted"):
        batches.check(ours, 11)


def test_the_earlier_worker_reads_a_secret_per_batch_and_commits_and_counts_each_order(
    database: Server, tmp_path: Path
) -> None:
    earlier = subjects.earlier(database, tmp_path / "earlier")
    with earlier.processes(earlier.worker) as (child,):
        figures = batches.run(earlier, [child], 20, 10)
    assert figures["calls"] == {"GetSecretValue": 2, "UpdateItem": 40}
    assert figures["connections"] == 2
    assert figures["statements"] >= 2 + 2 * 20
    assert figures["write_units"] == 40


def test_a_process_that_ends_is_reported_with_its_last_log_lines(ours: Subject) -> None:
    with (
        ours.processes("no_such_function") as (child,),
        pytest.raises(MeasurementError, match="no_such_function"),
    ):
        child.do("invoke", events=[{}])


def test_an_unknown_revision_is_reported(database: Server, tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="git has no functions/ of 'no-such-revision'"):
        subjects.ours(database, tmp_path / "before", "before", "no-such-revision")
