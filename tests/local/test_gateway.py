"""What browsers may ask a local stack for."""

from __future__ import annotations

import pytest

from local.gateway import lets_in

HERE = {"host": "127.0.0.1:4566"}
PAGE = {"host": "d1a.cloudfront.localhost:4566"}
FOREIGN = {"origin": "https://evil.example"}
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/lambda/aws4_request"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4566", "localhost:4566", "localhost", "d1a.cloudfront.localhost:1"]
)
def test_a_program_on_this_machine_may_ask_for_anything(host: str) -> None:
    assert lets_in("/2015-03-31/functions", "", {"host": host, **SIGNED})


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4566", "localhost.evil.example", ""])
def test_a_name_of_a_site_that_leads_here_is_refused(host: str) -> None:
    assert not lets_in("/_aws/execute-api/a/prod/orders", "", {"host": host})


@pytest.mark.parametrize("browser", [FOREIGN, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
@pytest.mark.parametrize(
    ("headers", "path", "query"),
    [
        ({**HERE, **SIGNED}, "/2015-03-31/functions", ""),
        ({**HERE, **SIGNED}, "/login", ""),
        ({**PAGE, **SIGNED}, "/order-status", ""),
        (HERE, "/login", "X-Amz-Credential=test%2F20261122%2Fus-east-1%2Fiam%2Faws4_request"),
        (HERE, "/login", "AWSAccessKeyId=test&Signature=x"),
        (HERE, "/_ministack/reset", ""),
        (HERE, "/", "Action=ListQueues"),
    ],
)
def test_a_browser_is_never_a_caller_of_aws(
    browser: dict[str, str], headers: dict[str, str], path: str, query: str
) -> None:
    assert not lets_in(path, query, {**headers, **browser})


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        (PAGE, "/order-status"),
        (PAGE, "/prod/orders"),
        (HERE, "/_aws/execute-api/a/prod/orders"),
        (HERE, "/oauth2/token"),
        (HERE, "/login"),
    ],
)
def test_a_browser_may_use_every_door_of_the_cafe(headers: dict[str, str], path: str) -> None:
    # Whose pages may read an answer is for the API to say, as on AWS.
    assert lets_in(path, "", {**headers, **FOREIGN, "authorization": "Bearer token"})


def test_a_person_may_type_any_address() -> None:
    assert lets_in("/_ministack/health", "", {**HERE, "sec-fetch-site": "none"})
