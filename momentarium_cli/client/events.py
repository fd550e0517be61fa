"""What bulk work tells while it goes on: frozen values, one a thing that happened. Only the CLI renders them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from momentarium_cli.models import AlbumSummary, JobStatus

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Event:
    name: ClassVar[str]

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, "schema": SCHEMA} | {
            each.name: _plain(getattr(self, each.name)) for each in fields(self)
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return printable(value)
    return value


def printable(path: Path | str) -> str:
    """A path as text that can be printed and stored; bytes that are not UTF-8 become replacement characters."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The run begins; `storage` is where the originals will lie."""

    name: ClassVar[str] = "started"
    import_id: str
    server: str
    storage: str


@dataclass(frozen=True, slots=True)
class Found(Event):
    """A photo that is new or has changed."""

    name: ClassVar[str] = "found"
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Unchanged(Event):
    """A photo that an earlier run has dealt with; it was not read, or its bytes are still those."""

    name: ClassVar[str] = "unchanged"
    path: Path


@dataclass(frozen=True, slots=True)
class Skipped(Event):
    """A file that is not taken, and why."""

    name: ClassVar[str] = "skipped"
    path: Path
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut(Event):
    """A folder that is not walked, or a file that is not chosen, and why; it is not counted."""

    name: ClassVar[str] = "left_out"
    path: Path
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A file that could not be uploaded in this run."""

    name: ClassVar[str] = "failed"
    path: Path
    error: str


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """A file that is uploaded, with something to know about it."""

    name: ClassVar[str] = "warning"
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """All is scanned: what is to come."""

    name: ClassVar[str] = "planned"
    files: int
    bytes: int
    batches: int


@dataclass(frozen=True, slots=True)
class Sent(Event):
    """Bytes of photos that are dealt with, negative where a retry begins again; and those that were sent for it."""

    name: ClassVar[str] = "sent"
    bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Uploaded(Event):
    """A photo that is safely stored."""

    name: ClassVar[str] = "uploaded"
    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Duplicate(Event):
    """A photo whose bytes are in the library already: as `image_id`, or as the file `twin`."""

    name: ClassVar[str] = "duplicate"
    path: Path
    image_id: int | None = None
    twin: Path | None = None


@dataclass(frozen=True, slots=True)
class JobStarted(Event):
    """A batch is stored, and a job will organize it."""

    name: ClassVar[str] = "job"
    job_id: str
    photos: int


@dataclass(frozen=True, slots=True)
class JobProgress(Event):
    """How a job is doing."""

    name: ClassVar[str] = "progress"
    job: JobStatus

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, "schema": SCHEMA, "job": self.job.model_dump(mode="json", exclude={"albums"})}


@dataclass(frozen=True, slots=True)
class Albums(Event):
    """A job has ended while photos are still being uploaded: albums that can be looked at already."""

    name: ClassVar[str] = "albums"
    job_id: str
    albums: tuple[AlbumSummary, ...]

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, "schema": SCHEMA, "job": self.job_id, "albums": _album_list(self.albums)}


@dataclass(frozen=True, slots=True)
class Estimated(Event):
    """The end of a dry run: what the real one would send, about how long that takes and what becomes of it.

    `seconds` is None where nothing was sent yet that would tell the speed; `dollars` is what asking a model costs at
    most, about, None where no model is asked whose price is known.
    """

    name: ClassVar[str] = "estimated"
    files: int
    bytes: int
    seconds: float | None
    albums: int
    dollars: float | None


@dataclass(frozen=True, slots=True)
class BudgetReached(Event):
    """The run ends before all is done, as `max_duration` or `max_transfer` was reached; a later one goes on."""

    name: ClassVar[str] = "budget_reached"
    budget: str


@dataclass(frozen=True, slots=True)
class Summary(Event):
    """The end of the run. All counts are files, and `found` is the sum of the six after it."""

    name: ClassVar[str] = "summary"
    import_id: str
    found: int
    uploaded: int
    duplicates: int
    unchanged: int
    skipped: int
    failed: int
    pending: int
    bytes_uploaded: int
    elapsed_seconds: float
    jobs: tuple[JobStatus, ...] = ()
    albums: tuple[AlbumSummary, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        plain = {key: getattr(self, key) for key in self.__slots__ if key not in ("import_id", "jobs", "albums")}
        return {
            "event": self.name,
            "schema": SCHEMA,
            "import": self.import_id,
            **plain,
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "jobs": [{"id": str(job.id), "status": job.status.value} for job in self.jobs],
            "albums": _album_list(self.albums),
        }


@dataclass(frozen=True, slots=True)
class Busy(Event):
    """Another run holds the lock: nothing was done, or it was handed over and will be."""

    name: ClassVar[str] = "busy"
    text: str
    handed_over: bool


@dataclass(frozen=True, slots=True)
class DoneForAnother(Event):
    """What another run handed over was imported; `errand` is how that run called itself."""

    name: ClassVar[str] = "done_for_another"
    errand: str
    summary: Summary

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, "schema": SCHEMA, "errand": self.errand, "summary": self.summary.as_json()}


def _album_list(albums: Iterable[AlbumSummary]) -> list[dict[str, Any]]:
    return [{"id": album.id, "title": album.title, "photos": album.photos} for album in albums]
