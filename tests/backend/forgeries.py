"""Requests to the webhook: one that the queue sent, and forgeries of every class."""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

CURRENT_KEY, NEXT_KEY = "sig_currentKeyOfTheseTests4Xb2Rw9", "sig_nextKeyOfTheseTests9Kq7Hf3Lm6"
OLD_KEY = "sig_oldKeyOfTheseTests1Zp5Nv8Tc2"  # it was current before the keys were rotated twice
SECRET, OTHER_SECRET = "a-shared-secret-of-tests", "the-secret-of-a-rotation"
OLD_SECRET = "a-secret-that-is-no-longer"
PUBLIC_URL = "https://photos.example.com:8443/momentarium"
PATH = "/api/jobs/process"
NOW = 1_800_000_000  # Unix seconds
BODY = b'{"job_id": "01985e5c-7c3a-7000-8000-000000000001", "fence": 3}'
HEADER = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True)
class Sent:
    """A request as it arrives."""

    headers: list[tuple[str, str]]
    body: bytes
    path: str = PATH

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]


@dataclass(frozen=True)
class Signer:
    """Makes requests to a deployment at `url`, signed as of `now`."""

    url: str = PUBLIC_URL
    now: int = NOW
    key: str = CURRENT_KEY
    secret: str = SECRET

    def claims(self, body: bytes = BODY, path: str = PATH, /, **changed: Any) -> dict[str, Any]:
        """What the queue signs; a claim that is changed to `...` is left out."""
        claims = {
            "iss": "Upstash",
            "sub": f"{self.url}{path}",
            "exp": self.now + 300,
            "nbf": self.now,
            "iat": self.now,
            "jti": "jwt_5Z9sW8tq",
            "body": encoded(hashlib.sha256(body).digest()) + "=",
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, header: Any = HEADER, payload: Any = None, key: str | None = None, hash: str = "sha256") -> str:
        signed = f"{part(header)}.{part(self.claims() if payload is None else payload)}"
        return f"{signed}.{encoded(hmac.digest((self.key if key is None else key).encode(), signed.encode(), hash))}"

    def sent(self, token: str | None = None, *, body: bytes = BODY, path: str = PATH, **headers: str) -> Sent:
        """A request with both proofs. `headers` are added, or take the place of those of the same name."""
        if token is None:
            token = self.token(payload=self.claims(body, path))
        proofs = {"X_API_Secret": self.secret, "Upstash_Signature": token, "Content_Type": "application/json"}
        return Sent([(name.replace("_", "-"), value) for name, value in {**proofs, **headers}.items()], body, path)

    def signed(self, **changed: Any) -> Sent:
        """A request whose token is well signed and says something else."""
        return self.sent(self.token(payload=self.claims(**changed)))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: Any) -> str:
    return encoded(value if isinstance(value, bytes) else json.dumps(value).encode())


def without(sent: Sent, name: str) -> Sent:
    return replace(sent, headers=[(key, value) for key, value in sent.headers if key != name])


def also(sent: Sent, *headers: tuple[str, str]) -> Sent:
    return replace(sent, headers=[*sent.headers, *headers])


def of(sent: Sent, name: str) -> str:
    return next(value for key, value in sent.headers if key == name)


Forgeries = Iterator[tuple[str, Sent]]


