"""The signing keys, and the signature that comes with each delivery."""

import base64
import hashlib
import string
import time
from dataclasses import dataclass
from random import Random

import jwt

LIFETIME = 300  # seconds
_LETTERS = string.ascii_letters + string.digits


def identifier(prefix: str, random: Random, length: int = 28) -> str:
    return prefix + "".join(random.choices(_LETTERS, k=length))


@dataclass
class SigningKeys:
    """The current key signs; receivers accept the next as well, and so survive one rotation."""

    current: str
    next: str
    random: Random

    @classmethod
    def fresh(cls, random: Random) -> "SigningKeys":
        return cls(identifier("sig_", random), identifier("sig_", random), random)

    def rotate(self) -> None:
        self.current, self.next = self.next, identifier("sig_", self.random)

    def signature(self, url: str, body: bytes) -> str:
        """What Upstash-Signature carries with this body to this destination, at this moment."""
        return jwt.encode(self._claims(url, body), self.current, algorithm="HS256")

    def _claims(self, url: str, body: bytes) -> dict[str, str | int]:
        now = int(time.time())
        times = {"exp": now + LIFETIME, "nbf": now, "iat": now}
        return {"iss": "Upstash", "sub": url, **times, "jti": identifier("jwt_", self.random), "body": body_hash(body)}


def body_hash(body: bytes) -> str:
    """As the documentation's example has it: with padding, which the SDKs ignore."""
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
