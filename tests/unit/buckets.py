"""A bucket of moto, and a client whose calls fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.stores import moto_client

BUCKET = "orders-backup-dev"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket with versions."""
    client = moto_client("s3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


class Breaking:
    """A client of S3 whose calls of some names fail."""

    def __init__(self, client: Any, *names: str) -> None:
        self._client = client
        self.names = set(names)
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.called.append(name)
        if name not in self.names:
            return getattr(self._client, name)

        def fail(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "id 17"}}, name)

        return fail
