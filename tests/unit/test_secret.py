"""The database's login: people edit secrets, so the value may be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orders.errors import StoreUnavailableError
from stores.mysql.secret import Login, LoginSecret

LOGIN = {"host": "db", "username": "cafe_user", "password": "a password", "dbname": "cafe_db"}


def secret(**value: Any) -> LoginSecret:
    client = type("SecretsManager", (), {"get_secret_value": lambda *_, **__: value})()
    return LoginSecret("CafeDevDBSM", client)


def test_the_earlier_systems_keys_are_a_login() -> None:
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
def test_a_secret_that_is_no_login_makes_the_database_unavailable_and_is_not_shown(
    value: dict[str, Any],
) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        secret(**value).get()
    assert "a password" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("wrong", ["a password", "{}", "[]"])
def test_a_secret_that_was_corrected_is_read_again(wrong: str) -> None:
    values = iter([wrong, json.dumps(LOGIN)])
    client = type("Corrected", (), {"get_secret_value": lambda *_, **__: {"SecretString": next(values)}})()
    login = LoginSecret("CafeDevDBSM", client)
    with pytest.raises(StoreUnavailableError):
        login.get()
    assert login.get().password == "a password"


def test_a_secret_is_read_once_and_again_when_it_is_forgotten() -> None:
    values = iter([json.dumps(LOGIN), json.dumps({**LOGIN, "host": "other"})])
    client = type("Changed", (), {"get_secret_value": lambda *_, **__: {"SecretString": next(values)}})()
    login = LoginSecret("CafeDevDBSM", client)
    assert [login.get().host, login.get().host] == ["db", "db"]
    login.forget()
    assert login.get().host == "other"


def test_a_refusal_is_named_by_its_code_and_shows_no_arn() -> None:
    def refuse(*_: object, **__: object) -> None:
        error: Any = {"Code": "AccessDeniedException", "Message": "arn:aws:sts::123456789012:role may not"}
        raise ClientError({"Error": error}, "GetSecretValue")

    client = type("Refusing", (), {"get_secret_value": refuse})()
    with pytest.raises(StoreUnavailableError) as caught:
        LoginSecret("CafeDevDBSM", client).get()
    assert str(caught.value) == "Secrets Manager: AccessDeniedException"
