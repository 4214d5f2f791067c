"""Clients of AWS's services: how long they wait, how often they try, and by which name they call."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ConnectTimeoutError

from stores import aws
from stores.aws import BEST_EFFORT, FOR_BATCHES, FOR_REQUESTS, ClientConfig


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.parametrize(
    ("config", "connect", "read", "attempts"),
    [(FOR_BATCHES, 2, 4, 2), (FOR_REQUESTS, 1, 2, 2), (BEST_EFFORT, 1, 2, 1)],
)
def test_a_call_takes_no_longer_than_its_purpose_allows(
    config: ClientConfig, connect: int, read: int, attempts: int
) -> None:
    options = aws.client("dynamodb", config).meta.config
    assert (options.connect_timeout, options.read_timeout) == (connect, read)
    assert options.retries == {"mode": "standard", "total_max_attempts": attempts}


def test_a_batch_has_a_connection_for_each_of_its_concurrent_calls() -> None:
    assert aws.client("dynamodb", FOR_BATCHES).meta.config.max_pool_connections == aws.CONNECTIONS


@pytest.mark.parametrize(
    ("dual_stack", "name"), [(False, "sqs.eu-central-1.amazonaws.com"), (True, "sqs.eu-central-1.api.aws")]
)
def test_a_client_calls_its_service_at_its_endpoint(name: str, *, dual_stack: bool) -> None:
    client = aws.client("sqs", FOR_REQUESTS, dual_stack=dual_stack)
    assert client.meta.endpoint_url == f"https://{name}"
    called: list[str] = []

    def refuse(request: AWSPreparedRequest, **_: object) -> None:
        called.append(request.url)
        raise ConnectTimeoutError(endpoint_url=request.url)

    client.meta.events.register("before-send", refuse)
    with pytest.raises(ConnectTimeoutError):
        client.receive_message(QueueUrl=f"https://{name}/1/OrderQueue")
    assert set(called) == {f"https://{name}/"}


@pytest.mark.parametrize("service", aws.SERVICES)
def test_each_service_has_a_client(service: str) -> None:
    assert aws.client(service, FOR_REQUESTS).meta.service_model.service_name == service


def test_no_directory_of_another_service_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    list_directory = os.listdir

    def watch(path: str) -> list[str]:
        read.append(path)
        return list_directory(path)

    monkeypatch.setattr(os, "listdir", watch)
    aws._session.cache_clear()
    aws.client("dynamodb", FOR_REQUESTS)
    assert [path for path in read if "dynamodb" not in path] == []


def described() -> dict[str, str]:
    """Read the descriptions of services that are in the functions' archives."""
    paths = [path for path in aws.MODELS.rglob("*") if path.is_file()]
    return {path.relative_to(aws.MODELS).as_posix(): path.read_text("utf-8") for path in paths}


def test_services_are_described_as_by_the_pinned_sdk_if_not_run_scripts_models_py() -> None:
    script = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "models.py"))
    assert described() == script["contents"]()


@pytest.fixture
def _own_session() -> Iterator[None]:
    """A session for one test, which reads the descriptions again."""
    aws._session.cache_clear()
    yield
    aws._session.cache_clear()


@pytest.mark.usefixtures("_own_session")
def test_a_client_has_the_operations_that_the_functions_call_and_no_others() -> None:
    operations = aws.client("secretsmanager", FOR_REQUESTS).meta.service_model.operation_names
    assert operations == ["GetSecretValue"]


@pytest.mark.usefixtures("_own_session")
@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("eu-central-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("us-gov-west-1", "amazonaws.com"),
        ("xx-nowhere-9", "amazonaws.com"),  # a region that is newer than the SDK
    ],
)
def test_every_region_has_its_endpoints(monkeypatch: pytest.MonkeyPatch, region: str, suffix: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    for service in aws.SERVICES:
        client = aws.client(service, FOR_REQUESTS)
        assert client.meta.endpoint_url == f"https://{service}.{region}.{suffix}"
        assert client.meta.config.region_name == region


@pytest.mark.usefixtures("_own_session")
def test_without_its_own_descriptions_a_function_uses_the_sdks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(aws, "MODELS", tmp_path / "none")
    assert "CreateTable" in aws.client("dynamodb", FOR_REQUESTS).meta.service_model.operation_names
