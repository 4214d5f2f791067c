"""A foreign page in a real browser cannot reach a local stack."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright

from cli.http import client as http_client
from tests.chromium import launch
from tests.local import foreign_page
from tests.local_stack import LocalStack
from tests.system import System

ORIGINS = [f"http://{foreign_page.SITE}", "http://127.0.0.1", "http://evil.cloudfront.localhost"]

# Every host, and every endpoint that the stack's own pages call. A browser's headers depend on the page's
# site and the host, not on path or query, so only the first origin tries the other targets.
FROM_EVERY_ORIGIN = (
    "a call",
    "a call to an unknown distribution",
    "a call to a rebound name",
    "an order",
    "an order at the API's address",
    "the status",
    "the status at the API's address",
)


@dataclass(frozen=True, kw_only=True)
class State:
    """Resources that an attack would change."""

    queues: list[str]
    functions: list[str]
    buckets: list[str]
    users: list[str]
    orders: int


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium with a public name that resolves to this machine, as in DNS rebinding."""
    rules = f"--host-resolver-rules=MAP {foreign_page.SITE} 127.0.0.1"
    # One process for hundreds of frames: cheaper, with the same requests.
    one_process = "--disable-site-isolation-trials"
    with sync_playwright() as playwright, launch(playwright, rules, one_process) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def foreign_port() -> Iterator[int]:
    with foreign_page.served() as port:
        yield port


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as found:
        yield found


@pytest.fixture
def cafe(local_stack: LocalStack) -> Iterator[System]:
    with http_client(local_stack.endpoint) as http:
        yield System(local_stack, http)


@pytest.fixture
def responses(context: BrowserContext, local_stack: LocalStack) -> list[Response]:
    """All responses of the gateway to the browser."""
    port = urlsplit(local_stack.endpoint).port
    found: list[Response] = []

    def note(response: Response) -> None:
        if urlsplit(response.url).port == port:
            found.append(response)

    context.on("response", note)
    return found


def state(cafe: System, marker: str) -> State:
    """Return the current resources."""
    client = cafe.stack.client
    return State(
        queues=client("sqs").list_queues().get("QueueUrls", []),
        functions=[f["FunctionName"] for f in client("lambda").list_functions()["Functions"]],
        buckets=[b["Name"] for b in client("s3").list_buckets()["Buckets"]],
        users=[u["UserName"] for u in client("iam").list_users()["Users"]],
        orders=cafe.rows("SELECT COUNT(*) FROM orders WHERE item = %s", marker)[0][0],
    )


def targets(stack: LocalStack, marker: str) -> dict[str, Any]:
    """Return targets of an attack: AWS services, CloudFront hosts, the API and the sign-in."""
    port = urlsplit(stack.endpoint).port
    origin = stack.outputs["page_url"].removesuffix("/order-status")
    query = urlencode({"Action": "CreateQueue", "QueueName": marker, "Version": "2012-11-05"})
    function = json.dumps(
        {
            "FunctionName": marker,
            "Runtime": "python3.12",
            "Handler": "main.handler",
            "Role": "arn:aws:iam::000000000000:role/any",
            "Code": {"ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="},
        }
    )
    order = json.dumps({"item": marker, "quantity": 1})

    def credentials(service: str) -> str:
        return f"test/20261122/us-east-1/{service}/aws4_request"

    def signed(service: str, dash: str = "-") -> str:
        names = (f"X{dash}Amz{dash}Credential", f"X{dash}Amz{dash}Algorithm", f"X{dash}Amz{dash}Signature")
        values = (credentials(service), "AWS4-HMAC-SHA256", "0")
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in zip(names, values, strict=True))

    def headers(service: str) -> list[dict[str, str]]:
        scope = f"Credential={credentials(service)}, SignedHeaders=host, Signature=0"
        return [
            {"Authorization": f"AWS4-HMAC-SHA256 {scope}"},
            {"Authorization": f"Bearer {scope}"},
            {"X-Amz-Target": "AmazonSQS.CreateQueue", "Content-Type": "application/x-amz-json-1.0"},
            {"Content-Type": "application/json"},
        ]

    cloudfront = f"http://evil.cloudfront.localhost:{port}"
    rebound = f"http://{foreign_page.SITE}:{port}"
    functions = f"2015-03-31/functions?{signed('lambda', '%2D')}"
    api = "execute-api"
    found = {
        "a call": (f"{stack.endpoint}/?{query}", query, "sqs"),
        "a presigned call": (f"{stack.endpoint}/?{query}&{signed('sqs')}", query, "sqs"),
        "a call encoded once": (f"http://localhost:{port}/?{query}&{signed('sqs', '%2D')}", query, "sqs"),
        "a call encoded twice": (f"{stack.endpoint}/?{query}&{signed('sqs', '%252D')}", query, "sqs"),
        "a call to an unknown distribution": (f"{cloudfront}/?{query}", query, "sqs"),
        "a call to a rebound name": (f"{rebound}/?{query}&{signed('sqs')}", query, "sqs"),
        "a function": (f"{stack.endpoint}/{functions}", function, "lambda"),
        "a function at an unknown distribution": (f"{cloudfront}/{functions}", function, "lambda"),
        "a function at the page's host": (f"{origin}/{functions}", function, "lambda"),
        "MiniStack's reset": (f"{stack.endpoint}/_ministack/reset", "", "sqs"),
        "a token": (f"{stack.endpoint}/oauth2/token?{query}", function, "lambda"),
        "an order": (f"{origin}/prod/orders", order, api),
        "an order at the API's address": (stack.outputs["orders_url"], order, api),
        "the status": (f"{origin}/prod/order-status", order, api),
        "the status at the API's address": (
            stack.outputs["order_status_url"].replace("execute", "%65xecute"),
            order,
            api,
        ),
    }
    return {
        name: {"url": url, "body": body, "headers": headers(service)}
        for name, (url, body, service) in found.items()
    }


