"""Two stacks that are not public: one to sign in to, one for some networks."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from cli.http import LoopbackTransport
from tests.local_stack import LocalStack, started
from tests.waiting import LIMIT

OUTSIDE = "127.0.0.2"  # an address of this machine that is in none of the stack's networks


class Door:
    """What one visitor gets at a stack's own origin (the page's) and at the API's own address."""

    def __init__(self, stack: LocalStack, http: httpx.Client) -> None:
        self.origin = stack.outputs["page_url"].removesuffix("/order-status")
        self.http = http
        self.status_urls = (f"{self.origin}/prod/order-status", stack.outputs["order_status_url"])

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask the page's origin, with the path as it is written here."""
        host = self.origin.removeprefix("http://")
        url = httpx.URL(f"http://127.0.0.1:{host.rpartition(':')[2]}").copy_with(raw_path=path.encode())
        return self.http.get(url, headers={**headers, "Host": host})

    def statuses(self, **headers: str) -> list[int]:
        """Ask for the order status, through CloudFront and past it."""
        return [self.http.get(url, headers=headers).status_code for url in self.status_urls]


def visitor(address: str | None = None) -> httpx.Client:
    """Be somebody at an address of this machine."""
    return httpx.Client(transport=LoopbackTransport(local_address=address), timeout=LIMIT)


@pytest.fixture(scope="session")
def login_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with started(tmp_path_factory.mktemp("login") / "stack", dashboardAccess="login") as running:
        yield running


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
def login(login_stack: LocalStack) -> Iterator[Door]:
    with visitor() as http:
        yield Door(login_stack, http)


@pytest.fixture
def inside(networks_stack: LocalStack) -> Iterator[Door]:
    with visitor("127.0.0.1") as http:
        yield Door(networks_stack, http)


@pytest.fixture
def outside(networks_stack: LocalStack) -> Iterator[Door]:
    with socket.socket() as probe:
        try:
            probe.bind((OUTSIDE, 0))
        except OSError:
            pytest.skip(f"this machine has no address {OUTSIDE}")
    with visitor(OUTSIDE) as http:
        yield Door(networks_stack, http)
