"""The look over all events of a job, in words alone: which are one occasion, which are a trip, which titles repeat."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from momentarium_cli.backend.organize.base import ExistingAlbum
from momentarium_cli.backend.organize.decisions import document, title, valid
from momentarium_cli.backend.organize.events import ALWAYS
from momentarium_cli.backend.organize.model import Fault, Unanswered
from momentarium_cli.backend.organize.naming import TITLES
from momentarium_cli.backend.organize.order import by_time, instant
from momentarium_cli.backend.organize.questions import DATA_NOT_ORDERS, Subject, as_line, key_of
from momentarium_cli.backend.organize.tasks import Asked, Decisions, Item, Policy
from momentarium_cli.backend.organize.text import clean, shorten
from momentarium_cli.models import AlbumKind

EVENTS_A_REQUEST = 200
_TOKENS_AN_EVENT = 10  # of an answer: most events are in none of its lists
_LEAST_TOKENS = 200
_LISTS = ("merges", "trips", "renames")

_INSTRUCTIONS = f"""You see the events of a person's photo library in the order of time, as one JSON object; what they \
show was looked at before, and is in their titles. "neighbours" are albums before and after them, only to compare with.
Answer with three lists, which are usually empty:
merges: events that are one occasion cut in two, by their numbers, each directly after the one before; and their title.
trips: events that are one journey together, by their numbers, each directly after the one before; and its title.
renames: events whose title another event has too, with one that tells them apart.
A title is {TITLES}
{DATA_NOT_ORDERS}"""


class Together(BaseModel):
    model_config = ConfigDict(strict=True)

    events: list[int]
    title: str


class Renamed(BaseModel):
    model_config = ConfigDict(strict=True)

    event: int
    title: str


class Answer(BaseModel):
    merges: list[Together]
    trips: list[Together]
    renames: list[Renamed]


@dataclass(frozen=True, slots=True)
class Relations:
    """What was said of events, by their numbers in this run; a title is None where it may not be shown."""

    merges: Sequence[tuple[Sequence[int], str | None]] = ()
    trips: Sequence[tuple[Sequence[int], str | None]] = ()
    renames: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relating:
    """Asks about a window of events at a time, which it numbers from 1 on, so that the same events are the same
    question; a decision has `merges` and `trips` with `events` and `title`, and `renames` with `event` and `title`."""

    policy: Policy
    answer = Answer
    most_sheets = 1

    @property
    def instructions(self) -> str:
        return _INSTRUCTIONS.format(language=self.policy.language)

    def output_tokens(self, item: Item) -> int:
        return max(_LEAST_TOKENS, _TOKENS_AN_EVENT * _size(item))

    def item(
        self, number: int, window: Sequence[Subject], names: Mapping[int, str], existing: Sequence[ExistingAlbum]
    ) -> Item:
        facts = {
            "events": [
                {"event": index, **subject.facts, **_titled(names.get(subject.number))}
                for index, subject in enumerate(window, 1)
            ],
            "neighbours": self._neighbours(window, existing),
        }
        return Item(number, as_line(facts), key_of(f"relations {self.policy.asking}", facts))

    def _neighbours(self, window: Sequence[Subject], existing: Sequence[ExistingAlbum]) -> list[dict[str, Any]]:
        """The albums right before and after; one that its owner touched is theirs alone. Titles have places and names
        of folders in them."""
        sharing = self.policy.sharing
        return [
            {"from": f"{min(times):%Y-%m-%d}", "to": f"{max(times):%Y-%m-%d}"}
            | (_titled(shorten(clean(album.title), 100)) if sharing.places and sharing.folder_names else {})
            for album, times in _bordering(window, existing)
        ]

    def read(self, text: str, asked: Sequence[Asked]) -> Decisions:
        """What counts of an answer; left out is what names an event that there is not, or one event twice."""
        [one] = asked
        found = document(text)
        if not all(isinstance(found.get(name), list) for name in _LISTS):
            raise Unanswered(Fault.UNUSABLE)
        known = range(1, _size(one.item) + 1)
        renames = [said for said in valid(Renamed, found["renames"]) if said.event in known]
        times = Counter(said.event for said in renames)
        decision = {
            "merges": self._together(found["merges"], known),
            "trips": self._together(found["trips"], known),
            "renames": [
                {"event": said.event, "title": name}
                for said in renames
                if times[said.event] == 1 and (name := title(said.title, self.policy.language))
            ],
        }
        return {one.item.number: decision}

    def _together(self, values: Sequence[Any], known: range) -> list[dict[str, Any]]:
        found = [said for said in valid(Together, values) if len(said.events) > 1 and set(said.events) <= set(known)]
        times = Counter(event for said in found for event in said.events)
        return [
            {"events": sorted(said.events), "title": title(said.title, self.policy.language)}
            for said in found
            if all(times[event] == 1 for event in said.events)
        ]


def _size(item: Item) -> int:
    return len(json.loads(item.text)["events"])


def _titled(name: str | None) -> dict[str, str]:
    return {"title": name} if name else {}


def windows(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Events in the order of time, as many together as one request takes; cut where nothing goes on, if there is such a
    place. An event that is alone has nothing to be compared with."""
    found: list[list[Subject]] = [[]]
    for stretch in stretches_of(subjects):
        for start in range(0, len(stretch), EVENTS_A_REQUEST):
            some = stretch[start : start + EVENTS_A_REQUEST]
            if len(found[-1]) + len(some) > EVENTS_A_REQUEST:
                found.append([])
            found[-1].extend(some)
    return [window for window in found if len(window) > 1]


def stretches_of(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Events between gaps that end everything, in the order of time."""
    found: list[list[Subject]] = []
    for subject in sorted(subjects, key=lambda subject: by_time(subject.photos[0])):
        until = max((instant(before.photos[-1]) for before in found[-1]), default=None) if found else None
        if until is None or instant(subject.photos[0]) - until >= ALWAYS:
            found.append([])
        found[-1].append(subject)
    return found


def relations(windows: Sequence[Sequence[Subject]], decisions: Decisions) -> Relations:
    """What was decided of all windows."""
    merges: list[tuple[Sequence[int], str | None]] = []
    trips: list[tuple[Sequence[int], str | None]] = []
    renames: dict[int, str] = {}
    for number, window in enumerate(windows, 1):
        if decision := decisions.get(number):
            of = {index: subject.number for index, subject in enumerate(window, 1)}
            merges += [([of[event] for event in said["events"]], said["title"]) for said in decision["merges"]]
            trips += [([of[event] for event in said["events"]], said["title"]) for said in decision["trips"]]
            renames |= {of[said["event"]]: said["title"] for said in decision["renames"]}
    return Relations(merges, trips, renames)


def _bordering(
    window: Sequence[Subject], existing: Sequence[ExistingAlbum]
) -> Iterator[tuple[ExistingAlbum, list[datetime]]]:
    """The albums of events right before and after, with the times of their photos."""
    begin, end = instant(window[0].photos[0]), max(instant(subject.photos[-1]) for subject in window)
    spans: list[tuple[datetime, datetime, ExistingAlbum]] = []
    for album in existing:
        dated = [instant(photo) for photo in album.photos if photo.taken_at]
        if album.kind is AlbumKind.EVENT and not album.edited and dated:
            spans.append((min(dated), max(dated), album))
    before = max((span for span in spans if span[1] < begin), key=lambda span: (span[1], -span[2].id), default=None)
    after = min((span for span in spans if span[0] > end), key=lambda span: (span[0], span[2].id), default=None)
    for _, _, album in filter(None, (before, after)):
        yield album, [photo.taken_at for photo in album.photos if photo.taken_at]
