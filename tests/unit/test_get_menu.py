"""`GET /menu`: what has a price, and nothing that was only ordered."""

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
from tests.stores import MENU_INDEX, NAMES


@pytest.fixture
def menu(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Menu:
    menu = Menu(NAMES.menu, MENU_INDEX, dynamodb)
    monkeypatch.setattr(get_menu, "menu", lambda: menu)
    return menu


def ask(**headers: str) -> Any:
    return get_menu.handler({"headers": headers}, None)


def test_the_menu_has_items_and_prices_by_name(menu: Menu, projection: Projection) -> None:
    projection.set_up({"Tea": Decimal(2), "Latte": Decimal("5.50"), "Café crème ☕": Decimal("4.00")})
    answer = ask()
    assert answer["statusCode"] == 200
    assert answer["headers"]["Cache-Control"] == "public, max-age=1"
    # As a person writes them: 4, not 4.0.
    assert '"price": 4}' in answer["body"]
    assert json.loads(answer["body"]) == {
        "menu": [
            {"item": "Café crème ☕", "price": 4},
            {"item": "Latte", "price": 5.5},
            {"item": "Tea", "price": 2},
        ]
    }


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("2.50", "2.50"),
        ("0.12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678"),
        ("100000000000000000000.01", "100000000000000000000.01"),
        ("1E+2", "100"),
        ("1E-7", "1E-7"),
    ],
)
def test_a_price_is_exact(menu: Menu, projection: Projection, kept: str, told: str) -> None:
    projection.set_up({"Latte": Decimal(kept)})
    assert ask()["body"] == f'{{"menu": [{{"item": "Latte", "price": {told}}}]}}'


def test_a_table_that_hangs_leaves_the_function_time_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def watch(service: str, config: aws.ClientConfig) -> object:
        waits.append(config.attempts * max(config.connect_timeout, config.read_timeout))
        return object()

    monkeypatch.setattr(aws, "client", watch)
    Menu(NAMES.menu, MENU_INDEX)
    assert 2 * waits.pop() < 10  # seconds, of the function


def test_what_was_only_ordered_is_not_on_it(menu: Menu, projection: Projection) -> None:
    projection.set_up({"Latte": Decimal(5)})
    projection.set_counter(item_name("Water"), Counted(1, 1))
    projection.set_counter(item_name("Latte"), Counted(1, 1))
    assert menu.prices() == {"Latte": 5}


def test_an_order_does_not_change_it(menu: Menu, projection: Projection) -> None:
    projection.set_up({"Latte": Decimal(5)})
    tag = ask()["headers"]["ETag"]
    projection.set_counter(item_name("Latte"), Counted(1, 1))
    assert ask(**{"if-none-match": tag})["statusCode"] == 304
    projection.set_up({"Latte": Decimal(6)})
    assert ask(**{"if-none-match": tag})["statusCode"] == 200


def test_an_empty_menu_is_a_response(menu: Menu) -> None:
    assert json.loads(ask()["body"]) == {"menu": []}


def test_a_menu_of_many_pages_is_read_to_its_end() -> None:
    class InPages:
        def scan(self, **request: Any) -> Any:
            page = int(request.get("ExclusiveStartKey", {}).get("item", {"S": "0"})["S"])
            items = [{"item": {"S": f"item {page}"}, "price": {"N": str(page)}}]
            more = {"LastEvaluatedKey": {"item": {"S": str(page + 1)}}} if page < 2 else {}
            return {"Items": items, **more}

    assert list(Menu("CafeMenu", "menu", InPages()).prices()) == ["item 0", "item 1", "item 2"]


def test_a_menu_that_cannot_be_read_is_503_and_nothing_internal_is_shown(
    menu: Menu, dynamodb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb.delete_table(TableName=NAMES.menu)
    answer = ask()
    assert answer["statusCode"] == 503
    assert "DynamoDB" not in answer["body"]
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert "ResourceNotFoundException" in json.loads(capsys.readouterr().out)["reason"]
