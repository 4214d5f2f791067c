"""`cafe logs`: lines of several functions, merged, filtered and followed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import logs
from cli.commands import logs as command
from orders.order import ORDER_ID
from orders.states import EPOCH
from tests.cli.conftest import Cafe
from tests.cli.stand_in import LOG_GROUPS, FakeAws

ANY_ID = st.from_regex(ORDER_ID, fullmatch=True)


def line(message: str = "Order processed successfully", level: str = "INFO", **fields: Any) -> dict[str, Any]:
    return {"level": level, "message": message, **fields}


def printed(output: str) -> list[str]:
    """Return the lines without their times, and with single spaces."""
    return [re.sub(r" +", " ", text)[24:] for text in output.splitlines()]


def test_lines_of_all_functions_are_merged_by_time(dev: FakeAws, dev_cafe: Cafe) -> None:
    dev.log(line(orderId="O1", receive=2), ago=10)
    dev.log(line("Order accepted", orderId="O1"), ago=20, function="PlaceOrder")
    dev.log(line("Order not processed", "ERROR", orderId="O2", reason="MySQL \x1b 2003"), ago=5)
    dev.log("2026-11-26T23:00:00Z 8f14 Task timed out after 30.00 seconds\n", ago=4)
    dev.log("REPORT RequestId: 8f14 Duration: 2 ms", ago=3)
    dev.log(line("Too old"), ago=3700)

    result = dev_cafe("logs")

    assert result.exit_code == 0, result.output
    assert printed(result.stdout) == [
        "PlaceOrder INFO Order accepted orderId=O1",
        "OrderProcessor INFO Order processed successfully orderId=O1 receive=2",
        "OrderProcessor ERROR Order not processed orderId=O2 reason=MySQL \\x1b 2003",
        "OrderProcessor ERROR 2026-11-26T23:00:00Z 8f14 Task timed out after 30.00 seconds",
    ]


def test_every_line_is_a_json_object_with_its_time_and_function(dev: FakeAws, dev_cafe: Cafe) -> None:
    dev.log(line(orderId="O1"), ago=20)
    dev.log("REPORT RequestId: 8f14 Duration: 2 ms", ago=3)

    documents = [json.loads(each) for each in dev_cafe("logs", "--json").stdout.splitlines()]

    assert [(each["function"], each["line"]) for each in documents] == [
        ("OrderProcessor", line(orderId="O1")),
        ("OrderProcessor", "REPORT RequestId: 8f14 Duration: 2 ms"),
    ]
    assert datetime.now(UTC) - datetime.fromisoformat(documents[0]["time"]) < timedelta(minutes=5)


def test_lines_about_one_order_leave_out_ids_that_contain_it(dev: FakeAws, dev_cafe: Cafe) -> None:
    for number, order_id in enumerate(("O1", "O12", "XO1", "O1")):
        dev.log(line(orderId=order_id), ago=number)
    dev.log(line("Message rejected", messageId="O1"))

    assert [text.split()[-1] for text in printed(dev_cafe("logs", "--order", "O1").stdout)] == [
        "orderId=O1",
        "orderId=O1",
        "messageId=O1",
    ]


@pytest.mark.parametrize("name", ["order", "ORDERPROCESSOR", "order_processor"])
def test_a_function_is_chosen_by_the_beginning_of_its_name(dev: FakeAws, dev_cafe: Cafe, name: str) -> None:
    dev.log(line("Order accepted"), function="PlaceOrder")
    dev.log(line())

    assert printed(dev_cafe("logs", name).stdout) == ["OrderProcessor INFO Order processed successfully"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("nothing",), "OrderProcessor"),
        (("",), "OrderProcessor"),
        (("--since", "yesterday"), "1h"),
        (("--since", "999999d"), "1h"),
    ],
)
def test_an_unknown_function_and_an_invalid_time_are_wrong_usage(
    dev: FakeAws, dev_cafe: Cafe, words: tuple[str, ...], hint: str
) -> None:
    result = dev_cafe("logs", *words)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_a_log_without_lines_is_reported(dev: FakeAws, dev_cafe: Cafe) -> None:
    result = dev_cafe("logs", "--since", "15m")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No lines since 15m." in result.stderr


def test_a_log_that_cannot_be_read_is_an_error(dev: FakeAws, dev_cafe: Cafe) -> None:
    dev.logs.delete_log_group(logGroupName=LOG_GROUPS["StaffOrders"])
    result = dev_cafe("logs", "--json")
    assert result.exit_code == 1
    assert "ResourceNotFoundException" in json.loads(result.stdout)["error"]


def test_following_prints_each_line_once_also_late_ones_until_ctrl_c(
    dev: FakeAws, dev_cafe: Cafe, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_pauses: list[Callable[[], object]] = [
        lambda: dev.log(line("Second"), ago=10),
        lambda: dev.log(line("First, which arrives late"), ago=40),
        lambda: None,
        lambda: dev.log(line("Third")),
    ]

    def pause(_seconds: float) -> None:
        if not at_pauses:
            raise KeyboardInterrupt
        at_pauses.pop(0)()

    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=pause))
    dev.log(line("Before"), ago=90)
    result = dev_cafe("logs", "--follow")

    assert result.exit_code == 130
    assert [each.split(" INFO ")[1] for each in printed(result.stdout)] == [
        "Before",
        "Second",
        "First, which arrives late",
        "Third",
    ]
    assert result.stderr.endswith("Stopped.\n")


class Pages:
    """A fake of FilterLogEvents: pages of a few lines, with tokens, or as MiniStack does without any."""

    def __init__(self, times: list[int], *, tokens: bool) -> None:
        self._events = [
            {"timestamp": at, "message": str(number), "eventId": str(number)}
            for number, at in enumerate(times)
        ]
        self._tokens = tokens

    def filter_log_events(self, *, startTime: int, nextToken: str = "0", **_: object) -> Any:  # noqa: N803
        matching = [event for event in self._events if event["timestamp"] >= startTime]  # type: ignore[operator]
        start = int(nextToken)
        more = self._tokens and start + logs.PAGE < len(matching)
        events = matching[start : start + logs.PAGE]
        return {"events": events, **({"nextToken": str(start + logs.PAGE)} if more else {})}


@given(st.lists(st.integers(0, 3), max_size=12), st.booleans())
def test_no_line_is_lost_or_repeated_between_two_pages(in_each_millisecond: list[int], tokens: bool) -> None:
    times = [1000 + at for at, number in enumerate(in_each_millisecond) for _ in range(number)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "PAGE", 4)
        client: Any = Pages(times, tokens=tokens)
        found = logs.read(client, {"f": "g"}, EPOCH)
    assert [each.text for each in found] == [str(number) for number in range(len(times))]


def matches(pattern: str, text: str) -> bool:
    """Return whether a line matches a pattern of one phrase, by CloudWatch's grammar.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    phrase = re.fullmatch(r'"([^"\\]*)"', pattern)
    assert phrase, "more than a phrase"
    return phrase[1] in text


@given(ANY_ID, ANY_ID)
def test_the_pattern_of_an_order_matches_its_lines_and_others_are_left_out(one: str, other: str) -> None:
    about = [
        logs.Line(at=EPOCH, function="f", text=json.dumps(line(orderId=name)), key="")
        for name in (one, other)
    ]
    assert matches(logs.pattern(one), about[0].text)
    assert about[0].is_about(one)
    assert about[1].is_about(one) == (one == other)


@given(st.text())
def test_a_text_that_is_no_id_never_becomes_a_pattern(text: str) -> None:
    requests: list[dict[str, Any]] = []

    class Client:
        def filter_log_events(self, **request: Any) -> Any:
            requests.append(request)
            return {"events": []}

    client: Any = Client()
    logs.read(client, {"f": "g"}, datetime.now(UTC), about=text)
    assert [request["filterPattern"] for request in requests] == (
        [f'"{text}"'] if re.fullmatch("[A-Za-z0-9._:-]{1,64}", text) else []
    )
