"""A worker's process that stops while it holds the rows of the counters."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from orders.order import Order
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.faults import frozen_worker
from tests.stores import FixedLogin, Server, number_of
from tests.waiting import LIMIT, eventually

IDLE = 2  # seconds; 25 in the product


@pytest.fixture
def frozen(mysql: MySql, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has inserted and counted orders, and stopped before its COMMIT."""
    login = json.dumps(dataclasses.asdict(mysql._login.get()))
    command = [sys.executable, "-m", frozen_worker.__name__, str(server.authority), login, str(IDLE)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([*command, "A1", "B1"], env=environment)
    try:
        eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_frozen_worker_blocks_others_no_longer_than_its_session_may_be_idle(
    frozen: subprocess.Popen[bytes], mysql: MySql
) -> None:
    other = OrdersDatabase(MySql(FixedLogin(mysql._login.get())), UTC)
    # Among them one of the frozen worker's, as SQS delivers it again.
    ids = ["B1", "C1"]
    now = datetime.now(UTC)
    other.record([Order(order_id, now, "Latte", 1) for order_id in ids])
    assert number_of(other) == other.counted(["TOTAL_ORDERS"])["TOTAL_ORDERS"].value == 2

    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(LIMIT) == 0
    # Its first transaction was rolled back, and its second one found B1.
    assert number_of(other) == other.counted(["TOTAL_ORDERS"])["TOTAL_ORDERS"].value == 3
    assert other.counted(["ITEM#Latte"])["ITEM#Latte"].value == 3
