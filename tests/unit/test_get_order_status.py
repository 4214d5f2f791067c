"""`GET /order-status` as clients meet it: with every source, with each taken away, and asked again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymysql.cursors import Cursor

import get_order_status
from orders.order import Order
from orders.status import AllUnavailableError
from orders.sync import RdsOrders
from stores import aws
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from tests import openapi
from tests.stores import BERLIN, NAMES, FixedLogin, moto_client
from tests.unit.both_stores import BothStores, orders
from tests.waiting import eventually

REGION = "us-east-1"
SECRET = "the distribution's secret"
SOURCES = ("rds", "dynamodb", "sqs")


@dataclasses.dataclass
class Sources:
    """The sources that the function reads, each of which can be taken away."""

    both: BothStores
    sqs: Any
    secrets: Any
    login: dict[str, Any]
    queue_url: str

    def take_away(self, source: str) -> None:
        """Let the database listen elsewhere, as far as the function can see; or delete a table or a queue."""
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
def sources(both: BothStores, status_login: Login, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    """The function as it is on AWS, with an order that all sources have."""
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


def test_a_source_that_hangs_leaves_time_to_return_what_the_others_have(
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


def ask(**headers: str) -> Any:
    """Ask over HTTP, and check the response against what is documented."""
    event = {"httpMethod": "GET", "requestContext": {"stage": "prod"}, "headers": headers or None}
    response = get_order_status.handler(event, None)
    openapi.check("get", "/order-status", response["statusCode"], response["headers"], response["body"])
    return response


def body(response: Any) -> Any:
    return json.loads(response["body"])


@pytest.mark.usefixtures("sources")
def test_everything_is_there_as_documented() -> None:
    response = ask()
    assert response["statusCode"] == 200
    assert response["headers"]["Cache-Control"] == "public, max-age=1"
    status = body(response)
    assert status["degraded"] == []
    assert status["metrics"][0] == {"metric": "TOTAL_ORDERS", "count": 1}
    assert status["today"]["same_time_yesterday"] == 0
    assert (status["sync"]["rds_orders"]["count"], status["sync"]["in_sync"]) == (1, True)
    assert status["top_items"] == [{"item": "Latte", "quantity": 2}]


def test_why_the_stores_could_not_be_compared_is_there_as_documented(sources: Sources) -> None:
    sources.both.metrics.save_unknown("MySQL error 2003", datetime(2026, 11, 22, 14, tzinfo=UTC))
    sync = body(ask())["sync"]
    assert (sync["in_sync"], sync["drift"]) == (None, 0)
    assert sync["unknown_since"] == "2026-11-22T14:00:00.000Z"
    assert sync["unknown_reason"] == "MySQL error 2003"


def test_of_yesterdays_begun_quarter_the_share_counts_that_has_passed(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(BERLIN).replace(hour=13, minute=34, second=0, microsecond=0)
    monkeypatch.setattr(get_order_status, "datetime", type("", (), {"now": lambda zone: now}))
    yesterday = now.replace(minute=30) - timedelta(days=1)
    begun = [Order(f"b{n}", (yesterday + timedelta(minutes=n)).astimezone(UTC), "Tea", 1) for n in range(15)]
    before = Order("a", (yesterday - timedelta(minutes=1)).astimezone(UTC), "Tea", 1)
    sources.both.record([before, *begun])
    assert body(ask())["today"]["same_time_yesterday"] == 1 + 4


@pytest.mark.parametrize(
    "away",
    [{"rds"}, {"dynamodb"}, {"sqs"}, {"rds", "dynamodb"}, {"rds", "sqs"}, {"dynamodb", "sqs"}],
    ids=sorted,
)
def test_whatever_is_taken_away_the_rest_is_told(sources: Sources, away: set[str]) -> None:
    full = ask()["headers"]["ETag"]
    get_order_status.read_status.cache_clear()
    for source in away:
        sources.take_away(source)
    answer = ask(**{"If-None-Match": full})
    assert answer["statusCode"] == 200, "a degraded answer is another one"
    status = body(answer)
    assert set(status["degraded"]) == away
    knows = {
        "rds": status["recent_orders"] != [] and status["top_items"] != [],
        "dynamodb": status["metrics"][0]["count"] == 1 and status["sync"]["drift"] == 0,
        "sqs": status["sync"]["waiting"] == 0,
    }
    assert {source for source in SOURCES if not knows[source]} == away


def test_when_all_is_taken_away_it_is_503_and_nothing_internal_is_shown(sources: Sources) -> None:
    for source in SOURCES:
        sources.take_away(source)
    response = ask()
    assert (response["statusCode"], response["headers"]["Cache-Control"]) == (503, "no-store")
    assert "SQS" not in response["body"]


def test_without_any_source_the_log_has_the_reasons_and_the_response_has_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = {"rds": "MySQL error 2003", "dynamodb": "secret", "sqs": "secret"}

    def fail() -> Any:
        raise AllUnavailableError(reasons)

    monkeypatch.setattr(get_order_status, "read_status", lambda: fail)
    assert "secret" not in ask()["body"]
    assert json.loads(capsys.readouterr().out)["reasons"] == reasons


def test_a_source_that_comes_back_is_asked_again(sources: Sources) -> None:
    sources.take_away("rds")
    assert body(ask())["degraded"] == ["rds"]
    sources.secrets.put_secret_value(SecretId="CafeDevDBSM", SecretString=json.dumps(sources.login))
    get_order_status.read_status.cache_clear()  # as a fresh process does
    assert body(ask())["degraded"] == []


def held_connections(login: Login, number: int, idle: int) -> list[MySql]:
    """Open sessions and leave them idle, as processes that are frozen or gone do."""
    held = [MySql(FixedLogin(login), idle=idle) for _ in range(number)]
    for mysql in held:
        mysql.read(lambda cursor: cursor.execute("SELECT 1"))
    return held


@pytest.fixture
def two_connections(sources: Sources, administrator: MySql) -> None:
    """The status's user may have two connections."""
    administrator.read(lambda cursor: cursor.execute("ALTER USER cafe_status WITH MAX_USER_CONNECTIONS 2"))


