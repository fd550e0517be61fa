"""The store on what speaks S3: clients send and fetch by signed requests, straight to and from the bucket."""

import base64
import hashlib
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

from momentarium_cli.backend.storage import presign
from momentarium_cli.backend.storage.base import (
    DOWNLOAD_GRID_SECONDS,
    DOWNLOAD_SECONDS,
    UPLOAD_SECONDS,
    ObjectInfo,
    Part,
    Storage,
    checksum_of,
    disposition,
    is_key,
)
from momentarium_cli.backend.storage.cdn import Cdn
from momentarium_cli.backend.storage.s3_client import S3Client, S3Options
from momentarium_cli.backend.storage.s3_errors import Refusal, refused
from momentarium_cli.errors import AlreadyStored, BadRequest, NotAsDescribed, NotFound, StorageUnavailable
from momentarium_cli.models import MAX_PARTS, MAX_PUT_BYTES, SignedRequest

CHECKSUM_HEADER = "x-amz-checksum-sha256"
_PART_BYTES = 64 << 20
_CALL_SECONDS = 60  # how long our own signed requests are good for
_SEEN_SECONDS = 10.0
_DELETED_AT_ONCE = 1000
_BUFFER_BYTES = 1 << 20


class S3Storage(Storage):
    """Objects in one bucket, under a prefix where there is one. Downloads go through `cdn` where there is one."""

    def __init__(self, client: S3Client, cdn: Cdn | None) -> None:
        self.client = client
        self._options = client.options
        self._cdn = cdn
        self._seen_at = -_SEEN_SECONDS

    @classmethod
    def connect(cls, options: S3Options, *, session: boto3.Session | None = None, cdn: Cdn | None = None) -> Self:
        """Nothing is sent yet. SettingsError: the settings cannot be used, or there are no credentials."""
        new_session: Callable[[], boto3.Session] = (lambda: session) if session else boto3.Session
        return cls(S3Client(options, new_session), cdn)

    @property
    def where(self) -> str:
        return f"s3://{self._options.bucket}/{self._options.prefix}".rstrip("/")

    # --- signed requests ---------------------------------------------------------------------------------------

    def upload_target(self, key: str, *, content_type: str, size: int) -> SignedRequest:
        headers = {
            "Content-Type": content_type,
            "Content-Length": str(size),
            CHECKSUM_HEADER: _base64(checksum_of(key)),
            "If-None-Match": "*",
        }
        return self._target(key, headers)

    def download_url(self, key: str, *, content_type: str, filename: str | None = None) -> str:
        checksum_of(key)
        if self._cdn is not None:
            return self._cdn.url(key, content_type=content_type, filename=filename)
        params = {
            "response-content-type": content_type,
            "response-content-disposition": disposition(filename),
            "response-cache-control": "private, max-age=3600, immutable",
        }
        return self._sign("GET", key, seconds=DOWNLOAD_SECONDS, params=params, moment=_on_grid(presign.now())).url

    def _target(self, key: str, headers: Mapping[str, str], params: Mapping[str, str] | None = None) -> SignedRequest:
        signed = self._sign("PUT", key, seconds=UPLOAD_SECONDS, headers=headers, params=params)
        return SignedRequest.model_construct(
            method="PUT", url=signed.url, headers=dict(headers), expires_at=signed.expires_at
        )

    def _sign(self, method: str, key: str, **how: Any) -> presign.Signed:
        return self.client.presigner.sign(method, key, **how)

    # --- objects -----------------------------------------------------------------------------------------------

    def head(self, key: str) -> ObjectInfo | None:
        checksum_of(key)
        headers = {"x-amz-checksum-mode": "ENABLED"}
        signed = self._sign("HEAD", key, seconds=_CALL_SECONDS, headers=headers)
        try:
            answer = self.client.look(signed.url, headers, "s3:GetObject", self._name(key))
        except NotFound:
            self.check_bucket()  # which would say the same of each of its objects
            return None
        except StorageUnavailable as error:
            if error.error_code != "storage_busy":
                self._ask_bucket()  # whose answers say more than a status
            raise
        return ObjectInfo(int(answer.get("content-length") or 0), _hex(answer.get(CHECKSUM_HEADER)))

    def check_bucket(self) -> None:
        """StorageUnavailable unless the bucket answers; looked at again only after a while."""
        if time.monotonic() - self._seen_at >= _SEEN_SECONDS:
            self._ask_bucket()

    def _ask_bucket(self) -> None:
        with self.client.calling("s3:ListBucket"):
            self.client.boto.list_objects_v2(Bucket=self._options.bucket, Prefix=self._options.prefix, MaxKeys=1)
        self._seen_at = time.monotonic()

    def open(self, key: str) -> BinaryIO:
        checksum_of(key)
        signed = self._sign("GET", key, seconds=_CALL_SECONDS)
        try:
            answer = self.client.send("GET", signed.url, {}, "s3:GetObject", self._name(key))
        except NotFound:
            self.check_bucket()
            raise NotFound(f"There is no object {key}.") from None
        body = StreamingBody(answer.raw, answer.headers.get("content-length"))
        return io.BufferedReader(_Reading(body), _BUFFER_BYTES)

    def write(self, key: str, file: BinaryIO, *, size: int, content_type: str) -> None:
        if size > MAX_PUT_BYTES:
            self._write_in_parts(key, file, size, content_type)
            return
        target, body = self.upload_target(key, content_type=content_type, size=size), _Exactly(file, size)
        try:
            self.client.send(target.method, target.url, target.headers, "s3:PutObject", self._name(key), body)
        except AlreadyStored:
            return
        except StorageUnavailable as error:
            if body.wrong:
                raise BadRequest("The file is not as long as was said.", code="bad_length") from error
            raise

    def _write_in_parts(self, key: str, file: BinaryIO, size: int, content_type: str) -> None:
        upload_id = self.begin_parts(key, content_type=content_type)
        whole, parts = hashlib.sha256(), list[Part]()
        step = max(_PART_BYTES, -(-size // MAX_PARTS))
        try:
            while data := file.read(step):
                whole.update(data)
                part = Part(len(parts) + 1, len(data), hashlib.sha256(data).hexdigest())
                target = self.part_target(key, upload_id, part)
                name = self._name(key)
                self.client.send("PUT", target.url, target.headers, "s3:PutObject", name, io.BytesIO(data))
                parts.append(part)
            if whole.hexdigest() != checksum_of(key) or sum(part.size for part in parts) != size:
                raise BadRequest("The bytes are not those of the key.", code="bad_digest")
            self.complete_parts(key, upload_id, parts, content_type=content_type)
        except BaseException:
            self.abort_parts(key, upload_id)
            raise

    def delete(self, keys: Iterable[str]) -> None:
        remaining = iter(list(keys))
        while some := list(islice(remaining, _DELETED_AT_ONCE)):
            for key in some:
                checksum_of(key)
            listed = {"Objects": [{"Key": self._name(key)} for key in some], "Quiet": True}
            with self.client.calling("s3:DeleteObject", self._name(some[0])):
                answer = self.client.boto.delete_objects(Bucket=self._options.bucket, Delete=listed)
            self._check_deleted(answer.get("Errors", ()))

    def _check_deleted(self, errors: Sequence[Mapping[str, str]]) -> None:
        wrong = [error for error in errors if error.get("Code") != "NoSuchKey"]
        if wrong:
            said = Refusal(wrong[0].get("Code", ""), wrong[0].get("Message", ""))
            resource = self._options.resource(wrong[0].get("Key", ""))
            raise refused(said, bucket=self._options.bucket, action="s3:DeleteObject", resource=resource)

    def list(self, prefix: str) -> Iterator[str]:
        pages = self.client.boto.get_paginator("list_objects_v2")
        start = len(self._options.prefix)
        with self.client.calling("s3:ListBucket"):
            for page in pages.paginate(Bucket=self._options.bucket, Prefix=self._name(prefix)):
                names = (item["Key"][start:] for item in page.get("Contents", ()))
                yield from (name for name in names if is_key(name))

    # --- large objects, in parts -------------------------------------------------------------------------------

    def begin_parts(self, key: str, *, content_type: str) -> str:
        checksum_of(key)
        with self.client.calling("s3:PutObject", self._name(key)):
            answer = self.client.boto.create_multipart_upload(
                **self._at(key), ContentType=content_type, ChecksumAlgorithm="SHA256"
            )
        return str(answer["UploadId"])

    def part_target(self, key: str, upload_id: str, part: Part) -> SignedRequest:
        checksum_of(key)
        headers = {"Content-Length": str(part.size), CHECKSUM_HEADER: _base64(part.sha256)}
        return self._target(key, headers, {"partNumber": str(part.number), "uploadId": upload_id})

    def stored_parts(self, key: str, upload_id: str) -> dict[int, int]:
        return {number: part["Size"] for number, part in self._stored(key, upload_id).items()}

    def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part], *, content_type: str) -> None:  # noqa: ARG002 -- it was said when it began
        if self.head(key) is not None:
            self.abort_parts(key, upload_id)
            return
        stored = self._stored(key, upload_id)
        if {number: part["Size"] for number, part in stored.items()} != {part.number: part.size for part in parts}:
            raise NotAsDescribed("Some parts are not stored as described.", hint="Upload the file again.")
        listed = [
            {"PartNumber": part.number, "ETag": stored[part.number]["ETag"], "ChecksumSHA256": _base64(part.sha256)}
            for part in parts
        ]
        try:
            with self.client.calling("s3:PutObject", self._name(key)):
                self.client.boto.complete_multipart_upload(
                    **self._at(key), UploadId=upload_id, MultipartUpload={"Parts": listed}, IfNoneMatch="*"
                )
        except AlreadyStored:
            self.abort_parts(key, upload_id)
        except BadRequest as error:
            raise NotAsDescribed("A part is not as described.", hint="Upload the file again.") from error

    def abort_parts(self, key: str, upload_id: str) -> None:
        checksum_of(key)
        try:
            with self.client.calling("s3:AbortMultipartUpload", self._name(key)):
                self.client.boto.abort_multipart_upload(**self._at(key), UploadId=upload_id)
        except NotFound:
            return

    def _stored(self, key: str, upload_id: str) -> dict[int, Any]:
        checksum_of(key)
        pages = self.client.boto.get_paginator("list_parts")
        with self.client.calling("s3:ListMultipartUploadParts", self._name(key)):
            found = [
                part for page in pages.paginate(**self._at(key), UploadId=upload_id) for part in page.get("Parts", ())
            ]
        return {part["PartNumber"]: part for part in found}

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._options.bucket, "Key": self._name(key)}

    def _name(self, key: str) -> str:
        return self._options.prefix + key


class _Exactly(io.RawIOBase):
    """A file of so many bytes. Without it the store would wait for those that a shorter one does not have."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size
        self._end = file.tell() + size if file.seekable() else 0
        self.wrong = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._left = self._end - offset
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        ends_early = self._left > 0 and not data
        self._left -= len(data)
        if ends_early or (data and not self._left and self._file.read(1)):
            self.wrong = True
            raise ValueError("the file is not as long as was said")
        return data


class _Reading(io.RawIOBase):
    """A body as it comes in; one that ends before its time is an error, not a short object."""

    def __init__(self, body: StreamingBody) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._body.read(len(buffer))
        except (BotoCoreError, ClientError, OSError) as error:
            raise StorageUnavailable("The store broke off in the middle of an object.", retry_after=2) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


def _on_grid(moment: datetime) -> datetime:
    past = moment.timestamp() % DOWNLOAD_GRID_SECONDS
    return moment - timedelta(seconds=past)


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _hex(checksum: str | None) -> str | None:
    """None for one that is a checksum of checksums, as of what came in parts."""
    if checksum is None or "-" in checksum:
        return None
    return base64.b64decode(checksum).hex()
