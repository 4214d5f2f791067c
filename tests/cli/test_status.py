"""`cafe status`: what is shown, and that nobody's name can harm a terminal."""

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
def answer() -> dict[str, Any]:
    """An answer of the status API with something in every part."""
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
    shown: Any, answer: dict[str, Any]
) -> None:
    answer["sync"] |= {"in_sync": None, "unknown_since": "2026-11-22T13:40:00Z"}
    assert re.search(r"unknown since 2026-11-2\d [\d:]+ ", shown())
    answer["sync"]["unknown_reason"] = "MySQL error 2003"
    assert re.search(r"unknown since 2026-11-2\d [\d:]+: MySQL error 2003", shown())
    answer["sync"]["in_sync"] = False  # a drift stays until it is repaired
    assert "unknown since" not in shown()


@pytest.fixture
def shown(cafe: Cafe, api: FakeApi, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> Any:
    """A function that shows the answer as it is by now, in a wide terminal."""
    monkeypatch.setattr(terminal.out, "width", terminal.FILE_WIDTH)

    def show() -> str:
        api.status = Reply(body=answer)
        result = cafe("status")
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    return show


def test_counts_hops_and_orders_are_shown(shown: Any) -> None:
    text = shown()

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


def test_dead_letters_are_shown_by_what_they_need(shown: Any, answer: dict[str, Any]) -> None:
    assert "valid order" not in shown()  # nobody has looked lately
    found = {"rejected": 2, "conflicting": 1, "waiting": 3, "as_of": "2026-11-22T13:59:30Z"}
    answer["sync"]["dead_letters"] = found

    text = shown()

    assert re.search(r"without a valid order +│ +2", text)
    assert re.search(r"with the id of another order +│ +1", text)
    assert re.search(r"waiting for a store +│ +3", text)
    assert "not read yet" not in text
    answer["sync"]["dead_lettered"] = 7
    assert re.search(r"not read yet +│ +1", shown())
    del found["conflicting"]  # the previous release
    assert re.search(r"not read yet +│ +2", shown())


def test_times_are_those_of_the_reader(shown: Any) -> None:
    local = datetime(2026, 11, 22, 14, tzinfo=UTC).astimezone()

    assert f"{local:%Y-%m-%d %H:%M:%S}" in shown()


def test_in_a_narrow_terminal_an_id_is_cut_but_no_time(
    shown: Any, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer["recent_orders"][0] |= {"order_id": "0123456789" * 4, "customer_name": "Ada Lovelace"}
    monkeypatch.setattr(terminal.out, "width", 80)
    local = datetime(2026, 11, 22, 14, tzinfo=UTC).astimezone()

    text = shown()

    assert re.search(rf"{local:%Y-%m-%d %H:%M:%S} │ Ada Lovelace │ Latte +│ +2 │ 0123456789\d*… │", text)
    assert max(map(len, text.splitlines())) <= 80


def test_degraded_sources_are_named(shown: Any, answer: dict[str, Any]) -> None:
    answer["degraded"] = ["rds", "sqs"]
    answer["sync"] = {"waiting": None, "in_sync": None}
    answer["metrics"][0]["count"] = None

    text = shown()

    assert re.search(r"TOTAL_ORDERS +│ +unknown", text)

    assert "these could not be read: rds, sqs" in text
    assert re.search(r"Waiting in the queue +│ unknown", text)
    assert re.search(r"In sync +│ unknown", text)


def test_an_old_row_without_an_item_is_shown_without_it(shown: Any, answer: dict[str, Any]) -> None:
    answer["recent_orders"][0] |= {"item": None, "quantity": None}

    assert re.search(r"Ada +│ +│ +unknown │ o-2", shown())


def test_names_are_shown_as_text_never_as_markup_or_terminal_controls(
    shown: Any, answer: dict[str, Any]
) -> None:
    answer["recent_orders"][0] |= {
        "customer_name": "[red]Eve[/red] :coffee: \x1b[31m\x07\u202e\u2028",
        "item": "a\nb\tc[/]",
        "order_id": "\x9b2J",
    }
    answer["top_items"][0]["item"] = "[link=http://x]\x1b]8;;\x1b\\"
    answer["degraded"] = ["[blink]\x1b[5m"]

    text = shown()

    assert "[red]Eve[/red] :coffee: \\x1b[31m\\x07\\u202e\\u2028" in text
    assert "a\\nb\\tc[/]" in text
    assert "\\x9b2J" in text
    assert "[link=http://x]\\x1b]8;;\\x1b\\" in text
    assert "[blink]\\x1b[5m" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)


def test_names_in_any_script_stay_readable(shown: Any, answer: dict[str, Any]) -> None:
    answer["recent_orders"][0]["customer_name"] = "Zoë 李 محمد 👩\u200d🍳"

    assert "Zoë 李 محمد 👩\u200d🍳" in shown()


def test_json_is_the_answer_itself(cafe: Cafe, api: FakeApi, answer: dict[str, Any]) -> None:
    api.status = Reply(body=answer)

    result = cafe("status", "--json")

    assert json.loads(result.stdout) == answer
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
def test_an_answer_that_is_no_answer_ends_with_1(
    cafe: Cafe, api: FakeApi, reply: Reply, sentence: str
) -> None:
    api.status = reply

    result = cafe("status")

    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_watch_refreshes_survives_a_failure_and_ends_with_a_sentence(
    cafe: Cafe, api: FakeApi, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    monkeypatch.setattr(status, "REFRESH", 0.01)
    replies = [Reply(status=503), Reply(body=answer), Reply(body=answer)]

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
