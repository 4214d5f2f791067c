"""The documented upper bounds of one sender's cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.bounds import Sender
from infra import prices
from infra.database import storage_limit
from infra.recording import PROJECT, ROOT, configuration
from orders.http_request import MAX_BODY

DEFAULTS = {
    key.removeprefix(f"{PROJECT}:"): value
    for key, value in configuration("none").items()
    if key.startswith(PROJECT)
}


@pytest.fixture
def sender() -> Sender:
    return Sender(rate=int(DEFAULTS["apiRateLimit"]), body=MAX_BODY)


def test_the_documented_bounds_are_the_computed_ones(sender: Sender) -> None:
    limit = storage_limit(int(DEFAULTS["databaseStorage"]))
    assert limit is not None
    days = limit / sender.gigabytes_a_day()
    document = Path(ROOT / "infra" / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"at most {sender.dollars_a_day(prices.read()):.0f} US dollars a day" in document
    assert f"{sender.gigabytes_a_day():.0f} GB a day" in document
    assert f"after {days:.1f} days" in document


def test_one_sender_cannot_fill_the_database_in_a_day(sender: Sender) -> None:
    limit = storage_limit(int(DEFAULTS["databaseStorage"]))
    assert limit is not None
    assert sender.gigabytes_a_day() < limit / 2


def test_half_the_rate_costs_half(sender: Sender) -> None:
    half = Sender(rate=sender.rate // 2, body=sender.body)
    assert half.dollars_a_day(prices.read()) * 2 == pytest.approx(sender.dollars_a_day(prices.read()))
