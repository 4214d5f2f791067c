"""The made-up answers that the screens are tested with are such as the API gives."""

from __future__ import annotations

from tests import openapi
from tests.browser.shop import busy_shop
from tests.browser.test_screens import progress

SCHEMAS = openapi.read()["components"]["schemas"]


def test_the_made_up_answers_are_as_the_api_describes_its_own() -> None:
    shop = busy_shop()
    shop.add("D10", ago=9_000, delayed=True)
    status, changed = shop.patch(
        "order-K51", {"state": "preparing"}, {"if-match": '"1"', "idempotency-key": "a"}
    )
    assert status == 200
    for name, answer in (
        ("Kitchen", shop.kitchen()),
        ("StaffOrder", {**shop.orders["order-K44"], "history": shop.history["order-K44"]}),
        ("StaffOrder", changed),
        ("Ready", shop.numbers()),
        ("Track", progress()),
    ):
        openapi.check_schema(answer, SCHEMAS[name], closed=True)
