"""Files in a bucket: there as a whole or not at all, on a bucket of moto's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from orders.failures import StoreUnavailableError
from stores.s3 import Files
from tests.unit.buckets import BUCKET, Breaking

NOW = datetime.now(UTC)
PART = 8 * 1024 * 1024
PARTS = [b"a" * PART, b"b" * 1000, b"c" * PART, b"d"]


def test_a_large_file_is_uploaded_in_parts_and_appears_as_a_whole(bucket: Any) -> None:
    assert Files(BUCKET, bucket).write("x", PARTS, "text/plain", {"rows": "3"}) == 2 * PART + 1001
    stored = bucket.get_object(Bucket=BUCKET, Key="x")
    assert stored["Body"].read() == b"".join(PARTS)
    assert stored["ETag"].endswith('-3"')  # of three parts
    assert (stored["ContentType"], stored["Metadata"]) == ("text/plain", {"rows": "3"})


@pytest.mark.parametrize("broken", ["upload_part", "complete_multipart_upload"])
def test_an_interrupted_large_upload_leaves_nothing(bucket: Any, broken: str) -> None:
    with pytest.raises(StoreUnavailableError):
        Files(BUCKET, Breaking(bucket, broken)).write("x", PARTS, "text/plain", {})
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
    assert "Uploads" not in bucket.list_multipart_uploads(Bucket=BUCKET)


def test_an_unreachable_endpoint_is_a_reason_too() -> None:
    class Away:
        def list_objects_v2(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://s3")

    with pytest.raises(StoreUnavailableError, match="S3: Could not connect"):
        Files(BUCKET, Away()).written()


def test_a_bucket_is_listed_over_several_pages() -> None:
    class Pages:
        def list_objects_v2(self, Bucket: str, ContinuationToken: str = "0") -> dict[str, Any]:  # noqa: N803
            number = int(ContinuationToken)
            entry = {"Key": f"x{number}", "LastModified": NOW}
            more = {"IsTruncated": True, "NextContinuationToken": f"{number + 1}"} if number < 2 else {}
            return {"Contents": [entry], **more}

    assert Files(BUCKET, Pages()).written() == {"x0": NOW, "x1": NOW, "x2": NOW}
