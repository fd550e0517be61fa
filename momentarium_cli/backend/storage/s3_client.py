"""The way to one bucket: credentials that renew themselves, boto3's client, signed requests, and errors of ours."""

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import IOBase
from ssl import create_default_context
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.httpsession import URLLib3Session, get_cert_path
from botocore.utils import get_environ_proxies

from momentarium_cli.backend.storage.base import AT_ONCE
from momentarium_cli.backend.storage.presign import Keys, Presigner
from momentarium_cli.backend.storage.s3_errors import (
    Refusal,
    is_about_credentials,
    no_credentials,
    refused,
    unreachable,
)
from momentarium_cli.errors import MomentariumError, SettingsError, StorageUnavailable
from momentarium_cli.wire import Headers, Wire, WireError

T = TypeVar("T")

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 3
_READ_SECONDS = 15
_TRIES = 3
_FIRST_DELAY_SECONDS = 0.2
_RELOAD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where a bucket is. `bucket` may be the ARN of an access point; a prefix ends with "/" or is empty."""

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    addressing_style: str | None = None  # none: path with an endpoint of one's own, else virtual

    @property
    def every_region(self) -> bool:
        """Whether this is a Multi-Region Access Point."""
        return self.bucket.startswith("arn:") and self.bucket.split(":")[3] == "" and self.bucket.endswith(".mrap")

    def resource(self, name: str = "") -> str:
        """The ARN of an object, or of the bucket."""
        access_point = self.bucket.startswith("arn:")
        arn = self.bucket if access_point else f"arn:aws:s3:::{self.bucket}"
        return f"{arn}/{'object/' if access_point else ''}{name}" if name else arn


class S3Client:
    """Thread-safe. Credentials are those that boto3 finds; where the store refuses them they are looked for again."""

    def __init__(self, options: S3Options, new_session: Callable[[], boto3.Session]) -> None:
        self.options = options
        self._new_session = new_session
        self._loading = Lock()
        self._reloaded_at = -_RELOAD_SECONDS
        self._session = new_session()
        self._credentials = _credentials(self._session)
        self.boto = self._boto()
        self.presigner = Presigner(
            _base_url(self._boto(UNSIGNED), options), self.boto.meta.region_name, self._keys,
            every_region=options.every_region,
        )  # fmt: skip
        parts = urlsplit(self.presigner.base_url)
        self.endpoint = f"{parts.scheme}://{parts.netloc}"
        verify = self._session._session.get_config_variable("ca_bundle") or True
        proxies = get_environ_proxies(self.endpoint)
        self._http = URLLib3Session(verify, proxies, (_CONNECT_SECONDS, _READ_SECONDS), max_pool_connections=AT_ONCE)
        self._wire: Wire | None = None
        if parts.scheme not in proxies:
            tls = partial(create_default_context, cafile=get_cert_path(verify))
            self._wire = Wire(tls, connect_seconds=_CONNECT_SECONDS, read_seconds=_READ_SECONDS)

    # --- requests ----------------------------------------------------------------------------------------------

    @contextmanager
    def calling(self, action: str, name: str = "") -> Iterator[None]:
        """Whatever boto3 raises in the block becomes ours: `action` such as "s3:PutObject", on an object's name."""
        try:
            yield
        except ClientError as error:
            raise self._refused(Refusal.of_client(error), action, name) from error
        except ParamValidationError as error:
            raise SettingsError(f"storage.url cannot be used: {error}".replace("\n", " ")) from error
        except BotoCoreError as error:
            raise unreachable(error, self.endpoint) from error

    def send(
        self, method: str, url: str, headers: Mapping[str, str], action: str, name: str, body: IOBase | None = None
    ) -> AWSResponse:
        """A signed request; repeated while the store is out of reach or busy, where the body can be read again."""
        start = body.tell() if body is not None and body.seekable() else None

        def once() -> AWSResponse:
            answer = self.ask(method, url, headers, body)
            if answer.status_code >= 300:  # else the body is left to stream in
                raise self._refused(Refusal.of_answer(answer.status_code, answer.headers, answer.content), action, name)
            return answer

        def again() -> bool:
            if body is not None and start is not None:
                body.seek(start)
            return body is None or start is not None

        return _repeated(once, again)

    def look(self, url: str, headers: Mapping[str, str], action: str, name: str) -> Headers:
        """What is answered to a signed HEAD; there are thousands of them."""

        def once() -> Headers:
            status, answered = self._looked(url, headers)
            if status >= 300:
                raise self._refused(Refusal.of_answer(status, answered, b""), action, name)
            return answered

        return _repeated(once, lambda: True)

    def _looked(self, url: str, headers: Mapping[str, str]) -> tuple[int, Headers]:
        if self._wire is None:
            answer = self.ask("HEAD", url, headers)
            return answer.status_code, answer.headers
        try:
            reply = self._wire.send("HEAD", url, headers, (), keep=0)
        except WireError as error:
            raise unreachable(error, self.endpoint) from error
        return reply.status, reply.headers

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: IOBase | None = None
    ) -> AWSResponse:
        """Whatever is answered to one request as it is; the body of a GET streams in."""
        request = AWSPreparedRequest(method, url, HeadersDict(headers or {}), body, stream_output=method == "GET")
        try:
            return self._http.send(request)
        except BotoCoreError as error:
            raise unreachable(error, self.endpoint) from error

    def _refused(self, said: Refusal, action: str, name: str) -> MomentariumError:
        error = refused(said, bucket=self.options.bucket, action=action, resource=self.options.resource(name))
        if is_about_credentials(error):
            self._reload()
        return error

    # --- credentials -------------------------------------------------------------------------------------------

    def _keys(self) -> Keys:
        try:
            frozen = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise StorageUnavailable(f"The credentials for S3 cannot be renewed: {error}.", retry_after=5) from error
        return Keys(frozen, getattr(self._credentials, "_expiry_time", None))

    def _reload(self) -> None:
        """Rotated credentials are taken up without a restart, where they come from a file or a role."""
        with self._loading:
            if time.monotonic() - self._reloaded_at < _RELOAD_SECONDS:
                return
            self._reloaded_at = time.monotonic()
            with suppress(MomentariumError, BotoCoreError):
                session = self._new_session()
                self._credentials, self._session = _credentials(session), session
                self.boto = self._boto()
                log.info("the store refused the credentials; they were read again")

    def _boto(self, signature: Any = None) -> Any:
        options = self.options
        style = options.addressing_style or ("path" if options.endpoint_url else "virtual")
        # A Multi-Region Access Point chooses its signature itself; forced to s3v4, its URLs would be silently wrong.
        version = signature or (None if options.every_region else "s3v4")
        config = Config(
            signature_version=version,
            s3={"addressing_style": style},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": _TRIES},
            max_pool_connections=AT_ONCE,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            return self._session.client(
                "s3",
                region_name=options.region or self._session.region_name or "us-east-1",
                endpoint_url=options.endpoint_url,
                config=config,
            )
        except (ValueError, BotoCoreError) as error:
            raise SettingsError(f"The settings for S3 cannot be used: {error}.".replace("..", ".")) from error


def _repeated(once: Callable[[], T], again: Callable[[], bool]) -> T:
    """What `once` returns; it is repeated while the store is out of reach or busy, as long as `again` says it can."""
    for left in reversed(range(_TRIES)):
        try:
            return once()
        except StorageUnavailable as error:
            if not left or error.retry_after is None or is_about_credentials(error) or not again():
                raise
        time.sleep(random.uniform(0, _FIRST_DELAY_SECONDS * 2 ** (_TRIES - left)))  # noqa: S311 -- jitter, no secret
    raise AssertionError("the last try returns or raises")


def _credentials(session: boto3.Session) -> Any:
    try:
        found = session.get_credentials()
    except BotoCoreError as error:
        raise SettingsError(f"The credentials for S3 cannot be read: {error}.") from error
    if found is None:
        raise no_credentials()
    return found


def _base_url(unsigned: Any, options: S3Options) -> str:
    """What stands before an object's key, as boto3 resolves it."""
    try:
        url: str = unsigned.generate_presigned_url("get_object", Params={"Bucket": options.bucket, "Key": "x"})
    except BotoCoreError as error:
        raise SettingsError(f"storage.url cannot be used: {' '.join(str(error).split())}.") from error
    return url.removesuffix("x") + options.prefix
