"""Idempotency keys: the order of each key, and how long a key holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.failures import StoreUnavailableError
from orders.http_request import Claim
from stores.dynamodb.idempotency import KEY_LIFETIME, IdempotencyKeys
from tests.unit.idempotency_table import NOON, TABLE, Clock, create_table

FIRST, SECOND = Claim("first", "hash"), Claim("second", "hash")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(dynamodb: Any, clock: Clock) -> IdempotencyKeys:
    return IdempotencyKeys(TABLE, create_table(dynamodb), clock)


def test_the_first_claim_of_a_key_holds_against_later_ones(keys: IdempotencyKeys) -> None:
    other = Claim("third", "another hash")
    assert [keys.claim("key", claim) for claim in (FIRST, SECOND, other)] == [FIRST] * 3
    assert keys.claim("another key", SECOND) == SECOND


def test_a_key_holds_for_24_hours_and_not_a_second_longer(keys: IdempotencyKeys, clock: Clock) -> None:
    keys.claim("key", FIRST)
    clock.now = NOON + KEY_LIFETIME - 1
    assert keys.claim("key", SECOND) == FIRST
    clock.now = NOON + KEY_LIFETIME
    assert keys.claim("key", SECOND) == SECOND
    assert keys.claim("key", FIRST) == SECOND
    assert KEY_LIFETIME == 24 * 60 * 60


def test_a_repeated_request_does_not_prolong_a_key(keys: IdempotencyKeys, clock: Clock) -> None:
    for hours in (0, 23, 24):
        clock.now = NOON + hours * 3600
        held = keys.claim("key", Claim(f"after {hours} hours", "hash"))
    assert held == Claim("after 24 hours", "hash")


def test_dynamodb_deletes_a_key_when_it_has_expired(keys: IdempotencyKeys, dynamodb: Any) -> None:
    keys.claim("key", FIRST)
    (item,) = dynamodb.scan(TableName=TABLE)["Items"]
    assert item == {
        "key": {"S": "key"},
        "orderId": {"S": "first"},
        "fingerprint": {"S": "hash"},
        "expires_at": {"N": str(int(NOON) + KEY_LIFETIME)},
    }


def test_one_of_several_concurrent_claims_holds(keys: IdempotencyKeys) -> None:
    claims = [Claim(f"order-{number}", "hash") for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        held = set(pool.map(lambda claim: keys.claim("key", claim), claims))
    assert len(held) == 1
    assert held <= set(claims)


def test_a_claim_whose_response_was_lost_is_found_again(
    keys: IdempotencyKeys, dynamodb: Any, clock: Clock
) -> None:
    """Botocore repeats the call by itself, and the claim that it finds is the caller's own."""

    class LosesTheResponse:
        def put_item(self, **request: Any) -> Any:
            dynamodb.put_item(**request)
            dynamodb.put_item(**request)

    assert IdempotencyKeys(TABLE, LosesTheResponse(), clock).claim("key", FIRST) == FIRST
    assert keys.claim("key", SECOND) == FIRST


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "PutItem"),
        ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem"),
        ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutItem"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
)
def test_an_unreachable_table_is_an_unavailable_store(error: Exception) -> None:
    class Unreachable:
        def put_item(self, **_: Any) -> Any:
            raise error

    with pytest.raises(StoreUnavailableError, match=r"^DynamoDB: "):
        IdempotencyKeys(TABLE, Unreachable()).claim("key", FIRST)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 1, KEY_LIFETIME // 2, KEY_LIFETIME - 1, KEY_LIFETIME]),
            st.sampled_from("ab"),
            st.sampled_from("xy"),
        )
    )
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_claims_behave_as_in_a_dictionary_whose_keys_expire(
    keys: IdempotencyKeys, clock: Clock, steps: list[tuple[int, str, str]]
) -> None:
    clock.now += 2 * KEY_LIFETIME  # the claims of the last example have expired
    model: dict[str, tuple[float, Claim]] = {}
    for number, (seconds, key, fingerprint) in enumerate(steps):
        clock.now += seconds
        claim = Claim(f"order-{number}", fingerprint)
        since, held = model.get(key, (clock.now - KEY_LIFETIME, claim))
        if clock.now - since >= KEY_LIFETIME:
            since, held = model[key] = (clock.now, claim)
        assert keys.claim(key, claim) == held
