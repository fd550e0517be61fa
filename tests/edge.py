"""A CloudFront edge for tests: it answers signed addresses as CloudFront's documentation says, on a port of 127.0.0.1.

Written from the protocol, and it shares no code with what signs. Stricter than the real one where that is silent:
a parameter given twice, or both policies at once, is refused.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.servers import answering, listening

PublicKey = RSAPublicKey | EllipticCurvePublicKey
Origin = Callable[[str, Mapping[str, str]], str]

_OF_SIGNATURE = {"Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
_HASHES: Mapping[str, HashAlgorithm] = {"SHA1": SHA1(), "SHA256": SHA256()}
_PASSED_ON = (
    "accept-ranges", "cache-control", "content-disposition", "content-length", "content-range", "content-type", "etag",
)  # fmt: skip


@contextmanager
def edge(
    origin: Origin, public_key: PublicKey, key_id: str, *, clock: Callable[[], float] = time.time
) -> Iterator[str]:
    """The address of an edge that trusts one key.

    `origin` is given the path, without its first slash, and the query without the signature's parameters; what it
    returns is where the edge fetches the answer, as origin access control signs what an edge asks of S3.
    """
    with listening() as (listener, url), httpx.Client(trust_env=False, verify=False, timeout=30) as client:
        app = _Edge({key_id: public_key}, origin, clock, client)
        routes = [Route("/{path:path}", app.answer, methods=["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"])]
        with answering(Starlette(routes=routes), listener):
            yield url


class _Denied(Exception):
    def __init__(self, code: str = "AccessDenied", message: str = "Access denied") -> None:
        self.xml = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
        )


@dataclass(frozen=True)
class _Edge:
    keys: Mapping[str, PublicKey]
    origin: Origin
    clock: Callable[[], float]
    client: httpx.Client

    def answer(self, request: Request) -> Response:
        pairs = _pairs(request.scope["query_string"].decode("latin-1"))
        try:
            self._check(request, pairs)
        except _Denied as denied:
            return Response(denied.xml, 403, media_type="text/xml")
        query = {unquote_plus(name): unquote_plus(value) for name, value in pairs if name not in _OF_SIGNATURE}
        return self._fetched(request, self.origin(request.url.path.removeprefix("/"), query))

    def _fetched(self, request: Request, address: str) -> Response:
        headers = {name: request.headers[name] for name in ("range",) if name in request.headers}
        asked = self.client.build_request(request.method, address, headers=headers | {"Accept-Encoding": "identity"})
        found = self.client.send(asked, stream=True)
        kept = {name: found.headers[name] for name in _PASSED_ON if name in found.headers}
        return StreamingResponse(found.iter_raw(), found.status_code, kept, background=BackgroundTask(found.close))

    def _check(self, request: Request, pairs: Sequence[tuple[str, str]]) -> None:
        if request.method not in ("GET", "HEAD"):
            raise _Denied("Forbidden", "The distribution does not allow this method.")
        signed = dict(pair for pair in pairs if pair[0] in _OF_SIGNATURE)
        if not signed.get("Key-Pair-Id"):
            raise _Denied("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
        if signed["Key-Pair-Id"] not in self.keys:
            raise _Denied("InvalidKey", "Unknown Key")
        if len({name for name, _ in pairs}) != len(pairs) or ("Expires" in signed) == ("Policy" in signed):
            raise _Denied("MalformedPolicy", "Malformed Policy")
        resource = _resource(request, pairs)
        policy = _decoded(signed["Policy"]) if "Policy" in signed else _canned(resource, signed["Expires"])
        self._verify(signed, policy)
        self._permit(policy, resource)

    def _verify(self, signed: Mapping[str, str], policy: bytes) -> None:
        digest = _HASHES.get(signed.get("Hash-Algorithm", "SHA1"))
        if digest is None or "Signature" not in signed:
            raise _Denied
        key, signature = self.keys[signed["Key-Pair-Id"]], _decoded(signed["Signature"])
        try:
            if isinstance(key, RSAPublicKey):
                key.verify(signature, policy, PKCS1v15(), digest)
            else:
                key.verify(signature, policy, ECDSA(digest))
        except InvalidSignature:
            raise _Denied from None

    def _permit(self, policy: bytes, resource: str) -> None:
        pattern, condition = _statement(policy)
        wildcards = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
        until, since = condition.pop("DateLessThan"), condition.pop("DateGreaterThan", {"AWS:EpochTime": 0})
        in_time = since["AWS:EpochTime"] < self.clock() < until["AWS:EpochTime"]
        if not in_time or not re.fullmatch(wildcards, resource) or condition:
            raise _Denied


def _pairs(query: str) -> list[tuple[str, str]]:
    """The parameters as they were sent, still encoded."""
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&")) if name]


def _resource(request: Request, pairs: Sequence[tuple[str, str]]) -> str:
    """The address without the signature's parameters, the others in the order in which they came."""
    query = "&".join(f"{name}={value}" for name, value in pairs if name not in _OF_SIGNATURE)
    address = f"http://{request.headers['host']}{request.scope['raw_path'].decode('latin-1')}"
    return f"{address}?{query}" if query else address


def _canned(resource: str, expires: str) -> bytes:
    if not re.fullmatch("[0-9]+", expires):
        raise _Denied("MalformedExpires", "Expires is not a number")
    condition = f'{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}'
    return f'{{"Statement":[{{"Resource":"{resource}","Condition":{condition}}}]}}'.encode()


def _statement(policy: bytes) -> tuple[str, dict[str, Any]]:
    """The one statement of a policy: its resource and its condition."""
    try:
        (statement,) = json.loads(policy)["Statement"]
        return statement["Resource"], {**statement["Condition"]}
    except (ValueError, KeyError, TypeError):
        raise _Denied("MalformedPolicy", "Malformed Policy") from None


def _decoded(text: str) -> bytes:
    """Base64 in CloudFront's alphabet: - for +, _ for = and ~ for /."""
    if not re.fullmatch("[A-Za-z0-9~-]+_{0,2}", text):
        raise _Denied("MalformedSignature", "Could not unencode")
    try:
        return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")), validate=True)
    except ValueError:
        raise _Denied("MalformedSignature", "Could not unencode") from None
