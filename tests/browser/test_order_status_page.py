"""The order-status page: what it shows, how it updates, and that any text stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import POLL
from tests.browser.responses import HOSTILE, hostile_status, hourly, order, order_status

if TYPE_CHECKING:
    from tests.browser.conftest import Board


# --- What the page shows ---


def test_the_page_is_served_at_both_paths(board: Board) -> None:
    for path in ("/", "/order-status?from=mail"):
        board.open(path)
        expect(board.page).to_have_title("0 today · Cafe orders")
        expect(board.page.get_by_role("heading", level=1)).to_have_text("Cafe orders")


def test_orders_and_counts_appear(board: Board) -> None:
    board.open_with(
        [order("a", "Latte", quantity=2), order("b", "Tea", customer_name="Mei")], total=48_213, today=184
    )
    expect(board.figure("today")).to_have_text("184")
    expect(board.figure("total")).to_have_text("48,213")
    expect(board.rows).to_have_text(["2LatteAsha22 Nov, 12:00 now", "1TeaMei22 Nov, 12:00 now"])
    expect(board.state).to_have_text("Live")
    expect(board.updated).to_have_text("updated 12:00:01")
    expect(board.notice).to_be_empty()
    for name, count in (("received", "4"), ("preparing", "2"), ("ready", "1")):
        expect(board.figure(name)).to_have_text(count)
    expect(board.page.get_by_role("link", name="Kitchen")).to_have_attribute("href", "/kitchen")


def test_today_is_compared_with_yesterday(board: Board) -> None:
    board.open_with([], today=7, yesterday=None)
    compared = board.page.locator("#compared")
    expect(compared).to_have_text("yesterday is unknown")
    for today, yesterday, trend, text in (
        (184, 161, "up", "23 more than yesterday at this time (161)"),
        (1, 1_161, "down", "1,160 fewer than yesterday at this time (1,161)"),
        (7, 7, "same", "as many as yesterday at this time"),
    ):
        board.receive([], today=today, yesterday=yesterday)
        expect(compared).to_have_text(text)
        expect(compared).to_have_attribute("data-trend", trend)


def test_a_screen_reader_can_read_the_table(board: Board) -> None:
    board.open_with([order("a")])
    table = board.page.get_by_role("table", name="The latest orders, newest first")
    expect(table.get_by_role("columnheader")).to_have_text(["Qty", "Item", "Customer", "Ordered"])
    expect(table.get_by_role("rowheader")).to_have_text(["Latte"])
    expect(table.locator("time")).to_have_attribute("datetime", "2026-11-22T12:00:00.000Z")


def test_times_and_numbers_have_the_cafes_format_whatever_the_devices(board: Board) -> None:
    summer = order("a", created_at="2026-07-01T23:30:00+00:00")
    last_year = order("b", created_at="2025-12-31T23:30:00+00:00")
    board.open_with([summer, last_year])
    expect(board.rows).to_contain_text(["2 Jul, 00:30", "31 Dec 2025, 23:30"])
    board.site.settings |= {"locale": "en-US", "timeZone": "America/New_York"}
    board.open_with([order("a"), last_year], total=1_234, hourly=hourly([3, 1]))
    expect(board.rows).to_contain_text(["Nov 22, 7:00\u202fAM", "Dec 31, 2025, 6:30\u202fPM"])
    cut_off = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length"
    one_line = "row => row.clientHeight < 2.5 * parseFloat(getComputedStyle(row).fontSize)"
    for width in (1920, 1280, 820, 360):
        board.resize(width, 800)
        assert board.page.locator("#rows td").evaluate_all(cut_off) == 0
        assert board.rows.first.evaluate(one_line) == (width > 360)
    expect(board.rows.first.locator("time")).to_have_js_property("textContent", "Nov 22, 7:00\u00a0AM")
    expect(board.page.locator("#hours text.hour")).to_have_text(["12\u202fPM"])
    board.site.settings |= {"locale": "de-DE"}
    board.open()
    expect(board.page.locator("#hours text.hour")).to_have_text(["12"])  # “12 Uhr” would be too long
    expect(board.page.get_by_text("Times are in the time zone America/New York.")).to_be_visible()


def test_the_age_of_an_order_grows(board: Board) -> None:
    board.site.etags = True
    board.open_with([order("a")])
    age = board.page.locator(".age")
    expect(age).to_have_text("now")
    board.page.clock.fast_forward(120_000)
    board.advance(1_000)
    expect(age).to_have_text("2 min ago")
    board.page.clock.fast_forward(46 * 3_600_000)
    expect(age).to_have_text("1 day ago")  # 46 hours: it was the day before yesterday


def test_times_follow_the_servers_clock(board: Board) -> None:
    board.site.etags = True
    board.site.headers = {"Date": "Sun, 22 Nov 2026 14:04:55 GMT", "Age": "5"}
    board.open_with([order("a", created_at="2026-11-22T14:00:00Z")])  # the device is two hours slow
    expect(board.page.locator(".age")).to_have_text("5 min ago")
    expect(board.updated).to_have_text("updated 14:05:00")
    board.site.headers = {"Date": "Sun, 22 Nov 2026 14:05:30 GMT"}
    board.page.clock.fast_forward(7_200_000)  # the device's clock is corrected
    expect(board.updated).to_have_text("updated 14:05:30")
    board.advance(1_000)
    expect(board.page.locator(".age")).to_have_text("5 min ago")


def test_the_column_of_customers_is_hidden_while_no_order_has_a_name(board: Board) -> None:
    board.open_with([order("a", customer_name=""), order("b", customer_name="")])
    expect(board.page.get_by_role("columnheader", name="Customer")).to_be_hidden()
    board.receive([order("c"), order("a", customer_name="")])
    expect(board.page.get_by_role("columnheader", name="Customer")).to_be_visible()


# --- Charts ---


def test_the_hours_are_shown_as_a_chart_and_as_a_table(board: Board) -> None:
    board.open_with([order("a")], hourly=hourly([0, 40, 10, 5]))
    chart = board.page.get_by_role("img", name="Orders per hour 55 in the last 24 hours, most at 10:00 (40)")
    expect(chart.locator("rect")).to_have_count(4)
    heights = chart.locator("rect").evaluate_all("bars => bars.map((bar) => bar.getBBox().height)")
    assert heights[0] == 0
    assert heights[1] == pytest.approx(8 * heights[3], rel=0.05)
    expect(chart.locator("rect").last).to_have_class("now")
    board.page.get_by_text("As a table").click()
    table = board.page.get_by_role("table", name="Orders per hour, the last 24 hours, the latest first")
    hours = ["22 Nov, 12:005", "22 Nov, 11:0010", "22 Nov, 10:0040", "22 Nov, 09:000"]
    expect(table.locator("tbody tr")).to_have_text(hours)
    board.receive([], hourly=hourly([0, 0, 0]))
    expect(board.page.get_by_text("none in the last 24 hours")).to_be_visible()


def test_the_most_ordered_items_are_a_list_with_bars(board: Board) -> None:
    board.open_with([order("a")])
    expect(board.page.get_by_text("Nothing in the last 24 hours.")).to_be_visible()
    top = [{"item": "Latte", "quantity": 1_200}, {"item": "Tea", "quantity": 300}]
    board.receive([order("a")], top_items=top)
    items = board.page.get_by_role("region", name="Most ordered").get_by_role("listitem")
    expect(items).to_have_text(["Latte1,200", "Tea300"])
    widths = items.locator("rect").evaluate_all("bars => bars.map((bar) => bar.getBBox().width)")
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)


# --- Updates ---


def test_a_new_order_appears_highlighted_without_a_reload(board: Board) -> None:
    board.open_with([order("a")])
    expect(board.page.locator("tr.new")).to_have_count(0)  # the first rows are not highlighted
    board.page.evaluate("window.marker = 'the same document'")
    board.receive([order("b", "Tea"), order("a")])
    expect(board.rows).to_contain_text(["Tea", "Latte"])
    expect(board.figure("total")).to_have_text("2")
    expect(board.updated).to_have_text("updated 12:00:02")
    assert board.page.evaluate("window.marker") == "the same document"
    expect(board.page.locator("tr.new")).to_contain_text(["Tea"])
    expect(board.announcement).to_have_text("A new order.")
    board.page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
    expect(board.page.locator("tr.new")).to_have_count(0)
    board.page.emulate_media(reduced_motion="reduce")
    board.receive([order("c"), order("b", "Tea"), order("a")])
    expect(board.page.locator("tr.new")).to_have_css("animation-timing-function", "steps(1)")


def test_a_row_stays_the_same_element_when_it_moves(board: Board) -> None:
    board.open_with([order("a"), order("b"), order("c")])
    board.page.evaluate("window.before = [...document.querySelectorAll('#rows tr')]")
    board.receive([order("d", "Tea"), order("c"), order("a", customer_name="Asha K."), order("b")])
    expect(board.rows).to_contain_text(["Tea", "Latte", "Asha K.", "Latte"])
    indexes = "before.map((row) => [...document.querySelectorAll('#rows tr')].indexOf(row))"
    assert board.page.evaluate(indexes) == [2, 3, 1]


@pytest.mark.parametrize("etags", [False, True])
def test_an_unchanged_response_changes_nothing_on_the_page(board: Board, etags: bool) -> None:
    board.site.etags = etags
    orders = [order(str(number)) for number in range(20)]
    board.open_with(orders, hourly=hourly([1, 2]), top_items=[{"item": "Latte", "quantity": 1}])
    board.page.evaluate(
        """() => {
            const everything = { subtree: true, childList: true, characterData: true, attributes: true };
            const count = (records) => { window.changes += records.length; };
            window.changes = 0;
            new MutationObserver(count).observe(document.querySelector("main"), everything);
        }"""
    )
    board.update()
    expect(board.updated).to_have_text("updated 12:00:02")
    assert board.page.evaluate("window.changes") == 0
    assert board.site.not_modified == (1 if etags else 0)
    board.receive([order("new"), *orders[:19]])
    expect(board.rows.first).to_have_class("new")
    assert board.site.status_requests == 3
    assert board.site.not_modified == (1 if etags else 0)


def test_polls_become_rare_after_a_while_without_a_change_and_frequent_again_after_one(board: Board) -> None:
    board.open_with([order("a")])
    for _ in range(25):
        board.update()
    requests = board.site.status_requests
    board.advance(POLL)
    assert board.site.status_requests == requests
    # Only the time of the last comparison changes.
    compared = {"rds_orders": {"count": None, "as_of": "2026-03-02T11:59:00Z"}}
    board.respond_with([order("a")], sync=compared)
    board.update(3 * POLL)
    board.respond_with([order("b"), order("a")])
    board.update(4 * POLL)
    expect(board.rows).to_have_count(2)
    board.update()


def test_no_row_is_highlighted_when_all_are_new(board: Board) -> None:
    board.open_with([])
    expect(board.page.locator("#empty")).to_be_visible()
    board.receive([order("a")])
    expect(board.page.locator("tr.new")).to_have_count(1)  # the very first order is
    board.receive([order(str(number)) for number in range(20)])
    expect(board.rows).to_have_count(20)
    expect(board.page.locator("tr.new")).to_have_count(0)


def test_a_screen_reader_announces_several_orders_together(board: Board) -> None:
    orders = [order("0")]
    board.open_with(orders)
    for number in range(1, 4):
        orders = [order(str(number)), *orders]
        board.receive(orders)
        expect(board.rows).to_have_count(number + 1)
        expect(board.announcement).to_have_text("A new order.")
    board.page.clock.fast_forward(20_000)
    expect(board.announcement).to_have_text("2 new orders.")


def test_a_screen_reader_announces_the_same_words_again(board: Board) -> None:
    board.open_with([order("0")])
    for number in (1, 2):
        board.respond_with([order(str(number)), order("0")])
        board.advance(POLL)
        expect(board.announcement).to_have_text("A new order.")
        board.page.clock.fast_forward(11_000)
        expect(board.announcement).to_be_empty()  # the same text twice would not be a change
        board.page.clock.fast_forward(11_000)
        expect(board.updated).to_have_text(f"updated 12:00:{1 + 23 * number}")


def test_a_row_under_the_pointer_stays_until_the_reader_asks_for_newer_ones(board: Board) -> None:
    board.open_with([order("a")])
    board.rows.first.hover()
    board.receive([order("c", "Tea"), order("b", "Tea"), order("a")])
    expect(board.figure("total")).to_have_text("3")  # only the rows are held back
    expect(board.rows).to_have_count(1)
    board.button("Show 2 newer").click()
    expect(board.rows).to_contain_text(["Tea", "Tea", "Latte"])
    expect(board.page.locator("#newer")).to_be_hidden()


def test_rows_are_held_back_only_while_the_pointer_moves(board: Board) -> None:
    board.site.etags = True
    board.open_with([order("a")])
    board.rows.first.hover()
    board.receive([order("b"), order("a")])
    expect(board.rows).to_have_count(1)
    board.advance(9_000)
    expect(board.rows).to_have_count(2)


# --- Any text in any field ---


def test_hostile_texts_stay_texts(board: Board) -> None:
    board.site.response = hostile_status()
    board.open()
    expect(board.rows).to_have_count(len(HOSTILE))
    assert board.page.locator("#rows tr td.customer").all_text_contents() == HOSTILE
    assert board.page.locator("#rows tr th").all_text_contents() == HOSTILE
    assert board.page.locator("#items .item").all_text_contents() == HOSTILE[:5]
    assert board.page.locator("#hours-rows th").all_text_contents() == HOSTILE[::-1]
    expect(board.notice).to_contain_text(HOSTILE[0])
    expect(board.page.locator("img, script, style")).to_have_count(3)  # the page's own image and scripts


def test_fields_of_the_wrong_type_are_ignored(board: Board) -> None:
    board.open_with([order("a")])
    values: list[object] = [None, "text", 7, [None], [{}]]
    for number, value in enumerate(values):
        for field in ("metrics", "hourly", "top_items", "sync", "today", "degraded"):
            board.site.response = order_status([order(f"{field}-{number}"), order("a")]) | {field: value}
            board.update()
            expect(board.rows).to_have_count(2)
