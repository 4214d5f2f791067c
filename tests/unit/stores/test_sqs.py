"""The endpoint at which functions call SQS."""

from __future__ import annotations

import pytest

from stores.sqs import sqs_client


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_sqs_is_called_at_its_private_endpoint() -> None:
    assert sqs_client().meta.endpoint_url == "https://sqs.eu-central-1.amazonaws.com"


def test_over_ipv6_sqs_is_called_at_its_dual_stack_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQS_DUALSTACK", "true")
    assert sqs_client().meta.endpoint_url == "https://sqs.eu-central-1.api.aws"


def test_no_variable_of_the_sdk_changes_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert sqs_client().meta.endpoint_url == "https://sqs.eu-central-1.amazonaws.com"
