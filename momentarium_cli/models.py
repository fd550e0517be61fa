"""Frozen values that cross a border: what the API says, for client and server alike.

Times called `taken_at` are local wall time without a zone; every other time is UTC.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NaiveDatetime,
    StringConstraints,
    field_validator,
    model_validator,
)

MAX_BATCH = 1000  # files a request, images a job
MAX_PUT_BYTES = 1 << 30  # what one PUT carries; a larger file goes up in parts
MAX_FILE_BYTES = 5 << 40  # S3 keeps no larger object
MIN_PART_BYTES = 5 << 20  # S3's limits: every part but the last, and how many
MAX_PARTS = 10_000


def _storable(text: str) -> str:
    """Databases hold neither NUL nor half a surrogate pair."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must be text without NUL")
    return text


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ContentType = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]{1,80}$", max_length=100)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_storable)]
Text = Annotated[str, AfterValidator(_storable)]
StorageKey = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Value(BaseModel):
    """A frozen value. Fields that are not known are passed over: a newer server may answer more than we ask."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null", allow_inf_nan=False)


class Asked(Value):
    """What a client asks; fields that are not known are refused, so that no misspelt one is lost silently."""

    model_config = ConfigDict(extra="forbid")


class TakenAtSource(StrEnum):
    """Where a capture time comes from, best first."""

    EXIF = "exif"  # DateTimeOriginal
    CREATED = "created"  # CreateDate (DateTimeDigitized), or the container's creation date
    FILE_NAME = "file_name"
    FOLDER_NAME = "folder_name"
    MTIME = "mtime"  # says when the file was written, not when the photo was taken


class Metadata(Asked):
    """What a photo file says of itself. Absurd values are dropped when it is read, so None is "not known"."""

    taken_at: NaiveDatetime | None = None
    taken_at_source: TakenAtSource | None = None
    utc_offset_minutes: int | None = Field(default=None, ge=-14 * 60, le=14 * 60)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    altitude: float | None = Field(default=None, ge=-12_000, le=100_000, description="metres above the sea")
    camera: Text | None = Field(default=None, max_length=200)
    width: int | None = Field(default=None, ge=1, le=1_000_000, description="pixels, after orientation")
    height: int | None = Field(default=None, ge=1, le=1_000_000, description="pixels, after orientation")

    @field_validator("taken_at")
    @classmethod
    def _plausible(cls, value: datetime | None) -> datetime | None:
        if value is not None and not 1800 <= value.year <= 2200:
            raise ValueError("the year must be between 1800 and 2200")
        return value

    @model_validator(mode="after")
    def _pairs(self) -> "Metadata":
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together")
        return self

    @property
    def taken_sort(self) -> datetime | None:
        """The capture time in UTC; where the offset is not known, wall time is taken for UTC."""
        if self.taken_at is None:
            return None
        return (self.taken_at - timedelta(minutes=self.utc_offset_minutes or 0)).replace(tzinfo=UTC)


# --- uploads ---------------------------------------------------------------------------------------------------


class PreviewFile(Asked):
    """The preview of a file about to be uploaded."""

    content_type: Literal["image/jpeg"] = "image/jpeg"
    size_bytes: int = Field(ge=1, le=16 << 20)
    sha256: Sha256


class FileParts(Asked):
    """How a file is cut: every part but the last has `part_bytes`, and each its SHA-256."""

    part_bytes: int = Field(ge=MIN_PART_BYTES, le=MAX_PUT_BYTES)
    sha256s: list[Sha256] = Field(min_length=1, max_length=MAX_PARTS)


class UploadFile(Asked):
    """A file about to be uploaded."""

    filename: FileName
    content_type: ContentType
    size_bytes: int = Field(ge=1, le=MAX_FILE_BYTES)
    sha256: Sha256
    preview: PreviewFile | None = None
    parts: FileParts | None = Field(default=None, description="needed above 1 GiB, where it is not reflinked")
    reflinked: bool = Field(default=False, description="it will share its bytes with the store, so it needs no space")

    @model_validator(mode="after")
    def _cut(self) -> "UploadFile":
        if self.parts is None:
            if self.size_bytes > MAX_PUT_BYTES and not self.reflinked:
                raise ValueError("a file above 1 GiB goes up in parts")
        elif len(self.parts.sha256s) != -(-self.size_bytes // self.parts.part_bytes):
            raise ValueError("there must be a checksum for each part")
        return self


class GenerateUrls(Asked):
    """POST /api/uploads/generate-urls"""

    files: list[UploadFile] = Field(min_length=1, max_length=MAX_BATCH)
    import_id: UUID | None = None
    region: str | None = Field(default=None, max_length=100, description="the nearest of those that /api/me names")


class SignedRequest(Value):
    """A request that the store accepts once, as it stands: method, address and every header."""

    method: Literal["PUT", "GET"]
    url: str = Field(description="one that begins with / is relative to the server's address")
    headers: dict[str, str] = {}
    expires_at: datetime


class Adopt(Asked):
    """POST to a signed upload address: the body lies in the store's folder for such files already, under this name."""

    staged: str = Field(pattern=r"^[0-9a-f]{32}$")
    headers: dict[str, str] = Field(description="the headers of the signed request")