def _proofs(signer: Signer) -> Forgeries:
    good = signer.sent()
    token = of(good, "Upstash-Signature")
    yield "neither proof", Sent([("Content-Type", "application/json")], BODY)
    yield "no secret", without(good, "X-API-Secret")
    yield "no signature", without(good, "Upstash-Signature")
    yield "empty secret", signer.sent(X_API_Secret="")
    yield "empty signature", signer.sent("")
    yield "wrong secret", signer.sent(X_API_Secret="another-secret-of-tests")
    yield "secret in other case", signer.sent(X_API_Secret=SECRET.upper())
    yield "beginning of the secret", signer.sent(X_API_Secret=SECRET[:-1])
    yield "secret and more", signer.sent(X_API_Secret=f"{SECRET}x")
    yield "secret of before the last rotation", signer.sent(X_API_Secret=OLD_SECRET)
    yield "signing key as secret", signer.sent(X_API_Secret=CURRENT_KEY)
    yield "secret that is no ASCII", signer.sent(X_API_Secret="é" * 24)
    yield "two secrets", also(good, ("X-API-Secret", SECRET))
    yield "a wrong secret and the right one", also(signer.sent(X_API_Secret="no"), ("x-api-secret", SECRET))
    yield "two secrets in one header", signer.sent(X_API_Secret=f"{SECRET}, {SECRET}")
    yield "secret as bearer token", also(without(good, "X-API-Secret"), ("Authorization", f"Bearer {SECRET}"))
    yield "two signatures", also(good, ("Upstash-Signature", token))
    yield "a wrong signature and the right one", also(signer.sent("a.b.c"), ("upstash-signature", token))
    yield "two signatures in one header", signer.sent(f"{token}, {token}")
    yield "signature as bearer token", signer.sent(f"Bearer {token}")
    yield "signature under another name", also(without(good, "Upstash-Signature"), ("X-Upstash-Signature", token))


def _algorithms(signer: Signer) -> Forgeries:
    claims = signer.claims()
    for unsigned in ("none", "None", "NONE", ""):
        token = f"{part({'alg': unsigned, 'typ': 'JWT'})}.{part(claims)}."
        yield f"algorithm {unsigned!r}, unsigned", signer.sent(token)
    others: list[Any] = ["none", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "HS256 ", ["HS256"], None, {}]
    for other in others:
        yield f"algorithm {other!r}, signed", signer.sent(signer.token({"alg": other, "typ": "JWT"}))
    for name, hash in (("HS384", "sha384"), ("HS512", "sha512"), ("HS256", "sha512"), ("HS256", "sha1")):
        yield f"algorithm {name}, {hash}", signer.sent(signer.token({"alg": name, "typ": "JWT"}, hash=hash))
    yield "no algorithm", signer.sent(signer.token({"typ": "JWT"}))
    yield "empty header", signer.sent(signer.token({}))
    for name, value in {
        "kid": "current", "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "crit": ["exp"],
        "jwk": {"kty": "oct", "k": "c2VjcmV0"}, "b64": False, "zip": "DEF", "cty": "JWT",
    }.items():  # fmt: skip
        yield f"header with {name}", signer.sent(signer.token({**HEADER, name: value}))
    yield "kid that is a path", signer.sent(signer.token({**HEADER, "kid": "/dev/null"}, key=""))
    yield "another type", signer.sent(signer.token({"alg": "HS256", "typ": "JWE"}))
    yield "algorithm twice", signer.sent(signer.token(b'{"alg":"none","alg":"HS256","typ":"JWT"}'))
    yield "header is a list", signer.sent(signer.token([HEADER]))
    yield "header is no JSON", signer.sent(signer.token(b"HS256"))


def _tokens(signer: Signer) -> Forgeries:
    token = signer.token()
    header, payload, signature = token.split(".")
    claims = json.dumps(signer.claims())
    yield "two parts", signer.sent(f"{header}.{payload}")
    yield "signature left out", signer.sent(f"{header}.{payload}.")
    yield "four parts", signer.sent(f"{token}.{signature}")
    yield "only dots", signer.sent("..")
    yield "signature padded", signer.sent(f"{token}=")
    yield "signature cut", signer.sent(token[:-1])
    yield "signature in other bits that decode alike", signer.sent(token[:-1] + _sibling(token[-1]))
    yield (
        "signature in hexadecimal",
        signer.sent(f"{header}.{payload}.{base64.urlsafe_b64decode(signature + '=').hex()}"),
    )
    yield "space in the token", signer.sent(f"{header}. {payload}.{signature}")
    yield "payload is no JSON", signer.sent(signer.token(payload=b"iss=Upstash"))
    yield "payload is a list", signer.sent(signer.token(payload=[signer.claims()]))
    yield "payload is text", signer.sent(signer.token(payload="Upstash"))
    yield "payload with BOM", signer.sent(signer.token(payload=b"\xef\xbb\xbf" + claims.encode()))
    yield "payload in UTF-16", signer.sent(signer.token(payload=claims.encode("utf-16")))
    yield "payload is no UTF-8", signer.sent(signer.token(payload=claims.encode() + b"\xff"))
    yield "payload nested deep", signer.sent(signer.token(payload=b"[" * 4000))
    yield "a claim twice", signer.sent(signer.token(payload=claims.replace("{", '{"sub": "x", ', 1).encode()))
    yield "a token of 9 KB", signer.signed(more="x" * 9000)


