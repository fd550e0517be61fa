"""The two proofs that a request comes from the queue: the shared secret, and the signature of this very body.

X-API-Secret         ours: forwarded by the queue, never shown by it
Upstash-Signature    the queue's: a JWT, HMAC-SHA256 with a signing key, current or next while they are rotated

Nothing of a request is believed before both hold, and what is signed is compared with the settings, never with Host.
A request that is replayed within its five minutes passes: what it asks for must be harmless when it is asked twice.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from momentarium_cli.errors import SettingsError

PROCESS_PATH = "/api/jobs/process"
FAILED_PATH = "/api/jobs/failed"
MAINTENANCE_PATH = "/api/maintenance"
REFUSAL = "The request is not proven to come from the queue."  # whatever is wrong with it
MAX_BODY_BYTES = 1_000_000
TOLERANCE_SECONDS = 10
_MAX_LIFE_SECONDS = 300
_MAX_TOKEN_BYTES = 8192
_CLAIMS = frozenset({"iss", "sub", "exp", "nbf", "iat", "jti", "body"})
_JOSE_HEADERS = ({"alg": "HS256", "typ": "JWT"}, {"alg": "HS256"})
_GOOD_SECRET = re.compile(rb"[!-~]{16,}")  # it travels as a header

# What QStash's development server signs with, for each of its four users. They stand in its documentation.
DEVELOPMENT_KEYS = frozenset(
    {
        "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
        "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
        "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM",
        "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua",
        "sig_6jWGaWRxHsw4vMSPJprXadyvrybF",
        "sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx",
        "sig_5T8FcSsynBjn9mMLBsXhpacRovJf",
        "sig_7GFR4YaDshFcqsxWRZpRB161jguD",
    }
)

Headers = Sequence[tuple[bytes, bytes]]  # as they came, so that one that is there twice is seen


class NotProven(Exception):
    """A request that is not proven to come from the queue. All look the same outside; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Proofs:
    """Checks requests to this deployment. `secrets` and `signing_keys`: the current one, and the other of a rotation.

    SettingsError: they cannot prove anything.
    """

    def __init__(self, public_url: str, secrets: Sequence[str | None], signing_keys: Sequence[str | None]) -> None:
        self._base = public_url.rstrip("/")
        self._secrets = [secret.encode() for secret in secrets if secret]
        self._keys = [key.encode() for key in signing_keys if key]
        _check_settings(self._base, self._secrets, self._keys)

    def destination(self, path: str) -> str:
        """The address of one of our endpoints as the queue is told it, which is what it signs."""
        return self._base + path

    def check(self, path: str, headers: Headers, body: bytes, now: float) -> None:
        """NotProven, unless the request to our `path` with these raw headers and raw body is. `now`: Unix seconds."""
        try:
            self._check(self.destination(path), headers, body, now)
        except NotProven:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a forged request sets off, it is refused as any other
            raise NotProven(f"unreadable: {type(error).__name__}") from None

    def given(self, path: str, body: bytes, now: float) -> dict[str, str]:
        """The headers with which a request to our `path` passes, as if the queue had signed it a minute ago."""
        begun, digest = int(now) - 60, _encoded(hashlib.sha256(body).digest()).decode()
        claims = {"iss": "Upstash", "sub": self.destination(path), "iat": begun, "nbf": begun, "exp": begun + 120}
        parts = ({"alg": "HS256", "typ": "JWT"}, {**claims, "jti": "jwt_doctor", "body": digest})
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in parts)
        signature = _encoded(hmac.digest(self._keys[0], signed, "sha256"))
        return {"X-API-Secret": self._secrets[0].decode(), "Upstash-Signature": (signed + b"." + signature).decode()}

    def _check(self, destination: str, headers: Headers, body: bytes, now: float) -> None:
        _need(len(body) <= MAX_BODY_BYTES, "body too large")
        _need(not _values(headers, b"content-encoding"), "encoded body")
        _need(_any_equal(_only(headers, b"x-api-secret"), self._secrets), "secret")
        claims = self._claims(_only(headers, b"upstash-signature"))
        _check_claims(claims, destination, now)
        _check_body(claims["body"], body)

    def _claims(self, token: bytes) -> dict[str, Any]:
        """What was signed; nothing of the token is read before its signature is good.

        The signature is compared as text: of 32 bytes, four different texts are possible.
        """
        _need(len(token) <= _MAX_TOKEN_BYTES, "token too long")
        _need(token.count(b".") == 2, "token malformed")
        signed, _, signature = token.rpartition(b".")
        good = [_encoded(hmac.digest(key, signed, "sha256")) for key in self._keys]
        _need(_any_equal(signature, good), "signature")
        header, payload = map(_decoded, signed.split(b"."))
        _need(header in _JOSE_HEADERS, "algorithm or header")
        return payload


def _check_claims(claims: dict[str, Any], destination: str, now: float) -> None:
    _need(claims.keys() >= _CLAIMS, "claims missing")
    _need(claims["iss"] == "Upstash", "issuer")
    _need(claims["sub"] == destination, "subject")
    _need(claims.get("aud", "") == "", "audience")
    _need(isinstance(claims["jti"], str) and claims["jti"] != "", "id")
    expires, begins, issued = claims["exp"], claims["nbf"], claims["iat"]
    _need(type(expires) is type(begins) is type(issued) is int, "times are no whole seconds")
    _need(now < expires + TOLERANCE_SECONDS, "expired")
    _need(begins - TOLERANCE_SECONDS <= now and issued - TOLERANCE_SECONDS <= now, "from the future")
    _need(0 < expires - begins <= _MAX_LIFE_SECONDS and 0 < expires - issued <= _MAX_LIFE_SECONDS, "lifetime")


def _check_body(claim: Any, body: bytes) -> None:
    """The service pads the hash, its clients do not."""
    unpadded = _encoded(hashlib.sha256(body).digest())
    _need(isinstance(claim, str) and _any_equal(claim.encode(), [unpadded, unpadded + b"="]), "body")


def _need(condition: bool, reason: str) -> None:
    if not condition:
        raise NotProven(reason)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _only(headers: Headers, name: bytes) -> bytes:
    """The value of a header that is there once."""
    values = _values(headers, name)
    _need(len(values) == 1, f"{len(values)} headers {name.decode()}")
    return values[0]


def _any_equal(value: bytes, others: Sequence[bytes]) -> bool:
    """Takes as long whichever it is."""
    return any([hmac.compare_digest(value, other) for other in others])


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decoded(part: bytes) -> dict[str, Any]:
    """A part of a token: JSON in UTF-8, an object in which no name is there twice."""
    data = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_without_doubles)
    _need(isinstance(value, dict), "no object")
    return dict(value)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _need(len(found) == len(pairs), "a name twice")
    return found


def _check_settings(base: str, secrets: Sequence[bytes], keys: Sequence[bytes]) -> None:
    parts = urlsplit(base)
    problems = []
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        problems.append("server.public_url must be the address at which the queue reaches this server")
    if not secrets or not all(map(_GOOD_SECRET.fullmatch, secrets)):
        problems.append("queue.api_secret must be there, 16 or more ASCII characters without spaces")
    if not keys:
        problems.append("queue.qstash_current_signing_key must be there")
    if not is_loopback(parts.hostname) and any(key.decode() in DEVELOPMENT_KEYS for key in keys):
        problems.append("the signing keys are those of QStash's development server, which everybody knows")
    if problems:
        raise SettingsError("; ".join(problems) + ".", hint="Upstash's console shows the keys.")


def is_loopback(host: str | None) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