class UploadStatus(StrEnum):
    UPLOAD = "upload"  # to be sent, or stored already where no `original` is given
    DUPLICATE = "duplicate"  # this user has this photo
    IN_BIN = "in_bin"  # this user has this photo, in the bin


class SignedPart(Value):
    """A part that is not stored yet, counted from 1."""

    number: int
    request: SignedRequest


class UploadSlot(Value):
    """The answer for one file, in the order of the request. A request that is absent need not be made.

    Where there are `parts`, those that are missing are sent, and then POST /api/uploads/complete makes them one.
    """

    storage_key: StorageKey
    status: UploadStatus
    image_id: int | None = None
    original: SignedRequest | None = None
    parts: list[SignedPart] | None = None
    preview: SignedRequest | None = None


class UploadSlots(Value):
    files: list[UploadSlot]


class CompleteUpload(Asked):
    """POST /api/uploads/complete: all parts of this file were sent."""

    storage_key: StorageKey


# --- jobs ------------------------------------------------------------------------------------------------------


class ProcessImage(Metadata):
    """An uploaded photo and what is known of it."""

    storage_key: StorageKey
    original_filename: FileName
    source_folder: Text | None = Field(default=None, max_length=4096)
    decode_error: Text | None = Field(default=None, max_length=500)


class Process(Asked):
    """POST /api/galleries/process"""

    import_id: UUID
    images: list[ProcessImage] = Field(min_length=1, max_length=MAX_BATCH)


class JobState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (JobState.COMPLETED, JobState.FAILED)


class JobAccepted(Value):
    job_id: UUID
    status: JobState


class AlbumSummary(Value):
    """An album as a list shows it; `photos` counts those of the import or job that was asked for."""

    id: int
    title: str
    photos: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class JobStatus(Value):
    id: UUID
    import_id: UUID
    status: JobState
    stage: str | None = None
    done: int = 0
    total: int = 0
    seconds_left: float | None = Field(default=None, description="of the stage, at the pace so far")
    attempt: int = 0
    organized_by: str | None = None
    organizer_note: str | None = Field(default=None, description="why albums are not as the organizer should make them")
    organizer_cost: float | None = Field(default=None, description="dollars that asking models did cost")
    error_code: str | None = None
    error_message: str | None = None
    damaged: list[str] = Field(
        default=[],
        description="storage keys of originals that were not what was uploaded and left the library: send them again",
    )
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    albums: list[AlbumSummary] = []


class Jobs(Value):
    jobs: list[JobStatus]


# --- galleries -------------------------------------------------------------------------------------------------