def _claims(signer: Signer) -> Forgeries:
    now = signer.now
    for name in signer.claims():
        yield f"without {name}", signer.signed(**{name: ...})
        others: list[Any] = [None, "", 0, 1.5, True, [], {}, [signer.claims()[name]]]
        for other in others:
            yield f"{name} is {other!r}", signer.signed(**{name: other})
    for name in ("exp", "nbf", "iat"):
        right = signer.claims()[name]
        for value in (str(right), float(right), -right, right * 1000, 10**400):
            yield f"{name} is {str(value)[:30]}", signer.signed(**{name: value})
        for value in ("NaN", "Infinity", "1e9"):
            text = json.dumps(signer.claims(**{name: 0})).replace(f'"{name}": 0', f'"{name}": {value}')
            yield f"{name} is {value}", signer.sent(signer.token(payload=text.encode()))
    for issuer in ("upstash", "Upstash ", "evil", "https://upstash.com"):
        yield f"iss is {issuer!r}", signer.signed(iss=issuer)
    yield "expired by 11 s", signer.signed(exp=now - 11, nbf=now - 311, iat=now - 311)
    yield "expired long ago", signer.signed(exp=now - 86_400, nbf=now - 86_700, iat=now - 86_700)
    yield "valid in 11 s", signer.signed(nbf=now + 11)
    yield "issued in 11 s", signer.signed(iat=now + 11)
    yield "all of it from the future", signer.signed(exp=now + 900, nbf=now + 600, iat=now + 600)
    yield "valid for 301 s", signer.signed(exp=now + 301)
    yield "valid for 30 years", signer.signed(exp=now + 946_080_000)
    yield "issued long before", signer.signed(iat=now - 86_400)
    yield "expires before it begins", signer.signed(exp=now - 3, nbf=now + 3, iat=now - 5)
    yield "for another audience", signer.signed(aud="https://other.example")


def _subjects(signer: Signer) -> Forgeries:
    right = f"{signer.url}{PATH}"
    scheme, rest = right.split("://", 1)
    host, path = rest.split("/", 1)
    name, port = host.split(":")
    wrong = {
        "another host": f"{scheme}://evil.example:{port}/{path}",
        "another port": f"{scheme}://{name}:1/{path}",
        "no port": f"{scheme}://{name}/{path}",
        "another scheme": f"{'http' if scheme == 'https' else 'https'}://{host}/{path}",
        "another path": right.replace("process", "failed"),
        "a slash more": f"{right}/",
        "two slashes": right.replace("/api", "//api"),
        "a dot in the path": right.replace("/api", "/./api"),
        "a path that is escaped": right.replace("process", "%70rocess"),
        "a query": f"{right}?",
        "a fragment": f"{right}#",
        "a user": f"{scheme}://a@{host}/{path}",
        "other case": right.upper(),
        "host in other case": right.replace(name, name.title()),
        "a host that begins alike": right.replace(name, f"{name}.evil.example"),
        "a dot after the host": right.replace(name, f"{name}."),
        "only the path": PATH,
        "a space": f"{right} ",
    }
    for what, subject in wrong.items():
        if subject != right:
            yield f"sub with {what}", signer.signed(sub=subject)
    elsewhere = signer.token(payload=signer.claims(sub="https://evil.example" + PATH))
    yield "sub and Host with another host", signer.sent(elsewhere, Host="evil.example")
    yield "sub and X-Forwarded-Host with another host", signer.sent(elsewhere, X_Forwarded_Host="evil.example")
    yield "sub and Forwarded with another host", signer.sent(elsewhere, Forwarded="host=evil.example;proto=https")
    yield (
        "a token for another of our endpoints",
        signer.sent(signer.token(payload=signer.claims(BODY, "/api/maintenance"))),
    )


