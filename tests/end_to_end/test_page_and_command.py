"""The page's own origin, the command line, and a real browser in front of the whole system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.cafe import Cafe
from tests.local_stack import UNSIGNED
from tests.odd import ODD
from tests.waiting import eventually

NewId = Callable[[], str]
CAFE_COMMAND = Path(sys.executable).parent / "cafe"


@pytest.fixture
def origin(cafe: Cafe) -> str:
    return cafe.outputs["page_url"].removesuffix("/order-status")


@pytest.mark.parametrize("path", ["/", "/order-status"])
def test_the_page_is_served_with_its_policy(cafe: Cafe, origin: str, path: str) -> None:
    answer = cafe.http.get(origin + path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-cache"


def test_the_pages_origin_leads_to_the_api(cafe: Cafe, origin: str) -> None:
    placed = cafe.http.post(f"{origin}/prod/orders", json={"item": "Tea", "quantity": 1})
    assert placed.status_code == 202
    order_id = placed.json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))
    answer = cafe.http.get(f"{origin}/prod/order-status")
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_buckets_let_nobody_in(cafe: Cafe) -> None:
    buckets = [bucket["Name"] for bucket in cafe.stack.client("s3").list_buckets()["Buckets"]]
    assert len(buckets) == 2
    for bucket in buckets:
        response = cafe.http.get(f"{cafe.stack.endpoint}/{bucket}/order-status", headers=UNSIGNED)
        assert response.status_code == 403
        assert "AccessDenied" in response.text


def test_orders_appear_on_the_page_without_a_reload_and_texts_stay_text(
    cafe: Cafe, browser: Browser, new_id: NewId
) -> None:
    hostile = f"<img src=x onerror=alert(1)> {new_id()[:12]}"
    with browser.new_page() as page:
        complaints: list[str] = []
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(cafe.outputs["page_url"])
        page.evaluate("window.sameDocument = true")
        cafe.post({"item": hostile, "quantity": 3, "customer_name": hostile})
        expect(page.get_by_text(hostile).first).to_be_visible()
        assert page.evaluate("window.sameDocument") is True
        assert complaints == []


def command(cafe: Cafe, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Type a command as an operator does, perhaps with more variables in the environment."""
    return subprocess.run(
        [str(CAFE_COMMAND), *words, "--directory", str(cafe.stack.directory)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **variables},
    )


@pytest.mark.parametrize("words", ["verify", "dlq list"])
def test_the_installed_command_works_in_any_environment(cafe: Cafe, words: str) -> None:
    process = command(cafe, *words.split(), **ODD)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "nowhere" not in process.stdout + process.stderr


def test_cafe_verify_finds_everything_in_order(cafe: Cafe) -> None:
    process = command(cafe, "verify")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "✗" not in process.stdout
    # On a busy machine MiniStack passes the worker's line on only with its next call: then that is told.
    lines = process.stdout.splitlines()
    assert [line[0] for line in lines[:8] if line[0] != "✓"] in ([], ["!"])
    assert "The worker logged" in lines[5]
    assert lines[8].startswith(("All 8 checks passed", "7 of 8 checks passed, 1 not seen yet"))


def test_cafe_order_places_orders_that_are_all_counted(cafe: Cafe, new_id: NewId) -> None:
    item, before = new_id(), cafe.total()
    process = command(cafe, "order", item, "--count", "40", "--json")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["accepted"] == 40
    eventually(lambda: cafe.ordered(item) == 40 and cafe.depth() == 0)
    assert cafe.total() == before + 40


def test_cafe_status_tells_what_the_page_tells(cafe: Cafe) -> None:
    eventually(lambda: cafe.depth() == 0)
    process = command(cafe, "status", "--json")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["metrics"][0]["count"] == cafe.total()
