"""The API, asked whatever clients may ask: its answers are those of docs/openapi.yaml, and none fails."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import openapi
from tests.cafe import Cafe
from tests.waiting import eventually

API = schemathesis.openapi.from_path(str(openapi.DOCUMENT))
# Of each kind, for each operation; besides the edges of every field, which are always tried.
EXAMPLES = 15
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@API.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_answers_are_as_documented_and_what_is_accepted_is_recorded(cafe: Cafe, case: Case[Any]) -> None:
    answer = case.call(base_url=cafe.outputs["api_url"])
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code == 202:
        eventually(lambda: cafe.is_recorded(answer.json()["orderId"]))


@pytest.mark.parametrize("path", ["order-status", "menu"])
def test_who_has_the_answer_already_is_told_so_at_the_pages_origin(cafe: Cafe, path: str) -> None:
    url = f"{cafe.outputs['page_url'].removesuffix('/order-status')}/prod/{path}"

    # Once a minute something may be new: what the reconciler found.
    def status_of_the_second_answer() -> int:
        tag = cafe.http.get(url).headers["ETag"]
        return cafe.http.get(url, headers={"If-None-Match": tag}).status_code

    eventually(lambda: status_of_the_second_answer() == 304)
