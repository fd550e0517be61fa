"""What S3 and the way to it say, as errors of ours, each with its remedy."""

import re
from dataclasses import dataclass

from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError

from momentarium_cli.errors import (
    AlreadyStored,
    BadRequest,
    InsufficientStorage,
    MomentariumError,
    NotAsDescribed,
    NotFound,
    SettingsError,
    StorageUnavailable,
)
from momentarium_cli.wire import Headers

_THROTTLED_SECONDS = 5
_CREDENTIALS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "InvalidObjectState", "403"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301", "307"}
_DIGEST = {
    "BadDigest",
    "InvalidDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",  # MinIO's
    "IncompleteBody",
}
_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
_FULL = {"XMinioStorageFull", "InsufficientStorage", "507"}
_BUSY = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "503", "429"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `code` is S3's, or the status where there was no body."""

    code: str
    message: str
    region: str | None = None

    @classmethod
    def of_answer(cls, status: int, headers: Headers, body: bytes) -> "Refusal":
        text = body[:8192].decode("utf-8", "replace")
        code, message = _element("Code", text) or str(status), _element("Message", text) or ""
        return cls(code, message, headers.get("x-amz-bucket-region"))

    @classmethod
    def of_client(cls, error: ClientError) -> "Refusal":
        said = error.response.get("Error", {})
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = headers.get("x-amz-bucket-region") or said.get("Region")
        return cls(str(said.get("Code", "")), str(said.get("Message", "")), region)


def is_about_credentials(error: Exception) -> bool:
    return isinstance(error, MomentariumError) and error.error_code == "storage_credentials"


def refused(said: Refusal, *, bucket: str, action: str, resource: str) -> MomentariumError:
    """`action` such as "s3:PutObject", on `resource`, an ARN."""
    found = _about_the_object(said)
    if found is not None:
        return found
    for codes, error in (
        ({"NoSuchBucket"}, _no_bucket(bucket)),
        (_CREDENTIALS, _credentials(said)),
        (_DENIED, _denied(action, resource)),
        (_REGION, _wrong_region(bucket, said.region)),
        ({"RequestTimeTooSkewed"}, _clock()),
        (_BUSY, _busy()),
    ):
        if said.code in codes:
            return error
    message = f"The store answers {said.code}{': ' if said.message else ''}{said.message.rstrip('.')}."
    return StorageUnavailable(message, hint=f"It was asked for {action} on {resource}.", retry_after=2)


def unreachable(error: Exception, endpoint: str) -> MomentariumError:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return no_credentials()
    said = " ".join(str(error).split()).rstrip(".")
    return StorageUnavailable(
        f"The store at {endpoint} cannot be reached: {_without_query(said)}.",
        hint="Check storage.endpoint_url, storage.region and the network.",
        retry_after=5,
    )


def no_credentials() -> MomentariumError:
    return SettingsError(
        "There are no credentials for S3.",
        hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role.",
    )


def _about_the_object(said: Refusal) -> MomentariumError | None:
    if said.code in ("NoSuchKey", "NoSuchUpload", "404"):
        return NotFound("There is no such object.")
    if said.code in ("PreconditionFailed", "412"):
        return AlreadyStored("There is an object under this key already.")
    if said.code in _DIGEST:
        return BadRequest("The bytes are not those of the key.", code="bad_digest")
    if said.code in _PARTS:
        return NotAsDescribed("A part is missing or is not as described.", hint="Upload the file again.")
    if said.code in _FULL:
        return InsufficientStorage("The store is full.", hint="Free some space, then upload again.")
    return None


def _no_bucket(bucket: str) -> MomentariumError:
    hint = "Create it, or correct storage.url or storage.buckets."
    return StorageUnavailable(f"There is no bucket {bucket}.", hint=hint, code="no_bucket")


def _credentials(said: Refusal) -> MomentariumError:
    return StorageUnavailable(
        f"The store does not accept the credentials ({said.code}).",
        hint="Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile.",
        code="storage_credentials",
        retry_after=2,
    )


def _denied(action: str, resource: str) -> MomentariumError:
    return StorageUnavailable(
        f"The store refuses {action} on {resource}.",
        hint="Give the credentials this right; `momentarium config s3-policy` prints all that are needed.",
        code="storage_denied",
    )


def _wrong_region(bucket: str, region: str | None) -> MomentariumError:
    hint = f"Set storage.region, or its name in storage.buckets, to {region or 'the right one'}."
    return StorageUnavailable(f"The bucket {bucket} is in another region.", hint=hint, code="wrong_region")


def _clock() -> MomentariumError:
    return StorageUnavailable(
        "This machine's clock is wrong by more than 15 minutes, so the store refuses its signatures.",
        hint="Set the clock.",
        code="clock_skew",
    )


def _busy() -> MomentariumError:
    return StorageUnavailable(
        "The store asks to go slower.", hint="Try again.", code="storage_busy", retry_after=_THROTTLED_SECONDS
    )


def _element(name: str, text: str) -> str | None:
    match = re.search(rf"<{name}>([^<]{{1,500}})</{name}>", text)
    return match[1].strip() if match else None


def _without_query(text: str) -> str:
    """Errors quote addresses, whose queries hold signatures."""
    return re.sub(r"\?[^\s\"']*", "", text)
