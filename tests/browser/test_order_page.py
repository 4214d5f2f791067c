"""The page on which a customer places an order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.responses import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import Board


@pytest.fixture
def form(board: Board) -> Board:
    """The page with its menu."""
    board.open("/order")
    expect(board.page.get_by_label("Latte")).to_be_visible()
    return board


def send(board: Board) -> None:
    """Press the button that places the order."""
    board.button("Place the order").click()


def alert(board: Board) -> Locator:
    """The sentence about an error that belongs to no field."""
    return board.page.get_by_role("alert")


def thanks(board: Board) -> Locator:
    """The heading that is shown once the order is accepted."""
    return board.page.get_by_role("heading", name="Thank you, your order is placed")


def keys(board: Board) -> list[str]:
    """Return the idempotency key of each request."""
    return [headers["idempotency-key"] for _, headers in board.site.orders]


def test_an_accepted_order_shows_its_id(form: Board) -> None:
    expect(form.page).to_have_title("Place an order · Cafe orders")
    form.page.get_by_label("Latte").check()
    form.button("One more").click()
    expect(form.page.get_by_text("Total 10")).to_be_visible()
    form.page.get_by_label("Your name").fill("  Ada Lovelace ")
    send(form)
    expect(thanks(form)).to_be_focused()
    expect(form.page.get_by_text("3f2a9c04-7d1e-4b6a")).to_be_visible()
    expect(form.page.get_by_text("2 × Latte")).to_be_visible()
    expect(form.page.get_by_role("link", name="See all orders")).to_have_attribute("href", "/order-status")
    [(order, headers)] = form.site.orders
    assert order == {"item": "Latte", "quantity": 2, "customer_name": "Ada Lovelace"}
    assert headers["content-type"] == "application/json"
    assert len(headers["idempotency-key"]) == 32
    assert "x-api-key" not in headers


def test_an_order_is_placed_by_keyboard_alone(form: Board) -> None:
    for key in ("Tab", "Tab", "ArrowDown", "Enter"):
        form.page.keyboard.press(key)
    expect(thanks(form)).to_be_focused()
    assert form.site.orders[0][0]["item"] == "Latte"


def test_the_next_order_has_another_key_the_same_name_and_the_current_menu(form: Board) -> None:
    form.page.get_by_label("Your name").fill("Ada")
    for form.site.menu_status, form.site.menu in ((200, {"menu": [{"item": "Chai", "price": 4}]}), (503, {})):
        form.page.get_by_role("radio").first.check()
        with form.page.expect_response("**/menu"):
            send(form)
        expect(form.page.locator("#menu .item").first).to_have_text("Chai")
        form.button("Another order").click()
        expect(form.page.get_by_label("Chai")).to_be_focused()
        expect(form.page.get_by_label("Chai")).not_to_be_checked()
        expect(form.page.get_by_label("Your name")).to_have_value("Ada")
        expect(form.page.get_by_text("The menu cannot be read")).to_be_hidden()
    assert len(set(keys(form))) == 2


def test_an_order_that_is_sent_again_has_the_same_key(form: Board) -> None:
    form.page.get_by_label("Tea").check()
    form.site.unreachable = True
    send(form)
    expect(alert(form)).to_have_text(
        "The cafe cannot be reached. Please send the order again: it is counted once."
    )
    form.site.unreachable = False
    send(form)
    expect(thanks(form)).to_be_visible()
    assert len(keys(form)) == 2
    assert len(set(keys(form))) == 1


def test_an_order_that_was_changed_after_a_lost_response_gets_a_new_key_when_it_is_sent_once_more(
    form: Board,
) -> None:
    form.page.get_by_label("Tea").check()
    form.site.unreachable = True
    send(form)
    expect(alert(form)).to_contain_text("Please send the order again")
    form.site.unreachable = False
    form.page.get_by_label("Latte").check()
    form.site.order_response_status, form.site.order_response = 422, {"message": "This key was used."}
    send(form)
    expect(alert(form)).to_have_text(
        "The order that you sent before may have been placed. "
        "To place this one as well, please send it again."
    )
    form.site.order_response_status, form.site.order_response = 202, {"orderId": "o-2"}
    send(form)
    expect(form.page.get_by_text("o-2")).to_be_visible()
    first, second, third = keys(form)
    assert first == second != third


def test_two_clicks_send_one_order(form: Board) -> None:
    form.page.get_by_label("Tea").check()
    form.site.hold_responses()
    send(form)
    expect(form.button("Sending …")).to_be_disabled()
    form.page.get_by_label("Your name").press("Enter")
    form.site.release_responses()
    expect(thanks(form)).to_be_visible()
    assert len(form.site.orders) == 1


def test_an_error_is_shown_at_its_field_until_the_field_is_corrected(form: Board) -> None:
    quantity = form.page.get_by_label("How many?")
    quantity.fill("0")
    send(form)
    expect(form.page.get_by_label("Coffee")).to_be_focused()  # the first invalid field
    expect(form.page.get_by_role("group", name="What would you like?")).to_have_accessible_description(
        "Please choose something."
    )
    expect(quantity).to_have_attribute("aria-invalid", "true")
    expect(quantity).to_have_accessible_description("Please enter a number from 1 to 1,000.")
    form.page.get_by_label("Tea").check()
    expect(form.page.get_by_text("Please choose something.")).to_be_hidden()
    expect(form.page.locator('#menu [aria-invalid="true"]')).to_have_count(0)
    form.button("One more").click()
    expect(quantity).to_have_value("1")
    expect(quantity).to_have_attribute("aria-invalid", "false")
    expect(form.page.locator("#quantity-wrong")).to_be_empty()
    for text in ("1001", "1.5", "-1", "two", ""):
        quantity.fill(text)
        send(form)
        expect(quantity).to_be_focused()
    assert form.site.orders == []
    quantity.fill("1000")
    send(form)
    expect(thanks(form)).to_be_visible()


def test_the_errors_of_the_api_are_shown_at_their_fields_or_as_an_alert(form: Board) -> None:
    form.page.get_by_label("Tea").check()
    responses: list[tuple[int, dict[str, str] | str, str]] = [
        (413, {"message": "The body must not be larger."}, "The body must not be larger."),
        (429, {"message": "Throttled"}, "Too many orders at once: please try again in a moment."),
        (503, "<html>", "could not be placed (503). Please send it again: it is counted once."),
        (202, "not JSON", "could not be placed (202)"),
    ]
    for form.site.order_response_status, form.site.order_response, text in responses:
        send(form)
        expect(alert(form)).to_contain_text(text)
        expect(form.button("Place the order")).to_be_enabled()
    form.site.order_response_status = 400
    form.site.order_response = {
        "message": "Invalid order.",
        "errors": {"customer_name": HOSTILE[0], "orderId": "The number is wrong."},
    }
    send(form)
    name = form.page.get_by_label("Your name")
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(HOSTILE[0])
    expect(alert(form)).to_have_text("The number is wrong.")


def test_an_item_that_is_not_on_the_menu_can_be_typed(form: Board) -> None:
    form.page.get_by_role("radio", name="Something else").check()
    other = form.page.get_by_role("textbox", name="Something else")
    expect(other).to_be_focused()
    send(form)
    expect(other).to_have_accessible_description("Please type what you would like.")
    other.fill("Masala chai")
    send(form)
    expect(form.page.get_by_text("1 × Masala chai")).to_be_visible()
    assert form.site.orders[0][0] == {"item": "Masala chai", "quantity": 1}


def test_without_a_menu_the_item_is_typed(board: Board) -> None:
    for board.site.menu_status, board.site.menu, text in (
        (503, {}, "The menu is not available: type what you would like."),
        (200, "not JSON", "The menu is not available: type what you would like."),
        (200, {"menu": []}, "There is no menu yet: type what you would like."),
    ):
        board.open("/order")
        expect(board.page.get_by_text(text)).to_be_visible()
    board.page.get_by_role("textbox", name="Something else").fill("Latte")
    send(board)
    expect(board.page.get_by_text("1 × Latte")).to_be_visible()


def test_a_hostile_menu_stays_text(board: Board) -> None:
    board.site.menu = {"menu": [{"item": text, "price": 1} for text in HOSTILE] + [None, {"price": 2}]}
    board.open("/order")
    names = board.page.locator("#menu .item")
    expect(names).to_have_count(len(HOSTILE) + 1)
    assert names.all_text_contents() == [*HOSTILE, "Something else"]
    expect(board.page.locator("img, script, style")).to_have_count(2)
    board.page.locator("#menu input").first.check()
    send(board)
    expect(board.page.get_by_text(f"1 × {HOSTILE[0]}")).to_be_visible()


def test_an_api_key_is_required_if_the_setting_is_on(board: Board) -> None:
    board.site.settings["ordersApiKey"] = True
    board.open("/order")
    board.page.get_by_label("Tea").check()
    send(board)
    key = board.page.get_by_label("API key")
    expect(key).to_have_accessible_description("Please enter the cafe’s API key.")
    key.fill("wrong")
    board.site.order_response_status, board.site.order_response = 403, {"message": "Forbidden"}
    send(board)
    expect(key).to_have_accessible_description("This API key is not valid.")
    key.fill("right")
    board.site.order_response_status, board.site.order_response = 202, {"orderId": "o-1"}
    send(board)
    expect(board.page.get_by_text("o-1")).to_be_visible()
    assert board.site.orders[-1][1]["x-api-key"] == "right"
