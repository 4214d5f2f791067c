"""The order-status page as its users meet it, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from infra.site import WEB
from tests.browser.answers import answer, busy_morning, order, sync, unknown

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


# --- What the page shows ---


@pytest.mark.parametrize("path", ["/", "/order-status?from=mail"])
def test_it_is_served_at_both_addresses(board: Board, path: str) -> None:
    board.open(path)
    expect(board.page).to_have_title("0 today · Cafe orders")
    expect(board.page.get_by_role("heading", level=1)).to_have_text("Cafe orders")


def test_orders_and_counts_appear(board: Board) -> None:
    board.site.answer = answer(
        [order("a", "Latte", quantity=2), order("b", "Tea", customer_name="Mei")], total=48_213, today=184
    )
    board.open()
    expect(board.figure("Orders today")).to_have_text("184")
    expect(board.figure("All time")).to_have_text("48,213")
    expect(board.rows).to_have_text(["2LatteAsha12:00 22 Nov", "1TeaMei12:00 22 Nov"])
    expect(board.state).to_have_text("Live")
    expect(board.updated).to_have_text("updated 12:00:01")
    expect(board.notice).to_be_empty()


def test_the_table_can_be_read_by_a_screen_reader(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    table = board.page.get_by_role("table", name="The latest orders, newest first")
    expect(table.get_by_role("columnheader")).to_have_text(["Qty", "Item", "Customer", "Ordered"])
    expect(table.get_by_role("rowheader")).to_have_text(["Latte"])
    expect(table.locator("time")).to_have_attribute("datetime", "2026-11-22T12:00:00.000Z")


def test_times_are_local_to_the_viewer(board: Board) -> None:
    summer = order("a", created_at="2026-07-01T23:30:00+00:00")
    last_year = order("b", created_at="2025-12-31T23:30:00+00:00")
    board.site.answer = answer([summer, last_year])
    board.open()
    expect(board.rows).to_contain_text(["00:30 2 Jul", "23:30 31 Dec 2025"])


def test_the_way_of_an_order_is_shown(board: Board) -> None:
    figures = sync(
        waiting=12,
        in_flight=3,
        dead_lettered=1,
        rds_orders={"count": 1_005, "as_of": "2026-11-22T11:59:00+00:00"},
        dynamodb_orders=1_000,
        in_sync=False,
    )
    board.site.answer = answer([order("a")], sync=figures)
    board.open()
    expect(board.figure("Waiting")).to_have_text("12")
    expect(board.figure("In flight")).to_have_text("3")
    expect(board.figure("In RDS")).to_have_text("1,005")
    expect(board.figure("Counted")).to_have_text("1,000")
    expect(board.figure("In sync")).to_have_text("Not yet")
    expect(board.figure("Dead-lettered")).to_have_text("1")
    way = board.page.get_by_role("region", name="The way of an order")
    expect(way).to_contain_text("as of 11:59")
    expect(way).to_contain_text("5 apart")
    board.picture("trouble")


def test_stores_that_differ_with_nothing_under_way_are_not_in_sync(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(in_sync=False))
    board.open()
    expect(board.figure("In sync")).to_have_text("No")


def test_stores_that_agree_are_in_sync(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.figure("In sync")).to_have_text("Yes")


def test_stores_that_were_not_compared_yet_are_neither(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(in_sync=None))
    board.open()
    expect(board.figure("In sync")).to_have_text("–")
    expect(board.page.get_by_text("not compared yet")).to_be_visible()
    expect(board.page.get_by_text("not counted yet")).to_be_visible()


# --- Updates ---


def test_a_new_order_appears_without_a_reload(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.page.evaluate("window.marker = 'the same document'")
    board.site.answer = answer([order("b", "Tea"), order("a")])
    board.update()
    expect(board.rows).to_contain_text(["Tea", "Latte"])
    expect(board.figure("All time")).to_have_text("2")
    expect(board.updated).to_have_text("updated 12:00:03")
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


def test_nothing_is_touched_when_nothing_is_new(board: Board) -> None:
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(16)
    board.page.evaluate(
        """() => {
            const everything = { subtree: true, childList: true, characterData: true, attributes: true };
            const count = (records) => { window.changes += records.length; };
            window.changes = 0;
            new MutationObserver(count).observe(document.querySelector("main"), everything);
        }"""
    )
    board.update()
    expect(board.updated).to_have_text("updated 12:00:03")
    assert board.page.evaluate("window.changes") == 0


def test_new_orders_are_highlighted_and_the_first_ones_are_not(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    expect(board.page.locator("tr.new")).to_have_count(0)
    board.site.answer = answer([order("b", "Tea"), order("a")])
    board.update()
    expect(board.page.locator("tr.new")).to_contain_text(["Tea"])
    expect(board.page.locator("#announcement")).to_have_text("A new order")
    board.page.evaluate("document.getAnimations().forEach((animation) => animation.finish())")
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
        expect(board.page.locator("#announcement")).to_have_text("A new order")
    board.wait(20_000)
    board.update()
    expect(board.page.locator("#announcement")).to_have_text("2 new orders")


def test_one_question_at_a_time(board: Board) -> None:
    board.site.hold()
    board.open()
    board.wait(9_000)
    board.page.evaluate("for (const name of ['online', 'focus']) dispatchEvent(new Event(name))")
    board.set_hidden(False)
    assert board.site.questions == 1
    board.site.let_go()
    expect(board.state).to_have_text("Live")
    board.update()
    assert board.site.questions == 2
    assert board.site.most_at_once == 1


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_it_is_back(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.set_hidden(True)
    board.wait(60_000)
    assert board.site.questions == 1
    board.site.answer = answer([order("b"), order("a")])
    board.set_hidden(False)
    expect(board.rows).to_have_count(2)
    assert board.site.questions == 2


# --- Any text in a name ---


def test_hostile_names_stay_text(board: Board) -> None:
    board.site.answer = answer(
        [order(name, name, customer_name=name, quantity=1000) for name in HOSTILE], degraded=[HOSTILE[0]]
    )
    board.open()
    expect(board.rows).to_have_count(len(HOSTILE))
    assert board.page.locator("#rows tr td:nth-child(3)").all_text_contents() == HOSTILE
    assert board.page.locator("#rows tr th").all_text_contents() == HOSTILE
    expect(board.notice).to_contain_text(HOSTILE[0])
    expect(board.page.locator("img, script, style")).to_have_count(2)  # the page's own image and script
    board.picture("hostile")


def test_no_name_makes_the_page_scroll_sideways(board: Board) -> None:
    orders = [order(name, name, customer_name=name, quantity=1000) for name in HOSTILE]
    board.site.answer = answer(orders, total=123_456_789, today=9_999_999)
    board.open()
    expect(board.rows).to_have_count(len(HOSTILE))
    for width in (2560, 1280, 768, 360, 320):
        board.page.set_viewport_size({"width": width, "height": 800})
        assert board.page.evaluate("document.documentElement.scrollWidth") == width
    board.picture("hostile-phone")


# --- States ---


def test_the_first_load_moves_nothing(board: Board) -> None:
    board.site.answer = busy_morning()
    board.site.hold()
    board.open()
    expect(board.state).to_have_text("Loading")
    board.picture("loading")
    fixed = board.page.locator("h1, h2, dt, thead th")
    before = [part.bounding_box() for part in fixed.all()]
    board.site.let_go()
    expect(board.rows).to_have_count(16)
    moved = [part.bounding_box() for part in fixed.all()]
    assert [box and box["y"] for box in moved] == [box and box["y"] for box in before]


def test_no_orders_yet_says_what_to_do(board: Board) -> None:
    board.site.answer = answer([])
    board.open()
    expect(board.page.get_by_text("No orders yet")).to_be_visible()
    expect(board.page.get_by_text("cafe order Latte")).to_be_visible()
    expect(board.figure("Orders today")).to_have_text("0")
    board.picture("empty")
    board.site.answer = answer([order("a")])
    board.update()
    expect(board.rows).to_have_count(1)
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


def test_a_failing_api_is_said_and_what_is_known_stays(board: Board) -> None:
    board.site.answer = answer([order("a")], today=7)
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.unreachable = True
    board.fail()
    expect(board.state).to_contain_text("Next try")
    expect(board.notice).to_be_empty()  # one failure is no news
    board.fail(4_000)
    expect(board.notice).to_have_text(
        "The order service cannot be reached. "
        "What you see is from 12:00:01. This page keeps trying by itself."
    )
    expect(board.rows).to_have_count(1)
    expect(board.figure("Orders today")).to_have_text("7")
    board.picture("stale")

    board.site.unreachable = False
    board.site.answer = answer([order("b"), order("a")], today=8)
    board.update(8_000)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_be_empty()
    expect(board.figure("Orders today")).to_have_text("8")


def test_it_asks_less_and_less_often_while_it_fails(board: Board) -> None:
    board.site.unreachable = True
    board.open()
    expect(board.state).to_contain_text("Next try")
    for longest in (4_000, 8_000, 16_000, 30_000, 30_000):
        asked = board.site.questions
        board.wait(longest * 3 // 4 - 1)
        assert board.site.questions == asked
        board.fail(longest // 4 + 1)
        assert board.site.questions == asked + 1


def test_a_service_that_is_down_from_the_start_is_said_at_once(board: Board) -> None:
    board.site.unreachable = True
    board.open()
    expect(board.notice).to_have_text(
        "The order service cannot be reached. This page keeps trying by itself."
    )
    expect(board.updated).to_have_text("no figures yet")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


@pytest.mark.parametrize("status", [403, 503])
def test_an_error_is_named(board: Board, status: int) -> None:
    board.site.status = status
    board.open()
    expect(board.notice).to_contain_text(f"The order service reports an error ({status}).")


@pytest.mark.parametrize("body", ["", "<title>Login</title>", "null", '"text"', "{}"])
def test_an_answer_that_is_none_is_said(board: Board, body: str) -> None:
    board.site.answer = body
    board.open()
    expect(board.notice).to_contain_text("gave an answer that this page cannot read")


def test_a_cache_that_repeats_an_old_answer_is_noticed(board: Board) -> None:
    board.site.answer = answer([order("a")], generated_at="2026-11-22T12:00:00Z")
    board.open()
    expect(board.state).to_have_text("Live")
    for _ in range(10):
        board.wait(2_000)
    expect(board.notice).to_contain_text("repeats an old answer. What you see is from 12:00:01.")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("rds", "The order history (RDS) cannot be read right now."),
        ("dynamodb", "The counters (DynamoDB) cannot be read right now."),
        ("sqs", "The queue (SQS) cannot be read right now."),
        ("moon", "Moon cannot be read right now."),
    ],
)
def test_a_source_that_is_away_is_named(board: Board, source: str, words: str) -> None:
    board.site.answer = answer([order("a")], degraded=[source])
    board.open()
    expect(board.notice).to_contain_text(words)
    expect(board.state).to_have_text("Live, in part")


def test_what_was_known_before_a_source_went_away_stays_and_looks_old(board: Board) -> None:
    board.site.answer = answer([order("a")], total=9, today=7)
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.answer = unknown("rds", "dynamodb", "sqs")
    board.update()
    expect(board.notice).to_have_text(
        "The order history (RDS), the counters (DynamoDB), and the queue (SQS) cannot be read right now. "
        "What was known before stays here."
    )
    expect(board.rows).to_have_count(1)
    expect(board.figure("Orders today")).to_have_text("7")
    expect(board.figure("Orders today")).to_have_attribute("data-old", "true")
    expect(board.figure("In sync")).to_have_text("–")
    board.picture("degraded")


def test_nothing_known_is_no_zero(board: Board) -> None:
    board.site.answer = unknown("rds", "dynamodb", "sqs")
    board.open()
    expect(board.state).to_have_text("Live, in part")
    for name in ("Orders today", "All time", "Waiting", "In flight", "In RDS", "Counted", "Dead-lettered"):
        expect(board.figure(name)).to_have_text("–")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


def test_an_order_without_a_time_or_other_values_is_shown(board: Board) -> None:
    nothing = order("b", customer_name=None, item=None, quantity=None, created_at=None)
    board.site.answer = answer([order("a", created_at=None), nothing])
    board.open()
    expect(board.rows).to_have_text(["1LatteAsha– time unknown", "–––– time unknown"])


@pytest.mark.parametrize("nothing", [[], None])
def test_orders_that_cannot_be_read_are_not_orders_that_do_not_exist(
    board: Board, nothing: list[object] | None
) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.answer = answer([], degraded=["rds"], recent_orders=nothing)
    board.update()
    expect(board.rows).to_have_count(1)
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


# --- Looks ---


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_device_in_light_and_dark(board: Board, scheme: str) -> None:
    board.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(16)
    paper = {"light": "rgb(247, 241, 232)", "dark": "rgb(23, 18, 14)"}
    expect(board.page.locator("body")).to_have_css("background-color", paper[scheme])
    board.picture(scheme)


@pytest.mark.parametrize(
    ("name", "width", "height"), [("phone", 360, 740), ("tablet", 820, 1180), ("wall", 1920, 1080)]
)
def test_it_fits_a_phone_and_a_screen_on_the_wall(board: Board, name: str, width: int, height: int) -> None:
    board.page.set_viewport_size({"width": width, "height": height})
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(16)
    assert board.page.evaluate("document.documentElement.scrollWidth") == width
    expect(board.figure("Orders today")).to_be_in_viewport()
    board.picture(name)


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in WEB.iterdir()) < 30_000  # bytes, before compression
