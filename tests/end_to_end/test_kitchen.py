"""Order states: staff and operators change them; the customer and the counter's screen see them."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from cli.main import app as command
from tests.access import cognito
from tests.system import System
from tests.waiting import eventually

JSON = dict[str, Any]


@pytest.fixture(scope="module")
def staff(cafe: System) -> dict[str, str]:
    """Headers of the user that `make local` prints."""
    token = cognito.sign_in(cafe.stack, cafe.http, cognito.staff_app(cafe.stack))["access_token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def api(cafe: System) -> str:
    """The API at the page's address."""
    return cafe.outputs["page_url"].removesuffix("/order-status") + "/prod"


def placed(cafe: System, **more: object) -> JSON:
    """Place an order, and wait until it is recorded."""
    order: JSON = cafe.post({"item": "Latte", "quantity": 2, "customer_name": "Ada", **more}).json()
    eventually(lambda: cafe.is_recorded(order["orderId"]))
    return order


def cafe_command(cafe: System, *words: str) -> JSON:
    """Run a command, and return its JSON document."""
    where = ["--json", "--directory", str(cafe.stack.directory)]
    result = CliRunner().invoke(command, [*words, *where])
    assert result.exit_code == 0, result.output
    document: JSON = json.loads(result.stdout)
    return document


def test_staff_prepare_an_order_and_its_customer_sees_each_state(
    cafe: System, api: str, staff: dict[str, str]
) -> None:
    order = placed(cafe, note="oat milk")
    page, _, token = order["track_url"].partition("#")
    assert page == cafe.outputs["page_url"].replace("/order-status", "/track")

    def track() -> JSON:
        document: JSON = cafe.http.get(f"{api}/track", headers={"Track-Token": token}).json()
        return document

    kitchen = cafe.http.get(f"{api}/kitchen", headers=staff)
    assert kitchen.headers["Cache-Control"] == "no-store"
    (card,) = (each for each in kitchen.json()["orders"] if each["order_id"] == order["orderId"])
    assert (card["customer_name"], card["attributes"]["note"]) == ("Ada", "oat milk")
    assert (track()["state"], track()["number"]) == ("received", card["number"])

    version = card["version"]
    for state in ("preparing", "ready"):
        moved = cafe.http.patch(
            f"{api}/orders/{order['orderId']}",
            json={"state": state},
            headers={**staff, "If-Match": f'"{version}"', "Idempotency-Key": str(uuid.uuid4())},
        )
        assert moved.status_code == 200, moved.text
        version = moved.json()["version"]
        assert moved.headers["ETag"] == f'"{version}"'
        assert track()["state"] == state
        screen = cafe.http.get(f"{api}/ready").json()
        numbers = (
            screen["preparing"] if state == "preparing" else [each["number"] for each in screen["ready"]]
        )
        assert card["number"] in numbers
    item = cafe.item("orders_table", orderId=order["orderId"]) or {}
    assert (item["order_state"], item["state_version"]) == ("ready", str(version))


def test_a_barista_signs_in_and_the_customers_page_shows_a_tap(cafe: System, browser: Browser) -> None:
    assert cafe.stack.sign_in is not None
    order = placed(cafe, customer_name="Barista test")
    with browser.new_context() as context:
        errors: list[str] = []
        customer, kitchen = context.new_page(), context.new_page()
        for page in (customer, kitchen):
            page.on("pageerror", lambda error: errors.append(str(error)))
        customer.goto(order["track_url"])
        kitchen.goto(cafe.outputs["page_url"].replace("/order-status", "/kitchen"))
        kitchen.get_by_role("button", name="Sign in").click()
        kitchen.get_by_label("Username").fill(cafe.stack.sign_in["user"])
        kitchen.get_by_label("Password").fill(cafe.stack.sign_in["password"])
        kitchen.get_by_role("button", name="Sign in").click()
        number = cafe_command(cafe, "orders", "show", order["orderId"])["number"]
        kitchen.get_by_role("button", name=f"Start: {number} Barista test").click()
        expect(kitchen.get_by_role("button", name=f"Ready: {number} Barista test")).to_be_visible()
        expect(customer.get_by_text(number).first).to_be_visible()
        # By keyboard: a card that has just moved ignores taps for a moment.
        kitchen.get_by_role("button", name=f"Ready: {number} Barista test").press("Enter")
        expect(customer).to_have_title(re.compile("ready", re.IGNORECASE))
        assert errors == []


def test_a_change_of_an_old_version_is_refused_and_so_is_everybody_but_staff(
    cafe: System, api: str, staff: dict[str, str]
) -> None:
    order_id = placed(cafe)["orderId"]
    for base in (api, cafe.outputs["api_url"]):
        for user, headers in cognito.tokens_without_rights(cafe.stack, cafe.http).items():
            change = {**headers, "If-Match": '"1"'}
            refused = cafe.http.patch(f"{base}/orders/{order_id}", json={"state": "ready"}, headers=change)
            assert refused.status_code in {401, 403}, user
            assert cafe.http.get(f"{base}/kitchen", headers=headers).status_code in {401, 403}, user
    change = {**staff, "If-Match": '"7"'}
    outdated = cafe.http.patch(f"{api}/orders/{order_id}", json={"state": "ready"}, headers=change)
    assert (outdated.status_code, outdated.json()["order"]["state"]) == (412, "received")


def test_the_operator_changes_states_without_a_sign_in(cafe: System) -> None:
    order_id = placed(cafe)["orderId"]
    number = cafe_command(cafe, "orders", "show", order_id)["number"]
    assert cafe_command(cafe, "orders", "ready", number)["state"] == "ready"
    assert cafe_command(cafe, "orders", "recall", number)["state"] == "received"
    assert cafe_command(cafe, "orders", "cancel", order_id)["state"] == "cancelled"
    (*_, cancelled) = cafe_command(cafe, "orders", "show", order_id)["history"]
    assert (cancelled["from"], cancelled["to"], cancelled["actor"]) == ("received", "cancelled", "root")


def test_a_user_added_by_the_command_signs_in_with_the_given_role(cafe: System, api: str) -> None:
    email = f"{uuid.uuid4()}@cafe.example"
    added = cafe_command(cafe, "staff", "add", email, "--role", "manager")
    login = {"user": email, "password": added["password"]}
    app = cognito.staff_app(cafe.stack)
    tokens = cognito.sign_in(cafe.stack, cafe.http, app, login)
    renewed = cognito.refresh(cafe.stack, cafe.http, app, tokens["refresh_token"])
    for token in (tokens["access_token"], renewed["access_token"]):
        assert cognito.claims_of(token)["cognito:groups"] == ["manager"]
        headers = {"Authorization": f"Bearer {token}"}
        assert cafe.http.get(f"{api}/kitchen", headers=headers).status_code == 200
    cafe_command(cafe, "staff", "remove", email, "--yes")
