"""The made-up responses that the screens are tested with are as docs/openapi.yaml describes them."""

from __future__ import annotations

from tests import openapi
from tests.browser.fake_order_api import busy_shop
from tests.browser.test_screens import progress

SCHEMAS = openapi.read()["components"]["schemas"]


def test_the_made_up_responses_are_as_documented() -> None:
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
