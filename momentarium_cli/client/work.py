"""Files on their way through the second pass, and how fast they go."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from momentarium_cli.client.records import File
from momentarium_cli.client.retries import Attempts
from momentarium_cli.models import MAX_PARTS, PreviewFile, UploadFile
from momentarium_cli.photos.prepared import Prepared

_PACE_SECONDS = (0.2, 10.0)  # shorter times tell nothing, and longer ones what once was


@dataclass(frozen=True, slots=True)
class Load:
    """A batch to upload: the files of it that are not stored yet; there is at least one."""

    id: UUID
    files: Sequence[File]


@dataclass(slots=True)
class Progress:
    """A batch, and how many of its files are not settled yet."""

    id: UUID
    left: int


@dataclass(slots=True, eq=False)
class Work:
    """A file on its way, and how it fared so far."""

    file: File
    batch: Progress
    prepared: Prepared | None = None
    attempts: Attempts = field(default_factory=Attempts)
    least_missing: int = MAX_PARTS  # of a file that goes up in parts: how many of them were still to be sent
    signed_at: float = 0.0  # of time.monotonic()
    waited: float = 0.0  # seconds from then until sending began

    def got_on(self, missing: int) -> None:
        """A part was stored. What failed before it is forgotten, unless there were as few missing once before."""
        if missing < self.least_missing:
            self.least_missing = missing
            self.attempts = Attempts()

    @property
    def ready(self) -> Prepared:
        """What was prepared; only such work is signed, sent, or waits for a twin."""
        assert self.prepared is not None  # noqa: S101 -- see above
        return self.prepared

    def to_sign(self, *, reflinked: bool) -> UploadFile:
        """What the server is asked for; what is reflinked is never cut."""
        prepared, preview = self.ready, None
        if prepared.preview and prepared.preview_sha256:
            preview = PreviewFile(size_bytes=len(prepared.preview), sha256=prepared.preview_sha256)
        return UploadFile(
            filename=self.file.filename,
            content_type=prepared.content_type,
            size_bytes=prepared.size,
            sha256=prepared.sha256,
            preview=preview,
            parts=None if reflinked else prepared.parts,
            reflinked=reflinked,
        )

    @property
    def preview_bytes(self) -> int:
        return len(self.prepared.preview or b"") if self.prepared else 0


def works(loads: Iterable[Load]) -> Iterator[Work]:
    for load in loads:
        batch = Progress(load.id, len(load.files))
        for file in load.files:
            yield Work(file, batch)


class Pace:
    """How many files a second are stored, lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stored: deque[float] = deque()

    def stored(self) -> None:
        self._stored.append(self._clock())

    @property
    def per_second(self) -> float:
        now, (least, most) = self._clock(), _PACE_SECONDS
        while self._stored and self._stored[0] < now - most:
            self._stored.popleft()
        return len(self._stored) / max(least, now - self._stored[0]) if self._stored else 0.0
