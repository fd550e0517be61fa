"""Signed requests of S3: signature version 4 in the query.

boto3 makes the same URLs (a test compares them), at five times the cost, and only for the current second; signing here
can set the moment, so that a download's address stays the same for minutes and caches work. Signatures for all regions
are AWS's own signer's; its URLs are read again before they are handed out: what they bind is what was to be bound.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qs, quote, urlencode, urlsplit

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
        parts = urlsplit(base_url)
        usual = parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme))
        self._host, self._path = parts.netloc.rpartition(":")[0] if usual and parts.port else parts.netloc, parts.path
        if every_region:
            check_every_region()

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
        if self._every_region:
            url = _for_every_region(keys.frozen, method, self.base_url + name, headers, params, seconds)
        else:
            bound = {"host": self._host, **{key.lower(): " ".join(value.split()) for key, value in headers.items()}}
            scope = _Scope(keys.frozen, self._region, moment, seconds)
            query = scope.query(method, self._path + name, bound, params)
            url = f"{self.base_url}{name}?{query}"
        return Signed(url, moment.replace(microsecond=0) + timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a signature is good for; the terms are those of AWS's "Signature Version 4: query parameters"."""

    keys: ReadOnlyCredentials
    region: str
    moment: datetime
    seconds: int

    def query(self, method: str, path: str, bound: Mapping[str, str], params: Mapping[str, str]) -> str:
        """The signed query of a request; `bound` are the headers that it must have."""
        date, stamp = f"{self.moment:%Y%m%d}", f"{self.moment:%Y%m%dT%H%M%SZ}"
        scope = f"{date}/{self.region}/s3/aws4_request"
        names = sorted(bound)
        pairs = {
            **params,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.keys.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(self.seconds),
            "X-Amz-SignedHeaders": ";".join(names),
            **({"X-Amz-Security-Token": self.keys.token} if self.keys.token else {}),
        }
        query = "&".join(sorted(f"{_quoted(key)}={_quoted(value)}" for key, value in pairs.items()))
        headers = "".join(f"{name}:{bound[name]}\n" for name in names)
        request = f"{method}\n{path}\n{query}\n{headers}\n{';'.join(names)}\nUNSIGNED-PAYLOAD"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = _signing_key(self.keys.secret_key, date, self.region)
        return f"{query}&X-Amz-Signature={_hmac(key, to_sign).hex()}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str) -> bytes:
    return _hmac(_hmac(_hmac(_hmac(f"AWS4{secret}".encode(), date), region), "s3"), "aws4_request")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _for_every_region(
    keys: ReadOnlyCredentials,
    method: str,
    url: str,
    headers: Mapping[str, str],
    params: Mapping[str, str],
    seconds: int,
) -> str:
    from botocore.crt.auth import CrtS3SigV4AsymQueryAuth

    query = f"?{urlencode(params, quote_via=quote)}" if params else ""
    request = AWSRequest(method, url + query, headers=dict(headers))
    try:
        CrtS3SigV4AsymQueryAuth(keys, "s3", "*", seconds).add_auth(request)
    except BotoCoreError as error:
        raise StorageUnavailable(f"A request could not be signed: {error}.", hint="Check the credentials.") from error
    _check(request.url, headers, params, seconds)
    return str(request.url)


def _check(url: str, headers: Mapping[str, str], params: Mapping[str, str], seconds: int) -> None:
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    bound = {
        "X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256",
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": ";".join(sorted(["host", *map(str.lower, headers)])),
        **params,
    }
    wrong = [name for name, value in bound.items() if query.get(name) != [value]]
    if wrong or not query.get("X-Amz-Signature"):
        raise SettingsError(f"A signed request does not bind what it must ({', '.join(wrong) or 'nothing'}).")


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
