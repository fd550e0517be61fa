"""HMAC-SHA256 over values, for addresses and cursors that come back to us."""

import base64
import hashlib
import hmac
import json
from typing import Any

from momentarium_cli.errors import BadRequest


class Signer:
    """Signs with one secret. A purpose keeps what was signed for one use from being good for another."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, purpose: str, *values: str | int | None) -> str:
        message = json.dumps([purpose, *values], ensure_ascii=True, separators=(",", ":"))
        return _encode(hmac.digest(self._secret, message.encode(), hashlib.sha256))

    def good(self, signature: str, purpose: str, *values: str | int | None) -> bool:
        return hmac.compare_digest(signature.encode(), self.sign(purpose, *values).encode())

    def seal(self, purpose: str, value: Any) -> str:
        """A value as an opaque, tamper-proof text, such as a cursor."""
        payload = _encode(json.dumps(value, separators=(",", ":")).encode())
        return f"{payload}.{self.sign(purpose, payload)}"

    def open(self, purpose: str, sealed: str) -> Any:
        """The value that was sealed; BadRequest if this is none of ours."""
        payload, _, signature = sealed.partition(".")
        if not self.good(signature, purpose, payload):
            raise BadRequest("The cursor is not one that this server gave.", hint="Start again from the first page.")
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