class AlbumKind(StrEnum):
    EVENT = "event"
    EVERYDAY = "everyday"  # what is no event, a month or a year at a time
    UNDATED = "undated"
    SCREENSHOTS = "screenshots"
    DOCUMENTS = "documents"  # scans and receipts
    DOWNLOADS = "downloads"  # what came from elsewhere
    TRIP = "trip"  # holds albums, no photos


class AlbumLevel(StrEnum):
    """Which nodes of the tree are the albums, finest first."""

    CHAPTERS = "chapters"
    ALBUMS = "albums"
    TRIPS = "trips"


class Regroup(Asked):
    """POST /api/albums/regroup"""

    level: AlbumLevel


class Photo(Value):
    """A photo as an album shows it; its addresses are signed, good for an hour, and may be relative to the server's."""

    id: int
    original_filename: str
    content_type: str
    file_size_bytes: int
    sha256: Sha256
    width: int | None
    height: int | None
    taken_at: NaiveDatetime | None
    taken_at_source: TakenAtSource | None
    utc_offset_minutes: int | None
    clock_shift_seconds: int = Field(default=0, description="taken_at is wrong by this: what must be added to it")
    latitude: float | None
    longitude: float | None
    altitude: float | None
    camera: str | None
    source_folder: str | None
    decode_error: str | None
    thumbhash: str | None = Field(description="base64 of the thumbhash")
    original_url: str
    preview_url: str | None
    thumb_url: str | None


class Album(Value):
    id: int
    title: str
    theme_description: str | None
    kind: AlbumKind
    place: str | None
    starts_at: NaiveDatetime | None
    ends_at: NaiveDatetime | None
    photo_count: int
    cover_url: str | None
    organized_by: str | None
    created_at: datetime
    updated_at: datetime
    albums: list["AlbumNode"] = Field(default=[], description="of a trip, where it is the one that was asked for")


class Gallery(Value):
    """GET /api/galleries/{userId}: a page of albums, newest first."""

    user_id: int
    albums: list[Album]
    next_cursor: str | None = None


class Chapter(Value):
    """A part of an album, such as a day of it."""

    photo_count: int
    starts_at: NaiveDatetime | None
    ends_at: NaiveDatetime | None


class AlbumNode(Value):
    """A trip with its albums, or an album with its chapters, both oldest first; an album of one chapter lists none."""

    id: int
    title: str
    kind: AlbumKind
    photo_count: int
    starts_at: NaiveDatetime | None
    ends_at: NaiveDatetime | None
    albums: list["AlbumNode"] = []
    chapters: list[Chapter] = []


class AlbumTree(Value):
    """GET /api/albums/tree: a page of trips and of albums that are in none, newest first."""

    level: AlbumLevel = Field(description="that of the albums: the chapters of what would be one, or whole trips")
    nodes: list[AlbumNode]
    next_cursor: str | None = None


class AlbumPage(Value):
    """GET /api/albums/{id}: the album and a page of its photos, in its order; those of a trip are its albums'."""

    album: Album
    photos: list[Photo]
    next_cursor: str | None = None


# At most, for Gemini's default model; tests/benchmarks/organize_cost.py prints the bill.
GEMINI_DOLLARS_A_THOUSAND_PHOTOS = 0.03


class Me(Value):
    """GET /api/me"""

    user_id: int
    library_id: UUID = Field(description="tells this library from any other, also after a server was set up anew")
    email: str
    scopes: list[str]
    photos: int
    albums: int
    storage: str = Field(description="where the originals lie")
    storage_free_bytes: int | None = Field(default=None, description="where the store is a disk")
    regions: dict[str, str] = Field(default={}, description="where the store has several: name, address to measure")
    organizer: str = Field(default="local", description="who makes the albums: local, gemini or openai")


# --- errors ----------------------------------------------------------------------------------------------------


class Problem(BaseModel):
    """RFC 9457 problem details; every error answer has this shape."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, Any]] = []
