"""`cafe status`: its tables, and names that cannot harm a terminal."""

from __future__ import annotations

import _thread
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from cli import terminal
from cli.commands import status
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeApi, Reply


@pytest.fixture
def response() -> dict[str, Any]:
    """A response of the status API with all parts."""
    return {
        "metrics": [{"metric": "TOTAL_ORDERS", "count": 1234}, {"metric": "TODAY_ORDERS", "count": 56}],
        "today": {"count": 56, "same_time_yesterday": 48},
        "recent_orders": [
            {
                "order_id": "o-2",
                "customer_name": "Ada",
                "item": "Latte",
                "quantity": 2,
                "created_at": "2026-11-22T14:00:00Z",
            },
            {"order_id": "o-1", "customer_name": "Bo", "item": "Tea", "quantity": 1, "created_at": None},
        ],
        "top_items": [{"item": "Espresso", "quantity": 77}],
        "hourly": [{"hour": "2026-11-22T14", "count": 3}],
        "sync": {
            "waiting": 4,
            "in_flight": 5,
            "dead_lettered": 6,
            "rds_orders": {"count": 1230, "as_of": "2026-11-22T13:59:00Z"},
            "dynamodb_orders": 1231,
            "in_sync": False,
        },
        "generated_at": "2026-11-22T14:00:01Z",
        "degraded": [],
    }


def test_stores_that_could_not_be_compared_are_unknown_and_the_reason_is_shown(
    output: Any, response: dict[str, Any]
) -> None:
    response["sync"] |= {"in_sync": None, "unknown_since": "2026-11-22T13:40:00Z"}
    assert re.search(r"unknown since 2026-11-2\d [\d:]+ ", output())
    response["sync"]["unknown_reason"] = "MySQL error 2003"
    assert re.search(r"unknown since 2026-11-2\d [\d:]+: MySQL error 2003", output())
    response["sync"]["in_sync"] = False  # a drift stays until it is repaired
    assert "unknown since" not in output()


@pytest.fixture
def output(cafe: Cafe, api: FakeApi, monkeypatch: pytest.MonkeyPatch, response: dict[str, Any]) -> Any:
    """A function that returns the output for the response, in a wide terminal."""
    monkeypatch.setattr(terminal.out, "width", terminal.FILE_WIDTH)

    def show() -> str:
        api.status = Reply(body=response)
        result = cafe("status")
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    return show


def test_counts_and_orders_are_shown(output: Any) -> None:
    text = output()

    for row in (
        r"TOTAL_ORDERS +│ +1,234",
        r"TODAY_ORDERS +│ +56",
        r"Yesterday by now │ +48",
        r"Waiting in the queue .*│ +4",
        r"With the worker .*│ +5",
        r"Dead-lettered .*│ +6",
        r"In RDS \(2026-11-2\d [\d:]+\) .*│ +1,230",
        r"In DynamoDB .*│ +1,231",
        r"In sync .*│ +no",
        r"Espresso +│ +77",
        r"Ada +│ Latte +│ +2 │ o-2",
        r"unknown +│ Bo +│ Tea +│ +1 │ o-1",
    ):
        assert re.search(row, text), row


def test_dead_letters_are_shown_by_kind(output: Any, response: dict[str, Any]) -> None:
    assert "valid order" not in output()  # without a recent sweep
    found = {"rejected": 2, "conflicting": 1, "waiting": 3, "as_of": "2026-11-22T13:59:30Z"}
    response["sync"]["dead_letters"] = found

    text = output()

    assert re.search(r"without a valid order +│ +2", text)
    assert re.search(r"with the id of another order +│ +1", text)
    assert re.search(r"waiting for a store +│ +3", text)
    assert "not read yet" not in text
    response["sync"]["dead_lettered"] = 7
    assert re.search(r"not read yet +│ +1", output())
    del found["conflicting"]  # the previous release
    assert re.search(r"not read yet +│ +2", output())


def test_times_are_in_the_local_time_zone(output: Any) -> None:
    local = datetime(2026, 11, 22, 14, tzinfo=UTC).astimezone()

    assert f"{local:%Y-%m-%d %H:%M:%S}" in output()


