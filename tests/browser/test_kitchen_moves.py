"""Moves on the kitchen's screen: taps, other screens, cancellations, and a lost network."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.kitchen import HOLD, POLL
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.browser.kitchen import Kitchen


def test_an_order_is_moved_by_taps_undone_and_brought_back(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", "Latte", quantity=2, attributes={"note": "oat milk", "table_number": 7})
    kitchen.api.add("K43", "Tea", ago=10)
    kitchen.open()
    expect(kitchen.card("K42")).to_contain_text("2 × Latte")
    expect(kitchen.card("K42").locator(".notes")).to_have_text("note oat milktable number 7")
    expect(kitchen.page.locator("#to-make")).to_have_text("Latte 2, Tea 1 still to make")
    expect(kitchen.page).to_have_title("2 to make · Kitchen")

    kitchen.board.site.hold_responses()
    kitchen.card("K42").dblclick()
    expect(kitchen.card("K42")).to_have_attribute("data-pending", "true")
    kitchen.board.button("More for K42 Asha").click()
    kitchen.board.button("Straight to “Collected”: K42 Asha").click()
    expect(kitchen.numbers("received")).to_have_text(["K42", "K43"])  # a card moves once it is confirmed
    kitchen.board.site.release_responses()
    expect(kitchen.bar).to_have_text("K42 Asha: Making")
    expect(kitchen.card("K42")).to_have_attribute("data-moved", "true")  # it stays under the finger for now
    kitchen.tap("K42")
    kitchen.advance(HOLD)
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    assert kitchen.targets == ["preparing"]
    [(_, body, headers)] = kitchen.api.patches
    assert body == {"state": "preparing"}
    assert headers["if-match"] == '"1"'
    assert len(headers["idempotency-key"]) == 36

    kitchen.board.button("Undo: back to “To make”").click()
    expect(kitchen.numbers("received")).to_have_text(["K42", "K43"])
    expect(kitchen.bar).to_have_text("K42 Asha: To make")

    kitchen.fast_forward(13_000)
    expect(kitchen.bar).to_be_empty()
    kitchen.board.button("More for K42 Asha").click()
    kitchen.board.button("Straight to “Collected”: K42 Asha").click()
    expect(kitchen.bar).to_have_text("K42 Asha: Collected")
    kitchen.board.button("Recently done").click()
    drawer = kitchen.page.get_by_role("dialog", name="Recently done")
    expect(drawer.get_by_role("listitem")).to_have_text(
        ["K42 Asha 2 × Latte Collected 12:00Back to “To make”"]
    )
    drawer.get_by_role("button", name="Back to “To make”: K42 Asha").click()
    expect(kitchen.bar).to_have_text("K42 Asha: To make")
    drawer.get_by_role("button", name="Close").click()
    assert kitchen.targets == ["preparing", "received", "collected", "received"]
    versions = [change["version"] for change in kitchen.api.history["order-K42"]]
    assert versions == sorted(set(versions))


def test_a_move_without_a_response_is_sent_again_and_an_older_response_changes_nothing(
    kitchen: Kitchen,
) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.api.responses_to_lose = 2
    with kitchen.page.expect_event("requestfailed"):
        kitchen.tap("K42")
    expect(kitchen.card("K42")).to_have_attribute("data-pending", "true")
    with kitchen.page.expect_event("requestfailed"):
        kitchen.board.advance(500)
    with kitchen.page.expect_request("**/orders/*"):
        kitchen.board.advance(1_500)
    expect(kitchen.bar).to_have_text("K42 Asha: Making")
    assert len(kitchen.api.history["order-K42"]) == 1
    assert len({headers["idempotency-key"] for _, _, headers in kitchen.api.patches}) == 1

    kitchen.advance()
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    current = kitchen.api.orders["order-K42"]
    kitchen.api.orders["order-K42"] = {**current, "state": "received", "version": 1}
    kitchen.advance()  # an older version of the order, such as a cache's
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    kitchen.api.orders = {}
    kitchen.api.now -= timedelta(minutes=1)
    with kitchen.page.expect_response("**/kitchen"):
        kitchen.board.advance(POLL)  # a whole response that is older
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    kitchen.api.now += timedelta(minutes=1)
    kitchen.advance()
    expect(kitchen.numbers("preparing")).to_have_count(0)


def test_the_response_to_an_earlier_request_undoes_no_move_of_this_screen(kitchen: Kitchen) -> None:
    delayed = kitchen.api.add("K40", ago=9_000, delayed=True)
    recalled = kitchen.api.add("K41", state="collected", version=2)
    earlier = kitchen.api.kitchen()
    moves = [{**delayed, "state": "preparing", "version": 2}, {**recalled, "state": "received", "version": 3}]
    kitchen.board.open("/favicon.svg")
    columns = kitchen.page.evaluate(
        """async ([earlier, moves]) => {
            const { Kitchen } = await import(`${location.origin}/kitchen-orders.js`);
            const kitchen = new Kitchen();
            kitchen.take(earlier, 0);
            for (const order of moves) kitchen.confirm(order, 20);
            kitchen.take(earlier, 10); // requested before the moves
            const lists = [kitchen.delayed, kitchen.column("received"), kitchen.column("preparing")];
            return lists.map((orders) => orders.map(({ number }) => number));
        }""",
        [earlier, moves],
    )
    assert columns == [[], ["K41"], ["K40"]]


def test_an_order_whose_id_is_a_path_segment_is_moved(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", order_id="..")
    kitchen.open()
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text("K42 Asha: Making")


def test_a_move_that_the_api_refuses_is_reported_and_undone(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.api.move("K42", "ready")
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text("K42 Asha was not moved: another screen moved it: Ready.")
    kitchen.advance()
    expect(kitchen.numbers("ready")).to_have_text(["K42"])
    for status, text in (
        (403, "your account may not do this; ask a manager"),
        (404, "it is not recorded yet, or no longer exists"),
        (400, "No"),
    ):
        kitchen.board.site.status = status
        kitchen.tap("K42")
        expect(kitchen.bar).to_have_text(f"K42 Asha was not moved: {text}.")
    kitchen.board.site.status = 200
    expect(kitchen.numbers("ready")).to_have_text(["K42"])


def test_a_card_does_not_move_while_it_is_touched(kitchen: Kitchen) -> None:
    for number, ago in (("K41", 90), ("K42", 60), ("K43", 30)):
        kitchen.api.add(number, ago=ago)
    kitchen.open()
    box = kitchen.card("K43").bounding_box()
    assert box
    kitchen.page.mouse.move(box["x"] + 30, box["y"] + 30)
    kitchen.page.mouse.down()
    kitchen.api.move("K41", "preparing")
    kitchen.api.add("K44", ago=0)
    kitchen.api.add("K40", ago=1_000_000, delayed=True)
    kitchen.advance()
    expect(kitchen.numbers("received")).to_have_text(
        ["K41", "K42", "K43", "K44"]
    )  # a new card is added below
    expect(kitchen.page.locator(".new .number")).to_have_text(["K44"])
    assert kitchen.card("K43").bounding_box() == box
    kitchen.page.mouse.up()
    expect(kitchen.bar).to_have_text("K43 Asha: Making")
    assert kitchen.targets == ["preparing"]
    assert kitchen.api.patches[0][0] == "order-K43"
    assert kitchen.card("K43").bounding_box() == box
    kitchen.advance(HOLD)
    expect(kitchen.numbers("received")).to_have_text(["K42", "K44"])
    expect(kitchen.page.get_by_role("region", name="Delayed: check first")).to_contain_text("K40")
    # A card that has just moved under the finger ignores a tap.
    kitchen.tap("K42")
    assert kitchen.targets == ["preparing"]
    kitchen.advance(500)
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text("K42 Asha: Making")


def test_an_order_is_cancelled_with_a_reason_by_keyboard_and_focus_is_kept(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", state="preparing")
    kitchen.api.add("K43", state="preparing", ago=10)
    kitchen.open()
    keyboard = kitchen.page.keyboard
    kitchen.board.button("More for K42 Asha").focus()
    keyboard.press("Enter")
    sheet = kitchen.page.get_by_role("dialog", name="K42 Asha")
    expect(sheet.get_by_role("heading")).to_be_focused()
    sheet.get_by_role("button", name="Cancel the order").click()
    expect(sheet.get_by_role("alert")).to_have_text("Please give a reason.")
    expect(sheet.get_by_label("Sold out")).to_be_focused()
    sheet.get_by_label("Another reason").check()
    expect(sheet.get_by_label("The reason")).to_be_focused()
    keyboard.type("The oven is broken")
    keyboard.press("Enter")
    expect(kitchen.bar).to_have_text("K42 Asha: Cancelled")
    assert kitchen.api.patches[0][1] == {"state": "cancelled", "reason": "The oven is broken"}
    expect(kitchen.numbers("preparing")).to_have_text(["K43"])  # this screen cancelled it itself
    expect(kitchen.board.button("Undo: back to “Making”")).to_be_visible()
    next_card = kitchen.board.button("Ready: K43 Asha")
    next_card.focus()
    keyboard.press("Enter")
    expect(kitchen.numbers("ready")).to_have_text(["K43"])
    expect(kitchen.board.button("Collected: K43 Asha")).to_be_focused()


def test_an_order_that_another_screen_collects_offers_no_cancellation(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", state="ready")
    kitchen.open()
    kitchen.page.locator("#ready-title").click()  # a touch holds all cards for a moment
    kitchen.api.move("K42", "collected")
    kitchen.board.set_hidden(False)  # polls without moving the clock
    expect(kitchen.card("K42")).to_have_attribute("data-moved", "true")
    kitchen.board.button("More for K42 Asha").click()
    sheet = kitchen.page.get_by_role("dialog")
    expect(sheet).to_contain_text("Collected since 12:00")
    expect(sheet.get_by_role("button", name="Back to “Ready”: K42 Asha")).to_be_visible()
    expect(sheet.get_by_role("button", name="Cancel the order")).to_be_hidden()


def test_offline_the_cards_stay_and_a_move_is_refused(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.board.set_offline(True)
    banner = (
        "This device is offline. The orders are as of 12:00:01, "
        "and cannot be moved until the screen is connected again."
    )
    expect(kitchen.bar).to_have_text(banner)
    expect(kitchen.board.state).to_have_text("Offline")
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text(f"K42 Asha was not moved. {banner}")
    expect(kitchen.numbers("received")).to_have_text(["K42"])
    assert kitchen.api.patches == []
    kitchen.board.set_offline(False)
    expect(kitchen.board.state).to_have_text("Live")
    expect(kitchen.bar).to_have_text("K42 Asha was not moved.")
    kitchen.fast_forward(10_000)
    expect(kitchen.bar).to_be_empty()
    kitchen.board.site.status = 503
    text = "The order service reports an error (503). The orders are as of"

    def is_reported() -> bool:
        kitchen.board.advance(1_000)
        return text in (kitchen.bar.text_content() or "")

    eventually(is_reported)
