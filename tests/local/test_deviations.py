"""Differences from AWS, and the sentences about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.deviations import ALWAYS, Deviations

REFUSES_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "arn",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
ALLOWS_SNS = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}


@pytest.fixture
def deviations(tmp_path: Path) -> Deviations:
    authority = tmp_path / "ca.pem"
    authority.write_text("ours")
    return Deviations(gateway_port=4600, authority=authority, python="3.12")


def _noted(deviations: Deviations) -> list[str]:
    return [sentence for sentence in deviations.sentences if sentence not in ALWAYS]


def test_unchanged_values_are_not_noted(deviations: Deviations) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [ALLOWS_SNS]})
    assert deviations.batch_size(10) == 10
    assert deviations.viewer_protocol_policy("allow-all") == "allow-all"
    assert deviations.api_origin("example.com", "") is None
    assert json.loads(deviations.resource_policy(policy)) == json.loads(policy)
    assert _noted(deviations) == []


def test_a_difference_is_noted_once(deviations: Deviations) -> None:
    for _ in range(2):
        assert deviations.batch_size(500) == 10
    assert len(_noted(deviations)) == 1


def test_the_page_is_served_over_http(deviations: Deviations) -> None:
    assert deviations.viewer_protocol_policy("redirect-to-https") == "allow-all"
    assert deviations.viewer_protocol_policy("https-only") == "allow-all"
    assert len(_noted(deviations)) == 1


def test_the_apis_origin_is_on_this_machine(deviations: Deviations) -> None:
    origin = deviations.api_origin("abc123.execute-api.us-east-1.amazonaws.com", "/prod")
    assert origin is not None
    assert origin["DomainName"] == "localhost"
    assert origin["OriginPath"] == "/_aws/execute-api/abc123/prod"
    assert origin["CustomOriginConfig"]["HTTPPort"] == 4600
    assert len(_noted(deviations)) == 1


def test_only_the_refusal_of_plain_http_is_removed_from_a_policy(deviations: Deviations) -> None:
    kept = deviations.resource_policy(
        json.dumps({"Version": "2012-10-17", "Statement": [ALLOWS_SNS, REFUSES_HTTP]})
    )
    assert json.loads(kept) == {"Version": "2012-10-17", "Statement": [ALLOWS_SNS]}
    assert len(_noted(deviations)) == 1


def test_another_python_version_is_noted(deviations: Deviations) -> None:
    assert deviations.runtime("python3.12") == "python3.12"
    assert _noted(deviations) == []
    assert deviations.runtime("python3.13") == "python3.13"
    assert _noted(deviations) == ["Functions run on Python 3.12, not on Lambda's runtime python3.13."]


def test_functions_get_the_pages_local_address(deviations: Deviations) -> None:
    found = deviations.environment({"PAGE_ORIGIN": "https://d1a.cloudfront.net", "OPEN_HOURS": "6"})
    assert found == {"PAGE_ORIGIN": "http://d1a.cloudfront.localhost:4600", "OPEN_HOURS": "6"}


def test_the_database_and_its_authority_are_local(deviations: Deviations) -> None:
    assert deviations.database_address("MySQL 9.7.4", "127.0.0.1", 3410) == ("127.0.0.1", 3410)
    assert deviations.archive_replacements() == {"rds-ca.pem": b"ours"}
    assert len(_noted(deviations)) == 2
    assert "The database is MySQL 9.7.4 at 127.0.0.1:3410, not MySQL 8.4 on RDS." in _noted(deviations)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://d1a.cloudfront.net/order-status", "http://d1a.cloudfront.localhost:4600/order-status"),
        (
            "https://abc1.execute-api.us-east-1.amazonaws.com/prod/orders",
            "http://127.0.0.1:4600/_aws/execute-api/abc1/prod/orders",
        ),
        (
            "connect-src 'self' https://shop-0a1b.auth.eu-west-1.amazoncognito.com; img-src 'self'",
            "connect-src 'self' http://127.0.0.1:4600; img-src 'self'",
        ),
        ("https://example.com/", "https://example.com/"),
        (["https://d1a.cloudfront.net/"], ["https://d1a.cloudfront.net/"]),
        (7, 7),
    ],
)
def test_urls_are_the_local_ones(deviations: Deviations, value: object, expected: object) -> None:
    assert deviations.addresses(value) == expected


def test_a_role_gets_the_batch_variants_of_its_sqs_actions(deviations: Deviations) -> None:
    alone = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "t"}
    sweeping = {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "Resource": "q"}
    unchanged = deviations.role_policy(json.dumps({"Statement": [alone]}))
    assert json.loads(unchanged) == {"Statement": [alone]}
    assert deviations.sentences == list(ALWAYS)
    changed = json.loads(deviations.role_policy(json.dumps({"Statement": [alone, sweeping]})))
    assert changed["Statement"] == [
        alone,
        {**sweeping, "Action": [*sweeping["Action"], "sqs:DeleteMessageBatch"]},
    ]
    assert len(deviations.sentences) == len(ALWAYS) + 1


def test_a_role_with_partiql_updates_may_send_batches_of_statements(
    deviations: Deviations,
) -> None:
    update = {"Effect": "Allow", "Action": ["dynamodb:PartiQLUpdate"], "Resource": ["t"]}
    changed = json.loads(deviations.role_policy(json.dumps({"Statement": [update]})))
    batch = {"Effect": "Allow", "Action": ["dynamodb:BatchExecuteStatement"], "Resource": ["*"]}
    assert changed["Statement"] == [update, batch]
    assert len(deviations.sentences) == len(ALWAYS) + 1
