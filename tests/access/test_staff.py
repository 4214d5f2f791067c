"""Orders are for staff, whoever may read the order status, and at both addresses."""

from __future__ import annotations

import httpx

from tests.access import cognito
from tests.access.conftest import Door
from tests.local_stack import LocalStack


def statuses(door: Door, stack: LocalStack, headers: dict[str, str]) -> dict[str, list[int]]:
    """Ask for staff's paths at the page's address and at the API's own."""

    def ask(base: str) -> list[int]:
        change = {"json": {"state": "ready"}, "headers": {**headers, "If-Match": '"1"'}}
        answers: list[httpx.Response] = [
            door.http.get(f"{base}/kitchen", headers=headers),
            door.http.get(f"{base}/orders/none", headers=headers),
            door.http.patch(f"{base}/orders/none", **change),  # type: ignore[arg-type]
        ]
        return [answer.status_code for answer in answers]

    return {"page": ask(f"{door.origin}/prod"), "api": ask(stack.outputs["api_url"])}


def test_where_readers_sign_in_only_staff_see_orders(login: Door, login_stack: LocalStack) -> None:
    for who, headers in cognito.tokens_without_rights(login_stack, login.http).items():
        for address, refused in statuses(login, login_stack, headers).items():
            assert set(refused) <= {401, 403}, (who, address)
    reader = cognito.sign_in(login_stack, login.http, cognito.page_app(login_stack))["access_token"]
    reading = statuses(login, login_stack, {"Authorization": f"Bearer {reader}"})
    assert reading == {"page": [401] * 3, "api": [401] * 3}
    staff = cognito.sign_in(login_stack, login.http, cognito.staff_app(login_stack))["access_token"]
    seen = [200, 404, 404]
    assert statuses(login, login_stack, {"Authorization": f"Bearer {staff}"}) == {"page": seen, "api": seen}


def test_where_networks_are_limited_staff_see_orders_from_them_and_through_cloudfront_alone(
    inside: Door, outside: Door, networks_stack: LocalStack
) -> None:
    for who, headers in cognito.tokens_without_rights(networks_stack, inside.http).items():
        for address, refused in statuses(inside, networks_stack, headers).items():
            assert set(refused) <= {401, 403}, (who, address)
    app = cognito.staff_app(networks_stack)
    staff = {"Authorization": f"Bearer {cognito.sign_in(networks_stack, inside.http, app)['access_token']}"}
    assert statuses(inside, networks_stack, staff) == {"page": [200, 404, 404], "api": [403] * 3}
    assert statuses(outside, networks_stack, staff) == {"page": [403] * 3, "api": [403] * 3}


def test_customers_see_their_order_from_every_network(outside: Door) -> None:
    assert outside.get("/prod/ready").status_code == 200
    assert outside.get("/prod/track", **{"Track-Token": "1.x.y"}).status_code == 401
    assert outside.get("/track").status_code == 200
    assert outside.get("/kitchen").status_code == 403
