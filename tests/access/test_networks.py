"""With limited networks, the order status is served through CloudFront's guard only."""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from cli.main import app as command
from infra import access
from tests.access.conftest import Visitor
from tests.chromium import launch
from tests.local_stack import LocalStack

# Protected paths in several spellings, some of which the API accepts.
SPELLINGS = [
    "/prod/order-status",
    "/prod/order-status/",
    "/prod/order-status?x=1",
    "/prod/order%2Dstatus",
    "/prod/order%2dstatus",
    "/%70rod/order-status",
    "/prod//order-status",
    "//prod/order-status",
    "/prod/./order-status",
    "/prod/menu/../order-status",
    "/prod/ORDER-STATUS",
    "/prod/kitchen",
    "/kitchen",
    "/prod/orders/7f4df1a3",
    "/prod/orders/",
    "/prod/orders%2F7f4df1a3",
    "/prod/track/",
    "/order-status",
    "/",
]


def test_a_listed_network_gets_the_page_and_the_status(inside: Visitor) -> None:
    assert [inside.get(path).status_code for path in ("/", "/order-status", "/prod/order-status")] == [
        200
    ] * 3


@pytest.mark.parametrize("path", SPELLINGS)
def test_another_network_is_refused_in_every_spelling_of_the_path(outside: Visitor, path: str) -> None:
    response = outside.get(path)
    assert response.status_code == 403
    assert response.json() == {"message": "The order status and the kitchen are not open to your network."}


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "CloudFront-Viewer-Address", "True-Client-IP"]
)
def test_a_header_with_an_address_is_ignored(outside: Visitor, header: str) -> None:
    assert outside.get("/prod/order-status", **{header: "127.0.0.1"}).status_code == 403


def test_the_apis_own_address_refuses_everybody(inside: Visitor, networks_stack: LocalStack) -> None:
    url, key = networks_stack.outputs["order_status_url"], networks_stack.outputs["orders_api_key"]
    for headers in ({}, {"x-origin-secret": "guessed"}, {"x-origin-secret": key}, {"x-api-key": key}):
        response = inside.http.get(url, headers=headers)
        assert response.status_code == 403
        assert list(response.json()) == ["message"]


def test_the_menu_and_the_order_form_are_open_to_every_network(outside: Visitor) -> None:
    assert outside.get("/prod/menu").status_code == 200
    assert outside.get("/config.js").status_code == 200


def test_orders_require_the_api_key(outside: Visitor, networks_stack: LocalStack) -> None:
    order = {"item": "Tea", "quantity": 1}
    key = {"x-api-key": networks_stack.outputs["orders_api_key"]}
    for url in (f"{outside.origin}/prod/orders", networks_stack.outputs["orders_url"]):
        for headers in ({}, {"x-api-key": "guessed-guessed-guessed"}):
            refused = outside.http.post(url, json=order, headers=headers)
            assert refused.status_code == 403
            assert "x-api-key" in refused.json()["message"]
        assert outside.http.post(url, json=order, headers=key).status_code == 202
        own = outside.http.post(url, json={**order, "orderId": "O-1234"}, headers=key)
        assert (own.status_code, own.json()["orderId"]) == (202, "O-1234")


def test_the_operator_needs_neither_a_listed_network_nor_the_key(networks_stack: LocalStack) -> None:
    where = ["--directory", str(networks_stack.directory)]
    placed = CliRunner().invoke(command, ["order", "Latte", "--json", *where])
    assert json.loads(placed.stdout)["accepted"] == 1, placed.output
    assert networks_stack.outputs["orders_api_key"] not in placed.output
    status = CliRunner().invoke(command, ["status", "--json", *where])
    assert "metrics" in json.loads(status.stdout), status.output
    verified = CliRunner().invoke(command, ["verify", *where])
    assert verified.exit_code == 0, verified.output


# The guard, which runs at CloudFront

Guard = Callable[[list[str], list[dict[str, Any]]], list[bool]]


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    """Run the guard for some networks on requests; return which ones it admits."""
    with sync_playwright() as playwright, launch(playwright) as browser, browser.new_page() as page:

        def run(networks: list[str], requests: list[dict[str, Any]]) -> list[bool]:
            code = access.guard_code(networks, ["/prod/orders"])
            script = f"(events) => {{ {code}; return events.map((event) => !handler(event).statusCode); }}"
            admitted: list[bool] = page.evaluate(script, requests)
            return admitted

        yield run


def request(address: str, uri: str = "/prod/order-status") -> dict[str, Any]:
    return {"viewer": {"ip": address}, "request": {"uri": uri}}


def test_the_guard_agrees_with_pythons_ipaddress(guard: Guard) -> None:
    rng = random.Random(4)  # noqa: S311 - not a secret
    networks = [
        "203.0.113.0/24",
        "198.51.100.7/32",
        "10.32.0.0/11",
        "2001:db8::/32",
        "2001:db9:1:8::/61",
        "::1/128",
    ]
    parsed = [ipaddress.ip_network(network) for network in networks]
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for network in parsed:
        first, last = network[0], network[-1]
        addresses += [first, last]
        for neighbour in (int(first) - 1, int(last) + 1):
            if neighbour > 0:
                addresses.append(type(first)(neighbour))
    addresses += [ipaddress.IPv4Address(rng.getrandbits(32)) for _ in range(200)]
    addresses += [ipaddress.IPv6Address((0x20010DB9 << 96) | rng.getrandbits(96)) for _ in range(200)]
    # IPv6 addresses in short and in full.
    for form in (str, lambda address: address.exploded):
        expected = [any(address in network for network in parsed) for address in addresses]
        assert guard(networks, [request(form(address)) for address in addresses]) == expected


def test_the_guard_opens_listed_paths_only(guard: Guard) -> None:
    uris = ["/prod/orders", "/prod/orders/", "/prod/orders/7", "/prod/order-status", "/", "/new-page", ""]
    assert guard(["203.0.113.0/24"], [request("192.0.2.1", uri) for uri in uris]) == [True] + [False] * 6


def test_an_invalid_address_is_refused(guard: Guard) -> None:
    odd = [
        "",
        "unknown",
        "203.0.113",
        "203.0.113.1.1",
        "203.0.113.999999999999",
        "2001:db8",
        "::ffff",
        "1:2:3:4:5:6:7:8:9",
        "2001::db8::",
    ]
    assert guard(["203.0.113.0/24", "2001:db8::/32"], [request(text) for text in odd]) == [False] * len(odd)


def test_all_paths_but_the_dashboards_are_open(networks_stack: LocalStack) -> None:
    paths = access.open_paths("prod")
    assert {"/prod/orders", "/prod/menu", "/config.js"} <= set(paths)
    assert not {"/", "/order-status", "/prod/order-status"} & set(paths)
