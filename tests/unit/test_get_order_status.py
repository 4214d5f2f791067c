"""`GET /order-status` over HTTP: with all sources, without each of them, and with conditional requests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymysql.cursors import Cursor

import get_order_status
from orders.failures import StoreUnavailableError
from orders.order import Order
from orders.status import AllUnavailableError
from orders.sync import RdsOrders
from stores import aws
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from tests import openapi
from tests.dynamodb import NAMES
from tests.stores import BERLIN, FixedLogin, moto_client
from tests.unit.both_stores import BothStores, orders
from tests.waiting import eventually

REGION = "us-east-1"
SECRET = "the distribution's secret"
SOURCES = ("rds", "dynamodb", "sqs")


@dataclasses.dataclass
class Sources:
    """The sources that the function reads, each of which can be made unavailable."""

    both: BothStores
    sqs: Any
    secrets: Any
    login: dict[str, Any]
    queue_url: str

    def disable(self, source: str) -> None:
        """Point the secret to another port, or delete a table or the queue."""
        match source:
            case "rds":
                self.secrets.put_secret_value(
                    SecretId="CafeDevDBSM", SecretString=json.dumps({**self.login, "port": 1})
                )
            case "dynamodb":
                self.both.dynamodb.delete_table(TableName=NAMES.metrics)
            case "sqs":
                self.sqs.delete_queue(QueueUrl=self.queue_url)


@pytest.fixture
def dynamodb(moto_dynamodb: Any) -> Any:
    """DynamoDB by moto, which the function's own client calls."""
    return moto_dynamodb


