"""The command with an order status that is not public, and an API key for orders."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli import stack
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.stand_in import FakeApi, FakeAws, FakeFunctions, Reply

STATUS: dict[str, Any] = {"metrics": [{"metric": "TOTAL_ORDERS", "count": 7}], "recent_orders": []}
KEY = "k" * 32


@pytest.fixture(params=["login", "cidrs"])
def shut(
    request: pytest.FixtureRequest, api: FakeApi, dev: FakeAws, pulumi: Pulumi, functions: FakeFunctions
) -> FakeFunctions:
    """A stack whose status API refuses unsigned requests."""
    api.status = Reply(status=401, body={"message": "Sign in."})
    functions.status = {"statusCode": 200, "headers": {}, "body": json.dumps(STATUS)}
    access = {"dashboard_access": request.param, "status_function": "GetOrderStatusLambda-dev"}
    pulumi.prints(json.dumps(dev.outputs() | access))
    return functions


@pytest.mark.usefixtures("shut")
def test_the_status_is_read_from_the_function(cafe: Cafe, api: FakeApi) -> None:
    result = cafe("status", "--json", "--stack", "dev")
    assert (result.exit_code, json.loads(result.stdout)) == (0, STATUS)
    assert api.requests == []


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        ({"statusCode": 503, "body": '{"message": "Nothing is known."}'}, "returned 503: Nothing is known."),
        ({"statusCode": 500, "body": "{}"}, "returned 500: no message.\n"),
        (
            {"errorMessage": "Task timed out", "errorType": "E"},
            "GetOrderStatusLambda-dev failed: E: Task timed out. `cafe doctor` shows the cause.",
        ),
        ({"statusCode": 200, "body": "<html>"}, "did not return a status code with a JSON object.\n"),
        (None, "GetOrderStatusLambda-dev did not return"),
    ],
)
def test_an_invalid_response_of_the_function_is_reported(
    cafe: Cafe, shut: FakeFunctions, response: Any, sentence: str
) -> None:
    shut.status = response
    result = cafe("status", "--stack", "dev")
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("shut")
def test_the_doctor_calls_the_function_too(cafe: Cafe) -> None:
    result = cafe("doctor", "--json", "--stack", "dev")
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["api"]["state"] == "ok"
    assert found["api"]["detail"] == "GetOrderStatusLambda-dev is available"


def test_a_page_that_refuses_this_network_passes(
    cafe: Cafe, api: FakeApi, shut: FakeFunctions, dev: FakeAws
) -> None:
    api.page = Reply(status=403, body={"message": "Not your network."})
    result = cafe("verify", "--json", "--stack", "dev", "--timeout", "1")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    networks = stack.load("dev").outputs["dashboard_access"] == "cidrs"
    assert checks["page_served"]["ok"] is networks


def test_orders_are_sent_with_the_stacks_key(cafe: Cafe, api: FakeApi, dev: FakeAws, pulumi: Pulumi) -> None:
    pulumi.prints(json.dumps(dev.outputs() | {"orders_api_key": KEY}))
    result = cafe("order", "Tea", "--stack", "dev")
    assert result.exit_code == 0, result.output
    (order,) = api.orders
    assert order.headers["x-api-key"] == KEY
    assert KEY not in result.output


def test_no_key_is_sent_without_one(cafe: Cafe, api: FakeApi, dev: FakeAws) -> None:
    assert cafe("order", "Tea", "--stack", "dev").exit_code == 0
    assert "x-api-key" not in {name.lower() for name in api.orders[0].headers}


def test_the_api_key_is_not_in_the_repr(dev: FakeAws, pulumi: Pulumi) -> None:
    pulumi.prints(json.dumps(dev.outputs() | {"orders_api_key": KEY}))
    assert KEY not in repr(stack.load("dev"))
