"""Generated requests to the API: responses conform to docs/openapi.yaml, without server errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import openapi
from tests.system import System
from tests.waiting import eventually

if TYPE_CHECKING:
    from schemathesis import Case


def test_responses_are_as_documented_and_accepted_orders_are_recorded(
    cafe: System, subtests: pytest.Subtests
) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    all_checks: list[Any] = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]

    def send(case: Case[Any]) -> None:
        response = case.call(base_url=cafe.outputs["api_url"])
        case.validate_response(response, checks=all_checks)
        if response.status_code == 202:
            eventually(lambda: cafe.is_recorded(response.json()["orderId"]))

    openapi.try_everything(send, subtests, examples=15)


@pytest.mark.parametrize("path", ["order-status", "menu"])
def test_an_unchanged_response_is_304_at_the_pages_origin(cafe: System, path: str) -> None:
    url = f"{cafe.outputs['page_url'].removesuffix('/order-status')}/prod/{path}"

    # Repeated, since the reconciler may change the response once a minute.
    def second_status() -> int:
        tag = cafe.http.get(url).headers["ETag"]
        return cafe.http.get(url, headers={"If-None-Match": tag}).status_code

    eventually(lambda: second_status() == 304)
