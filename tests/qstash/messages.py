"""A message as it was published: what its headers ask for, and what is passed on."""

import hashlib
import re
import time
from dataclasses import dataclass

from starlette.datastructures import Headers

from tests.qstash import retrying
from tests.qstash.clock import duration

MOST_RETRIES = 5
MOST_BYTES = 1 << 20
LONGEST_CALL = 900.0  # seconds; as on a free plan
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CALLBACK = "Upstash-Callback-"
FAILURE_CALLBACK = "Upstash-Failure-Callback-"


class Refused(Exception):
    """What the service answers to a request that it does not carry out."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True)
class FlowControl:
    """Limits that the messages of one key share; `period` in seconds."""

    key: str
    parallelism: int | None
    rate: int | None
    period: float


@dataclass
class Message:
    """`asked` is the publisher's headers. `due` is when the next attempt is made, in the clock's seconds."""

    message_id: str
    url: str
    body: bytes
    asked: Headers
    created_at: float
    due: float
    caller_ip: str
    schedule_id: str | None = None
    retried: int = 0

    @property
    def method(self) -> str:
        return self.asked.get("Upstash-Method", "POST").upper()

    @property
    def retries(self) -> int:
        return int(self.asked.get("Upstash-Retries", 3))

    @property
    def retry_delay(self) -> str | None:
        return self.asked.get("Upstash-Retry-Delay")

    @property
    def timeout(self) -> float:
        asked = self.asked.get("Upstash-Timeout")
        return min(duration(asked), LONGEST_CALL) if asked else LONGEST_CALL

    @property
    def callback(self) -> str | None:
        return self.asked.get("Upstash-Callback")

    @property
    def failure_callback(self) -> str | None:
        return self.asked.get("Upstash-Failure-Callback")

    @property
    def label(self) -> str | None:
        return self.asked.get("Upstash-Label")

    @property
    def redacted(self) -> list[str]:
        """Such as "body" and "header[authorization]"."""
        return [field.strip().lower() for field in self.asked.get("Upstash-Redact-Fields", "").split(",")]

    @property
    def forwarded(self) -> list[tuple[str, str]]:
        """The headers that the destination is given, with its Content-Type first."""
        content_type = [("content-type", self.asked["Content-Type"])] if "Content-Type" in self.asked else []
        return content_type + after_prefix(self.asked, "Upstash-Forward-")

    @property
    def flow_control(self) -> FlowControl | None:
        key = self.asked.get("Upstash-Flow-Control-Key")
        return _flow_control(key, self.asked.get("Upstash-Flow-Control-Value", "")) if key else None

    def check(self) -> None:
        """Refused where the headers or the destination are not such as the service accepts."""
        for url in (self.url, self.callback, self.failure_callback):
            if url is not None:
                check_destination(url)
        if len(self.body) > MOST_BYTES:
            raise Refused(500, "quota maxMessageSize exceeded")
        try:
            self._check_settings()
        except ValueError as error:
            raise Refused(400, str(error)) from error

    def _check_settings(self) -> None:
        _ = self.timeout, self.flow_control
        if self.method not in METHODS:
            raise ValueError(f"invalid method: {self.method}")
        if not 0 <= self.retries <= MOST_RETRIES:
            raise Refused(412, "quota maxRetries exceeded")
        if self.retry_delay is not None:
            retrying.millis(self.retry_delay, 0)


def check_destination(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise Refused(400, "invalid destination url: endpoint has invalid scheme, add http:// or https://")


def first_attempt(asked: Headers, now: float) -> float:
    """When the first attempt is due. Upstash-Not-Before wins over Upstash-Delay, and is a time of the true clock."""
    if "Upstash-Not-Before" in asked:
        return now + max(0, int(asked["Upstash-Not-Before"]) - time.time())
    return now + duration(asked["Upstash-Delay"]) if "Upstash-Delay" in asked else now


def deduplication_id(url: str, body: bytes, asked: Headers) -> str | None:
    """The publisher's, or that of the content: destination, body, Content-Type and forwarded headers."""
    given = asked.get("Upstash-Deduplication-Id")
    if given is not None and re.search(r"[:\s]", given):
        raise Refused(400, "DeduplicationId cannot contain ':'")
    if given is None and asked.get("Upstash-Content-Based-Deduplication", "").lower() == "true":
        passed_on = sorted((*after_prefix(asked, "Upstash-Forward-"), ("content-type", asked.get("Content-Type", ""))))
        return hashlib.sha256(repr((url, body, passed_on)).encode()).hexdigest()
    return given


def of_callback(message: Message, prefix: str) -> Headers:
    """What a callback is published with: the settings under its own prefix, and the retries of what it tells of."""
    settings = {f"upstash-{name}": value for name, value in after_prefix(message.asked, prefix)}
    return Headers({"content-type": "application/json", "upstash-retries": str(message.retries)} | settings)


def callback_headers(message: Message, prefix: str) -> list[tuple[str, str]]:
    """The headers that a callback passes on."""
    return after_prefix(message.asked, f"{prefix}Forward-")


def after_prefix(headers: Headers, prefix: str) -> list[tuple[str, str]]:
    """What the prefix precedes, each with its value, in lower case."""
    start = prefix.lower()
    return [(name.removeprefix(start), value) for name, value in headers.items() if name.startswith(start)]


def _flow_control(key: str, value: str) -> FlowControl:
    """Of "parallelism=2, rate=10, period=1m"; the period is a second where it is not given."""
    given = dict(part.strip().lower().split("=", 1) for part in value.split(",") if "=" in part)
    if not given.keys() & {"rate", "parallelism"}:
        raise ValueError("flow control needs a rate or a parallelism")
    parallelism, rate = (int(given[name]) if name in given else None for name in ("parallelism", "rate"))
    if 0 in (parallelism, rate):
        raise ValueError("the limits of flow control start at 1")
    return FlowControl(key, parallelism, rate, duration(given.get("period", "1s")))
