"""What a model may change of the local organizer's groups, and what it may not.

Only events that nobody touched are changed: parts of one become events, events right after one another become one, and
photos that belong to none go to everyday life. What GPS and the names of folders say is known better.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from momentarium_cli.backend.organize.base import ExistingAlbum, Photo
from momentarium_cli.backend.organize.closer import parts_of, strays_of
from momentarium_cli.backend.organize.events import is_trip
from momentarium_cli.backend.organize.grouping import (
    Group,
    continued_by,
    diminished,
    everyday_groups,
    fixed_photos,
)
from momentarium_cli.backend.organize.order import by_time, instant
from momentarium_cli.backend.organize.questions import Subject
from momentarium_cli.backend.organize.relations import Relations, stretches_of
from momentarium_cli.backend.organize.titles import folder_name
from momentarium_cli.models import AlbumKind

KNOWS = 0.5  # of an event's photos have a position: it is known where it was
MOST_MERGED = 0.5  # of a job's events: a model that merges more of them does as some picture told it


@dataclass(frozen=True, slots=True)
class Looks:
    """What a model said of a group; `cover` is the key of a thumbnail. What is None stays as it is."""

    title: str | None
    theme: str | None
    cover: str | None

    @classmethod
    def of(cls, decision: Mapping[str, Any]) -> "Looks":
        return cls(decision["title"], decision["theme"], decision["cover"])


Seen = Mapping[Group, Looks]


def is_loose(group: Group) -> bool:
    """Whether its photos may be parted, or joined by others: all are given, nobody touched it, no timer took them."""
    untouched = not group.kept and not (group.album and group.album.edited)
    return group.kind is AlbumKind.EVENT and not group.lapse and untouched


# --- parts and strays ----------------------------------------------------------------------------------------------


def parted(
    subject: Subject, decision: Mapping[str, Any], shown: Sequence[Photo]
) -> tuple[dict[Group, Looks], list[Photo]]:
    """The groups that an event becomes by a closer look at these photos of it, and its photos that are of none."""
    group = subject.group
    if not is_loose(group):
        return {group: Looks.of(decision["parts"][0])} if len(decision["parts"]) == 1 else {}, []
    parts, strays = parts_of(subject, decision, shown), strays_of(subject, decision, shown)
    if len(parts) != len(decision["parts"]):  # a title of the first of them says little of the whole
        return {}, []
    if len(parts) == 1 and not strays:
        return {group: Looks.of(decision["parts"][0])}, []
    made = [Group(AlbumKind.EVENT, photos, None, (), group.trip) for photos in parts]
    return {one: Looks.of(said) for one, said in zip(made, decision["parts"], strict=True)}, strays


# --- events and journeys --------------------------------------------------------------------------------------------


def merged(
    subjects: Sequence[Subject], relations: Relations, seen: Seen, existing: Sequence[ExistingAlbum]
) -> dict[int, tuple[Group, Looks | None]]:
    """The event that each of those which become one with others is, by their numbers."""
    by_number = {subject.number: subject for subject in subjects}
    rank = {subject.number: index for index, subject in enumerate(sorted(subjects, key=_begin))}
    good = [
        ([by_number[number] for number in numbers], title)
        for numbers, title in relations.merges
        if _may_merge([by_number[number] for number in numbers], rank, existing)
    ]
    if sum(len(together) for together, _ in good) > max(2, MOST_MERGED * len(subjects)):
        return {}
    made: dict[int, tuple[Group, Looks | None]] = {}
    for together, title in good:
        photos = sorted((photo for subject in together for photo in subject.photos), key=by_time)
        group = Group(AlbumKind.EVENT, photos, None, (), together[0].group.trip)
        largest = max(together, key=lambda subject: len(subject.photos)).group
        looks = seen.get(largest)
        if looks and title:
            looks = replace(looks, title=title)
        made |= {subject.number: (group, looks) for subject in together}
    return made


def _may_merge(together: Sequence[Subject], rank: Mapping[int, int], existing: Sequence[ExistingAlbum]) -> bool:
    ordered = sorted(together, key=_begin)
    return (
        all(is_loose(subject.group) for subject in ordered)
        and _in_a_row(ordered, rank)
        and not _others_between(ordered, existing)
        and len({subject.group.trip for subject in ordered}) == 1
        and len({folder_name(subject.photos) for subject in ordered} - {None}) <= 1
        and (ordered[0].group.trip is not None or len({subject.place for subject in ordered} - {None}) <= 1)
    )


def _in_a_row(ordered: Sequence[Subject], rank: Mapping[int, int]) -> bool:
    """Whether they follow one another, and nothing ends between them."""
    ranks = [rank[subject.number] for subject in ordered]
    return ranks == list(range(ranks[0], ranks[0] + len(ranks))) and len(stretches_of(ordered)) == 1


def _others_between(ordered: Sequence[Subject], existing: Sequence[ExistingAlbum]) -> bool:
    """Whether an event that its owner touched has photos between theirs."""
    begin, end = instant(ordered[0].photos[-1]), instant(ordered[-1].photos[0])
    return any(
        photo.taken_at and begin < instant(photo) < end
        for album in existing
        if album.kind is AlbumKind.EVENT and album.edited
        for photo in album.photos
    )


def _begin(subject: Subject) -> tuple[Any, ...]:
    return by_time(subject.photos[0])


@dataclass(frozen=True, slots=True)
class Journey:
    """Groups that are one trip; `trip` is the number that they have together already, None if it is another trip."""

    groups: Sequence[Group]
    title: str | None
    trip: int | None


def journeys(subjects: Sequence[Subject], relations: Relations, groups: Mapping[int, Group]) -> list[Journey]:
    """The trips that count; `groups` is what has become of the events, by their numbers.

    Where it is known where photos were taken, it is known what is a trip: it may get a title, no more.
    """
    by_number = {subject.number: subject for subject in subjects}
    rank = {subject.number: index for index, subject in enumerate(sorted(subjects, key=_begin))}
    found: list[Journey] = []
    for numbers, title in relations.trips:
        together = sorted((by_number[number] for number in numbers), key=_begin)
        members = list(dict.fromkeys(groups[subject.number] for subject in together))
        trip = _whole_trip(together, subjects)
        if len(members) > 1 and (trip is not None or (_in_a_row(together, rank) and _may_travel(together))):
            found.append(Journey(members, title, trip))
    return found


def _whole_trip(together: Sequence[Subject], subjects: Sequence[Subject]) -> int | None:
    """The trip that has these events and no others."""
    [trip, *others] = {subject.group.trip for subject in together}
    whole = [subject for subject in subjects if subject.group.trip == trip]
    return None if others or len(whole) != len(together) else trip


def _may_travel(together: Sequence[Subject]) -> bool:
    photos = [photo for subject in together for photo in subject.photos]
    located = sum(photo.latitude is not None for photo in photos)
    return located < KNOWS * len(photos) and is_trip(sorted(map(instant, photos)))


# --- the whole again -------------------------------------------------------------------------------------------------


def finished(
    events: Sequence[Group],
    strays: Sequence[Photo],
    groups: Sequence[Group],
    photos: Sequence[Photo],
    existing: Sequence[ExistingAlbum],
) -> tuple[list[Group], dict[Group, Group]]:
    """All groups, with these as the events instead of those of `groups`, and strays in everyday life; and what has
    become of each event. Each continues the album that held most of its photos."""
    fixed = fixed_photos(photos, existing)
    held = {album.album.id for album in events if album.album}
    free = [group for group in events if group.album is None]
    albums = continued_by(
        [group.photos for group in free], [album for album in existing if album.id not in held and not album.edited]
    )
    album_of = {group: group.album for group in events} | dict(zip(free, albums, strict=True))
    counts = Counter(group.trip for group in events)
    became = {
        group: replace(group, album=album_of[group], trip=group.trip if counts[group.trip] > 1 else None)
        for group in events
    }
    kinds = (AlbumKind.EVENT, AlbumKind.EVERYDAY)
    everyday = [photo for group in groups if group.kind is AlbumKind.EVERYDAY for photo in group.photos]
    whole = [
        *sorted(became.values(), key=lambda group: by_time(group.whole[0])),
        *everyday_groups([*everyday, *strays], existing, fixed),
        *(group for group in groups if group.kind not in kinds and group.photos),
    ]
    return [*whole, *diminished(whole, existing, fixed)], became