@pytest.fixture
def sources(both: BothStores, status_login: Login, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    """The function's sources, with one order."""
    secrets, sqs = moto_client("secretsmanager"), moto_client("sqs")
    login = dataclasses.asdict(status_login)
    login["dbname"] = login.pop("database")
    secrets.create_secret(Name="CafeDevDBSM", SecretString=json.dumps(login))
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("OrderQueue", "OrderDLQ")}
    environment = {
        "AWS_DEFAULT_REGION": REGION,
        "OPEN_HOURS": "6",
        "TIME_ZONE": "Europe/Berlin",
        "DATABASE_SECRET": "CafeDevDBSM",
        "ORDERS_TABLE": NAMES.orders,
        "MENU_TABLE": NAMES.menu,
        "METRICS_TABLE": NAMES.metrics,
        "QUEUE_URL": queues["OrderQueue"],
        "DEAD_LETTER_QUEUE_URL": queues["OrderDLQ"],
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    both.record(orders(1, customer_name="Ann Lee"))
    both.metrics.save(RdsOrders(count=1, as_of=datetime.now(UTC)))
    get_order_status.read_status.cache_clear()
    yield Sources(both, sqs, secrets, login, queues["OrderQueue"])
    get_order_status.read_status.cache_clear()


def test_a_source_that_hangs_leaves_time_to_return_the_others(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = aws.client
    waits: dict[str, float] = {}

    def watch(service: str, config: aws.ClientConfig, **options: Any) -> Any:
        waits[service] = config.attempts * max(config.connect_timeout, config.read_timeout)
        return create(service, config, **options)

    monkeypatch.setattr(aws, "client", watch)
    get_order_status.read_status()
    page = (Path(__file__).parents[2] / "web" / "api.js").read_text()
    limit = re.search(r"const TIMEOUT = ([\d_]+);", page)
    assert limit is not None
    assert set(waits) == {"secretsmanager", "dynamodb", "sqs"}
    assert 2 * max(waits.values()) < int(limit[1]) / 1000


def get(**headers: str) -> Any:
    """Send a request, and check the response against docs/openapi.yaml."""
    event = {"httpMethod": "GET", "requestContext": {"stage": "prod"}, "headers": headers or None}
    response = get_order_status.handler(event, None)
    openapi.check("get", "/order-status", response["statusCode"], response["headers"], response["body"])
    return response


def body(response: Any) -> Any:
    return json.loads(response["body"])


@pytest.mark.usefixtures("sources")
def test_a_full_response_is_as_documented() -> None:
    response = get()
    assert response["statusCode"] == 200
    assert response["headers"]["Cache-Control"] == "public, max-age=1"
    status = body(response)
    assert status["degraded"] == []
    assert status["metrics"][0] == {"metric": "TOTAL_ORDERS", "count": 1}
    assert status["today"]["same_time_yesterday"] == 0
    assert (status["sync"]["rds_orders"]["count"], status["sync"]["in_sync"]) == (1, True)
    assert status["top_items"] == [{"item": "Latte", "quantity": 2}]


def test_the_reason_of_a_failed_comparison_is_as_documented(sources: Sources) -> None:
    sources.both.metrics.save_unknown("MySQL error 2003", datetime(2026, 11, 22, 14, tzinfo=UTC))
    sync = body(get())["sync"]
    assert (sync["in_sync"], sync["drift"]) == (None, 0)
    assert sync["unknown_since"] == "2026-11-22T14:00:00.000Z"
    assert sync["unknown_reason"] == "MySQL error 2003"


def test_the_current_quarter_of_yesterday_counts_by_its_elapsed_share(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(BERLIN).replace(hour=13, minute=34, second=0, microsecond=0)
    monkeypatch.setattr(get_order_status, "datetime", type("", (), {"now": lambda zone: now}))
    yesterday = now.replace(minute=30) - timedelta(days=1)
    begun = [Order(f"b{n}", (yesterday + timedelta(minutes=n)).astimezone(UTC), "Tea", 1) for n in range(15)]
    before = Order("a", (yesterday - timedelta(minutes=1)).astimezone(UTC), "Tea", 1)
    sources.both.record([before, *begun])
    assert body(get())["today"]["same_time_yesterday"] == 1 + 4


@pytest.mark.parametrize(
    "disabled",
    [{"rds"}, {"dynamodb"}, {"sqs"}, {"rds", "dynamodb"}, {"rds", "sqs"}, {"dynamodb", "sqs"}],
    ids=sorted,
)
def test_without_any_of_the_sources_the_rest_is_returned(sources: Sources, disabled: set[str]) -> None:
    full = get()["headers"]["ETag"]
    get_order_status.read_status.cache_clear()
    for source in disabled:
        sources.disable(source)
    response = get(**{"If-None-Match": full})
    assert response["statusCode"] == 200, "a degraded response has another ETag"
    status = body(response)
    assert set(status["degraded"]) == disabled
    available = {
        "rds": status["recent_orders"] != [] and status["top_items"] != [],
        "dynamodb": status["metrics"][0]["count"] == 1 and status["sync"]["drift"] == 0,
        "sqs": status["sync"]["waiting"] == 0,
    }
    assert {source for source in SOURCES if not available[source]} == disabled


def test_without_all_sources_the_response_is_503_without_internal_details(sources: Sources) -> None:
    for source in SOURCES:
        sources.disable(source)
    response = get()
    assert (response["statusCode"], response["headers"]["Cache-Control"]) == (503, "no-store")
    assert "SQS" not in response["body"]


def test_without_any_source_the_log_has_the_reasons_and_the_response_has_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = {"rds": "MySQL error 2003", "dynamodb": "secret", "sqs": "secret"}

    def fail() -> Any:
        raise AllUnavailableError(reasons)

    monkeypatch.setattr(get_order_status, "read_status", lambda: fail)
    assert "secret" not in get()["body"]
    assert json.loads(capsys.readouterr().out)["reasons"] == reasons


def test_a_source_that_is_available_again_is_read_again(sources: Sources) -> None:
    sources.disable("rds")
    assert body(get())["degraded"] == ["rds"]
    sources.secrets.put_secret_value(SecretId="CafeDevDBSM", SecretString=json.dumps(sources.login))
    get_order_status.read_status.cache_clear()  # as a fresh process does
    assert body(get())["degraded"] == []


def held_connections(login: Login, number: int, idle: int) -> list[MySql]:
    """Open idle sessions, as frozen or killed processes leave them."""
    held = [MySql(FixedLogin(login), idle=idle) for _ in range(number)]
    for mysql in held:
        mysql.read(lambda cursor: cursor.execute("SELECT 1"))
    return held


@pytest.fixture
def two_connections(sources: Sources, administrator: MySql) -> None:
    """The status's user may have two connections, and has none: those of earlier tests are ended."""

    def has_none() -> bool:
        sessions = administrator.select(
            "SELECT id FROM information_schema.processlist WHERE user = 'cafe_status'"
        )
        for session in sessions:
            with suppress(StoreUnavailableError):  # it has ended meanwhile
                administrator.select("KILL %s", *session)
        return not sessions

    eventually(has_none)
    administrator.read(lambda cursor: cursor.execute("ALTER USER cafe_status WITH MAX_USER_CONNECTIONS 2"))


@pytest.mark.usefixtures("two_connections")
def test_when_all_connections_are_in_use_the_rest_is_returned(status_login: Login) -> None:
    held = held_connections(status_login, 2, idle=60)
    status = body(get())
    assert status["degraded"] == ["rds"]
    assert status["metrics"][0] == {"metric": "TOTAL_ORDERS", "count": 1}
    held[0].close()
    eventually(lambda: body(get())["degraded"] == [])


@pytest.mark.usefixtures("two_connections")
def test_the_server_ends_the_connections_of_processes_that_are_gone(status_login: Login) -> None:
    held = held_connections(status_login, 2, idle=1)
    eventually(lambda: body(get())["degraded"] == [])
    assert all(mysql._connection is not None for mysql in held), "no client closed its connection"


@pytest.mark.usefixtures("sources")
def test_the_server_ends_a_connection_that_is_idle_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[MySql] = []

    def watch(*arguments: Any, **options: Any) -> MySql:
        opened.append(MySql(*arguments, **options))
        return opened[-1]

    def timeout(cursor: Cursor) -> Any:
        cursor.execute("SELECT @@SESSION.wait_timeout")
        return cursor.fetchone()

    monkeypatch.setattr(get_order_status, "MySql", watch)
    get()
    assert [mysql.read(timeout) for mysql in opened] == [(60,)]


@pytest.mark.parametrize(("setting", "name"), [(None, "Ann L."), ("full", "Ann Lee"), ("none", "")])
@pytest.mark.usefixtures("sources")
def test_names_follow_the_setting(monkeypatch: pytest.MonkeyPatch, setting: str | None, name: str) -> None:
    if setting:
        monkeypatch.setenv("CUSTOMER_NAMES", setting)
    assert body(get())["recent_orders"][0]["customer_name"] == name


# Conditional requests and access, without sources.


@pytest.fixture
def current(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The current status, which a test may change."""
    status = {
        "metrics": [],
        "today": {"count": 1, "same_time_yesterday": None},
        "open_orders": None,
        "recent_orders": [],
        "top_items": [],
        "hourly": [],
        "sync": dict.fromkeys(
            [
                "waiting",
                "in_flight",
                "dead_lettered",
                "dead_letters",
                "rds_orders",
                "dynamodb_orders",
                "in_sync",
                "drift",
                "drift_since",
                "unknown_since",
                "unknown_reason",
            ]
        ),
        "generated_at": "2026-11-22T14:00:00.000Z",
        "degraded": ["rds"],
    }
    monkeypatch.setattr(get_order_status, "read_status", lambda: lambda: (dict(status), {}))
    return status


def test_a_client_with_the_current_response_gets_304(current: dict[str, Any]) -> None:
    first = get()
    current["generated_at"] = "2026-11-22T14:00:07.000Z"
    again = get(**{"If-None-Match": first["headers"]["ETag"]})
    assert again == {
        "statusCode": 304,
        "headers": {"ETag": first["headers"]["ETag"], "Cache-Control": "public, max-age=1"},
        "body": "",
    }
    # A client without an ETag gets the new time.
    assert body(get())["generated_at"] == "2026-11-22T14:00:07.000Z"
    current["degraded"] = []
    assert get(**{"If-None-Match": first["headers"]["ETag"]})["statusCode"] == 200


@pytest.mark.parametrize("name", ["If-None-Match", "if-none-match", "IF-NONE-MATCH"])
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{tag}", 304),
        ('W/"{opaque}"', 304),
        ('"{opaque}"', 304),
        ('"other", W/"with, a comma",{tag}', 304),
        ("*", 304),
        (" * ", 304),
        ('"other"', 200),
        ('"{opaque}x"', 200),
        ("{opaque}", 200),
        ('"', 200),
        ("", 200),
        ('W/""', 200),
    ],
)
@pytest.mark.usefixtures("current")
def test_every_form_of_if_none_match_is_understood(name: str, form: str, status: int) -> None:
    tag = get()["headers"]["ETag"]
    value = form.format(tag=tag, opaque=tag.removeprefix("W/").strip('"'))
    assert get(**{name: value})["statusCode"] == status


@pytest.fixture
def through_cloudfront_alone(current: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORIGIN_SECRET_SHA256", hashlib.sha256(SECRET.encode()).hexdigest())


@pytest.mark.parametrize("headers", [{}, {"x-origin-secret": ""}, {"x-origin-secret": SECRET[:-1]}])
@pytest.mark.usefixtures("through_cloudfront_alone")
def test_without_cloudfronts_secret_nothing_is_returned(headers: dict[str, str]) -> None:
    response = get(**headers, **{"If-None-Match": "*"})
    assert response["statusCode"] == 403
    assert response["headers"]["Cache-Control"] == "no-store"
    assert "today" not in response["body"]


@pytest.mark.parametrize("secret", ["\u00e9", "\ud800"])
@pytest.mark.usefixtures("through_cloudfront_alone")
def test_a_secret_of_any_text_causes_no_error(secret: str) -> None:
    assert get(**{"x-origin-secret": secret})["statusCode"] == 403


@pytest.mark.parametrize("name", ["x-origin-secret", "X-Origin-Secret"])
@pytest.mark.usefixtures("through_cloudfront_alone")
def test_with_cloudfronts_secret_the_status_is_returned(name: str) -> None:
    assert get(**{name: SECRET})["statusCode"] == 200


@pytest.mark.parametrize(
    ("context", "status"),
    [({}, 403), ({"authorizer": None}, 403), ({"authorizer": {"claims": {"sub": "ada"}}}, 200)],
)
@pytest.mark.usefixtures("current")
def test_with_sign_in_only_signed_in_users_get_the_status(
    context: dict[str, Any], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNED_IN_ONLY", "true")
    event = {"headers": {}, "requestContext": context}
    assert get_order_status.handler(event, None)["statusCode"] == status
    assert get_order_status.handler({}, None)["statusCode"] == 200


@pytest.mark.usefixtures("through_cloudfront_alone")
def test_an_operator_who_invokes_the_function_needs_no_secret() -> None:
    assert get_order_status.handler({}, None)["statusCode"] == 200


@pytest.mark.usefixtures("current")
def test_without_a_secret_setting_anyone_gets_the_status() -> None:
    assert get()["statusCode"] == 200
