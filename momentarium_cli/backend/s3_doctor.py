"""Whether a bucket keeps what Momentarium relies on: tried with probes, which are deleted whatever happens.

Nothing is taken on trust that can be tried: a second PUT, a PUT of other bytes, requests that nobody or somebody else
signed. Only what makes no difference until later is asked for: whether the bucket blocks public access, and clears up
unfinished uploads.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any
from urllib.parse import quote

from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, ClientError

from momentarium_cli.backend.findings import PROBE_USER, Advice, Finding, found
from momentarium_cli.backend.storage.base import Part, thumb_key
from momentarium_cli.backend.storage.s3 import S3Storage
from momentarium_cli.backend.storage.s3_policy import origin_of
from momentarium_cli.errors import AlreadyStored, BadRequest, MomentariumError, NotFound, SettingsError
from momentarium_cli.models import SignedRequest
from momentarium_cli.photos.checksum import sha256_bytes

_TYPE = "image/jpeg"
_MOST_SKEW_SECONDS = 60  # of the 300 that an upload has
_CALL_SECONDS = 60
_ANY_ORIGIN = "https://gallery.invalid"
_FIRST = ("store", "objects")  # without them the others would only say the same
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

_UPDATE = "Update the store, or use another."
_CLOSE = (
    "Take the grant to everyone out of the bucket's policy, or the anonymous user out of the store's settings, "
    "and block public access."
)
_CDN = (
    "The distribution must trust the key of storage.cdn_key_id, sign its requests to the bucket (origin access "
    "control), and pass on the query parameters that begin with response-."
)


def examine_bucket(store: S3Storage, public_url: str | None) -> Iterator[Finding]:
    """Every check of one bucket that can be made. `public_url` is where the pages are that show galleries; none:
    anywhere."""
    checks = _Checks(store, public_url)
    try:
        skew = checks.skew()
    except MomentariumError as error:
        yield Finding.of_error("store", error)
        return
    yield found("clock", lambda: clock(skew))
    looks: Mapping[str, Callable[[], str]] = {
        "store": checks.bucket,
        "objects": checks.objects,
        "overwriting": checks.overwriting,
        "checksums": checks.checksums,
        "parts": checks.parts,
        "downloads": checks.downloads,
        "CORS": checks.cors,
        "public access": checks.public_access,
        "unfinished uploads": checks.unfinished_uploads,
    }
    for name, look in looks.items():
        finding = found(name, look)
        yield finding
        if not finding.ok and name in _FIRST:
            return


def clock(skew: float | None) -> str:
    """`skew` is the seconds by which this machine is ahead of the store."""
    if skew is None:
        return Advice("the store does not tell its time, so the clocks could not be compared")
    if abs(skew) <= _MOST_SKEW_SECONDS:
        return "the store's and this machine's agree"
    raise SettingsError(
        f"This machine's clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} the store's.",
        hint="Set it, best by NTP: uploads are signed for 5 minutes, and refused where clocks differ by 15.",
    )


class _Checks:
    """Each says what it found, or raises what is broken, with its remedy."""

    def __init__(self, store: S3Storage, public_url: str | None) -> None:
        self._store, self._client, self._options = store, store.client, store.client.options
        self._public_url = public_url

    # --- the way to it -----------------------------------------------------------------------------------------

    def skew(self) -> float | None:
        """By how much this machine's clock is ahead (seconds), asked without a signature: whatever the credentials and
        the clock are, it is answered."""
        before = time.time()
        told = self._client.ask("HEAD", self._client.endpoint).headers.get("date")
        try:
            return (before + time.time()) / 2 - parsedate_to_datetime(told).timestamp() if told else None
        except ValueError:
            return None

    def bucket(self) -> str:
        self._store.check_bucket()
        return f"{self._store.where} answers at {self._client.endpoint}"

    # --- what it must do ---------------------------------------------------------------------------------------

    def objects(self) -> str:
        with self._probe() as (key, data):
            self._put(key, data)
            with self._store.open(key) as file:
                same = file.read() == data
        if not same:
            raise SettingsError(f"{self._store.where} does not give back what was stored.", hint=_UPDATE)
        if self._store.head(key) is not None:
            raise SettingsError(f"{self._store.where} does not delete objects.", hint=_UPDATE)
        return f"{self._store.where}: stored, read and deleted a probe"

    def overwriting(self) -> str:
        with self._probe() as (key, data):
            self._put(key, data)
            try:
                self._put(key, data)
            except AlreadyStored:
                return "a second PUT of an object is refused"
        raise SettingsError("The store ignores If-None-Match, so objects can be overwritten.", hint=_UPDATE)

    def checksums(self) -> str:
        with self._probe() as (key, data):
            self._check_other_bytes(key, data)
            self._put(key, data)
            info = self._store.head(key)
        if info is None or info.sha256 is None:
            return Advice(
                "other bytes than were signed are refused; the store does not tell checksums, so the worker reads "
                "every original once"
            )
        return "other bytes than were signed are refused, and not stored"

    def _check_other_bytes(self, key: str, data: bytes) -> None:
        try:
            self._send(self._target(key, data), key, data[::-1])
        except BadRequest:
            if self._store.head(key) is None:
                return
        raise SettingsError("The store ignores x-amz-checksum-sha256: it keeps spoilt photos.", hint=_UPDATE)

    def parts(self) -> str:
        with self._probe() as (key, data), self._begun(key, data) as (upload_id, part):
            self._store.complete_parts(key, upload_id, [part], content_type=_TYPE)
            if self._store.head(key) is None:
                raise SettingsError("An object that was sent in parts is not stored.", hint=_UPDATE)
        with self._probe() as (key, data), self._begun(key, data) as (upload_id, _):
            self._store.abort_parts(key, upload_id)
            with suppress(NotFound):
                if self._store.stored_parts(key, upload_id):
                    raise SettingsError("The store keeps the parts of aborted uploads.", hint=_UPDATE)
        return "an object was made of its parts, and another upload in parts aborted"

    def downloads(self) -> str:
        answer, data = self._downloaded(_ANY_ORIGIN)
        hint = _UPDATE if answer.url.startswith(self._client.presigner.base_url) else _CDN
        if answer.status_code != 200 or answer.content != data:
            raise SettingsError(f"A signed download is answered with {answer.status_code}.", hint=hint)
        signed = {"content-type": "image/png", "content-disposition": "probe.png"}
        if not all(part in answer.headers.get(name, "") for name, part in signed.items()):
            raise SettingsError("A download does not have the type and the name that were signed.", hint=hint)
        return "a signed address gives the probe back, with the type and the name that were signed"

    # --- who else may ------------------------------------------------------------------------------------------

    def cors(self) -> str:
        origin = origin_of(self._public_url) if self._public_url else _ANY_ORIGIN
        answer, _ = self._downloaded(origin)
        pages = f"pages of {origin}" if self._public_url else "pages of any origin"
        if answer.headers.get("access-control-allow-origin") in ("*", origin):
            return f"scripts in {pages} may read photos"
        return Advice(
            f"scripts in {pages} may not read photos; "
            "`momentarium config s3-policy --only cors` prints the rules that allow it"
        )

    def public_access(self) -> str:
        if may := self._anyone_may():
            raise SettingsError(f"In {self._store.where} anyone may {', '.join(may)}.", hint=_CLOSE)
        refused = "requests without a good signature are refused"
        told = self._told(
            "s3:GetBucketPublicAccessBlock", "get_public_access_block", "NoSuchPublicAccessBlockConfiguration"
        )
        if isinstance(told, str):
            return f"{refused}; whether the bucket blocks public access for good is not known: {told}"
        blocks = told.get("PublicAccessBlockConfiguration", {})
        if all(blocks.get(name) for name in _BLOCKS):
            return f"{refused}, and the bucket blocks public access"
        return Advice(f"{refused}, but a policy could allow them: turn on Block Public Access for the bucket")

    def _anyone_may(self) -> list[str]:
        """What is answered although nobody, or somebody else, signed it."""
        with self._probe() as (key, data):
            self._put(key, data)
            base, start = self._client.presigner.base_url, self._options.prefix
            signed = self._client.presigner.sign("GET", key, seconds=_CALL_SECONDS).url
            tried = {
                "read": ("GET", base + key),
                "read with a forged signature": ("GET", re.sub("(?<=X-Amz-Signature=).{8}", "0" * 8, signed)),
                "list": ("GET", f"{base.removesuffix(start)}?list-type=2&max-keys=1&prefix={quote(start, safe='')}"),
                "delete": ("DELETE", base + key),
                "write": ("PUT", base + key),
            }
            return [what for what, (method, url) in tried.items() if self._client.ask(method, url).status_code < 300]

    # --- what a bucket is set to -------------------------------------------------------------------------------

    def unfinished_uploads(self) -> str:
        told = self._told(
            "s3:GetLifecycleConfiguration", "get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"
        )
        if isinstance(told, str):
            return Advice(f"whether the bucket clears up their parts is not known: {told}")
        after = [days for rule in told.get("Rules", ()) if (days := self._aborted_after(rule))]
        if after:
            return f"the bucket clears up their parts after {min(after)} days"
        return Advice(
            "the bucket keeps their parts for good; `momentarium config s3-policy --only lifecycle` prints the rule "
            "that clears them up"
        )

    def _aborted_after(self, rule: Mapping[str, Any]) -> int | None:
        """The days after which a rule ends all of our uploads, if it does."""
        limits = rule.get("Filter") or {"Prefix": rule.get("Prefix") or ""}
        ours = limits.keys() <= {"Prefix"} and self._options.prefix.startswith(limits.get("Prefix", ""))
        days: int | None = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        return days if ours and rule.get("Status") == "Enabled" else None

    def _told(self, action: str, method: str, none: str) -> Mapping[str, Any] | str:
        """A setting of the bucket, empty where the store answers `none`; or why it is not known."""
        if self._options.bucket.startswith("arn:"):
            return "an access point does not tell it"
        try:
            answer: Mapping[str, Any] = getattr(self._client.boto, method)(Bucket=self._options.bucket)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code == none:
                return {}
            if code == "AccessDenied":
                return f"the credentials do not have {action}, which `momentarium config s3-policy` prints"
            return f"the store does not tell it ({code})"
        except BotoCoreError as error:
            return f"the store does not tell it ({type(error).__name__})"
        return answer

    # --- probes ------------------------------------------------------------------------------------------------

    @contextmanager
    def _probe(self) -> Iterator[tuple[str, bytes]]:
        """The key of nobody's photo and the bytes it stands for; what is there in the end is deleted."""
        data = secrets.token_bytes(32)
        key = thumb_key(PROBE_USER, sha256_bytes(data))
        try:
            yield key, data
        except BaseException:
            with suppress(MomentariumError):  # the first error says more
                self._store.delete([key])
            raise
        self._store.delete([key])

    @contextmanager
    def _begun(self, key: str, data: bytes) -> Iterator[tuple[str, Part]]:
        """An upload in parts, all of which are stored; aborted if the block fails."""
        part = Part(1, len(data), sha256_bytes(data))
        upload_id = self._store.begin_parts(key, content_type=_TYPE)
        try:
            self._send(self._store.part_target(key, upload_id, part), key, data)
            yield upload_id, part
        except BaseException:
            with suppress(MomentariumError):
                self._store.abort_parts(key, upload_id)
            raise

    def _downloaded(self, origin: str) -> tuple[AWSResponse, bytes]:
        """The answer to the request that a page of `origin` makes, and what it should hold."""
        with self._probe() as (key, data):
            self._put(key, data)
            url = self._store.download_url(key, content_type="image/png", filename="probe.png")
            answer = self._client.ask("GET", url, {"Origin": origin})
            answer.content  # noqa: B018 -- is read here, while the probe is there
        return answer, data

    def _put(self, key: str, data: bytes) -> None:
        """By the request that clients are given."""
        self._send(self._target(key, data), key, data)

    def _target(self, key: str, data: bytes) -> SignedRequest:
        return self._store.upload_target(key, content_type=_TYPE, size=len(data))

    def _send(self, target: SignedRequest, key: str, data: bytes) -> None:
        name = self._options.prefix + key
        self._client.send(target.method, target.url, target.headers, "s3:PutObject", name, BytesIO(data))
