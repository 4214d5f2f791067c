"""The page's origin, a browser and the installed command, on the whole system."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.broken_environment import BROKEN
from tests.end_to_end.operations import NewId, run_command
from tests.local_stack import UNSIGNED
from tests.system import System
from tests.waiting import eventually


@pytest.fixture
def origin(cafe: System) -> str:
    return cafe.outputs["page_url"].removesuffix("/order-status")


@pytest.mark.parametrize("path", ["/", "/order-status"])
def test_the_page_is_served_with_its_policy(cafe: System, origin: str, path: str) -> None:
    response = cafe.http.get(origin + path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-cache"


def test_the_pages_origin_serves_the_api(cafe: System, origin: str) -> None:
    placed = cafe.http.post(f"{origin}/prod/orders", json={"item": "Tea", "quantity": 1})
    assert placed.status_code == 202
    order_id = placed.json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))
    response = cafe.http.get(f"{origin}/prod/order-status")
    assert response.headers["Cache-Control"] == "public, max-age=1"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_buckets_refuse_unsigned_requests(cafe: System) -> None:
    page, copies = sorted(found["Name"] for found in cafe.stack.client("s3").list_buckets()["Buckets"])
    keys = {page: ("", "order-status", "config.js"), copies: ("", "orders/x")}
    for path in [f"{bucket}/{key}" for bucket, names in keys.items() for key in names]:
        response = cafe.http.get(f"{cafe.stack.endpoint}/{path}", headers=UNSIGNED)
        assert response.status_code == 403
        assert "AccessDenied" in response.text


def test_orders_appear_on_the_page_without_a_reload_and_are_not_parsed_as_html(
    cafe: System, browser: Browser, new_id: NewId
) -> None:
    hostile = f"<img src=x onerror=alert(1)> {new_id()[:12]}"
    with browser.new_page() as page:
        problems: list[str] = []
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(cafe.outputs["page_url"])
        page.evaluate("window.sameDocument = true")
        cafe.post({"item": hostile, "quantity": 3, "customer_name": hostile})
        expect(page.get_by_text(hostile).first).to_be_visible()
        assert page.evaluate("window.sameDocument") is True
        assert problems == []


def test_the_installed_command_works_in_any_environment(cafe: System) -> None:
    listing = run_command(cafe, "dlq", "list", **BROKEN)
    assert listing.returncode == 0, listing.stdout + listing.stderr
    assert "nowhere" not in listing.stdout + listing.stderr
    process = run_command(cafe, "verify", **BROKEN)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "nowhere" not in process.stdout + process.stderr
    assert "✗" not in process.stdout
    # On a busy machine MiniStack may deliver the worker's log line only with its next invocation.
    lines = process.stdout.splitlines()
    assert [line[0] for line in lines[:8] if line[0] != "✓"] in ([], ["!"])
    assert "The worker logged" in lines[5]
    assert lines[8].startswith(("All 8 checks passed", "7 of 8 checks passed, 1 not seen yet"))


def test_every_order_of_cafe_order_is_counted(cafe: System, new_id: NewId) -> None:
    item, before = new_id(), cafe.total()
    process = run_command(cafe, "order", item, "--count", "40", "--json")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["accepted"] == 40
    eventually(lambda: cafe.ordered(item) == 40 and cafe.depth() == 0)
    assert cafe.total() == before + 40


def test_cafe_status_returns_the_current_total(cafe: System) -> None:
    eventually(lambda: cafe.depth() == 0)
    process = run_command(cafe, "status", "--json")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["metrics"][0]["count"] == cafe.total()
