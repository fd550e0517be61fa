"""What an S3 store says in XML, as errors of ours."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape

from momentarium_cli.errors import (
    AlreadyStored,
    BadRequest,
    Forbidden,
    InsufficientStorage,
    MomentariumError,
    NotFound,
    StorageUnavailable,
    Temporary,
    Throttled,
)

MAX_BYTES = 8 << 10  # of an answer; S3's errors are below 2 KB
_MAX_MESSAGE = 300
_LASTING = {"no_bucket", "wrong_region", "clock_skew", "storage_denied"}
_FIELD = re.compile(r"<(Code|Message)>([^<]*)</\1>")
_FULL = re.compile(r"InsufficientStorage|StorageFull|QuotaExceeded|no space", re.IGNORECASE)
_EXPIRED = re.compile(r"expired", re.IGNORECASE)
_TOO_EARLY = re.compile(r"not (yet )?(valid|current)( yet)?", re.IGNORECASE)
_REDIRECTS = ("PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed")
_OTHER_REGION = re.compile(r"region .* is wrong", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    code: str
    message: str

    def one_of(self, *codes: str) -> bool:
        return self.code in codes

    def matches(self, pattern: re.Pattern[str]) -> bool:
        return pattern.search(f"{self.code} {self.message}") is not None


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an answer becomes where `applies` is true; `message` is a template of the store's address and its words."""

    applies: Callable[[_Said], bool]
    cls: type[MomentariumError]
    message: str
    code: str | None = None
    hint: str | None = None

    def error(self, origin: str, said: _Said, retry_after: float | None) -> MomentariumError:
        words = f"{said.code}: {said.message}".rstrip(":. ")
        message = self.message.format(origin=origin, words=words)
        return self.cls(message, code=self.code, hint=self.hint, retry_after=retry_after)


# The first that applies is taken. The codes are those of AWS, and of MinIO and Ceph for what AWS never says.
_RULES = (
    _Rule(
        lambda said: said.status == 507 or said.matches(_FULL),
        InsufficientStorage,
        "The store at {origin} is full ({words}).",
        hint="Make room there, then go on.",
    ),
    _Rule(
        lambda said: said.one_of("RequestTimeTooSkewed") or (said.status == 403 and said.matches(_TOO_EARLY)),
        Forbidden,
        "{origin} and the server tell different times, so the request is refused ({words}).",
        code="clock_skew",
        hint="Set the clock of the machine that runs the server: it signs the requests.",
    ),
    _Rule(
        lambda said: said.one_of("ExpiredToken") or (said.status == 403 and said.matches(_EXPIRED)),
        Forbidden,
        "What was signed for {origin} has expired ({words}).",
        code="expired",
    ),
    _Rule(lambda said: said.status == 412, AlreadyStored, "{origin} has an object under this key already ({words})."),
    _Rule(
        lambda said: said.one_of(*_REDIRECTS) or said.matches(_OTHER_REGION),
        BadRequest,
        "The bucket is not in the region of {origin} ({words}).",
        code="wrong_region",
        hint="Set storage.region of the server to the region of the bucket.",
    ),
    _Rule(
        lambda said: said.one_of("NoSuchBucket"),
        StorageUnavailable,
        "{origin} does not have the bucket ({words}).",
        code="no_bucket",
        hint="Create it, or set storage.url of the server to the right one.",
    ),
    _Rule(
        lambda said: said.one_of("BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody"),
        BadRequest,
        "{origin} did not receive the bytes that were signed ({words}).",
        code="bad_digest",
    ),
    _Rule(
        lambda said: said.status == 429 or said.one_of("SlowDown", "SlowDownRead", "SlowDownWrite"),
        Throttled,
        "{origin} asks to go slower ({words}).",
    ),
    _Rule(
        lambda said: said.one_of("ConditionalRequestConflict", "OperationAborted", "RequestTimeout"),
        Temporary,
        "{origin} could not take the request now ({words}).",
    ),
    _Rule(lambda said: said.status in (401, 403), Forbidden, "{origin}: the store refuses the request ({words})."),
    _Rule(lambda said: said.status == 404, NotFound, "{origin} has no such object ({words})."),
    _Rule(
        lambda said: said.status >= 500,
        StorageUnavailable,
        "{origin} is out of order for the moment ({words}).",
        hint="Its log says why; SeaweedFS answers so when its disk is full.",
    ),
    _Rule(lambda _: True, BadRequest, "{origin} does not take the request as it is ({words})."),
)


def store_error(origin: str, status: int, body: bytes, retry_after: float | None) -> MomentariumError | None:
    """The error that an answer of the store at `origin` stands for; None where it is not S3's XML."""
    said = _read(status, body[:MAX_BYTES].decode("utf-8", "replace"))
    if said is None:
        return None
    return next(rule for rule in _RULES if rule.applies(said)).error(origin, said, retry_after)


def is_lasting(error: MomentariumError) -> bool:
    """Whether a store is out of reach until someone mends its set-up."""
    return error.error_code in _LASTING


def _read(status: int, text: str) -> _Said | None:
    fields = {name: _plain(value) for name, value in reversed(_FIELD.findall(text))}  # of two, the first
    if "<Error" not in text or not fields.get("Code"):
        return None
    return _Said(status, fields["Code"], fields.get("Message", ""))


def _plain(text: str) -> str:
    """One line that is safe to show."""
    line = " ".join(unescape(text).split())
    return "".join(char for char in line if char.isprintable())[:_MAX_MESSAGE]