def _bodies(signer: Signer) -> Forgeries:
    good, digest = signer.sent(), hashlib.sha256(BODY)
    for what, body in {
        "changed": BODY.replace(b"3}", b"4}"),
        "re-serialised": json.dumps(json.loads(BODY), separators=(",", ":")).encode(),
        "with BOM": b"\xef\xbb\xbf" + BODY,
        "with a line end": BODY + b"\n",
        "in UTF-16": BODY.decode().encode("utf-16"),
        "cut": BODY[:-1],
        "empty": b"",
        "twice": BODY * 2,
        "compressed": gzip.compress(BODY, mtime=0),
    }.items():
        yield f"body {what}", replace(good, body=body)
    compressed = gzip.compress(BODY, mtime=0)
    yield "body compressed, and said so", also(replace(good, body=compressed), ("Content-Encoding", "gzip"))
    yield "body signed compressed, and said so", also(signer.sent(body=compressed), ("Content-Encoding", "gzip"))
    yield "body said to be encoded", also(good, ("Content-Encoding", "identity"))
    yield "body well signed, above 1 MB", signer.sent(body=b" " * 1_000_001)
    yield "body above 9 MB", signer.sent(body=b" " * 9_000_001)
    for what, value in {
        "in hexadecimal": digest.hexdigest(),
        "padded twice": f"{encoded(digest.digest())}==",
        "in other bits that decode alike": _changed_last(encoded(digest.digest())),
        "of SHA-1": encoded(hashlib.sha1(BODY).digest()),
        "of the empty body": encoded(hashlib.sha256(b"").digest()),
        "cut": encoded(digest.digest())[:-1],
        "no ASCII": "é" * 43,
    }.items():
        yield f"hash of the body {what}", signer.signed(body=value)


def _keys(signer: Signer) -> Forgeries:
    for what, key in {
        "another": "sig_of_somebody_else",
        "of before two rotations": OLD_KEY,
        "none at all": "",
        "our secret": SECRET,
        "in other case": CURRENT_KEY.upper(),
        "without its prefix": CURRENT_KEY.removeprefix("sig_"),
        "both together": CURRENT_KEY + NEXT_KEY,
        "of the development server": "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
    }.items():
        yield f"key {what}", signer.sent(signer.token(key=key))
    yield "next key, body changed", replace(signer.sent(signer.token(key=NEXT_KEY)), body=BODY + b" ")
    yield "next key, expired", signer.sent(signer.token(key=NEXT_KEY, payload=signer.claims(exp=signer.now - 11)))


_CLASSES: tuple[Callable[[Signer], Forgeries], ...] = (
    _proofs, _algorithms, _tokens, _claims, _subjects, _bodies, _keys,
)  # fmt: skip


def forgeries(signer: Signer) -> Mapping[str, Sent]:
    """Every forgery by what is wrong with it."""
    found = [item for forge in _CLASSES for item in forge(signer)]
    by_name = dict(found)
    assert len(by_name) == len(found), "each name once"
    return by_name


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _sibling(last: str) -> str:
    """Another letter for the last of 43, which holds four bits and two that mean nothing."""
    return _ALPHABET[_ALPHABET.index(last) ^ 1]


def _changed_last(text: str) -> str:
    return text[:-1] + _sibling(text[-1])
