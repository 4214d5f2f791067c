"""Control pipe: tools kill and restart the database of a running stack, which keeps running."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from local import control, stack
from local.control import Control, Request
from local.database.instance import tls_context
from local.errors import LocalError
from tests.local.stack_process import PROGRAM, StackProcess, leftovers, processes_in, write_program
from tests.waiting import eventually

READY = "The cafe is open"

# A database with a parameter that must be set at every start.
WITH_DATABASE = (
    PROGRAM
    + """
import pulumi_aws as aws

parameters = aws.rds.ParameterGroup(
    "shop",
    family="mysql8.4",
    parameters=[
        {"name": "require_secure_transport", "value": "1"},
        {"name": "max_allowed_packet", "value": "2048"},
    ],
)
network = aws.ec2.Vpc("shop", cidr_block="10.0.0.0/16")
subnet = aws.ec2.Subnet("shop", vpc_id=network.id, cidr_block="10.0.1.0/24", availability_zone="us-east-1a")
subnets = aws.rds.SubnetGroup("shop", subnet_ids=[subnet.id])
aws.rds.Instance(
    "shop",
    engine="mysql",
    engine_version="8.4",
    instance_class="db.t4g.micro",
    allocated_storage=20,
    db_name="shop",
    username="master",
    manage_master_user_password=True,
    db_subnet_group_name=subnets.name,
    vpc_security_group_ids=["sg-1"],
    parameter_group_name=parameters.name,
)
"""
)


@pytest.fixture
def requests() -> list[Request]:
    return []


@pytest.fixture
def listening(tmp_path: Path, requests: list[Request]) -> Iterator[Control]:
    listener = Control(tmp_path, requests.append)
    yield listener
    listener.close()


@pytest.mark.usefixtures("listening")
def test_the_pipe_is_private_and_unknown_requests_are_ignored(
    tmp_path: Path, requests: list[Request]
) -> None:
    pipe = tmp_path / "control"
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o600
    pipe.write_text("rm -rf\n\xff\nkill\n")
    control.send(tmp_path, Request.KILL_DATABASE)
    control.send(tmp_path, Request.START_DATABASE)
    eventually(lambda: len(requests) == 2)
    assert requests == [Request.KILL_DATABASE, Request.START_DATABASE]


def test_a_request_without_a_running_stack_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="No local stack runs"):
        control.send(tmp_path, Request.KILL_DATABASE)
    # A killed stack leaves a pipe without a reader.
    os.mkfifo(tmp_path / "control")
    with pytest.raises(LocalError, match="No local stack runs"):
        control.send(tmp_path, Request.KILL_DATABASE)


def test_closing_ends_the_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    Control(tmp_path, lambda _: None).close()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], StackProcess]]:
    runs: list[StackProcess] = []

    def start(text: str) -> StackProcess:
        runs.append(StackProcess(tmp_path / "run", write_program(tmp_path / "program", text)))
        runs[-1].wait_for(READY)
        return runs[-1]

    yield start
    for started in runs:
        started.close()


def test_a_database_killed_by_request_restarts_with_its_data_and_parameters(
    run: Callable[[str], StackProcess], tmp_path: Path
) -> None:
    started = run(WITH_DATABASE)
    directory = tmp_path / "run"
    with connect(directory) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO kept VALUES (7)")
    for request, listens in ((Request.KILL_DATABASE, False), (Request.START_DATABASE, True)) * 2:
        control.send(directory, request)
        control.send(directory, request)  # The second request changes nothing.
        eventually(lambda listens=listens: is_open(directory) is listens)  # type: ignore[misc]
    assert started.process.poll() is None
    with connect(directory) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, @@GLOBAL.require_secure_transport, @@GLOBAL.max_allowed_packet FROM kept")
        assert cursor.fetchall() == ((7, 1, 2048),)
    # A stack whose database was killed, even while it started, ends like any other.
    control.send(directory, Request.KILL_DATABASE)
    eventually(lambda: not list(processes_in(directory / "database", "--datadir")))
    control.send(directory, Request.START_DATABASE)
    control.send(directory, Request.KILL_DATABASE)
    assert stack.stop(directory)
    assert started.wait() == 0
    assert leftovers(directory) == []
    assert not directory.exists()


def test_a_killed_stack_whose_database_was_restarted_leaves_nothing(
    run: Callable[[str], StackProcess], tmp_path: Path
) -> None:
    started = run(PROGRAM)
    directory = tmp_path / "run"
    control.send(directory, Request.KILL_DATABASE)
    eventually(lambda: not list(processes_in(directory / "database", "--datadir")))
    control.send(directory, Request.START_DATABASE)
    eventually(lambda: list(processes_in(directory / "database", "--datadir")))
    started.process.kill()
    started.wait()
    eventually(lambda: not leftovers(directory) and not directory.exists())


def read(directory: Path) -> dict[str, Any]:
    database: dict[str, Any] = json.loads((directory / "stack.json").read_text())["database"]
    return database


def connect(directory: Path) -> pymysql.Connection[pymysql.cursors.Cursor]:
    login = read(directory)
    return pymysql.connect(
        host=login["host"],
        port=login["port"],
        user=login["user"],
        password=login["password"],
        database=login["name"],
        ssl=tls_context(login["ca"]),
        autocommit=True,
    )


def is_open(directory: Path) -> bool:
    try:
        socket.create_connection(("127.0.0.1", read(directory)["port"]), 1).close()
    except OSError:
        return False
    return True
