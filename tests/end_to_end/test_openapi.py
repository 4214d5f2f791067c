"""The API, asked whatever clients may ask: its answers are those of docs/openapi.yaml, and none fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import openapi
from tests.cafe import Cafe
from tests.waiting import eventually

if TYPE_CHECKING:
    from schemathesis import Case


def test_answers_are_as_documented_and_what_is_accepted_is_recorded(
    cafe: Cafe, subtests: pytest.Subtests
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
        answer = case.call(base_url=cafe.outputs["api_url"])
        case.validate_response(answer, checks=all_checks)
        if answer.status_code == 202:
            eventually(lambda: cafe.is_recorded(answer.json()["orderId"]))

    openapi.try_everything(send, subtests, examples=15)


@pytest.mark.parametrize("path", ["order-status", "menu"])
def test_who_has_the_answer_already_is_told_so_at_the_pages_origin(cafe: Cafe, path: str) -> None:
    url = f"{cafe.outputs['page_url'].removesuffix('/order-status')}/prod/{path}"

    # Once a minute something may be new: what the reconciler found.
    def status_of_the_second_answer() -> int:
        tag = cafe.http.get(url).headers["ETag"]
        return cafe.http.get(url, headers={"If-None-Match": tag}).status_code

    eventually(lambda: status_of_the_second_answer() == 304)
