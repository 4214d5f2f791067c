"""The order-status page as its users meet it, in a real browser: what it shows, and how it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.responses import answer, hourly, order

POLL = 1_000  # milliseconds between two questions

if TYPE_CHECKING:
    from tests.browser.conftest import Board

HOSTILE = [
    "<img src=x onerror=\"alert('ran')\">",
    "</td></tr></table><script>alert('ran')</script>",
    "<style>body { display: none }</style>",
    "javascript:alert('ran')",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)}",
    "abc\u202egnirts desrever\u202d\u2066",
    "W" * 100,
    "Z\u0351\u036b\u0343\u036a\u0302\u036b" * 12,
    "👩‍🍳🧑🏽‍🍳 ☕️ عمر 李雷",
    "  spaces  and\ttabs\nand lines  ",
]


def hostile_answer() -> dict[str, object]:
    """Return an answer with a hostile text wherever a text can be."""
    return answer(
        [order(name, name, customer_name=name, quantity=1000) for name in HOSTILE],
        total=123_456_789,
        today=9_999_999,
        degraded=[HOSTILE[0]],
        hourly=[{"hour": name, "count": number} for number, name in enumerate(HOSTILE)],
        top_items=[{"item": name, "quantity": 1_000_000} for name in HOSTILE[:5]],
    )


# --- What the page shows ---


@pytest.mark.parametrize("path", ["/", "/order-status?from=mail"])
def test_it_is_served_at_both_addresses(board: Board, path: str) -> None:
    board.open(path)
    expect(board.page).to_have_title("0 today · Cafe orders")
    expect(board.page.get_by_role("heading", level=1)).to_have_text("Cafe orders")


def test_orders_and_counts_appear(board: Board) -> None:
    orders = [order("a", "Latte", quantity=2), order("b", "Tea", customer_name="Mei")]
    board.site.answer = answer(orders, total=48_213, today=184)
    board.open()
    expect(board.figure("today")).to_have_text("184")
    expect(board.figure("total")).to_have_text("48,213")
    expect(board.rows).to_have_text(["2LatteAsha22 Nov, 12:00 now", "1TeaMei22 Nov, 12:00 now"])
    expect(board.state).to_have_text("Live")
    expect(board.updated).to_have_text("updated 12:00:01")
    expect(board.notice).to_be_empty()


def test_today_is_compared_with_yesterday(board: Board) -> None:
    board.open()
    expect(board.state).to_have_text("Live")
    compared = board.page.locator("#compared")
    for today, yesterday, trend, words in (
        (184, 161, "up", "23 more than yesterday at this time (161)"),
        (1, 1_161, "down", "1,160 fewer than yesterday at this time (1,161)"),
        (7, 7, "same", "as many as yesterday at this time"),
    ):
        board.site.answer = answer([], today=today, yesterday=yesterday)
        board.wait(POLL)
        expect(compared).to_have_text(words)
        expect(compared).to_have_attribute("data-trend", trend)


def test_without_yesterday_there_is_no_comparison(board: Board) -> None:
    board.site.answer = answer([], today=7, yesterday=None)
    board.open()
    expect(board.page.locator("#compared")).to_have_text("yesterday is unknown")


def test_the_table_can_be_read_by_a_screen_reader(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    table = board.page.get_by_role("table", name="The latest orders, newest first")
    expect(table.get_by_role("columnheader")).to_have_text(["Qty", "Item", "Customer", "Ordered"])
    expect(table.get_by_role("rowheader")).to_have_text(["Latte"])
    expect(table.locator("time")).to_have_attribute("datetime", "2026-11-22T12:00:00.000Z")


def test_times_are_the_cafes_wherever_the_screen_is(board: Board) -> None:
    summer = order("a", created_at="2026-07-01T23:30:00+00:00")
    last_year = order("b", created_at="2025-12-31T23:30:00+00:00")
    board.site.answer = answer([summer, last_year])
    board.open()
    expect(board.rows).to_contain_text(["2 Jul, 00:30", "31 Dec 2025, 23:30"])


def test_times_and_numbers_follow_the_settings(board: Board) -> None:
    board.site.settings |= {"locale": "en-US", "timeZone": "America/New_York"}
    old = order("b", created_at="2025-12-31T23:30:00+00:00")
    board.site.answer = answer([order("a"), old], total=1_234, hourly=hourly([3, 1]))
    board.open()
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
    expect(board.page.locator("#hours text.hour")).to_have_text(["12"])  # and not “12 Uhr”, for want of room
    expect(board.page.get_by_text("Times are in the time zone America/New York.")).to_be_visible()


def test_ages_grow_by_themselves(board: Board) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")])
    board.open()
    age = board.page.locator(".age")
    expect(age).to_have_text("now")
    board.page.clock.fast_forward(120_000)
    board.wait(1_000)
    expect(age).to_have_text("2 min ago")
    board.page.clock.fast_forward(46 * 3_600_000)
    expect(age).to_have_text("1 day ago")  # which was not yesterday


def test_times_go_by_the_servers_clock(board: Board) -> None:
    board.site.answer = answer([order("a", created_at="2026-11-22T14:00:00Z")])
    board.site.etags = True
    board.site.headers = {"Date": "Sun, 22 Nov 2026 14:04:55 GMT", "Age": "5"}
    board.open()  # on a device whose clock is two hours slow
    expect(board.page.locator(".age")).to_have_text("5 min ago")
    expect(board.updated).to_have_text("updated 14:05:00")
    board.site.headers = {"Date": "Sun, 22 Nov 2026 14:05:30 GMT"}
    board.page.clock.fast_forward(7_200_000)  # somebody puts it right
    expect(board.updated).to_have_text("updated 14:05:30")
    board.wait(1_000)
    expect(board.page.locator(".age")).to_have_text("5 min ago")


def test_without_names_there_is_no_column_for_them(board: Board) -> None:
    board.site.answer = answer([order("a", customer_name=""), order("b", customer_name="")])
    board.open()
    expect(board.rows).to_have_count(2)
    expect(board.page.get_by_role("columnheader", name="Customer")).to_be_hidden()
    board.site.answer = answer([order("c"), order("a", customer_name="")])
    board.update()
    expect(board.page.get_by_role("columnheader", name="Customer")).to_be_visible()


# --- Charts ---


def test_the_hours_are_drawn_and_told(board: Board) -> None:
    board.site.answer = answer([order("a")], hourly=hourly([0, 40, 10, 5]))
    board.open()
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


def test_what_is_ordered_most_is_a_list(board: Board) -> None:
    board.site.answer = answer(
        [order("a")], top_items=[{"item": "Latte", "quantity": 1_200}, {"item": "Tea", "quantity": 300}]
    )
    board.open()
    items = board.page.get_by_role("region", name="Most ordered").get_by_role("listitem")
    expect(items).to_have_text(["Latte1,200", "Tea300"])
    widths = items.locator("rect").evaluate_all("bars => bars.map((bar) => bar.getBBox().width)")
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)


def test_charts_without_figures_say_so(board: Board) -> None:
    board.site.answer = answer([], hourly=hourly([0, 0, 0]))
    board.open()
    expect(board.page.get_by_text("none in the last 24 hours")).to_be_visible()
    expect(board.page.get_by_text("Nothing in the last 24 hours.")).to_be_visible()


# --- Updates ---


def test_a_new_order_appears_without_a_reload(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.page.evaluate("window.marker = 'the same document'")
    board.site.answer = answer([order("b", "Tea"), order("a")])
    board.update()
    expect(board.rows).to_contain_text(["Tea", "Latte"])
    expect(board.figure("total")).to_have_text("2")
    expect(board.updated).to_have_text("updated 12:00:02")
    assert board.page.evaluate("window.marker") == "the same document"


def test_a_row_stays_the_same_element_wherever_it_moves(board: Board) -> None:
    board.site.answer = answer([order("a"), order("b"), order("c")])
    board.open()
    expect(board.rows).to_have_count(3)
    board.page.evaluate("window.before = [...document.querySelectorAll('#rows tr')]")
    board.site.answer = answer(
        [order("d", "Tea"), order("c"), order("a", customer_name="Asha K."), order("b")]
    )
    board.update()
    expect(board.rows).to_contain_text(["Tea", "Latte", "Asha K.", "Latte"])
    places = "before.map((row) => [...document.querySelectorAll('#rows tr')].indexOf(row))"
    assert board.page.evaluate(places) == [2, 3, 1]


@pytest.mark.parametrize("etags", [False, True])
def test_nothing_is_touched_when_nothing_is_new(board: Board, etags: bool) -> None:
    board.site.etags = etags
    orders = [order(str(number)) for number in range(20)]
    board.site.answer = answer(orders, hourly=hourly([1, 2]), top_items=[{"item": "Latte", "quantity": 1}])
    board.open()
    expect(board.rows).to_have_count(20)
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


def test_it_asks_for_what_is_new_only(board: Board) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.update()
    board.site.answer = answer([order("b"), order("a")])
    board.update()
    expect(board.rows).to_have_count(2)
    assert (board.site.questions, board.site.not_modified) == (3, 1)


def test_it_asks_less_often_after_a_while_without_a_change_and_at_once_again_after_one(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    for _ in range(25):
        board.update()
    questions = board.site.questions
    board.wait(POLL)
    assert board.site.questions == questions
    # Only the time of the last comparison moves.
    board.site.answer = answer(
        [order("a")], sync={"rds_orders": {"count": None, "as_of": "2026-03-02T11:59:00Z"}}
    )
    board.update(3 * POLL)
    board.site.answer = answer([order("b"), order("a")])
    board.update(4 * POLL)
    expect(board.rows).to_have_count(2)
    board.update()


def test_new_orders_are_highlighted_and_the_first_ones_are_not(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    expect(board.page.locator("tr.new")).to_have_count(0)
    board.site.answer = answer([order("b", "Tea"), order("a")])
    board.update()
    expect(board.page.locator("tr.new")).to_contain_text(["Tea"])
    expect(board.page.locator("#announcement")).to_have_text("A new order.")
    board.page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
    expect(board.page.locator("tr.new")).to_have_count(0)


def test_when_every_row_is_new_none_is_highlighted(board: Board) -> None:
    board.open()
    expect(board.page.locator("#empty")).to_be_visible()
    board.site.answer = answer([order("a")])
    board.update()
    expect(board.page.locator("tr.new")).to_have_count(1)  # the very first one is
    board.site.answer = answer([order(str(number)) for number in range(20)])
    board.update()
    expect(board.rows).to_have_count(20)
    expect(board.page.locator("tr.new")).to_have_count(0)


def test_a_highlight_does_not_move_for_those_who_asked_for_less_motion(board: Board) -> None:
    board.page.emulate_media(reduced_motion="reduce")
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.answer = answer([order("b"), order("a")])
    board.update()
    expect(board.page.locator("tr.new")).to_have_css("animation-timing-function", "steps(1)")


def test_a_screen_reader_hears_of_many_orders_at_once(board: Board) -> None:
    orders = [order("0")]
    board.site.answer = answer(orders)
    board.open()
    expect(board.rows).to_have_count(1)
    for number in range(1, 4):
        orders = [order(str(number)), *orders]
        board.site.answer = answer(orders)
        board.update()
        expect(board.rows).to_have_count(number + 1)
        expect(board.page.locator("#announcement")).to_have_text("A new order.")
    board.page.clock.fast_forward(20_000)
    expect(board.page.locator("#announcement")).to_have_text("2 new orders.")


def test_a_screen_reader_hears_the_same_words_again(board: Board) -> None:
    orders = [order("0")]
    board.site.answer = answer(orders)
    board.open()
    expect(board.rows).to_have_count(1)
    for number in (1, 2):
        board.site.answer = answer([order(str(number)), *orders])
        board.wait(POLL)
        expect(board.page.locator("#announcement")).to_have_text("A new order.")
        board.page.clock.fast_forward(11_000)
        expect(board.page.locator("#announcement")).to_be_empty()  # or else nothing would be new in it
        board.page.clock.fast_forward(11_000)
        expect(board.updated).to_have_text(f"updated 12:00:{1 + 23 * number}")


def test_the_row_under_a_pointer_does_not_slip_away(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.rows.first.hover()
    board.site.answer = answer([order("c", "Tea"), order("b", "Tea"), order("a")])
    board.update()
    expect(board.figure("total")).to_have_text("3")  # only the rows wait
    expect(board.rows).to_have_count(1)
    board.page.get_by_role("button", name="Show 2 newer").click()
    expect(board.rows).to_contain_text(["Tea", "Tea", "Latte"])
    expect(board.page.locator("#newer")).to_be_hidden()


def test_rows_wait_no_longer_than_their_reader(board: Board) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.rows.first.hover()
    board.site.answer = answer([order("b"), order("a")])
    board.update()
    expect(board.rows).to_have_count(1)
    board.wait(9_000)  # a pointer that lies still reads nothing
    expect(board.rows).to_have_count(2)


# --- Any text in any field ---


def test_hostile_texts_stay_texts(board: Board) -> None:
    board.site.answer = hostile_answer()
    board.open()
    expect(board.rows).to_have_count(len(HOSTILE))
    assert board.page.locator("#rows tr td.customer").all_text_contents() == HOSTILE
    assert board.page.locator("#rows tr th").all_text_contents() == HOSTILE
    assert board.page.locator("#items .item").all_text_contents() == HOSTILE[:5]
    assert board.page.locator("#hours-rows th").all_text_contents() == HOSTILE[::-1]
    expect(board.notice).to_contain_text(HOSTILE[0])
    expect(board.page.locator("img, script, style")).to_have_count(3)  # the page's own image and scripts
    board.picture("hostile")


@pytest.mark.parametrize("value", [None, "text", 7, [None], [{}]])
def test_fields_of_the_wrong_kind_break_nothing(board: Board, value: object) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    for field in ("metrics", "hourly", "top_items", "sync", "today", "degraded"):
        board.site.answer = answer([order(field), order("a")]) | {field: value}
        board.update()
        expect(board.page.locator("tbody#rows tr")).to_have_count(2)
