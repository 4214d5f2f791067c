"""A running stack: its files, its ports and its database's accounts."""

from __future__ import annotations

import contextlib
import json

import httpx
import psutil
import pymysql
import pytest
from pymysql.constants import ER

from local.database.instance import tls_context
from tests.local.stack_process import processes_in
from tests.local_stack import LocalStack
from tests.program.outputs import OUTPUTS

ER_SECURE_TRANSPORT_REQUIRED = 3159


def test_the_stack_file_is_private_and_complete(local_stack: LocalStack) -> None:
    path = local_stack.directory / "stack.json"
    assert path.stat().st_mode & 0o777 == 0o600
    document = json.loads(path.read_text())
    assert set(document) == {"outputs", "endpoint", "region", "database", "sign_in"}
    assert set(document["outputs"]) == OUTPUTS
    assert set(document["database"]) == {"host", "port", "user", "password", "name", "ca"}


def test_urls_are_on_this_machine(local_stack: LocalStack) -> None:
    port = local_stack.endpoint.rpartition(":")[2]
    for name in ("api_url", "orders_url", "order_status_url", "queue_url"):
        assert local_stack.outputs[name].startswith(f"http://127.0.0.1:{port}/")
    assert local_stack.outputs["page_url"].endswith(f".cloudfront.localhost:{port}/order-status")


def test_nothing_listens_beyond_the_loopback(local_stack: LocalStack) -> None:
    addresses = set()
    for process in processes_in(local_stack.directory, ""):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just exited
            listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
            addresses |= {connection.laddr.ip for connection in listening}
    assert addresses == {"127.0.0.1"}


def test_the_database_accepts_the_written_login_over_verified_tls(local_stack: LocalStack) -> None:
    login = local_stack.database
    with (
        pymysql.connect(
            host=login["host"],
            port=login["port"],
            user=login["user"],
            password=login["password"],
            database=login["name"],
            ssl=tls_context(login["ca"]),
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT @@require_secure_transport, @@character_set_server, @@time_zone")
        assert cursor.fetchone() == (1, "utf8mb4", "+00:00")


def test_the_database_refuses_a_connection_without_tls(local_stack: LocalStack) -> None:
    login = local_stack.database
    with pytest.raises(pymysql.err.OperationalError) as refused:
        pymysql.connect(
            host=login["host"],
            port=login["port"],
            user=login["user"],
            password=login["password"],
            ssl_disabled=True,
        )
    assert refused.value.args[0] in (ER.ACCESS_DENIED_ERROR, ER_SECURE_TRANSPORT_REQUIRED)


def test_the_databases_root_needs_a_password(local_stack: LocalStack) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(
            host=local_stack.database["host"],
            port=local_stack.database["port"],
            user="root",
            password="",
            ssl=tls_context(local_stack.database["ca"]),
        )


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 403)],
)
def test_a_foreign_page_that_signs_as_the_administrator_is_refused(
    local_stack: LocalStack, headers: dict[str, str], status: int
) -> None:
    # MiniStack does not check its administrator's signature.
    signed = "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/sqs/aws4_request, Signature=0"
    response = httpx.post(
        local_stack.endpoint,
        data={"Action": "ListQueues", "Version": "2012-11-05"},
        headers={"Authorization": signed, **headers},
    )
    assert response.status_code == status
    assert status == 200 or "Access-Control-Allow-Origin" not in response.headers
