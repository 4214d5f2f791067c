"""What stands in Secrets Manager may be anything: people edit it by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orders.errors import StoreUnavailableError
from stores.mysql.secret import Login, LoginSecret

LOGIN = {"host": "db", "username": "cafe_user", "password": "a password", "dbname": "cafe_db"}


def secret(**value: Any) -> LoginSecret:
    client = type("SecretsManager", (), {"get_secret_value": lambda *_, **__: value})()
    return LoginSecret("CafeDevDBSM", client)


def test_the_documents_keys_are_a_login() -> None:
    assert secret(SecretString=json.dumps(LOGIN)).get() == Login(
        "db", 3306, "cafe_user", "a password", "cafe_db"
    )


@pytest.mark.parametrize(
    "value",
    [
        {"SecretString": "a password"},
        {"SecretBinary": b"a password"},
        {"SecretString": '["a password"]'},
        {"SecretString": json.dumps({**LOGIN, "port": "a password"})},
        {"SecretString": '{"password": "a password"}'},
    ],
)
def test_a_secret_that_is_no_login_leaves_the_database_away_and_is_not_told(value: dict[str, Any]) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        secret(**value).get()
    assert "a password" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("wrong", ["a password", "{}", "[]"])
def test_a_secret_that_was_mended_is_fetched_again(wrong: str) -> None:
    answers = iter([wrong, json.dumps(LOGIN)])
    login = secret()
    login._client = type(
        "Mended", (), {"get_secret_value": lambda *_, **__: {"SecretString": next(answers)}}
    )()
    with pytest.raises(StoreUnavailableError):
        login.get()
    assert login.get().password == "a password"
