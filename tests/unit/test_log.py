"""The functions' log: a line of JSON for each event."""

from __future__ import annotations

import json

import pytest

from log import log, log_each


def test_a_log_line_is_json_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log("ERROR", "Order not processed", orderId="A1", reason="two\nlines")
    line, end = capsys.readouterr().out.split("\n")
    assert json.loads(line) == {
        "level": "ERROR",
        "message": "Order not processed",
        "orderId": "A1",
        "reason": "two\nlines",
    }
    assert end == ""


def test_each_of_several_entries_has_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_each("INFO", "Order processed successfully", [{"orderId": "A1"}, {"orderId": "A2"}])
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["orderId"] for line in lines] == ["A1", "A2"]


def test_no_entries_write_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_each("INFO", "Order processed successfully", [])
    assert capsys.readouterr().out == ""
