"""Files in an S3 bucket, written atomically."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.failures import StoreUnavailableError
from stores import aws

PART = 8 * 1024 * 1024  # bytes of a part, in memory at once; S3 allows 10,000 parts of at least 5 MB


class Files:
    """The files of a bucket."""

    def __init__(self, bucket: str, client: Any = None) -> None:
        self._bucket = bucket
        self._client: Any = client or aws.client("s3", aws.FOR_UPLOADS)

    def written(self) -> dict[str, datetime]:
        """Return when each file was last written, by its name."""
        found: dict[str, datetime] = {}
        request: dict[str, str] = {}
        with _reasons():
            while True:
                page = self._client.list_objects_v2(Bucket=self._bucket, **request)
                found |= {entry["Key"]: entry["LastModified"] for entry in page.get("Contents", [])}
                if not page.get("IsTruncated"):
                    return found
                request = {"ContinuationToken": page["NextContinuationToken"]}

    def write(self, key: str, pieces: Iterable[bytes], content_type: str, metadata: Mapping[str, str]) -> int:
        """Replace a file, and return its size; readers see the old one until then.

        A large file is uploaded in parts, which S3 joins at the end, or which are deleted after an error.
        """
        target = {"Bucket": self._bucket, "Key": key}
        about = {"ContentType": content_type, "Metadata": dict(metadata)}
        buffer, size, parts = bytearray(), 0, list[dict[str, Any]]()
        upload: dict[str, str] = {}
        with _reasons():
            try:
                for piece in pieces:
                    buffer += piece
                    size += len(piece)
                    if len(buffer) >= PART:
                        if not upload:
                            response = self._client.create_multipart_upload(**target, **about)
                            upload = {**target, "UploadId": response["UploadId"]}
                        self._add(upload, parts, buffer)
                if not upload:
                    self._client.put_object(**target, **about, Body=bytes(buffer))
                    return size
                if buffer:
                    self._add(upload, parts, buffer)
                self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except BaseException:
                if upload:
                    # If that fails, the bucket deletes the parts after a day.
                    with suppress(BotoCoreError, ClientError):
                        self._client.abort_multipart_upload(**upload)
                raise
        return size

    def _add(self, upload: Mapping[str, str], parts: list[dict[str, Any]], buffer: bytearray) -> None:
        number = len(parts) + 1
        response = self._client.upload_part(**upload, PartNumber=number, Body=bytes(buffer))
        parts.append({"PartNumber": number, "ETag": response["ETag"]})
        buffer.clear()


@contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        # The code only: S3's text has request ids.
        raise StoreUnavailableError(f"S3: {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise StoreUnavailableError(f"S3: {error}") from error
