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

import boto3
import pytest

import get_order_status
from tests import openapi
from tests.stores import NAMES, Server
from tests.unit.books import Books, orders

REGION = "us-east-1"
SECRET = "the distribution's secret"
SOURCES = ("rds", "dynamodb", "sqs")


@dataclasses.dataclass
class Sources:
    """What the function asks, and how to take it away."""

    books: Books
    sqs: Any
    secrets: Any
    login: dict[str, Any]
    queue_url: str

    def take_away(self, source: str) -> None:
        """Stop the database listening, as far as the function can tell; or remove a table, or the queue."""
        match source:
            case "rds":
                self.secrets.put_secret_value(
                    SecretId="CafeDevDBSM", SecretString=json.dumps({**self.login, "port": 1})
                )
            case "dynamodb":
                self.books.client.delete_table(TableName=NAMES.metrics)
            case "sqs":
                self.sqs.delete_queue(QueueUrl=self.queue_url)


@pytest.fixture
def sources(books: Books, empty_database: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    """The function in surroundings as on AWS, with an order that everybody knows of."""
    secrets: Any = boto3.client("secretsmanager", region_name=REGION)
    sqs: Any = boto3.client("sqs", region_name=REGION)
    login = dataclasses.asdict(empty_database.login)
    login["dbname"] = login.pop("database")
    secrets.create_secret(Name="CafeDevDBSM", SecretString=json.dumps(login))
    queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("OrderQueue", "OrderDLQ")}
    environment = {
        "AWS_DEFAULT_REGION": REGION,
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
    monkeypatch.setattr("orders.reconciliation.GRACE", timedelta(0))
    books.ledger.record(orders("o1"))
    books.reconciler.window()
    get_order_status.ask.cache_clear()
    yield Sources(books, sqs, secrets, login, queues["OrderQueue"])
    get_order_status.ask.cache_clear()


def test_a_source_that_hangs_leaves_time_to_tell_what_the_others_know(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Any = boto3.client
    waits: dict[str, float] = {}

    def watch(service: str, config: Any) -> Any:
        waits[service] = config.retries["total_max_attempts"] * max(
            config.connect_timeout, config.read_timeout
        )
        return make(service, config=config)

    monkeypatch.setattr("boto3.client", watch)
    get_order_status.ask()()
    page = (Path(__file__).parents[2] / "web" / "order-status.js").read_text()
    limit = re.search(r"const TIME_LIMIT = ([\d_]+);", page)
    assert limit is not None
    assert set(waits) == {"secretsmanager", "dynamodb", "sqs"}
    assert 2 * max(waits.values()) < int(limit[1]) / 1000


def ask(**headers: str) -> Any:
    """Ask over HTTP, and check the answer against what is documented."""
    event = {"httpMethod": "GET", "requestContext": {"stage": "prod"}, "headers": headers or None}
    answer = get_order_status.handler(event, None)
    openapi.check("get", "/order-status", answer["statusCode"], answer["headers"], answer["body"])
    return answer


def told(answer: Any) -> Any:
    return json.loads(answer["body"])


@pytest.mark.usefixtures("sources")
def test_everything_is_told_as_documented() -> None:
    answer = ask()
    assert answer["statusCode"] == 200
    assert answer["headers"]["Cache-Control"] == "public, max-age=1"
    status = told(answer)
    assert status["degraded"] == []
    assert status["metrics"][0] == {"metric": "TOTAL_ORDERS", "count": 1}
    assert status["today"]["same_time_yesterday"] == 0
    assert (status["sync"]["rds_orders"]["count"], status["sync"]["drift"]) == (1, 0)
    assert status["top_items"] == [{"item": "Latte", "quantity": 2}]


def test_yesterdays_begun_hour_is_counted_up_to_this_time(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 22, 12, 34, tzinfo=UTC)
    monkeypatch.setattr(get_order_status, "datetime", type("", (), {"now": lambda zone: now}))
    for name, ago in {"hour": 26 * 60, "before": 24 * 60 + 1, "after": 24 * 60 - 1}.items():
        sources.books.ledger.record(orders(name, sent_at=now - timedelta(minutes=ago)))
    assert told(ask())["today"]["same_time_yesterday"] == 2


@pytest.mark.parametrize(
    "away",
    [{"rds"}, {"dynamodb"}, {"sqs"}, {"rds", "dynamodb"}, {"rds", "sqs"}, {"dynamodb", "sqs"}],
    ids=sorted,
)
def test_whatever_is_taken_away_the_rest_is_told(sources: Sources, away: set[str]) -> None:
    full = ask()["headers"]["ETag"]
    get_order_status.ask.cache_clear()
    for source in away:
        sources.take_away(source)
    answer = ask(**{"If-None-Match": full})
    assert answer["statusCode"] == 200, "a degraded answer is another one"
    status = told(answer)
    assert set(status["degraded"]) == away
    knows = {
        "rds": status["recent_orders"] != [] and status["top_items"] != [],
        "dynamodb": status["metrics"][0]["count"] == 1 and status["sync"]["drift"] == 0,
        "sqs": status["sync"]["waiting"] == 0,
    }
    assert {source for source in SOURCES if not knows[source]} == away


def test_when_all_is_taken_away_it_says_so_and_nothing_of_the_inside(sources: Sources) -> None:
    for source in SOURCES:
        sources.take_away(source)
    answer = ask()
    assert (answer["statusCode"], answer["headers"]["Cache-Control"]) == (503, "no-store")
    assert "SQS" not in answer["body"]


def test_a_source_that_comes_back_is_asked_again(sources: Sources) -> None:
    sources.take_away("rds")
    assert told(ask())["degraded"] == ["rds"]
    sources.secrets.put_secret_value(SecretId="CafeDevDBSM", SecretString=json.dumps(sources.login))
    get_order_status.ask.cache_clear()  # as a fresh process does
    assert told(ask())["degraded"] == []


@pytest.mark.parametrize(("setting", "name"), [(None, "Ann L."), ("full", "Ann Lee"), ("none", "")])
def test_names_are_told_as_the_setting_says(
    sources: Sources, monkeypatch: pytest.MonkeyPatch, setting: str | None, name: str
) -> None:
    sources.books.sql("UPDATE orders SET customer_name = 'Ann Lee'")
    if setting:
        monkeypatch.setenv("CUSTOMER_NAMES", setting)
    assert told(ask())["recent_orders"][0]["customer_name"] == name


# Asked again: nothing of this takes a source.


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is known at the moment, to change."""
    status = {
        "metrics": [],
        "today": {"count": 1, "same_time_yesterday": None},
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
            ]
        ),
        "generated_at": "2026-11-22T14:00:00.000Z",
        "degraded": ["rds"],
    }
    monkeypatch.setattr(get_order_status, "ask", lambda: lambda: (dict(status), {}))
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
    assert told(ask())["generated_at"] == "2026-11-22T14:00:07.000Z"
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