@pytest.mark.usefixtures("two_connections")
def test_where_all_connections_are_taken_the_rest_is_there(status_login: Login) -> None:
    held = held_connections(status_login, 2, idle=60)
    status = body(ask())
    assert status["degraded"] == ["rds"]
    assert status["metrics"][0] == {"metric": "TOTAL_ORDERS", "count": 1}
    held[0].close()
    eventually(lambda: body(ask())["degraded"] == [])


@pytest.mark.usefixtures("two_connections")
def test_the_server_ends_the_connections_of_processes_that_are_gone(status_login: Login) -> None:
    held = held_connections(status_login, 2, idle=1)
    eventually(lambda: body(ask())["degraded"] == [])
    assert all(mysql._connection is not None for mysql in held), "none has closed its own"


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
    ask()
    assert [mysql.read(timeout) for mysql in opened] == [(60,)]


@pytest.mark.parametrize(("setting", "name"), [(None, "Ann L."), ("full", "Ann Lee"), ("none", "")])
@pytest.mark.usefixtures("sources")
def test_names_are_shown_as_the_setting_says(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, name: str
) -> None:
    if setting:
        monkeypatch.setenv("CUSTOMER_NAMES", setting)
    assert body(ask())["recent_orders"][0]["customer_name"] == name


# Asked again: nothing of this takes a source.


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is known at the moment, to change."""
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


def test_who_has_the_answer_already_gets_none(known: dict[str, Any]) -> None:
    first = ask()
    known["generated_at"] = "2026-11-22T14:00:07.000Z"
    again = ask(**{"If-None-Match": first["headers"]["ETag"]})
    assert again == {
        "statusCode": 304,
        "headers": {"ETag": first["headers"]["ETag"], "Cache-Control": "public, max-age=1"},
        "body": "",
    }
    # Whoever has nothing gets the time of this answer.
    assert body(ask())["generated_at"] == "2026-11-22T14:00:07.000Z"
    known["degraded"] = []
    assert ask(**{"If-None-Match": first["headers"]["ETag"]})["statusCode"] == 200


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
@pytest.mark.usefixtures("known")
def test_every_way_to_say_what_one_has_is_understood(name: str, form: str, status: int) -> None:
    tag = ask()["headers"]["ETag"]
    said = form.format(tag=tag, opaque=tag.removeprefix("W/").strip('"'))
    assert ask(**{name: said})["statusCode"] == status


@pytest.fixture
def through_cloudfront_alone(known: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORIGIN_SECRET_SHA256", hashlib.sha256(SECRET.encode()).hexdigest())


@pytest.mark.parametrize("headers", [{}, {"x-origin-secret": ""}, {"x-origin-secret": SECRET[:-1]}])
@pytest.mark.usefixtures("through_cloudfront_alone")
def test_without_cloudfronts_secret_nothing_is_told(headers: dict[str, str]) -> None:
    answer = ask(**headers, **{"If-None-Match": "*"})
    assert answer["statusCode"] == 403
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert "today" not in answer["body"]


@pytest.mark.parametrize("said", ["\u00e9", "\ud800"])
@pytest.mark.usefixtures("through_cloudfront_alone")
def test_a_secret_of_any_text_is_no_error(said: str) -> None:
    assert ask(**{"x-origin-secret": said})["statusCode"] == 403


@pytest.mark.parametrize("name", ["x-origin-secret", "X-Origin-Secret"])
@pytest.mark.usefixtures("through_cloudfront_alone")
def test_with_cloudfronts_secret_all_is_told(name: str) -> None:
    assert ask(**{name: SECRET})["statusCode"] == 200


@pytest.mark.parametrize(
    ("context", "status"),
    [({}, 403), ({"authorizer": None}, 403), ({"authorizer": {"claims": {"sub": "ada"}}}, 200)],
)
@pytest.mark.usefixtures("known")
def test_where_people_sign_in_only_who_did_is_told(
    context: dict[str, Any], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNED_IN_ONLY", "true")
    event = {"headers": {}, "requestContext": context}
    assert get_order_status.handler(event, None)["statusCode"] == status
    assert get_order_status.handler({}, None)["statusCode"] == 200


@pytest.mark.usefixtures("through_cloudfront_alone")
def test_an_operator_who_calls_the_function_itself_needs_no_secret() -> None:
    assert get_order_status.handler({}, None)["statusCode"] == 200


@pytest.mark.usefixtures("known")
def test_without_a_secret_anybody_may_ask() -> None:
    assert ask()["statusCode"] == 200
