"""The database's login: people edit secrets, so the value may be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orders.failures import StoreUnavailableError
from stores.mysql.login import PROPAGATION, Login, LoginSecret, await_access
from stores.secret import SecretRefusedError

LOGIN = {"host": "db", "username": "cafe_user", "password": "a password", "dbname": "cafe_db"}


def secret(**value: Any) -> LoginSecret:
    client = type("SecretsManager", (), {"get_secret_value": lambda *_, **__: value})()
    return LoginSecret("CafeDevDBSM", client)


def test_a_secret_with_the_keys_of_the_earlier_system_is_a_login() -> None:
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
def test_an_invalid_secret_makes_the_database_unavailable_and_is_not_logged(
    value: dict[str, Any],
) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        secret(**value).get()
    assert "a password" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("wrong", ["a password", "{}", "[]"])
def test_a_corrected_secret_is_read_again(wrong: str) -> None:
    values = iter([wrong, json.dumps(LOGIN)])
    client = type("Corrected", (), {"get_secret_value": lambda *_, **__: {"SecretString": next(values)}})()
    login = LoginSecret("CafeDevDBSM", client)
    with pytest.raises(StoreUnavailableError):
        login.get()
    assert login.get().password == "a password"


def test_a_secret_is_read_once_until_it_is_forgotten() -> None:
    values = iter([json.dumps(LOGIN), json.dumps({**LOGIN, "host": "other"})])
    client = type("Changed", (), {"get_secret_value": lambda *_, **__: {"SecretString": next(values)}})()
    login = LoginSecret("CafeDevDBSM", client)
    assert [login.get().host, login.get().host] == ["db", "db"]
    login.forget()
    assert login.get().host == "other"


def test_a_refusal_has_its_code_and_no_arn() -> None:
    def refuse(*_: object, **__: object) -> None:
        error: Any = {"Code": "AccessDeniedException", "Message": "arn:aws:sts::123456789012:role may not"}
        raise ClientError({"Error": error}, "GetSecretValue")

    client = type("Refusing", (), {"get_secret_value": refuse})()
    with pytest.raises(StoreUnavailableError) as caught:
        LoginSecret("CafeDevDBSM", client).get()
    assert str(caught.value) == "Secrets Manager: AccessDeniedException"


class Propagating:
    """IAM, which denies access for some seconds of its own clock."""

    def __init__(self, seconds: float, code: str = "AccessDeniedException") -> None:
        self.seconds, self.code, self.now = seconds, code, 0.0

    def get_secret_value(self, **_: object) -> dict[str, str]:
        if self.now < self.seconds:
            raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "GetSecretValue")
        return {"SecretString": json.dumps(LOGIN)}

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def await_access(self) -> None:
        secrets = [LoginSecret(name, self) for name in ("CafeDevDBSM", "CafeStatusDBSM")]
        await_access(secrets, clock=lambda: self.now, pause=self.pause)


def test_a_deploy_waits_until_iam_has_applied_the_policy_for_a_new_secret() -> None:
    iam = Propagating(PROPAGATION - 5)
    iam.await_access()
    assert PROPAGATION - 5 <= iam.now < PROPAGATION


def test_a_secret_that_iam_still_refuses_after_a_minute_fails_the_deploy() -> None:
    iam = Propagating(2 * PROPAGATION)
    with pytest.raises(SecretRefusedError, match="AccessDeniedException"):
        iam.await_access()
    assert PROPAGATION <= iam.now < 2 * PROPAGATION


def test_a_permanent_error_is_not_waited_for() -> None:
    iam = Propagating(1, "ResourceNotFoundException")
    with pytest.raises(StoreUnavailableError, match="ResourceNotFoundException"):
        iam.await_access()
    assert iam.now == 0