def refused(response: Response) -> bool:
    """Return whether the request was refused without CORS headers."""
    names = [name for name in response.headers if name.startswith("access-control-")]
    return response.status == 403 and not names


@pytest.mark.timeout(300)
@pytest.mark.parametrize("origin", ORIGINS)
def test_every_request_of_a_foreign_page_is_refused(
    cafe: System, context: BrowserContext, responses: list[Response], foreign_port: int, origin: str
) -> None:
    marker = f"stolen-{uuid.uuid4()}"
    before = state(cafe, marker)
    page = context.new_page()
    page.goto(f"{origin}:{foreign_port}/page")
    known = targets(cafe.stack, marker)
    wanted = [known[name] for name in (known if origin == ORIGINS[0] else FROM_EVERY_ORIGIN)]
    assert page.evaluate("(targets) => attack(targets)", wanted) == []
    assert {response.url.partition("?")[0] for response in responses} >= {
        target["url"].partition("?")[0] for target in wanted
    }
    assert [(r.request.method, r.url, r.status) for r in responses if not refused(r)] == []
    assert state(cafe, marker) == before


@pytest.mark.timeout(300)
def test_every_request_of_a_sandboxed_page_with_a_null_origin_is_refused(
    cafe: System, context: BrowserContext, responses: list[Response], foreign_port: int
) -> None:
    marker = f"stolen-{uuid.uuid4()}"
    before = state(cafe, marker)
    page = context.new_page()
    page.goto(f"{ORIGINS[0]}:{foreign_port}/sandbox")
    frame = page.frame("sandboxed")
    assert frame is not None
    known = targets(cafe.stack, marker)
    wanted = [known[name] for name in FROM_EVERY_ORIGIN]
    assert frame.evaluate("(targets) => attack(targets)", wanted) == []
    assert len(responses) > 100
    assert [(r.request.method, r.url, r.status) for r in responses if not refused(r)] == []
    assert state(cafe, marker) == before


# Navigation to a URL, by link or form.
NAVIGATE = """([url, enctype]) => {
  if (enctype === "") {
    location.href = url;
  } else {
    const form = Object.assign(document.createElement("form"), { action: url, method: "POST", enctype });
    document.body.append(form);
    form.submit();
  }
}"""
NAVIGATION_TARGETS = ("a presigned call", "a function at an unknown distribution", "an order", "the status")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_navigation_from_a_foreign_page_is_refused(
    cafe: System, context: BrowserContext, foreign_port: int, origin: str
) -> None:
    marker = f"stolen-{uuid.uuid4()}"
    before = state(cafe, marker)
    page = context.new_page()
    known = targets(cafe.stack, marker)
    for name, encoding in itertools.product(NAVIGATION_TARGETS, ("", "text/plain")):
        page.goto(f"{origin}:{foreign_port}/page")
        with page.expect_navigation() as left:
            page.evaluate(NAVIGATE, [known[name]["url"], encoding])
        assert refused(left.value), name
    assert state(cafe, marker) == before


def test_a_window_opened_by_a_foreign_page_can_show_pages_only(
    cafe: System, context: BrowserContext, foreign_port: int
) -> None:
    marker = f"stolen-{uuid.uuid4()}"
    before = state(cafe, marker)
    page = context.new_page()
    page.goto(f"{ORIGINS[0]}:{foreign_port}/page")
    known = targets(cafe.stack, marker)
    with page.expect_popup() as opened:
        page.evaluate("(url) => { window.open(url); }", cafe.outputs["page_url"])
    expect(opened.value).to_have_title(re.compile("Cafe orders$"))  # preceded by a number
    opened.value.close()  # It may read the status every second.
    for name in NAVIGATION_TARGETS:
        with context.expect_event("response", lambda r, name=name: r.url == known[name]["url"]) as answered:
            page.evaluate("(url) => { window.open(url, '_blank', 'noreferrer'); }", known[name]["url"])
        assert refused(answered.value), name
    assert state(cafe, marker) == before


def test_an_address_typed_by_the_user_is_refused(cafe: System, context: BrowserContext) -> None:
    marker = f"stolen-{uuid.uuid4()}"
    before = state(cafe, marker)
    page = context.new_page()
    for name, target in targets(cafe.stack, marker).items():
        response = page.goto(target["url"])
        assert response is not None
        assert refused(response), name
    assert state(cafe, marker) == before


def test_a_customer_orders_on_this_stacks_own_page(cafe: System, context: BrowserContext) -> None:
    page: Page = context.new_page()
    page.goto(cafe.outputs["page_url"].removesuffix("order-status") + "order")
    page.get_by_text("Latte").click()
    with page.expect_response(lambda response: response.url.endswith("/prod/orders")) as placed:
        page.get_by_role("button", name="Place the order").click()
    assert placed.value.status == 202
    expect(page.get_by_role("heading", name="Thank you, your order is placed")).to_be_visible()
