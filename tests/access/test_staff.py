"""Only staff can read and change orders, at both addresses, whatever the access to the order status."""

from __future__ import annotations

import httpx

from tests.access import cognito
from tests.access.conftest import Visitor
from tests.local_stack import LocalStack


def statuses(visitor: Visitor, stack: LocalStack, headers: dict[str, str]) -> dict[str, list[int]]:
    """Return the status codes of staff's endpoints at the page's address and at the API's own."""

    def request(base: str) -> list[int]:
        change = {"json": {"state": "ready"}, "headers": {**headers, "If-Match": '"1"'}}
        responses: list[httpx.Response] = [
            visitor.http.get(f"{base}/kitchen", headers=headers),
            visitor.http.get(f"{base}/orders/none", headers=headers),
            visitor.http.patch(f"{base}/orders/none", **change),  # type: ignore[arg-type]
        ]
        return [response.status_code for response in responses]

    return {"page": request(f"{visitor.origin}/prod"), "api": request(stack.outputs["api_url"])}


def test_with_a_sign_in_only_staff_see_orders(login: Visitor, login_stack: LocalStack) -> None:
    for user, headers in cognito.tokens_without_rights(login_stack, login.http).items():
        for address, refused in statuses(login, login_stack, headers).items():
            assert set(refused) <= {401, 403}, (user, address)
    reader = cognito.sign_in(login_stack, login.http, cognito.page_app(login_stack))["access_token"]
    reading = statuses(login, login_stack, {"Authorization": f"Bearer {reader}"})
    assert reading == {"page": [401] * 3, "api": [401] * 3}
    staff = cognito.sign_in(login_stack, login.http, cognito.staff_app(login_stack))["access_token"]
    found = [200, 404, 404]
    assert statuses(login, login_stack, {"Authorization": f"Bearer {staff}"}) == {"page": found, "api": found}


def test_with_limited_networks_staff_see_orders_from_those_through_cloudfront_only(
    inside: Visitor, outside: Visitor, networks_stack: LocalStack
) -> None:
    for user, headers in cognito.tokens_without_rights(networks_stack, inside.http).items():
        for address, refused in statuses(inside, networks_stack, headers).items():
            assert set(refused) <= {401, 403}, (user, address)
    app = cognito.staff_app(networks_stack)
    staff = {"Authorization": f"Bearer {cognito.sign_in(networks_stack, inside.http, app)['access_token']}"}
    assert statuses(inside, networks_stack, staff) == {"page": [200, 404, 404], "api": [403] * 3}
    assert statuses(outside, networks_stack, staff) == {"page": [403] * 3, "api": [403] * 3}


def test_customers_see_their_order_from_every_network(outside: Visitor) -> None:
    assert outside.get("/prod/ready").status_code == 200
    assert outside.get("/prod/track", **{"Track-Token": "1.x.y"}).status_code == 401
    assert outside.get("/track").status_code == 200
    assert outside.get("/kitchen").status_code == 403
