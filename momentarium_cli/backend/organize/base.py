"""The port to whatever makes albums out of photos.

photo       a picture with what is known of its time, place and origin; never its bytes
event       photos that belong together in time and place: what an album shows
album       what the gallery has: titled photos in an order, with a cover
chapter     a part of an album, such as a day of it
trip        albums that belong together; it holds no photos of its own
time-lapse  hundreds of frames that a timer took; one event
existing    an album that earlier jobs made or its owner touched, with the photos it holds
proposal    what an organizer wants: photos into a new album, or into an existing one that they continue
home        a place of everyday life, for as long as it was one
stretch     the photos between two gaps of ALWAYS; what lies beyond says nothing of how they belong together

An organizer is total: every photo it is given is in exactly one proposal. Given are new photos and, so that the order
of imports changes nothing, those of their stretch that are in albums nobody touched, and of the stretches of those few
that `everyday.undecided` names; these are in `existing` too, and may move. It never moves a photo that is in `existing`
alone, and never touches the title of an album whose owner edited it. An album that was left without photos is gone; one
that lost some and keeps others has a proposal, with or without photos.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from momentarium_cli.models import AlbumKind, AlbumLevel

TITLE_LIMIT = 80  # characters, on one line and without control characters
REACH = timedelta(days=34)  # albums nearer than this to a stretch are given: its month, in any zone, by any clock,
YEAR = timedelta(days=369)  # and nearer than this those of years, which have few photos
TIMELESS = frozenset({AlbumKind.UNDATED, AlbumKind.SCREENSHOTS, AlbumKind.DOCUMENTS, AlbumKind.DOWNLOADS})


@dataclass(frozen=True, slots=True)
class Photo:
    """taken_at is local wall time without a zone, taken_sort is UTC; both are None where the photo is undated.

    A time that only the file system gave (source mtime) does not date a photo. `clock_shift` was found earlier: both
    times are as the camera gave them, and are right with it added. `thumb_key` and `region` are where its thumbnail
    lies; `phash` is the 64-bit difference hash of what it shows, `quality` how sharp and well exposed it is, 0 to 1.
    `look` are the 256 bits of `vision`.
    """

    id: int
    filename: str
    taken_at: datetime | None = None
    taken_sort: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    camera: str | None = None
    source_folder: str | None = None
    content_type: str = "image/jpeg"
    width: int | None = None
    height: int | None = None
    clock_shift: timedelta = timedelta()
    thumb_key: str | None = None
    region: str | None = None
    phash: int | None = None
    quality: float | None = None
    look: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Home:
    """Its middle in degrees; both days are of photos there."""

    latitude: float
    longitude: float
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Trip:
    """What holds the albums of all proposals with an equal one; `album_id` where it continues one that exists."""

    title: str
    theme_description: str
    place: str | None = None
    album_id: int | None = None


@dataclass(frozen=True, slots=True)
class ExistingAlbum:
    """An album within REACH of the photos' stretches, or of YEAR, or without a time; `edited`: its owner touched it.

    `trip_id` is of the trip that holds it. Of those that have no time `photos` are the cover alone; `more` it holds
    besides.
    """

    id: int
    kind: AlbumKind
    title: str
    edited: bool
    photos: tuple[Photo, ...]
    trip_id: int | None = None
    more: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Photos (only those given) for a new album, or for the one with `album_id`; title, theme, place, cover and
    chapters are for the whole album. `order` are all its photos as they are shown, () where that is by time and name;
    `chapter_ids` are the photos with which a chapter but the first begins, `clock_shifts` those whose camera had a
    wrong clock, by id."""

    kind: AlbumKind
    title: str
    theme_description: str
    photo_ids: tuple[int, ...]
    album_id: int | None = None
    place: str | None = None
    cover_id: int | None = None
    order: tuple[int, ...] = ()
    chapter_ids: tuple[int, ...] = ()
    trip: Trip | None = None
    clock_shifts: Mapping[int, timedelta] = field(default_factory=dict)


class Organizer(Protocol):
    @property
    def name(self) -> str:
        """What `organized_by` says, such as "local"; of the last run."""

    @property
    def report(self) -> Mapping[str, Any]:
        """What is noted with the job of the last run; `reason`, if there is one, is for people."""

    def organize(
        self,
        photos: Sequence[Photo],
        existing: Sequence[ExistingAlbum],
        homes: Sequence[Home] = (),
        level: AlbumLevel = AlbumLevel.ALBUMS,
    ) -> Sequence[Proposal]:
        """Put every photo into exactly one proposal; `homes` are those of the whole library, `level` says which nodes
        of the tree are albums."""


class Watch(Protocol):
    """Whoever runs the job, for organizers that take long; what any of it raises ends the run. Called from any
    thread."""

    @property
    def seconds_left(self) -> float | None:
        """Until this slice of the job is over; None where it has no end."""

    @property
    def got_further(self) -> bool:
        """Whether another slice would go on from here, rather than begin where this one did."""

    def check_held(self) -> None:
        """Raise if the job is no longer ours, or is to stop."""

    def note(self, stage: str, done: int, total: int) -> None:
        """So much is done that need not be done again; raises as `check_held` does."""

    def end_slice(self) -> None:
        """Raise if another slice would go on from here."""


Organizers = Callable[[int, Watch], Organizer]
"""Makes the organizer for a job of the user with this id."""
