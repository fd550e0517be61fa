"""Signed requests of S3: signature version 4 in the query, by botocore's own signers.

boto3 makes the same URLs (a test compares them), at twice the time, and only for the current second; signing here can
set the moment, so that a download's address stays the same for minutes and caches work. Every URL is read again before
it is handed out: what it binds is what was to be bound.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.compat import HAS_CRT
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from momentarium_cli.errors import SettingsError, StorageUnavailable

_LEAST_SECONDS = 30  # credentials that end sooner sign nothing that could still be used


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials as they are at this moment, and when they end, if they do."""

    frozen: ReadOnlyCredentials
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Signed:
    url: str
    expires_at: datetime


class Presigner:
    """Signs requests for the objects of one bucket. Thread-safe.

    `base_url` is what stands before an object's name; `every_region` signs for a Multi-Region Access Point (SigV4A).
    """

    def __init__(self, base_url: str, region: str, keys: Callable[[], Keys], *, every_region: bool = False) -> None:
        self.base_url = base_url
        self._region = region
        self._keys = keys
        self._every_region = every_region
        if every_region:
            check_every_region()
        self._algorithm = "AWS4-ECDSA-P256-SHA256" if every_region else "AWS4-HMAC-SHA256"

    def sign(
        self,
        method: str,
        name: str,
        *,
        seconds: int,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        moment: datetime | None = None,
    ) -> Signed:
        """A request that is good for `seconds` from `moment` on, or for as long as the credentials are."""
        headers, params, moment = headers or {}, params or {}, moment or now()
        if self._every_region:
            moment = now()  # AWS's signer knows no other
        keys = self._keys()
        seconds = _within(keys, moment, seconds)
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        request = AWSRequest(method, self.base_url + name + query, headers=dict(headers))
        try:
            self._signer(keys.frozen, seconds, moment).add_auth(request)
        except BotoCoreError as error:
            raise StorageUnavailable(
                f"A request could not be signed: {error}.", hint="Check the credentials."
            ) from error
        self._check(request.url, headers, params, seconds)
        return Signed(request.url, moment.replace(microsecond=0) + timedelta(seconds=seconds))

    def _signer(self, keys: ReadOnlyCredentials, seconds: int, moment: datetime) -> Any:
        if self._every_region:
            from botocore.crt.auth import CrtS3SigV4AsymQueryAuth

            return CrtS3SigV4AsymQueryAuth(keys, "s3", "*", seconds)
        return _AtMoment(keys, "s3", self._region, seconds, moment)

    def _check(self, url: str, headers: Mapping[str, str], params: Mapping[str, str], seconds: int) -> None:
        query = parse_qs(urlsplit(url).query, keep_blank_values=True)
        bound = {
            "X-Amz-Algorithm": self._algorithm,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": ";".join(sorted(["host", *map(str.lower, headers)])),
            **params,
        }
        wrong = [name for name, value in bound.items() if query.get(name) != [value]]
        if wrong or not query.get("X-Amz-Signature"):
            raise SettingsError(f"A signed request does not bind what it must ({', '.join(wrong) or 'nothing'}).")


class _AtMoment(S3SigV4QueryAuth):  # type: ignore[misc]  # botocore ships no types
    """As botocore's, for a moment that is given instead of the current second."""

    def __init__(self, keys: ReadOnlyCredentials, service: str, region: str, seconds: int, moment: datetime) -> None:
        super().__init__(keys, service, region, seconds)
        self._moment = moment

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._moment.strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)


def check_every_region() -> None:
    """SettingsError unless requests can be signed for all regions."""
    if not HAS_CRT:
        raise SettingsError(
            "A Multi-Region Access Point needs signatures for all regions (SigV4A), which are not installed.",
            hint="Install botocore[crt], or set storage.url to the bucket of one region.",
        )


def _within(keys: Keys, moment: datetime, seconds: int) -> int:
    """A URL never outlives the credentials that signed it."""
    if keys.expires_at is None:
        return seconds
    left = int((keys.expires_at - now()).total_seconds())
    if left < _LEAST_SECONDS:
        raise StorageUnavailable("The store's credentials end in a moment.", hint="Renew them.", retry_after=5)
    return min(seconds, int((keys.expires_at - moment).total_seconds()))
