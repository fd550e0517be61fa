"""Addresses of a CloudFront distribution that stands before the store, signed with a key that the distribution trusts.

canned policy   binds the address and when it ends; CloudFront rebuilds it, so the address stays short
custom policy   is sent along, and also binds when the address begins
hash            SHA-1 is CloudFront's default; SHA-256 is told in the address, which botocore does not do

The distribution must pass the query on to the bucket, with its own right to read it (origin access control).
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from botocore.signers import CloudFrontSigner
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from momentarium_cli.backend.storage.base import DOWNLOAD_GRID_SECONDS, DOWNLOAD_SECONDS, checksum_of, disposition
from momentarium_cli.errors import SettingsError

Policy = Literal["canned", "custom"]
Hash = Literal["sha1", "sha256"]

# What is "private" CloudFront does not keep either. After an hour it forgets a deleted photo, as its addresses end.
CACHE_CONTROL = f"max-age={DOWNLOAD_SECONDS}, immutable"
_SKEW_SECONDS = 300  # how far our clock may be ahead of CloudFront's
_REMEMBERED = 4096  # addresses, some 1.5 KB each: the pages that are open, which are asked for again and again

_PATH = r"(?:/\w[\w.~-]*)*/?"
_ADDRESS = re.compile(rf"(https://[\w.-]+|https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?)({_PATH})", re.ASCII)
_KEY_ID = re.compile(r"[A-Za-z0-9]+")


class Cdn:
    """Signs addresses of objects, each good for an hour at most. Thread-safe.

    `url` is the distribution's; a path is put before the key, for a distribution that has a behaviour for that path.
    `key_id` is the public key's in CloudFront, `private_key` its other half: PEM, RSA of 2,048 bits or ECDSA P-256.
    SettingsError if one of them cannot be used.
    """

    def __init__(
        self, url: str, key_id: str | None, private_key: bytes, *, policy: Policy = "canned", hash: Hash = "sha1"
    ) -> None:
        self._base_url = _base_url(url)
        self._signer = CloudFrontSigner(_checked(key_id), _signature(_parsed(private_key), hash))
        self._policy = policy
        self._suffix = "&Hash-Algorithm=SHA256" if hash == "sha256" else ""
        self._signed = lru_cache(_REMEMBERED)(self._sign)

    @classmethod
    def load(
        cls, url: str, key_id: str | None, key_file: Path | None, *, policy: Policy = "canned", hash: Hash = "sha1"
    ) -> "Cdn":
        """With the private key of a file."""
        return cls(url, key_id, _read(key_file), policy=policy, hash=hash)

    def url(self, key: str, *, content_type: str, filename: str | None = None) -> str:
        """An address of the object for a browser; with `filename` it is downloaded under that name, else shown."""
        checksum_of(key)
        latest = now() + DOWNLOAD_SECONDS
        return self._signed(key, content_type, filename, latest - latest % DOWNLOAD_GRID_SECONDS)

    def _sign(self, key: str, content_type: str, filename: str | None, expires: int) -> str:
        answer = {
            "response-cache-control": CACHE_CONTROL,
            "response-content-disposition": disposition(filename),
            "response-content-type": content_type,
        }
        resource = f"{self._base_url}/{key}?{urlencode(answer, quote_via=quote, safe='')}"
        until = datetime.fromtimestamp(expires, UTC)
        if self._policy == "canned":
            return f"{self._signer.generate_presigned_url(resource, date_less_than=until)}{self._suffix}"
        since = datetime.fromtimestamp(expires - DOWNLOAD_SECONDS - _SKEW_SECONDS, UTC)
        policy = self._signer.build_policy(resource, until, date_greater_than=since)
        return f"{self._signer.generate_presigned_url(resource, policy=policy)}{self._suffix}"


def now() -> int:
    """The current second since 1970."""
    return int(time.time())


def _base_url(url: str) -> str:
    """As browsers send it, for CloudFront compares it so: the host in lower case. No wildcard of a policy is in it."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        raise SettingsError(
            "storage.cdn_url is not the address of a distribution.",
            hint="Write it like https://d111.cloudfront.net or https://photos.example.org/path, without ? and #.",
        )
    return match.group(1).lower() + match.group(2).rstrip("/")


def _checked(key_id: str | None) -> str:
    if not key_id or not _KEY_ID.fullmatch(key_id):
        raise SettingsError(
            "storage.cdn_key_id is not the id of a public key." if key_id else "storage.cdn_key_id is not set.",
            hint="Set it to the id that CloudFront shows under Public keys, like K2JCJMDEHXQW5F.",
        )
    return key_id


def _read(key_file: Path | None) -> bytes:
    if key_file is None:
        raise SettingsError(
            "storage.cdn_private_key_file is not set.", hint="Set it to the private key of storage.cdn_key_id."
        )
    try:
        return key_file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"storage.cdn_private_key_file: {key_file} cannot be read: {error.strerror}.",
            hint="Set it to a file that the server may read.",
        ) from error


def _parsed(pem: bytes) -> RSAPrivateKey | EllipticCurvePrivateKey:
    """The private key, if it is of a kind that CloudFront knows."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise SettingsError(
            "storage.cdn_private_key_file is encrypted, and a server cannot ask for the password.",
            hint="Write the key without one: openssl pkey -in KEY -out NEW_KEY.",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            "storage.cdn_private_key_file is not a private key in PEM.",
            hint="Give it the file that `openssl genrsa -out KEY 2048` wrote, not the public key.",
        ) from error
    if isinstance(key, RSAPrivateKey) and key.key_size == 2048:
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise SettingsError(
        "storage.cdn_private_key_file is of a kind that CloudFront does not take: it takes RSA 2048 and ECDSA P-256.",
        hint="Make a new pair: openssl genrsa -out KEY 2048; openssl rsa -in KEY -pubout.",
    )


def _signature(key: RSAPrivateKey | EllipticCurvePrivateKey, hash: Hash) -> Callable[[bytes], bytes]:
    """What signs a policy; equal policies get equal signatures (RFC 6979 for ECDSA), so that addresses stay equal."""
    digest = SHA256() if hash == "sha256" else SHA1()  # noqa: S303 -- CloudFront's default, and all that older keys use
    if isinstance(key, RSAPrivateKey):
        return lambda policy: key.sign(policy, PKCS1v15(), digest)
    return lambda policy: key.sign(policy, ECDSA(digest, deterministic_signing=True))
