"""Runs of `make chaos`: in spite of all faults, every order is counted exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from chaos.plan import Plan
from cli.stack import REPOSITORY
from local import control
from local.directory import CHAOS_FILE
from tests.end_to_end.operations import master
from tests.system import System
from tests.waiting import eventually

FAULTS = (
    "database_killed",
    "database_locked",
    "database_full",
    "workers_killed",
    "worker_killed_between_stores",
    "worker_killed_after_stores",
    "dynamodb_throttled",
    "dynamodb_answers_lost",
)


def start(cafe: System, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "chaos", *words, "--directory", str(cafe.stack.directory)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


def chaos(cafe: System, *words: str) -> dict[str, Any]:
    process = start(cafe, *words, "--json")
    out, error = process.communicate()
    assert process.returncode == 0, out + error
    document: dict[str, Any] = json.loads(out)
    return document


@pytest.fixture(autouse=True)
def as_it_was(cafe: System) -> Iterator[None]:
    """Check that all faults are repaired: visibility timeout, DynamoDB's endpoint, database."""
    before = state(cafe)
    yield
    assert state(cafe) == before
    assert not (cafe.stack.directory / CHAOS_FILE).exists()


def state(cafe: System) -> list[Any]:
    queue = cafe.sqs.get_queue_attributes(
        QueueUrl=cafe.outputs["queue_url"], AttributeNames=["VisibilityTimeout"]
    )
    functions = cafe.stack.client("lambda").list_functions()["Functions"]
    environments = {f["FunctionName"]: f.get("Environment") for f in functions}
    database = cafe.rows("SELECT @@GLOBAL.max_connections, @@GLOBAL.require_secure_transport")
    return [queue["Attributes"], environments, database]


def test_nothing_is_lost_or_counted_twice_while_everything_breaks(cafe: System) -> None:
    before = cafe.depth("dead_letter_queue_url")
    report = chaos(cafe, "--orders", "200", "--moves", "400", "--seed", "1")
    assert report["ok"] is True
    assert all(check["ok"] for check in report["checks"])
    assert report["expected"]["valid"] == 198
    assert report["messages"] == 220
    figures = report["figures"]
    assert set(figures["faults"]) == set(FAULTS)
    assert figures["databases_killed"] == 1
    assert figures["workers_killed"] > 0
    assert figures["calls_refused"] > 0
    assert figures["answers_lost"] > 0
    # The orders waited for the staff; the check `states` compares the confirmed moves with both stores.
    assert figures["moves_made"] >= 400
    # Malformed orders are deleted once they are found in the dead-letter queue.
    assert cafe.depth("dead_letter_queue_url") == before


def test_after_an_outage_all_dead_lettered_orders_are_recorded(cafe: System) -> None:
    report = chaos(cafe, "--orders", "100", "--outage", "--seed", "2")
    assert report["ok"] is True
    figures = report["figures"]
    # Valid orders were dead-lettered after three receives, and recorded from there.
    assert figures["dead_in_outage"] > 50
    assert figures["brought_back"] > 50
    assert figures["databases_killed"] == 1


def test_faults_of_a_killed_run_are_repaired_on_request(cafe: System) -> None:
    process = start(cafe, "--orders", "100", "--seed", quick_seed())
    wait_for(process, "is killed (SIGKILL)")
    process.kill()
    process.communicate()
    assert chaos(cafe, "--repair") == {"mended": True}
    assert chaos(cafe, "--repair") == {"mended": False}


def test_manual_damage_is_repaired_on_request(cafe: System) -> None:
    control.send(cafe.stack.directory, control.Request.KILL_DATABASE)
    eventually(lambda: not responds(cafe))
    assert chaos(cafe, "--repair") == {"mended": True}
    assert responds(cafe)

    login = master(cafe)
    with cafe.database(login["username"], login["password"]) as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        cursor.execute("ALTER USER cafe_user@'%' ACCOUNT LOCK")
    assert chaos(cafe, "--repair") == {"mended": True}
    assert chaos(cafe, "--repair") == {"mended": False}
    order_id = cafe.post({"item": "Tea", "quantity": 1}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))


def responds(cafe: System) -> bool:
    try:
        return cafe.rows("SELECT 1") == [(1,)]
    except pymysql.OperationalError:
        return False


@pytest.mark.timeout(600)
def test_faults_are_repaired_at_ctrl_c(cafe: System) -> None:
    eventually(lambda: cafe.depth() == 0, limit=500)
    reconcile(cafe)  # An order of an earlier run may still be among the dead letters.
    before = cafe.depth("dead_letter_queue_url")
    process = start(cafe, "--orders", "100", "--seed", quick_seed())
    wait_for(process, "is killed (SIGKILL)")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert "everything is repaired" in error
    # All orders that were sent are recorded. A worker that is killed once time is no longer compressed keeps
    # its messages for the queue's own visibility timeout: three minutes.
    eventually(lambda: settled(cafe, before), limit=500)


def quick_seed() -> str:
    """Find a seed that kills the database first, and whose malformed order is refused by the API.

    On the queue it would be for minutes, once time is no longer compressed.
    """
    plans = ((seed, Plan(seed=seed, run="", orders=100)) for seed in range(10_000))
    return next(
        str(seed)
        for seed, plan in plans
        if not plan.count()["malformed"] and plan.faults(FAULTS, 110)[0][0] == "database_killed"
    )


def wait_for(process: subprocess.Popen[str], sentence: str) -> None:
    for line in process.stderr or ():
        if sentence in line:
            return
    pytest.fail(f"it never wrote: {sentence}")


def reconcile(cafe: System) -> None:
    function = cafe.outputs["reconcile_function"]
    cafe.stack.client("lambda").invoke(FunctionName=function, Payload=b"{}")


def settled(cafe: System, dead: int) -> bool:
    """Run the reconciler until both stores agree."""
    reconcile(cafe)
    ((rows,),) = cafe.rows("SELECT COUNT(*) FROM orders")
    return cafe.depth() == 0 and cafe.depth("dead_letter_queue_url") == dead and rows == cafe.total()
