"""The functions of staff and customers respond to any request as docs/openapi.yaml describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from orders.tokens import sign
from tests import openapi
from tests.unit.api import Api, TrackingKeys
from tests.unit.both_stores import orders

if TYPE_CHECKING:
    from schemathesis import Case


@pytest.fixture
def api(api: Api) -> Api:
    """The functions, with an order that requests may be about."""
    api.both.record(orders(1))
    return api


def test_all_responses_are_as_documented(api: Api, subtests: pytest.Subtests) -> None:
    def send(case: Case[Any]) -> None:
        if case.method.lower() not in openapi.read()["paths"][case.path]:
            return  # API Gateway refuses such a method.
        headers = {name: value for name, value in (case.headers or {}).items() if isinstance(value, str)}
        body = None
        if isinstance(case.body, dict | list | str | int | float | bool | type(None)):
            body = json.dumps(case.body)
        ids = {str((case.path_parameters or {}).get("id")), "o1"} if "{id}" in case.path else {None}
        for order_id in ids:
            # Valid requests, too; `Api` checks each response.
            known = {"If-Match": '"1"', "Track-Token": sign("o1", *TrackingKeys().current())}
            for sent in (headers, headers | known):
                response = api.call(case.method, case.path, "staff", order_id, body, sent)
                assert response.status < 500, response

    openapi.try_everything(send, subtests, examples=12, paths="^/(orders/|kitchen|ready|track)")