def test_in_a_narrow_terminal_an_id_is_cut_but_no_time(
    output: Any, response: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    response["recent_orders"][0] |= {"order_id": "0123456789" * 4, "customer_name": "Ada Lovelace"}
    monkeypatch.setattr(terminal.out, "width", 80)
    local = datetime(2026, 11, 22, 14, tzinfo=UTC).astimezone()

    text = output()

    assert re.search(rf"{local:%Y-%m-%d %H:%M:%S} │ Ada Lovelace │ Latte +│ +2 │ 0123456789\d*… │", text)
    assert max(map(len, text.splitlines())) <= 80


def test_degraded_sources_are_named(output: Any, response: dict[str, Any]) -> None:
    response["degraded"] = ["rds", "sqs"]
    response["sync"] = {"waiting": None, "in_sync": None}
    response["metrics"][0]["count"] = None

    text = output()

    assert re.search(r"TOTAL_ORDERS +│ +unknown", text)

    assert "these could not be read: rds, sqs" in text
    assert re.search(r"Waiting in the queue +│ unknown", text)
    assert re.search(r"In sync +│ unknown", text)


def test_an_old_row_without_an_item_is_shown_without_it(output: Any, response: dict[str, Any]) -> None:
    response["recent_orders"][0] |= {"item": None, "quantity": None}

    assert re.search(r"Ada +│ +│ +unknown │ o-2", output())


def test_names_are_escaped_and_not_parsed_as_markup(output: Any, response: dict[str, Any]) -> None:
    response["recent_orders"][0] |= {
        "customer_name": "[red]Eve[/red] :coffee: \x1b[31m\x07\u202e\u2028",
        "item": "a\nb\tc[/]",
        "order_id": "\x9b2J",
    }
    response["top_items"][0]["item"] = "[link=http://x]\x1b]8;;\x1b\\"
    response["degraded"] = ["[blink]\x1b[5m"]

    text = output()

    assert "[red]Eve[/red] :coffee: \\x1b[31m\\x07\\u202e\\u2028" in text
    assert "a\\nb\\tc[/]" in text
    assert "\\x9b2J" in text
    assert "[link=http://x]\\x1b]8;;\\x1b\\" in text
    assert "[blink]\\x1b[5m" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)


def test_names_in_any_script_are_readable(output: Any, response: dict[str, Any]) -> None:
    response["recent_orders"][0]["customer_name"] = "Zoë 李 محمد 👩\u200d🍳"

    assert "Zoë 李 محمد 👩\u200d🍳" in output()


def test_json_is_the_unchanged_response(cafe: Cafe, api: FakeApi, response: dict[str, Any]) -> None:
    api.status = Reply(body=response)

    result = cafe("status", "--json")

    assert json.loads(result.stdout) == response
    assert result.stdout.isascii()


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            Reply(status=503, body={"message": "Nothing could be read"}),
            "503 Service Unavailable: Nothing could",
        ),
        (Reply(status=200, body="<html>"), "did not return JSON"),
        (Reply(status=0), "is not reachable"),
        (Reply(body=[]), "response is invalid at its top level"),
        (Reply(body={"metrics": [{"metric": "A", "count": "x"}]}), "response is invalid at metrics.0.count"),
    ],
)
def test_an_invalid_response_ends_with_1(cafe: Cafe, api: FakeApi, reply: Reply, sentence: str) -> None:
    api.status = reply

    result = cafe("status")

    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_watch_refreshes_despite_a_failure_until_ctrl_c(
    cafe: Cafe, api: FakeApi, monkeypatch: pytest.MonkeyPatch, response: dict[str, Any]
) -> None:
    monkeypatch.setattr(status, "REFRESH", 0.01)
    replies = [Reply(status=503), Reply(body=response), Reply(body=response)]

    def next_reply() -> None:
        if not replies:
            _thread.interrupt_main()
            return
        api.status = replies.pop(0)

    api.on_status = next_reply

    result = cafe("status", "--watch")

    assert result.exit_code == 130
    assert "returned 503" in result.stdout
    assert result.stdout.count("TOTAL_ORDERS") >= 2
    assert re.fullmatch(r"Stopped: watched for \d s, \d+ updates\.\n", result.stderr)


def test_watch_and_json_exclude_each_other(cafe: Cafe) -> None:
    result = cafe("status", "--watch", "--json")

    assert result.exit_code == 2
    assert "leave out --watch" in json.loads(result.stdout)["error"]
