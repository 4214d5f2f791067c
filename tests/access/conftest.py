"""A stack limited to some networks, and clients of it and of the stack with a sign-in."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from cli.http import LoopbackTransport
from tests.local_stack import LocalStack, started
from tests.waiting import LIMIT

OUTSIDE = "127.0.0.2"  # an address of this machine outside the stack's networks


class Visitor:
    """A client of a stack, at the page's origin (CloudFront) and at the API's own address."""

    def __init__(self, stack: LocalStack, http: httpx.Client) -> None:
        self.origin = stack.outputs["page_url"].removesuffix("/order-status")
        self.http = http
        self.status_urls = (f"{self.origin}/prod/order-status", stack.outputs["order_status_url"])

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Request a path, sent exactly as written, from the page's origin."""
        host = self.origin.removeprefix("http://")
        url = httpx.URL(f"http://127.0.0.1:{host.rpartition(':')[2]}").copy_with(raw_path=path.encode())
        return self.http.get(url, headers={**headers, "Host": host})

    def statuses(self, **headers: str) -> list[int]:
        """Return the status codes of the order status through CloudFront and without it."""
        return [self.http.get(url, headers=headers).status_code for url in self.status_urls]


def client_from(address: str | None = None) -> httpx.Client:
    """Return an HTTP client with a local source address."""
    return httpx.Client(transport=LoopbackTransport(local_address=address), timeout=LIMIT)


@pytest.fixture(scope="session")
def networks_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    settings = {
        "dashboardAccess": "cidrs",
        "dashboardCidrs": '["127.0.0.1/32", "2001:db8::/32"]',
        "ordersApiKey": "true",
    }
    with started(tmp_path_factory.mktemp("networks") / "stack", **settings) as running:
        yield running


@pytest.fixture
def login(login_stack: LocalStack) -> Iterator[Visitor]:
    with client_from() as http:
        yield Visitor(login_stack, http)


@pytest.fixture
def inside(networks_stack: LocalStack) -> Iterator[Visitor]:
    with client_from("127.0.0.1") as http:
        yield Visitor(networks_stack, http)


@pytest.fixture
def outside(networks_stack: LocalStack) -> Iterator[Visitor]:
    with socket.socket() as probe:
        try:
            probe.bind((OUTSIDE, 0))
        except OSError:
            pytest.skip(f"this machine has no address {OUTSIDE}")
    with client_from(OUTSIDE) as http:
        yield Visitor(networks_stack, http)
