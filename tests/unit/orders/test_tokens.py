"""Customers' tokens, and the secret with their keys."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from orders.failures import StoreUnavailableError
from orders.tokens import sign, verify
from stores.tracking_keys import TrackingKeys

ORDER_ID = "7f4df1a3-0c2b-4a53-8c7b-1d0d4b8f6c11"
KEYS = {"2": "two", "1": "one"}


def test_a_token_verifies_as_the_order_that_it_was_signed_for() -> None:
    for order_id in (ORDER_ID, "a.b.c", "A:1_2-3", "x" * 64):
        token = sign(order_id, "2", "two")
        assert verify(token, KEYS.get) == order_id
        assert len(token.rpartition(".")[2]) == 22, "128 bits"


def test_a_token_of_the_previous_key_is_valid_and_one_of_an_older_key_is_not() -> None:
    token = sign(ORDER_ID, "1", "one")
    assert verify(token, KEYS.get) == ORDER_ID
    assert verify(token, {"3": "three", "2": "two"}.get) is None


def test_no_changed_token_is_valid() -> None:
    token = sign(ORDER_ID, "2", "two")
    _, _, mac = token.rpartition(".")
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert verify(token[:place] + other + token[place + 1 :], KEYS.get) is None or place == len(token) - 1
    unsigned = f"2.{ORDER_ID}"
    for wrong in ("", ".", "..", "2", unsigned, f"{unsigned}.", f"1.{ORDER_ID}.{mac}", token + "=", "é" * 9):
        assert verify(wrong, KEYS.get) is None
    assert verify(token + "A" * 200, KEYS.get) is None


class Secret:
    """A secret in the process, and a clock."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.now = 0.0
        self.reads = 0
        client.create_secret(Name="keys", SecretString="{}")

    def put(self, value: object) -> None:
        self.client.put_secret_value(SecretId="keys", SecretString=json.dumps(value))

    def get_secret_value(self, **request: Any) -> Any:
        self.reads += 1
        return self.client.get_secret_value(**request)

    @property
    def keys(self) -> TrackingKeys:
        return TrackingKeys("keys", self, lambda: self.now)


@pytest.fixture
def secret() -> Any:
    with mock_aws():
        yield Secret(boto3.client("secretsmanager", region_name="us-east-1"))


def test_keys_are_read_once(secret: Secret) -> None:
    secret.put({"current": "2", "keys": {"1": "one", "2": "two"}})
    keys = secret.keys
    assert (keys.current(), keys.get("1"), keys.current()) == (("2", "two"), "one", ("2", "two"))
    assert secret.reads == 1


def test_a_new_key_is_found_and_unknown_ones_are_looked_up_once_a_minute(secret: Secret) -> None:
    secret.put({"current": "1", "keys": {"1": "one"}})
    keys = secret.keys
    keys.current()
    secret.put({"current": "2", "keys": {"1": "one", "2": "two"}})
    assert keys.get("2") is None
    secret.now = 60.0
    assert keys.get("2") == "two"
    assert [keys.get(f"made up {number}") for number in range(9)] == [None] * 9
    assert secret.reads == 2


@pytest.mark.parametrize("value", [[], {"current": "1", "keys": {}}, {"current": "1", "keys": {"1": None}}])
def test_an_invalid_secret_is_logged_and_not_read_again_for_a_minute(secret: Secret, value: object) -> None:
    secret.put(value)
    keys = secret.keys
    with pytest.raises(StoreUnavailableError, match="lacks the current key"):
        keys.current()
    secret.put({"current": "1", "keys": {"1": "one"}})
    with pytest.raises(StoreUnavailableError, match="a moment ago"):
        keys.get("1")
    assert secret.reads == 1
    secret.now = 60.0
    assert keys.current() == ("1", "one")
