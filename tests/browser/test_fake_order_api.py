"""The fake responses with which the screens are tested match docs/openapi.yaml."""

from __future__ import annotations

from tests import openapi
from tests.browser.fake_order_api import busy_order_api, track_response

SCHEMAS = openapi.read()["components"]["schemas"]


def test_the_fake_responses_match_the_documented_schemas() -> None:
    api = busy_order_api()
    api.add("D10", ago=9_000, delayed=True)
    status, changed = api.patch(
        "order-K51", {"state": "preparing"}, {"if-match": '"1"', "idempotency-key": "a"}
    )
    assert status == 200
    for name, response in (
        ("Kitchen", api.kitchen()),
        ("StaffOrder", {**api.orders["order-K44"], "history": api.history["order-K44"]}),
        ("StaffOrder", changed),
        ("Ready", api.numbers()),
        ("Track", track_response()),
    ):
        openapi.check_schema(response, SCHEMAS[name], closed=True)
