"""`GET /menu`: the items with a price, and no others."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

import get_menu
from orders.counters import Counted, item_name
from stores import aws
from stores.dynamodb.menu import Menu
from stores.dynamodb.projection import Projection
from tests.dynamodb import NAMES
from tests.stores import MENU_INDEX


@pytest.fixture
def dynamodb(moto_dynamodb: Any) -> Any:
    """DynamoDB by moto, which has the menu's index."""
    return moto_dynamodb


@pytest.fixture
def menu(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Menu:
    menu = Menu(NAMES.menu, MENU_INDEX, dynamodb)
    monkeypatch.setattr(get_menu, "menu", lambda: menu)
    return menu


def get(**headers: str) -> Any:
    return get_menu.handler({"headers": headers}, None)


def test_the_menu_has_items_and_prices_by_name(menu: Menu, projection: Projection) -> None:
    projection.set_up({"Tea": Decimal(2), "Latte": Decimal("5.50"), "Café crème ☕": Decimal("4.00")})
    response = get()
    assert response["statusCode"] == 200
    assert response["headers"]["Cache-Control"] == "public, max-age=1"
    # Without trailing zeros: 4, not 4.0.
    assert '"price": 4}' in response["body"]
    assert json.loads(response["body"]) == {
        "menu": [
            {"item": "Café crème ☕", "price": 4},
            {"item": "Latte", "price": 5.5},
            {"item": "Tea", "price": 2},
        ]
    }


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2.50", "2.50"),
        ("0.12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678"),
        ("100000000000000000000.01", "100000000000000000000.01"),
        ("1E+2", "100"),
        ("1E-7", "1E-7"),
    ],
)
def test_a_price_is_exact(menu: Menu, projection: Projection, stored: str, shown: str) -> None:
    projection.set_up({"Latte": Decimal(stored)})
    assert get()["body"] == f'{{"menu": [{{"item": "Latte", "price": {shown}}}]}}'


def test_a_table_that_hangs_leaves_the_function_time_to_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def watch(service: str, config: aws.ClientConfig) -> object:
        waits.append(config.attempts * max(config.connect_timeout, config.read_timeout))
        return object()

    monkeypatch.setattr(aws, "client", watch)
    Menu(NAMES.menu, MENU_INDEX)
    assert 2 * waits.pop() < 10  # seconds, of the function


def test_an_item_without_a_price_is_not_on_the_menu(menu: Menu, projection: Projection) -> None:
    projection.set_up({"Latte": Decimal(5)})
    projection.set_counter(item_name("Water"), Counted(1, 1))
    projection.set_counter(item_name("Latte"), Counted(1, 1))
    assert menu.prices() == {"Latte": 5}


def test_an_order_does_not_change_the_menu(menu: Menu, projection: Projection) -> None:
    projection.set_up({"Latte": Decimal(5)})
    tag = get()["headers"]["ETag"]
    projection.set_counter(item_name("Latte"), Counted(1, 1))
    assert get(**{"if-none-match": tag})["statusCode"] == 304
    projection.set_up({"Latte": Decimal(6)})
    assert get(**{"if-none-match": tag})["statusCode"] == 200


def test_an_empty_menu_is_valid(menu: Menu) -> None:
    assert json.loads(get()["body"]) == {"menu": []}


def test_a_menu_of_many_pages_is_read_completely() -> None:
    class InPages:
        def scan(self, **request: Any) -> Any:
            page = int(request.get("ExclusiveStartKey", {}).get("item", {"S": "0"})["S"])
            items = [{"item": {"S": f"item {page}"}, "price": {"N": str(page)}}]
            more = {"LastEvaluatedKey": {"item": {"S": str(page + 1)}}} if page < 2 else {}
            return {"Items": items, **more}

    assert list(Menu("CafeMenu", "menu", InPages()).prices()) == ["item 0", "item 1", "item 2"]


def test_a_menu_that_cannot_be_read_is_503_without_internal_details(
    menu: Menu, dynamodb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb.delete_table(TableName=NAMES.menu)
    response = get()
    assert response["statusCode"] == 503
    assert "DynamoDB" not in response["body"]
    assert response["headers"]["Cache-Control"] == "no-store"
    assert "ResourceNotFoundException" in json.loads(capsys.readouterr().out)["reason"]
